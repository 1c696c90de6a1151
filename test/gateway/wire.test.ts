import { EventEmitter, once } from 'node:events'
import type { Server } from 'socket.io'
import t, { type Test } from 'tap'
import type { EngineConnection } from '../../lib/gateway/socketio/engine.js'
import { directSocket, queuedBytes } from '../../lib/gateway/socketio/wire.js'
import type { Message } from '../../lib/index.js'
import { type ClientOptions, listen } from '../helpers/client.js'
import { connectionOf } from '../helpers/gateway.js'
import { startServer } from '../helpers/server.js'

// The contract with the insides of engine.io and ws. When a new version changes them, events still arrive, by the slow
// way; these tests are what says so.

/** A client of the plugin, and the server's side of its connection. */
async function join (t: Test, options: ClientOptions = {}, socketio: object = {}) {
  const { fastify, url } = await startServer(t, { socketio, defaultConfig: { enabled: true } })
  const { io } = fastify as unknown as { io: Server }
  const connected = once(io.engine, 'connection') as Promise<[EngineConnection]>
  const { socket, inbox } = await listen(t, `${url}/acme`, options)
  const [connection] = await connected
  return { fastify, io, socket, inbox, connection, ours: connectionOf(connection) }
}

t.test('an idle WebSocket is written to directly', async t => {
  const { ours, connection } = await join(t)
  const { transport } = connection as unknown as { transport: { socket: { _socket: unknown } } }
  t.equal(directSocket(ours), transport.socket._socket)
  t.equal(queuedBytes(ours), 0)
})

t.test('a client that polls is not, and is when it has moved to a WebSocket', async t => {
  const { ours, connection } = await join(t, { transports: ['polling', 'websocket'] })
  if (connection.transport.name === 'polling') {
    t.equal(directSocket(ours), undefined)
    await once(connection, 'upgrade')
  }
  t.ok(directSocket(ours))
})

t.test('a client that cannot upgrade is not', async t => {
  const { ours } = await join(t, { transports: ['polling'] })
  t.equal(directSocket(ours), undefined)
})

t.test('a WebSocket that compresses is not', async t => {
  const { ours, fastify, inbox } = await join(t, {}, { perMessageDeflate: true })
  t.equal(directSocket(ours), undefined)
  await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(5000))
  t.equal((await inbox.got(1))[0]?.data, 'x'.repeat(5000))
})

t.test('while packets wait in Engine.IO nothing overtakes them', async t => {
  const { ours, connection } = await join(t)
  connection.write('2/acme,["first"]')
  connection.write('2/acme,["second"]')
  t.equal(directSocket(ours), undefined, 'the second one waits until the first has been written')
  t.ok(queuedBytes(ours) > 0)
  await once(connection, 'flush')
  t.ok(directSocket(ours))
})

t.test('a connection that has ended is not written to', async t => {
  const { ours, connection } = await join(t, { reconnection: false })
  const closed = once(connection, 'close')
  ours.end('slow')
  t.equal(directSocket(ours), undefined)
  t.ok(ours.ended)
  await closed
  t.equal(directSocket(ours), undefined)
})

t.test('unknown internals lead to the slow path', async t => {
  const { connection } = await join(t)
  const known = (connection as unknown as { transport: { name: string, socket: { _sender: object } } }).transport
  const { socket } = known
  const webSocket = { readyState: 1, extensions: '', bufferedAmount: 0, _isServer: true, _sender: socket._sender, _socket: (socket as unknown as { _socket: object })._socket }
  const transport = { name: 'websocket', protocol: 4, supportsBinary: true, perMessageDeflate: null, socket: webSocket }
  const through = (changed: object) => directSocket(connectionOf(Object.assign(new EventEmitter(), { readyState: 'open', writeBuffer: [], transport: { ...transport, ...changed } }) as unknown as EngineConnection))
  t.ok(through({}), 'as it is known')
  const changes: Record<string, object> = {
    'another transport': { name: 'webtransport' },
    'an older protocol': { protocol: 3 },
    'a client that takes binary as text': { supportsBinary: false },
    'compression wanted': { perMessageDeflate: { threshold: 1024 } },
    'no WebSocket': { socket: undefined },
    'an extension': { socket: { ...webSocket, extensions: 'permessage-deflate' } },
    'another engine': { socket: { ...webSocket, _sender: undefined } },
    'a sender that is busy': { socket: { ...webSocket, _sender: { ...webSocket._sender, _state: 1 } } },
    'a sender with other insides': { socket: { ...webSocket, _sender: { sendFrame: () => {} } } },
    'no TCP socket': { socket: { ...webSocket, _socket: undefined } },
    'a WebSocket that closes': { socket: { ...webSocket, readyState: 2 } },
    "a client's WebSocket, which must mask": { socket: { ...webSocket, _isServer: false } }
  }
  for (const [what, changed] of Object.entries(changes)) t.equal(through(changed), undefined, what)
})

t.test('messages of every length around the borders of frames arrive', async t => {
  const { fastify, inbox } = await join(t)
  const { id } = await fastify.wsEvents.emit('acme', 'call', '')
  t.ok(id)
  const around = (length: number) => Array.from({ length: 400 }, (_, offset) => length - 399 + offset)
  const lengths = [...Array.from({ length: 200 }, (_, length) => length), ...around(65_536)]
  for (const length of lengths) void fastify.wsEvents.emit('acme', 'call', 'é'.repeat(length % 3) + 'x'.repeat(length))
  const messages = await inbox.got(lengths.length + 1)
  t.strictSame(messages.slice(1).map(({ data }) => data), lengths.map(length => 'é'.repeat(length % 3) + 'x'.repeat(length)))
})

t.test("a host's packets with binary parts and our frames never interleave, also when the client is slow to read", async t => {
  const { fastify, io, socket, inbox } = await join(t)
  const hosts: number[] = []
  socket.on('host', (n: number, bytes: Buffer) => { if (bytes.length === 70_000) hosts.push(n) })
  const broken = new Promise<never>((resolve, reject) => { socket.once('disconnect', reason => { reject(new Error(reason)) }) })
  broken.catch(() => { /* it is awaited below, but for the end of the test */ })
  const numbers = Array.from({ length: 200 }, (_, n) => n)
  for (const n of numbers) {
    io.of('/acme').emit('host', n, Buffer.alloc(70_000))
    void fastify.wsEvents.emit('acme', 'call', { n, bytes: Buffer.alloc(70_000), text: 'x'.repeat(200_000) })
  }
  const numberOf = ({ event, data }: Message): number | undefined => event === 'call' ? (data as { n: number }).n : undefined
  const messages = await Promise.race([inbox.got(message => numberOf(message) === 199), broken])
  t.strictSame(messages.map(numberOf).filter(n => n !== undefined), numbers)
  t.strictSame(hosts, numbers)
})
