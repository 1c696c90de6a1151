import { Type } from '@sinclair/typebox'
import type { Socket } from 'socket.io-client'
import t from 'tap'
import { errors, type HandleOptions, type HandlerRequest, type Refusal, type Verify } from '../../lib/index.js'
import { connect, disconnected, listen, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { PREFIX, shortCode } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'
import { RawWebSocket } from '../protocol/helpers/raw-web-socket.js'

const enabled = { defaultConfig: { enabled: true } }
const stanza = Type.Object({ to: Type.String(), times: Type.Optional(Type.Integer()) }, { additionalProperties: false })

/** What is thrown is not always an error. */
const NO_ERROR = { at: 'db-7.internal' } as unknown as Error

const send = async (socket: Socket, event: string, ...args: unknown[]): Promise<unknown> => await socket.timeout(60_000).emitWithAck(event, ...args)
const codeOf = async (answer: Promise<unknown>): Promise<string> => shortCode((await answer as Refusal).code)

for (const transport of transports) {
  t.test(`over ${transport}, a client sends for the instance of its namespace, whatever it says, and is told what came of it`, async t => {
    const server = await startServer(t, enabled)
    const requests: HandlerRequest[] = []
    server.fastify.wsEvents.handle('sendNode', {
      schema: Type.Object({ instance: Type.String(), node: Type.Unknown() }),
      handler: async request => {
        requests.push(request)
        return await Promise.resolve({ sent: request.data.node, by: request.instance })
      }
    })
    const { socket } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    t.strictSame(await send(socket, 'sendNode', { instance: 'beta', node: [1] }), { sent: [1], by: 'acme' })
    t.strictSame(requests.map(({ instance, data }) => ({ instance, data })), [{ instance: 'acme', data: { instance: 'beta', node: [1] } }])
    t.equal(requests[0]?.socket.id, socket.id)
    t.match(server.fastify.wsEvents.stats(), { clients: { received: { handled: 1, dropped: 0 } } })
  })

  t.test(`over ${transport}, bytes go in and out`, async t => {
    const server = await startServer(t, enabled)
    server.fastify.wsEvents.handle('reverse', { handler: ({ data }) => ({ bytes: Buffer.from(data as Buffer).reverse() }) })
    const { socket } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    t.strictSame(await send(socket, 'reverse', Buffer.from([1, 2, 3])), { bytes: Buffer.from([3, 2, 1]) })
  })
}

t.test('what is nothing is acknowledged with null, and who asks for no acknowledgement is told nothing', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const got: unknown[] = []
  fastify.wsEvents.handle('note', { handler: ({ data }) => { got.push(data) } })
  const { socket } = await listen(t, `${url}/acme`)
  socket.emit('note', 'no answer')
  t.equal(await send(socket, 'note'), null)
  t.strictSame(got, ['no answer', undefined])
})

t.test('data against the schema, or more than one argument, never gets to the handler', async t => {
  const { fastify, url } = await startServer(t, enabled)
  let calls = 0
  fastify.wsEvents.handle('sendNode', { schema: stanza, handler: () => ++calls })
  fastify.wsEvents.handle('plain', { schema: { type: 'string', format: 'email' }, handler: () => ++calls })
  const { socket } = await listen(t, `${url}/acme`)
  const bad: ReadonlyArray<readonly [RegExp, string, ...unknown[]]> = [
    [/"sendNode".*data must be object/, 'sendNode'],
    [/data must be object/, 'sendNode', null],
    [/data must have required property 'to'/, 'sendNode', {}],
    [/data\/times must be integer/, 'sendNode', { to: 'a', times: '1' }],
    [/the property "too"/, 'sendNode', { to: 'a', too: 1 }],
    [/one argument, got 2/, 'sendNode', { to: 'a' }, 'more'],
    [/data must match format "email"/, 'plain', 'nobody']
  ]
  for (const [message, event, ...args] of bad) t.match(await send(socket, event, ...args), { code: `${PREFIX}INVALID_DATA`, statusCode: 400, retry: false, message })
  t.equal(calls, 0)
  t.equal(fastify.wsEvents.stats().clients.received.dropped, bad.length)
  t.equal(await send(socket, 'sendNode', { to: 'a' }), 1, 'and the next one is handled')
})

t.test('of a handler that fails the client is told no more than that, and the log says why', async t => {
  const { lines, fastify: logging } = recordLog()
  const { fastify, url } = await startServer(t, enabled, { fastify: logging })
  const failing: Record<string, HandleOptions['handler']> = {
    throws: () => { throw new Error('at db-7.internal') },
    rejects: async () => await Promise.reject(new Error('at db-7.internal')),
    object: async () => await Promise.reject(NO_ERROR),
    text: () => { throw NO_ERROR }
  }
  for (const [event, handler] of Object.entries(failing)) fastify.wsEvents.handle(event, { handler })
  const { socket } = await listen(t, `${url}/acme`)
  for (const event of Object.keys(failing)) {
    t.strictSame(await send(socket, event), { code: `${PREFIX}HANDLER_FAILED`, statusCode: 500, message: `the handler of "${event}" failed`, retry: false })
  }
  t.equal(lines.filter(({ level, instance }) => level === 50 && instance === 'acme').length, 4)
  t.match(JSON.stringify(lines), 'db-7.internal')
})

t.test('a handler tells the client what it is to know by an error of this package', async t => {
  const { fastify, url } = await startServer(t, enabled)
  fastify.wsEvents.handle('sendNode', { handler: () => { throw new errors.FORBIDDEN('sending at night') } })
  const { socket } = await listen(t, `${url}/acme`)
  t.strictSame(await send(socket, 'sendNode'), { code: `${PREFIX}FORBIDDEN`, statusCode: 403, message: 'the key does not grant access to sending at night', retry: false })
})

t.test('an error of this package that the application has changed is still told in the form of one', async t => {
  const { fastify, url } = await startServer(t, enabled)
  fastify.wsEvents.handle('sendNode', { handler: () => { throw Object.assign(new errors.FORBIDDEN('this'), { statusCode: '403', message: ['no'] }) } })
  const { socket } = await listen(t, `${url}/acme`)
  t.strictSame(await send(socket, 'sendNode'), { code: `${PREFIX}FORBIDDEN`, statusCode: 500, message: 'no', retry: false })
})

t.test('data that is too deep for its schema is refused, and its client is told so', async t => {
  const { fastify, port } = await startServer(t, enabled)
  fastify.wsEvents.handle('sendNode', { schema: { $id: 'list', type: ['array', 'integer'], items: { $ref: 'list' } }, handler: () => 'handled' })
  const client = await RawWebSocket.open(port)
  await client.next()
  await client.send('40/acme,')
  t.match(await client.next(), /^40\/acme,/)
  // A stock client cannot even write it.
  await client.send(`42/acme,1["sendNode",${'['.repeat(25_000)}1${']'.repeat(25_000)}]`)
  t.match(await client.next(), /^43\/acme,1\[\{"code":"FST_ERR_WS_EVENTS_INVALID_DATA".*cannot be read: it is circular or too deep/)
  await client.leave()
})

t.test('a handler has its time, and what it answers or throws later is nobody\'s', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const [late, fails] = [latch(), latch()]
  fastify.wsEvents.handle('slow', { timeout: 20, handler: async () => { await late.opened; return 'late' } })
  fastify.wsEvents.handle('fails', { timeout: 20, handler: async () => { await fails.opened; throw new Error('much too late') } })
  fastify.wsEvents.handle('patient', { timeout: 0, handler: async () => { await late.opened; return 'at last' } })
  const { socket } = await listen(t, `${url}/acme`)
  const patient = send(socket, 'patient')
  for (const event of ['slow', 'fails']) {
    t.strictSame(await send(socket, event), { code: `${PREFIX}HANDLER_TIMEOUT`, statusCode: 504, message: `the handler of "${event}" took longer than 20 ms`, retry: false })
  }
  late.open()
  // An unhandled rejection would end the test.
  fails.open()
  t.equal(await patient, 'at last')
})

t.test('a result that cannot be sent is a coded error', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const results: Record<string, unknown> = { circle, big: 1n, function: () => {}, parts: Array.from({ length: 11 }, () => Buffer.alloc(1)) }
  for (const [event, result] of Object.entries(results)) fastify.wsEvents.handle(event, { handler: () => result })
  const { socket } = await listen(t, `${url}/acme`)
  for (const event of Object.keys(results)) t.match(await send(socket, event), { code: `${PREFIX}NOT_SERIALIZABLE`, statusCode: 400 }, event)
  t.ok(socket.connected)
})

t.test('at the root only the global key may call', async t => {
  const verify: Verify = ({ apikey }) => apikey === 'of-all'
  const { fastify, url } = await startServer(t, { ...enabled, globalEvents: true, apikey: 'the-global-key', verify, allowedHosts: 'loopback' })
  fastify.wsEvents.handle('sendNode', { handler: ({ instance }) => ({ instance }) })
  const callers: ReadonlyArray<readonly [string | undefined, string]> = [['of-all', 'FORBIDDEN'], [undefined, 'UNAUTHORIZED']]
  for (const [apikey, code] of callers) {
    const { socket } = await listen(t, url, { auth: { apikey } })
    t.equal(await codeOf(send(socket, 'sendNode')), code)
  }
  t.equal(fastify.wsEvents.stats().clients.received.dropped, 2)
  const { socket } = await listen(t, url, { auth: { apikey: ' the-global-key ' } })
  t.strictSame(await send(socket, 'sendNode'), { instance: null })
  const own = await listen(t, `${url}/acme`, { auth: { apikey: 'of-all' } })
  t.strictSame(await send(own.socket, 'sendNode'), { instance: 'acme' }, 'and an instance belongs to whoever is let in there')
})

t.test('Evolution\'s silent root, where nobody is checked, calls nothing', async t => {
  const { fastify, url } = await startServer(t, { evolution: true, apikey: 'the-global-key' })
  let calls = 0
  fastify.wsEvents.handle('sendNode', { handler: () => ++calls })
  const { socket } = await listen(t, url, { auth: { apikey: 'the-global-key' } })
  t.equal(await codeOf(send(socket, 'sendNode')), 'UNAUTHORIZED')
  t.equal(calls, 0)
})

t.test('who calls too often is ended as by any other message', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { inboundPerSecond: 5 } })
  let calls = 0
  fastify.wsEvents.handle('sendNode', { handler: () => ++calls })
  const { socket } = await listen(t, `${url}/acme`, { reconnection: false })
  const ended = disconnected(socket)
  for (let call = 0; call < 50; call++) socket.emit('sendNode')
  await ended
  t.ok(calls <= 10, `${calls} calls`)
  t.match(fastify.wsEvents.stats(), { clients: { refused: { LIMIT_REACHED: 1 } }, limits: { inboundPerSecond: 1 } })
})

t.test('a client that leaves while its message is handled harms nobody', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const [begun, end] = [latch(), latch()]
  let isDone = false
  fastify.wsEvents.handle('slow', { handler: async () => { begun.open(); await end.opened; isDone = true; return 1 } })
  const { socket } = await listen(t, `${url}/acme`)
  socket.emit('slow', null, () => { t.fail('nobody is there') })
  await begun.opened
  socket.disconnect()
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0)
  end.open()
  await eventually(() => isDone)
  const next = await listen(t, `${url}/acme`)
  t.equal(next.socket.connected, true)
})

t.test('what cannot be handled is said at once', async t => {
  const { fastify } = await startServer(t)
  const { wsEvents } = fastify
  const handler = () => null
  wsEvents.handle('sendNode', { handler })
  const bad = [
    ['sendNode', { handler }, /"sendNode" has a handler already/],
    ['subscribe', { handler }, /"subscribe" is reserved by this plugin/],
    ['disconnect', { handler }, /"disconnect" is reserved by Socket\.IO/],
    ['ws.ready', { handler }, /is reserved by this plugin/],
    ['a b', { handler }, /must be 1 to 100/],
    ['a', undefined, /\{ schema\?, handler, timeout\? \} must be the options of "a"/],
    ['a', { handler: 'no' }, /a function must be the handler of "a"/],
    ['a', { handler, timeout: -1 }, /milliseconds.*must be the timeout of "a"/],
    ['a', { handler, timeout: 1.5 }, /must be the timeout/],
    ['a', { handler, schema: 'string' }, /schema of "a" must be a JSON Schema/],
    ['a', { handler, schema: { type: 'nonsense' } }, /schema of "a" cannot be compiled/],
    ['a', { handler, schema: { $async: true, type: 'object' } }, /schema of "a" is asynchronous/],
    ['a', { handler, timeuot: 5 }, /"timeuot" is unknown/],
    [{ toJSON () { throw new Error('toJSON') } }, { handler }, /the name of an event must be 1 to 100/],
    ['a', { get handler () { throw new Error('a getter') } }, /the options of "a" cannot be read: a getter/],
    ['a', { handler, schema: new Proxy({}, { get () { throw new Error('a trap') } }) }, /the options of "a" cannot be read: a trap/]
  ] as ReadonlyArray<readonly [unknown, unknown, RegExp]>
  for (const [event, options, message] of bad) t.throws(() => { wsEvents.handle(event as string, options as HandleOptions) }, { code: `${PREFIX}INVALID_OPTION`, message })
  wsEvents.handle('a', { handler })
})

t.test('with WebSocket events disabled it is accepted, and nobody calls', async t => {
  const { fastify } = await startServer(t, { enabled: false })
  fastify.wsEvents.handle('sendNode', { handler: () => null })
  t.throws(() => { fastify.wsEvents.handle('subscribe', { handler: () => null }) }, { code: `${PREFIX}INVALID_OPTION` })
})

t.test('anything else that a client sends is dropped, and counted', async t => {
  const { fastify, url } = await startServer(t, enabled)
  fastify.wsEvents.handle('sendNode', { handler: () => null })
  const socket = connect(t, `${url}/acme`)
  for (const event of ['sendnode', 'SEND_NODE', 'messages.upsert', '__proto__', 'constructor', 'toString']) socket.emit(event, 1)
  t.equal(await send(socket, 'sendNode'), null)
  t.match(fastify.wsEvents.stats(), { clients: { received: { dropped: 6, handled: 1 } } })
})
