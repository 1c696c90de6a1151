import { once } from 'node:events'
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net'
import { mock } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Limits, WsEventsOptions } from '../../lib/index.js'
import { type ClientOptions, listen, transports } from '../helpers/client.js'
import { answered, eventually } from '../helpers/latch.js'
import { KERNEL_BYTES } from '../helpers/kernel.js'
import { heldBytes } from '../helpers/memory.js'
import { startNetwork } from '../helpers/network.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { enabled, reached, UNLIMITED } from '../limits/setup.js'

// What may wait for clients that read slowly, or not at all: for one of them, and for all together.

const MB = 1024 * 1024
const EVENT_STREAM = { accept: 'text/event-stream' }

const limited = (limits: Partial<Limits>): WsEventsOptions => ({ ...enabled, limits: { ...UNLIMITED, ...limits } })

/** Emits in a tick of delivery of its own. */
async function emit (server: TestServer, instance: string, data: unknown): Promise<void> {
  await server.fastify.wsEvents.emit(instance, 'call', data)
  await setImmediate()
}

/** A WebSocket client that takes nothing after its handshake until it is resumed. */
async function stalled (t: Test, { url, port }: TestServer, instance: string, options: ClientOptions = {}): Promise<{ flow: () => void }> {
  const network = await startNetwork(t, port)
  await listen(t, `${network.url}/${instance}`, { reconnection: false, ...options })
  network.stall()
  t.ok(url)
  return network
}

/** An HTTP client that asks and reads nothing. */
async function asks (t: Test, { port }: TestServer, path: string, headers: Readonly<Record<string, string>>): Promise<TcpSocket> {
  const socket = connectTcp(port, '127.0.0.1').pause()
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

/** A client in an instance by polling, that has sent a poll whose answer it does not read. */
async function joinByPolling (t: Test, server: TestServer): Promise<{ poll: () => Promise<unknown>, leave: () => Promise<unknown>, socket: TcpSocket }> {
  const ask = async (query: string, init: RequestInit = {}) => await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling${query}`, init)).text()
  const { sid } = JSON.parse((await ask('')).slice(1)) as { sid: string }
  await ask(`&sid=${sid}`, { method: 'POST', body: '40/acme,' })
  await ask(`&sid=${sid}`)
  await eventually(() => server.fastify.wsEvents.stats().clients.inInstances === 1)
  const poll = async () => await asks(t, server, `/socket.io/?EIO=4&transport=polling&sid=${sid}`, {})
  const leave = async () => await ask(`&sid=${sid}`, { method: 'POST', body: '1' })
  return { socket: await poll(), poll, leave }
}

for (const transport of transports) {
  t.test(`a client that reads slowly by ${transport} gets a large event and all that follows it, without a cut`, async t => {
    const server = await startServer(t, enabled)
    const network = await startNetwork(t, server.port, 5 * MB)
    const { socket, inbox } = await listen(t, `${network.url}/acme`, { transports: [transport] })
    const cuts: string[] = []
    socket.on('disconnect', reason => { cuts.push(reason) })
    for (const size of [6, 2]) await emit(server, 'acme', 'x'.repeat(size * MB))
    for (let number = 0; number < 500; number++) await emit(server, 'acme', number)
    const small = (await inbox.got(502)).map(({ data }) => data).filter(data => typeof data === 'number')
    t.strictSame(small, Array.from({ length: 500 }, (empty, number) => number))
    t.strictSame(cuts, [])
    t.strictSame(reached(server), {})
  })
}

t.test('a stream that is read slowly gets a large event and all that follows it', async t => {
  const server = await startServer(t, enabled)
  const network = await startNetwork(t, server.port, 5 * MB)
  const response = await fetch(`${network.url}/instance/acme/events`, { headers: EVENT_STREAM })
  for (const size of [12, 2]) await emit(server, 'acme', 'x'.repeat(size * MB))
  for (let number = 0; number < 500; number++) await emit(server, 'acme', `number ${number};`)
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('number 499;')) break
  }
  t.equal(text.match(/number \d+;/g)?.length, 500)
  t.strictSame(reached(server), {})
})

t.test('one large message may wait for a client that has stalled, with queuedBytes of small ones behind it', async t => {
  const server = await startServer(t, limited({ queuedBytes: MB, queuedBytesMax: 32 * MB }))
  const { wsEvents } = server.fastify
  await stalled(t, server, 'acme')
  await emit(server, 'acme', 'x'.repeat(20 * MB))
  for (let number = 0; number < 10; number++) await emit(server, 'acme', 'x'.repeat(60_000))
  t.strictSame(reached(server), {})
  t.ok((wsEvents.clients()[0]?.queuedBytes ?? 0) > 10 * MB)
  while (reached(server).queuedBytes === undefined) await emit(server, 'acme', 'x'.repeat(60_000))
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.strictSame(reached(server), { queuedBytes: 1 })
})

t.test('large messages may take queuedBytesMax together', async t => {
  const server = await startServer(t, limited({ queuedBytes: MB, queuedBytesMax: 20 * MB }))
  const { wsEvents } = server.fastify
  await stalled(t, server, 'acme')
  // The kernel takes some of them.
  let sent = 0
  while (reached(server).queuedBytesMax === undefined && sent < 20) {
    await emit(server, 'acme', 'x'.repeat(4 * MB))
    sent++
  }
  t.ok(sent >= 6, `${sent} of 4 MiB`)
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.strictSame(reached(server), { queuedBytesMax: 1 })
})

t.test('what one answer to a client takes is bounded as messages are', async t => {
  const server = await startServer(t, limited({ queuedBytes: 100_000 }), {
    after: fastify => {
      fastify.addHook('onReady', done => {
        fastify.wsEvents.handle('load', { handler: () => 'x'.repeat(12 * MB) })
        done()
      })
    }
  })
  const network = await startNetwork(t, server.port, 5 * MB)
  const { socket } = await listen(t, `${network.url}/acme`)
  const answer: unknown = await socket.emitWithAck('load')
  t.equal((answer as string).length, 12 * MB)
  t.strictSame(reached(server), {})
})

t.test('over queuedBytesTotal those end that have read nothing for the longest time, and a client that reads stays', async t => {
  const server = await startServer(t, limited({ queuedBytes: 64 * MB, queuedBytesTotal: 45 * MB }))
  const { wsEvents } = server.fastify
  const reads = await listen(t, `${server.url}/reads`)
  await stalled(t, server, 'oldest')
  await emit(server, 'oldest', 'x'.repeat(12 * MB))
  await stalled(t, server, 'older')
  await emit(server, 'older', 'x'.repeat(20 * MB))
  await emit(server, 'reads', 'x'.repeat(10 * MB))
  await reads.inbox.got(1)
  t.equal(wsEvents.stats().clients.connections, 3)
  await stalled(t, server, 'newest')
  await emit(server, 'newest', 'x'.repeat(20 * MB))
  await eventually(() => wsEvents.stats().clients.connections < 4)
  t.strictSame(wsEvents.clients().map(({ instance }) => instance).sort(), ['newest', 'older', 'reads'])
  t.strictSame(reached(server), { queuedBytesTotal: 1 })
  await emit(server, 'reads', 'still there')
  await reads.inbox.got(2)
})

t.test('what many clients share counts once under queuedBytesTotal', async t => {
  const server = await startServer(t, limited({ queuedBytesTotal: 24 * MB }))
  const { wsEvents } = server.fastify
  for (let number = 0; number < 8; number++) await stalled(t, server, 'acme')
  await emit(server, 'acme', 'x'.repeat(20 * MB))
  await emit(server, 'acme', 'a small one')
  t.equal(wsEvents.stats().clients.connections, 8)
  t.ok(wsEvents.clients().reduce((sum, { queuedBytes }) => sum + queuedBytes, 0) > 100 * MB)
  t.strictSame(reached(server), {})
  for (let number = 0; number < 2; number++) await emit(server, 'acme', 'x'.repeat(20 * MB))
  await eventually(() => (reached(server).queuedBytesTotal ?? 0) > 0)
})

t.test('unread answers to polls count as queued even if the next poll uses another TCP socket', async t => {
  const server = await startServer(t, limited({ queuedBytes: MB, queuedBytesMax: 20 * MB }))
  const { poll } = await joinByPolling(t, server)
  let polls = 1
  while (reached(server).queuedBytesMax === undefined && polls < 20) {
    // One may always wait.
    await emit(server, 'acme', 'x'.repeat(8 * MB))
    await poll()
    polls++
  }
  t.ok(polls < 20, `${polls} polls`)
  t.strictSame(reached(server), { queuedBytesMax: 1 })
})

t.test('an unread answer to a poll is in memory once', async t => {
  const server = await startServer(t, limited({ queuedBytesMax: 64 * MB }))
  await joinByPolling(t, server)
  const before = await heldBytes()
  await emit(server, 'acme', 'x'.repeat(30 * MB))
  await eventually(() => server.fastify.wsEvents.clients().some(({ queuedBytes }) => queuedBytes > 20 * MB))
  // The log has it, too.
  t.ok(await heldBytes() - before < 75 * MB)
})

for (const [how, end] of Object.entries<(server: TestServer, leave: () => Promise<unknown>) => Promise<unknown>>({
  'is ended as slow': async server => {
    for (let time = 0; time < 2; time++) await emit(server, 'acme', 'x'.repeat(MB))
  },
  leaves: async (server, leave) => await leave()
})) {
  t.test(`an answer to a poll that nobody reads is not held when its client ${how}`, async t => {
    const server = await startServer(t, limited({ queuedBytes: 1000, queuedBytesMax: 1000 }))
    const sockets = new Set<TcpSocket>()
    server.fastify.server.on('connection', (socket: TcpSocket) => { sockets.add(socket) })
    const { socket, leave } = await joinByPolling(t, server)
    const ours = [...sockets].find(({ remotePort }) => remotePort === socket.localPort)
    t.ok(ours !== undefined)
    await emit(server, 'acme', 'x'.repeat(KERNEL_BYTES + MB))
    await eventually(() => ours?.writableLength !== 0)
    await end(server, leave)
    await eventually(() => server.fastify.wsEvents.stats().clients.connections === 0)
    await eventually(() => ours?.destroyed === true)
  })
}

t.test('a polling client that has not read its last answer yet is not taken for one that has stalled', async t => {
  let clock = performance.now()
  const { mock: stopped } = mock.method(performance, 'now', () => clock)
  t.teardown(() => { stopped.restore() })
  const server = await startServer(t, limited({ queuedBytes: MB, queuedBytesMax: 20 * MB }))
  const { wsEvents } = server.fastify
  await joinByPolling(t, server)
  // The kernel takes all of the answer, and the client has yet to read it.
  await emit(server, 'acme', 'x'.repeat(MB))
  await eventually(() => (wsEvents.clients()[0]?.queuedBytes ?? 0) === 0)
  for (let number = 0; number < 3; number++) await emit(server, 'acme', 'x'.repeat(2 * MB))
  clock += 11_000
  for (let number = 0; number < 3; number++) await emit(server, 'acme', 'a small one')
  t.strictSame(reached(server), {})
  t.equal(wsEvents.stats().clients.connections, 1)
})

t.test('pages that are not read count under queuedBytesTotal', async t => {
  const server = await startServer(t, limited({ queuedBytesTotal: 20 * MB }))
  const { wsEvents } = server.fastify
  const { lastEventId } = await (await fetch(`${server.url}/instance/acme/events?limit=1`)).json() as { lastEventId: string }
  await emit(server, 'acme', 'x'.repeat(7 * MB))
  const before = await heldBytes()
  for (let number = 0; number < 30; number++) await asks(t, server, `/instance/acme/events?after=${lastEventId}`, { accept: 'application/json' })
  await eventually(() => (reached(server).queuedBytesTotal ?? 0) >= 20)
  await eventually(() => wsEvents.stats().clients.connections <= 3)
  await t.resolves(answered(async () => await heldBytes() - before < 60 * MB))
})
