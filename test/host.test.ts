import fastifySocketIO from 'fastify-socket.io'
import type { FastifyInstance } from 'fastify'
import { EventEmitter } from 'node:events'
import { type AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { Manager, type Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import '../lib/gateway/io.js'
import { type WsEventsOptions } from '../lib/index.js'
import { Inbox, type Transport, admitted, connect, disconnected, listen, refused, transports } from './helpers/client.js'
import { recordLog } from './helpers/log.js'
import { PREFIX } from './helpers/outcome.js'
import { registrationError } from './helpers/register.js'
import { type TestServer, startServer } from './helpers/server.js'

const ON = { enabled: true }
const KEY = { auth: { apikey: 'key' } }

/** What a host does for the clients of its own namespaces, which the plugin leaves alone: an open poll would keep the server from closing. */
function endOwnClients (fastify: FastifyInstance): void {
  fastify.addHook('preClose', done => {
    fastify.io.engine.close()
    done()
  })
}

/** The ways in which a host brings its own Socket.IO server. */
const HOSTS: Readonly<Record<string, (t: Test, options?: WsEventsOptions) => Promise<TestServer>>> = {
  'registers fastify-socket.io': async (t, options = {}) =>
    await startServer(t, { apikey: 'key', ...options }, {
      before: async fastify => {
        await fastify.register(fastifySocketIO.default as never)
        endOwnClients(fastify)
      }
    }),
  'decorates its own Server': async (t, options = {}) =>
    await startServer(t, { apikey: 'key', ...options }, {
      before: fastify => {
        fastify.decorate('io', new Server(fastify.server))
        endOwnClients(fastify)
      }
    }),
  'gives its own Server as the option': async (t, options = {}) => {
    const socketio = new Server()
    return await startServer(t, { apikey: 'key', socketio, ...options }, {
      before: fastify => {
        socketio.attach(fastify.server)
        endOwnClients(fastify)
      }
    })
  }
}

async function eachHost (t: Test, story: (t: Test, start: (options?: WsEventsOptions) => Promise<TestServer>, transport: Transport) => Promise<void>): Promise<void> {
  for (const [how, start] of Object.entries(HOSTS)) {
    for (const transport of transports) {
      await t.test(`a host that ${how}, ${transport}`, async t => { await story(t, async options => await start(t, options), transport) })
    }
  }
}

const next = async (socket: Socket, event: string): Promise<unknown> => await new Promise(resolve => { socket.once(event, resolve) })

t.test('in traditional mode the root stays the host\'s, and both serve their own', async t => {
  await eachHost(t, async (t, start, transport) => {
    const { fastify, url } = await start()
    fastify.io.use((socket, done) => { done(socket.handshake.auth.name === 'Ann' ? undefined : new Error('only Ann')) })
    fastify.io.on('connection', socket => {
      socket.on('ask', (question: string, answer: (text: string) => void) => { answer(`${question}: yes`) })
    })
    await fastify.wsEvents.set('acme', ON)
    const ann = await admitted(connect(t, url, { transports: [transport], auth: { name: 'Ann' } }))
    t.equal(await ann.emitWithAck('ask', 'is it mine'), 'is it mine: yes', 'its handlers answer')
    await t.rejects(admitted(connect(t, url, { transports: [transport], auth: { name: 'Bob', apikey: 'key' } })), { message: 'only Ann' }, 'its own checks hold')
    const heard = new Inbox(ann)
    const { inbox } = await listen(t, `${url}/acme`, { transports: [transport], ...KEY })
    t.equal((await refused(connect(t, `${url}/acme`, { transports: [transport], auth: { name: 'Ann' } }))).code, `${PREFIX}UNAUTHORIZED`, 'ours ask for a key')
    t.strictSame((await fastify.wsEvents.emit('acme', 'messages.upsert', 'ours')).routes, ['/acme'])
    t.equal((await inbox.got(1))[0]?.data, 'ours')
    fastify.io.emit('news', { event: 'news' })
    t.strictSame((await heard.got(1)).map(({ event }) => event), ['news'], 'its emits arrive, and nothing of ours')
    t.strictSame(fastify.wsEvents.clients().map(({ instance }) => instance), ['acme'], 'its clients are not counted')
  })
})

t.test('the host\'s namespaces work beside ours over one connection, and survive what ends ours', async t => {
  await eachHost(t, async (t, start, transport) => {
    const { fastify, url } = await start()
    fastify.io.of('/chat').on('connection', socket => { socket.on('say', (text: string) => { fastify.io.of('/chat').emit('said', text) }) })
    await fastify.wsEvents.set('acme', ON)
    const manager = new Manager(url, { transports: [transport] })
    t.teardown(() => { manager._close() })
    const chat = await admitted(manager.socket('/chat'))
    const root = await admitted(manager.socket('/'))
    const acme = await admitted(manager.socket('/acme', KEY))
    const ends: unknown[] = []
    for (const socket of [chat, root]) socket.on('disconnect', reason => { ends.push(reason) })
    const said = next(chat, 'said')
    chat.emit('say', 'hello')
    t.equal(await said, 'hello')
    const ended = disconnected(acme)
    t.equal(await fastify.wsEvents.remove('acme'), true)
    t.equal(await ended, 'io server disconnect')
    t.match(await refused(manager.socket('/beta', KEY)), { code: `${PREFIX}NOT_SET` })
    const again = next(chat, 'said')
    chat.emit('say', 'still here')
    t.equal(await again, 'still here')
    t.strictSame(ends, [])
  })
})

t.test('a namespace that the host made first cannot be an instance', async t => {
  await eachHost(t, async (t, start, transport) => {
    const { fastify, url } = await start({ evolution: true })
    fastify.io.of('/chat').on('connection', socket => { socket.emit('welcome', 'to the chat') })
    const error = { code: `${PREFIX}HOST_NAMESPACE`, statusCode: 409 }
    await t.rejects(fastify.wsEvents.set('chat', ON), error)
    const headers = { apikey: 'key', 'content-type': 'application/json' }
    for (const [method, path] of [['PUT', '/instance/chat/websocket'], ['POST', '/websocket/set/chat']] as const) {
      const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(ON) })
      t.match({ status: response.status, ...await response.json() as object }, { status: 409, code: error.code }, path)
    }
    t.equal(await fastify.wsEvents.find('chat'), null)
    t.strictSame(await fastify.wsEvents.emit('chat', 'call', {}), { id: null, routes: [], skipped: 'host-namespace' })
    t.equal(await next(connect(t, `${url}/chat`, { transports: [transport] }), 'welcome'), 'to the chat')
  })
})

t.test('in global mode the root of the host\'s server is served with our events, to keys alone', async t => {
  await eachHost(t, async (t, start, transport) => {
    const { fastify, url } = await start({ globalEvents: true })
    fastify.io.on('connection', socket => { socket.emit('welcome', { event: 'welcome' }) })
    fastify.io.of('/chat').on('connection', socket => { socket.emit('welcome', 'to the chat') })
    for (const [auth, code] of [[{}, 'UNAUTHORIZED'], [{ apikey: 'wrong' }, 'FORBIDDEN']] as const) {
      t.equal((await refused(connect(t, url, { transports: [transport], auth }))).code, `${PREFIX}${code}`)
    }
    t.equal(await next(connect(t, `${url}/chat`, { transports: [transport] }), 'welcome'), 'to the chat', 'its other namespaces are left alone')
    const { inbox } = await listen(t, url, { transports: [transport], ...KEY })
    t.match(await fastify.wsEvents.emit('acme', 'messages.upsert', 1), { routes: ['/'], skipped: 'not-set' })
    t.match(await fastify.wsEvents.emit('chat', 'messages.upsert', 2), { routes: ['/'], skipped: 'host-namespace' })
    fastify.io.emit('news', { event: 'news' })
    const messages = await inbox.got(4)
    t.strictSame(messages.filter(({ event }) => event === 'messages.upsert').map(({ data }) => data), [1, 2])
    t.strictSame(messages.filter(({ event }) => event !== 'messages.upsert').map(({ event }) => event), ['welcome', 'news'])
  })
})

t.test('a Server that is given as the option becomes fastify.io', async t => {
  const socketio = new Server()
  const given = await startServer(t, { apikey: 'key', socketio }, { before: fastify => { socketio.attach(fastify.server) } })
  t.equal(given.fastify.io, socketio)
  const same = new Server()
  const both = await startServer(t, { apikey: 'key', socketio: same }, {
    before: fastify => {
      same.attach(fastify.server)
      fastify.decorate('io', same)
    }
  })
  t.equal(both.fastify.io, same, 'also when it is fastify.io already')
  await admitted(connect(t, both.url))
})

t.test('a Server on a port of its own serves our clients there', async t => {
  const server = new Server(0)
  t.teardown(async () => { await server.close() })
  const { fastify, url } = await startServer(t, { apikey: 'key', socketio: server })
  const { port } = (server as unknown as { httpServer: { address (): AddressInfo } }).httpServer.address()
  await fastify.wsEvents.set('acme', ON)
  const { inbox } = await listen(t, `http://127.0.0.1:${port}/acme`, KEY)
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'heard')
  t.equal((await inbox.got(1))[0]?.data, 'heard')
  t.equal((await fetch(`${url}/instance/acme/websocket`, { headers: { apikey: 'key' } })).status, 200)
})

t.test('a Server with a path of its own is served at that path', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key' }, { before: fastify => { fastify.decorate('io', new Server(fastify.server, { path: '/elsewhere/' })) } })
  await fastify.wsEvents.set('acme', ON)
  for (const transport of transports) await admitted(connect(t, `${url}/acme`, { transports: [transport], path: '/elsewhere/', ...KEY }))
  t.equal((await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).status, 404)
})

// Not the format that Socket.IO writes by itself.
class ReversedEncoder {
  encode (packet: object): string[] {
    return [[...JSON.stringify(packet)].reverse().join('')]
  }
}

class ReversedDecoder extends EventEmitter {
  add (text: string): void {
    this.emit('decoded', JSON.parse([...text].reverse().join('')))
  }

  destroy (): void {}
}

t.test('events arrive in the format of the host\'s own parser', async t => {
  const parser = { Encoder: ReversedEncoder, Decoder: ReversedDecoder }
  const own = await startServer(t, { apikey: 'key', socketio: { parser } })
  const hosts = await startServer(t, { apikey: 'key' }, { before: fastify => { fastify.decorate('io', new Server(fastify.server, { parser })) } })
  for (const { fastify, url } of [own, hosts]) {
    await fastify.wsEvents.set('acme', ON)
    for (const transport of transports) {
      const { inbox } = await listen(t, `${url}/acme`, { transports: [transport], parser, ...KEY })
      await fastify.wsEvents.emit('acme', 'messages.upsert', { text: 'olá' })
      t.match((await inbox.got(1))[0], { event: 'messages.upsert', data: { text: 'olá' } })
    }
  }
})

t.test('options that would do nothing on the host\'s server are errors', async t => {
  const befores = {
    'fastify-socket.io': async (fastify: FastifyInstance) => { await fastify.register(fastifySocketIO.default as never) },
    'a Server': (fastify: FastifyInstance) => { fastify.decorate('io', new Server(fastify.server)) }
  }
  for (const [how, before] of Object.entries(befores)) {
    for (const options of [{ cors: 'https://app.example' }, { cors: '*' }, { socketio: { path: '/elsewhere' } }, { socketio: { pingInterval: 1000 } }]) {
      const { code, statusCode, message } = await registrationError(t, options, before)
      t.strictSame([code, statusCode], [`${PREFIX}INVALID_OPTION`, 500], `${how}, ${JSON.stringify(options)}`)
      t.match(message, `"${Object.keys(options)[0]}"`, 'it names the option')
    }
  }
  const { code, message } = await registrationError(t, { cors: '*', socketio: new Server() })
  t.equal(code, `${PREFIX}INVALID_OPTION`)
  t.match(message, '"cors"')
})

t.test('something else that is called fastify.io is an error', async t => {
  const { code, message } = await registrationError(t, {}, fastify => { fastify.decorate('io', { not: 'a server' } as never) })
  t.equal(code, `${PREFIX}INVALID_OPTION`)
  t.match(message, 'fastify.io')
})

t.test('register\'s own prefix is an error that names routes.prefix; its log options pass', async t => {
  const { code, message } = await registrationError(t, { prefix: '/api' })
  t.equal(code, `${PREFIX}INVALID_OPTION`)
  t.match(message, 'routes.prefix')
  t.match((await registrationError(t, { prefix: '' })).message, 'routes.prefix')
  const { lines, fastify: logged } = recordLog()
  const logOptions = { logLevel: 'warn', logSerializers: { name: String } } as WsEventsOptions
  const { fastify } = await startServer(t, logOptions, { fastify: logged })
  await t.resolves(fastify.wsEvents.set('acme', ON))
  t.equal(lines.filter(({ level }) => level >= 50).length, 0)
})

t.test('it decorates the instance that it is registered on, under its own name', async t => {
  const { fastify } = await startServer(t)
  t.ok(fastify.hasDecorator('wsEvents'))
  t.ok(fastify.hasDecorator('io'))
  t.ok(fastify.hasPlugin('fastify-ws-events'))
})
