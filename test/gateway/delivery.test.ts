import type { Server } from 'socket.io'
import t from 'tap'
import { connect, disconnected, Inbox, admitted, listen } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'

const enabled = { defaultConfig: { enabled: true } }

t.test('events that are emitted at once arrive at once, and one after a pause too', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const { inbox } = await listen(t, `${url}/acme`)
  for (let n = 0; n < 3; n++) {
    const numbers = Array.from({ length: 500 }, (_, i) => n * 500 + i)
    for (const number of numbers) void fastify.wsEvents.emit('acme', 'call', number)
    await inbox.got((n + 1) * 500)
  }
  t.strictSame(inbox.messages.map(({ data }) => data), Array.from({ length: 1500 }, (_, i) => i))
  t.equal(fastify.wsEvents.stats().delivery.delivered, 1500)
})

t.test('more than a client may have waiting reaches it, when it reads', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 100_000 } })
  for (const transport of ['websocket', 'polling']) {
    const { inbox } = await listen(t, `${url}/acme`, { transports: [transport] })
    const numbers = Array.from({ length: 300 }, (_, n) => n)
    // In one turn of the event loop: nobody could have read any of it.
    for (const n of numbers) void fastify.wsEvents.emit('acme', 'call', { n, text: 'x'.repeat(10_000) })
    t.strictSame((await inbox.got(300)).map(({ data }) => (data as { n: number }).n), numbers, transport)
  }
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 0)
})

t.test('a message that is larger than what may wait arrives all the same', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 1000 } })
  const { inbox } = await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(3_000_000))
  t.equal((await inbox.got(1))[0]?.data, 'x'.repeat(3_000_000))
})

t.test('whoever comes in gets nothing that was emitted before, and misses nothing after', async t => {
  let emit = (): void => {}
  const { fastify, url } = await startServer(t, { ...enabled, verify: () => { emit(); return true } })
  emit = () => { void fastify.wsEvents.emit('acme', 'call', 'while the key is checked') }
  const first = await listen(t, `${url}/acme`)
  const second = await listen(t, `${url}/acme`)
  void fastify.wsEvents.emit('acme', 'call', 'after')
  t.strictSame((await second.inbox.got(1)).map(({ data }) => data), ['after'])
  t.strictSame((await first.inbox.got(2)).map(({ data }) => data), ['while the key is checked', 'after'])
})

t.test('a namespace lives as long as it has clients, and its channel with it', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const { io } = fastify as unknown as { io: Server }
  const made: string[] = []
  io.on('new_namespace', ({ name }) => { made.push(name) })
  const sockets = ['acme', 'acme/', 'Teste%2001', 'Teste 01'].map(name => connect(t, `${url}/${name}`))
  await Promise.all(sockets.map(admitted))
  t.equal(fastify.wsEvents.stats().clients.namespaces, 4, 'one for each spelling')
  t.equal(fastify.wsEvents.stats().clients.inInstances, 4)
  for (const socket of sockets) socket.disconnect()
  // A client that comes and goes after them is told of all that came before.
  await eventually(() => fastify.wsEvents.stats().clients.namespaces === 0)
  // Its past is remembered for a while, for those who come back.
  t.type((await fastify.wsEvents.emit('acme', 'call', 1)).id, 'string')
  const { inbox } = await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', 2)
  t.strictSame((await inbox.got(1)).map(({ data }) => data), [2])
  t.strictSame(made, ['/acme', '/acme/', '/Teste%2001', '/Teste 01', '/acme'])
})

t.test('with fastPath: false the outgoing listeners of Socket.IO hear every event', async t => {
  for (const fastPath of [true, false]) {
    const outgoing: unknown[] = []
    const { fastify, url } = await startServer(t, { ...enabled, fastPath })
    const { io } = fastify as unknown as { io: Server }
    io.on('new_namespace', namespace => {
      namespace.on('connection', socket => { socket.onAnyOutgoing((event: string, { data }: { data: unknown }) => { outgoing.push([event, data]) }) })
    })
    const { inbox } = await listen(t, `${url}/acme`)
    await fastify.wsEvents.emit('acme', 'call', { bytes: Buffer.from('abc') })
    await inbox.got(1)
    t.strictSame(outgoing, fastPath ? [] : [['call', { bytes: Buffer.from('abc') }]])
  }
})

t.test('a client that has stalled is ended, comes back by itself, and hears what comes then', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 50_000 } })
  const { io } = fastify as unknown as { io: Server }
  const socket = connect(t, `${url}/acme`)
  const inbox = new Inbox(socket)
  await admitted(socket)
  const healthy = await listen(t, `${url}/acme`)
  // Its side of the TCP connection reads no more.
  const { _socket: tcp } = (socket.io.engine as unknown as { transport: { ws: { _socket: { pause: () => void, resume: () => void } } } }).transport.ws
  tcp.pause()
  const gone = disconnected(socket)
  let emitted = 0
  while (fastify.wsEvents.stats().delivery.slowConsumers === 0) {
    await fastify.wsEvents.emit('acme', 'call', { n: emitted++, text: 'x'.repeat(20_000) })
    await new Promise(resolve => { setImmediate(resolve) })
  }
  // Only who reads learns that the connection is gone.
  tcp.resume()
  t.match(await gone, /transport/)
  await admitted(socket)
  await fastify.wsEvents.emit('acme', 'call', 'again')
  await inbox.got(({ data }) => data === 'again')
  t.equal((await healthy.inbox.got(emitted + 1)).length, emitted + 1, 'nobody else has missed anything')
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 1)
  t.equal(io.engine.clientsCount, 2)
})

t.test("a listener of the host's that throws ends its own client and nobody else's", async t => {
  const { fastify, url } = await startServer(t, { ...enabled, fastPath: false })
  const { io } = fastify as unknown as { io: Server }
  let broken = true
  io.on('new_namespace', namespace => {
    namespace.once('connection', socket => { socket.onAnyOutgoing(() => { if (broken) throw new Error('out of order') }) })
  })
  const first = await listen(t, `${url}/acme`)
  const second = await listen(t, `${url}/acme`)
  const gone = disconnected(first.socket)
  await fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame((await second.inbox.got(1)).map(({ data }) => data), [1])
  t.equal(await gone, 'transport close')
  broken = false
  await admitted(first.socket)
  await fastify.wsEvents.emit('acme', 'call', 2)
  t.strictSame((await first.inbox.got(1)).map(({ data }) => data), [2])
})
