import createError from '@fastify/error'
import { Server } from 'socket.io'
import { Manager } from 'socket.io-client'
import t, { type Test } from 'tap'
import wsEvents, { type CodedError, errors, type ErrorName, type HandleOptions } from '../lib/index.js'
import { CODE_PREFIX, errorName } from '../lib/errors.js'
import { admitted, connect, refused } from './helpers/client.js'
import { registrationError } from './helpers/register.js'
import { startServer } from './helpers/server.js'
import { SharedStore } from './helpers/shared-store.js'

/** An error as whoever meets it sees it: as an exception, in an answer, or in a refusal. */
interface Met {
  readonly code?: string | undefined
  readonly statusCode?: number | undefined
  readonly message: string
}

interface Row {
  readonly statusCode: number
  /** What the message says of what is wrong, and of what to do. */
  readonly says: RegExp
  readonly meet: (t: Test) => Promise<Met>
}

/** What a promise rejects with. */
async function rejection (promise: Promise<unknown>): Promise<Met> {
  return await promise.then(() => { throw new Error('it did not reject') }, (error: CodedError) => error)
}

/** How a client's message is answered. */
async function answered (t: Test, options: HandleOptions): Promise<Met> {
  const { fastify, url } = await startServer(t, open)
  fastify.wsEvents.handle('sendNode', options)
  return await (await admitted(connect(t, `${url}/acme`))).emitWithAck('sendNode') as Met
}

const open = { defaultConfig: { enabled: true } }

/** How each error is met: from outside, by what the plugin's users do. */
const rows: Record<ErrorName, Row> = {
  INVALID_OPTION: {
    statusCode: 500,
    says: /"globalEvents" must be true or false; got "yes"/,
    meet: async t => await registrationError(t, { globalEvents: 'yes' })
  },
  STORE_OPEN: {
    statusCode: 500,
    says: /store .*package\.json.* cannot be opened: .*/,
    meet: async t => await registrationError(t, { store: 'lmdb:./package.json' })
  },
  HANDLER_FAILED: {
    statusCode: 500,
    says: /handler of "sendNode" failed/,
    meet: async t => await answered(t, { handler: () => { throw new Error('no') } })
  },
  HANDLER_TIMEOUT: {
    statusCode: 504,
    says: /handler of "sendNode" took longer than 10 ms/,
    meet: async t => await answered(t, { timeout: 10, handler: async () => { await new Promise(() => {}) } })
  },
  STORE_UNAVAILABLE: {
    statusCode: 503,
    says: /the option configs: set failed: the database is away/,
    meet: async t => {
      const configs = { get: () => null, set: () => { throw new Error('the database is away') }, delete: () => false, list: () => [] }
      return await rejection((await startServer(t, { configs })).fastify.wsEvents.set('acme', { enabled: true }))
    }
  },
  PENDING_FULL: {
    statusCode: 503,
    says: /store is unavailable.*limits\.pendingEvents, limits\.pendingBytes.*again when the store is available/,
    meet: async t => {
      const shared = new SharedStore()
      shared.away()
      const { fastify } = await startServer(t, { store: shared.node(), limits: { pendingEvents: 1 } })
      void fastify.wsEvents.emit('acme', 'call', null)
      return await rejection(fastify.wsEvents.emit('acme', 'call', null))
    }
  },
  DUPLICATE: {
    statusCode: 500,
    says: /registered already.*register it once, on the root instance/,
    meet: async t => await registrationError(t, {}, async fastify => { await fastify.register(wsEvents, { env: false }) })
  },
  UNAUTHORIZED: {
    statusCode: 401,
    says: /key is needed.*auth\.apikey.*header apikey.*Bearer/,
    meet: async t => await refused(connect(t, `${(await startServer(t, { apikey: 'k' })).url}/acme`))
  },
  FORBIDDEN: {
    statusCode: 403,
    says: /key does not grant access to the instance "acme"/,
    meet: async t => await refused(connect(t, `${(await startServer(t, { apikey: 'k' })).url}/acme`, { auth: { apikey: 'wrong' } }))
  },
  ORIGIN_NOT_ALLOWED: {
    statusCode: 403,
    says: /"https:\/\/evil\.example" may not connect.*option cors/,
    meet: async t => await refused(connect(t, `${(await startServer(t, { cors: 'https://app.example' })).url}/acme`, { extraHeaders: { origin: 'https://evil.example' } }))
  },
  VERIFY_FAILED: {
    statusCode: 503,
    says: /could not be checked just now: try again/,
    meet: async t => {
      const { fastify } = await startServer(t, { verify: () => { throw new Error('the database is away') } })
      return (await fastify.inject({ url: '/instance/acme/websocket', headers: { apikey: 'k' } })).json()
    }
  },
  LIMIT_REACHED: {
    statusCode: 429,
    says: /limit namespacesPerConnection is reached/,
    meet: async t => {
      const manager = new Manager((await startServer(t, { ...open, limits: { namespacesPerConnection: 1 } })).url, { transports: ['websocket'] })
      t.teardown(() => { manager._close() })
      await admitted(manager.socket('/acme'))
      return await refused(manager.socket('/other'))
    }
  },
  GLOBAL_DISABLED: {
    statusCode: 404,
    says: /traditional mode: connect to \/INSTANCE, or.*WEBSOCKET_GLOBAL_EVENTS=true/,
    meet: async t => await refused(connect(t, (await startServer(t)).url))
  },
  NOT_SET: {
    statusCode: 404,
    says: /"Teste 01" was never set: PUT \/instance\/Teste%2001\/websocket with \{"enabled":true\} first/,
    meet: async t => await refused(connect(t, `${(await startServer(t)).url}/Teste%2001`))
  },
  INSTANCE_DISABLED: {
    statusCode: 403,
    says: /"acme" are disabled: PUT \/instance\/acme\/websocket with \{"enabled":true\}/,
    meet: async t => await refused(connect(t, `${(await startServer(t, { defaultConfig: { enabled: false } })).url}/acme`))
  },
  INSTANCE_UNKNOWN: {
    statusCode: 404,
    says: /no instance "acme"/,
    meet: async t => {
      const { fastify } = await startServer(t, { instanceExists: () => false })
      return (await fastify.inject({ method: 'PUT', url: '/instance/acme/websocket', payload: { enabled: true } })).json()
    }
  },
  HOST_NAMESPACE: {
    statusCode: 409,
    says: /\/admin was made by the application itself: give the instance another name/,
    meet: async t => {
      const socketio = new Server()
      socketio.of('/admin')
      const { fastify } = await startServer(t, { socketio }, { before: fastify => { socketio.attach(fastify.server) } })
      return await rejection(fastify.wsEvents.set('admin', { enabled: true }))
    }
  },
  ALREADY_JOINED: {
    statusCode: 409,
    says: /in the instance "acme" already, or joining it, as \/acme: leave that first/,
    meet: async t => {
      const socket = await admitted(connect(t, `${(await startServer(t, open)).url}/acme`))
      return await refused(socket.io.socket('/%61cme'))
    }
  },
  INVALID_NAME: {
    statusCode: 400,
    says: /"a\/b" has "\/" in it: none of \/ \\ , \? # %/,
    meet: async t => await rejection((await startServer(t)).fastify.wsEvents.emit('a/b', 'call', null))
  },
  INVALID_FILTER: {
    statusCode: 400,
    says: /filter.*"message\.upsert".*"messages\.upsert"/,
    meet: async t => await refused(connect(t, `${(await startServer(t, open)).url}/acme`, { auth: { events: ['message.upsert'] } }))
  },
  UNKNOWN_EVENT: {
    statusCode: 400,
    says: /"message\.upsert": did you mean "messages\.upsert"\?.*option "events"/,
    meet: async t => await rejection((await startServer(t)).fastify.wsEvents.emit('acme', 'message.upsert', null))
  },
  INVALID_DATA: {
    statusCode: 400,
    says: /"order".*data\/id must be string/,
    meet: async t => {
      const { fastify } = await startServer(t, { events: { order: { properties: { id: { type: 'string' } } } } })
      return await rejection(fastify.wsEvents.emit('acme', 'order', { id: 5 }))
    }
  },
  MESSAGE_TOO_LARGE: {
    statusCode: 413,
    says: /"call" has 1\d\d\d bytes, and limits\.messageBytes allows 1000: send a link/,
    meet: async t => {
      const { fastify, url } = await startServer(t, { ...open, limits: { messageBytes: 1000 } })
      await admitted(connect(t, `${url}/acme`))
      return await rejection(fastify.wsEvents.emit('acme', 'call', 'x'.repeat(1000)))
    }
  },
  NOT_SERIALIZABLE: {
    statusCode: 400,
    says: /"call" cannot be sent: .*BigInt/,
    meet: async t => {
      const { fastify, url } = await startServer(t, open)
      await admitted(connect(t, `${url}/acme`))
      return await rejection(fastify.wsEvents.emit('acme', 'call', 5n))
    }
  },
  IDEMPOTENCY_KEY_REUSED: {
    statusCode: 422,
    says: /Idempotency-Key was used within the last hour with another body: use a new key for each request/,
    meet: async t => {
      const { fastify } = await startServer(t)
      const publish = async (data: number) => await fastify.inject({ method: 'POST', url: '/instance/acme/events', headers: { 'idempotency-key': 'k' }, payload: { event: 'call', data } })
      await publish(1)
      return (await publish(2)).json()
    }
  },
  DISABLED: {
    statusCode: 503,
    says: /disabled on this server \(WEBSOCKET_ENABLED\)/,
    meet: async t => await (await fetch(`${(await startServer(t, { enabled: false })).url}/socket.io/?EIO=4&transport=polling`)).json() as Met
  },
  CLOSED: {
    statusCode: 503,
    says: /shutting down/,
    meet: async t => {
      const { fastify } = await startServer(t)
      await fastify.close()
      return await rejection(fastify.wsEvents.emit('acme', 'call', null))
    }
  }
}

t.test('every error has its row here', async t => {
  t.same(Object.keys(rows).sort(), Object.keys(errors).sort())
})

for (const [name, { statusCode, says, meet }] of Object.entries(rows)) {
  t.test(`${name} is met with its code, its status, and a message that says what to do`, async t => {
    const error = await meet(t)
    t.equal(error.code, `FST_ERR_WS_EVENTS_${name}`)
    t.equal(error.statusCode, statusCode)
    t.match(error.message, says)
    t.notMatch(error.message, /%s|undefined|\[object/)
  })
}

t.test('an exception is an instance of its exported class, and of Error', async t => {
  const error = await registrationError(t, { globalEvents: 'yes' })
  t.ok(error instanceof errors.INVALID_OPTION)
  t.notOk(error instanceof errors.DUPLICATE)
  t.ok(error instanceof Error)
})

t.test('the name of an error is found from its code', async t => {
  for (const name of Object.keys(errors) as ErrorName[]) {
    const error = new (errors[name] as unknown as new (...args: string[]) => Error)('a', 'b')
    t.equal(errorName(error), name)
    t.equal((error as CodedError).code, CODE_PREFIX + name)
  }
  for (const other of [new Error('x'), new (createError('FST_ERR_OTHER', 'x'))(), new (createError('FST_ERR_WS_EVENTS_NOPE', 'x'))(), { code: 'FST_ERR_WS_EVENTS_INVALID_OPTION' }, null, undefined, 'INVALID_OPTION']) {
    t.equal(errorName(other), undefined)
  }
})

t.test('what came from outside stands in a message as it is, also if it looks like a format', async t => {
  const { fastify } = await startServer(t)
  for (const event of ['%s', '%d%j', '%']) t.match((await rejection(fastify.wsEvents.emit('acme', event, null))).message, `unknown event "${event}": did you mean`)
  const response = await fastify.inject({ url: `/instance/${encodeURIComponent('$& %s'.replace('%', ''))}/websocket` })
  t.match(response.json<Met>().message, '"$& s" was never set')
})
