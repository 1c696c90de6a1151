import { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import type { Limits } from '../../lib/index.js'
import '../../lib/gateway/io.js'
import { admitted, connect, disconnected, listen, transports, type Transport } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { closed, enabled, IDLE, idled, oneConnection, reached, UNLIMITED } from './setup.js'

// No limit touches the namespaces of the application: each is as low as it can be, and its clients know nothing of it.

const LOW: Limits = { ...UNLIMITED, connections: 1, connectionsPerInstance: 1, connectionsPerAddress: 1, refusalsPerMinute: 1, namespacesPerConnection: 1, idleMs: IDLE, queuedBytes: 1000, inboundPerSecond: 1 }
const CLIENTS = 5
const MESSAGES = 20

/** The application counts what its clients send, and lets some of them in. */
function serveHost (io: Server): { received: number } {
  const counted = { received: 0 }
  for (const name of ['/chat', '/news']) {
    io.of(name).on('connection', socket => {
      socket.onAny((event, text, answer: (length: number) => void) => {
        counted.received++
        answer(String(text).length)
      })
    })
  }
  io.of('/closed').use((socket, next) => { next(new Error('not today')) })
  return counted
}

const owners: Readonly<Record<string, (t: Test) => Promise<{ server: TestServer, limits: Limits }>>> = {
  'its own Server': async t => {
    // Such a server is asked for these by its own options.
    const limits = { ...LOW, inboundBytes: 1 }
    const server = await startServer(t, { ...enabled, limits }, { before: fastify => { fastify.decorate('io', new Server(fastify.server)) } })
    return { server, limits }
  },
  'the plugin\'s Server': async t => ({ server: await startServer(t, { ...enabled, limits: LOW }), limits: LOW })
}

const send = async (socket: Socket, bytes: number): Promise<number> => await socket.timeout(60_000).emitWithAck('said', 'x'.repeat(bytes)) as number

async function refusedByHost (t: Test, url: string, transport: Transport): Promise<string> {
  const socket = connect(t, `${url}/closed`, { transports: [transport] })
  return await new Promise(resolve => { socket.once('connect_error', ({ message }) => { resolve(message) }) })
}

for (const transport of transports) {
  for (const [owner, start] of Object.entries(owners)) {
    t.test(`clients of the application's namespaces on ${owner} are not counted, refused or ended over ${transport}`, async t => {
      const { server } = await start(t)
      const { io } = server.fastify
      const counted = serveHost(io)
      const ours = await listen(t, `${server.url}/acme`, { transports: [transport] })
      const clients: Socket[] = []
      for (let at = 0; at < CLIENTS; at++) {
        const manager = oneConnection(t, server.url, transport, { reconnection: false })
        clients.push(manager.socket('/chat'), manager.socket('/news'))
      }
      await Promise.all(clients.map(admitted))
      const gone: string[] = []
      for (const client of clients) void disconnected(client).then(reason => gone.push(reason))
      for (let time = 0; time < 5; time++) t.equal(await refusedByHost(t, server.url, transport), 'not today')
      const lengths = await Promise.all(clients.flatMap(client => Array.from({ length: MESSAGES }, async () => await send(client, 2000))))
      t.strictSame(new Set(lengths), new Set([2000]))
      t.equal(counted.received, 2 * CLIENTS * MESSAGES)
      // More at once than any client of ours may have waiting.
      const heard = clients.map(async client => await new Promise<number>(resolve => { client.once('much', (text: string) => { resolve(text.length) }) }))
      for (const name of ['/chat', '/news']) io.of(name).emit('much', 'x'.repeat(200_000))
      await Promise.all(heard)
      if (owner !== 'its own Server') {
        // By the time that some of ours were ended for it, theirs would have been as well.
        await Promise.all([1, 2, 3].map(async () => { await closed(oneConnection(t, server.url, transport, { reconnection: false })) }))
        // The clients may hear of it before the server has counted it.
        await eventually(() => idled(server) >= 3)
        t.strictSame(reached(server), { idleMs: 3 })
      } else t.strictSame(reached(server), {})
      t.strictSame(gone, [])
      t.match(server.fastify.wsEvents.stats(), { clients: { connections: 1, refused: {}, received: { dropped: 0 }, inInstances: 1 } })
      t.equal(Object.keys(server.fastify.wsEvents.stats().clients.refused).length, 0)
      t.ok(ours.socket.connected)
      // They have taken no place either: ours has one to give.
      ours.socket.disconnect()
      await eventually(() => server.fastify.wsEvents.stats().clients.connections === 0)
      await listen(t, `${server.url}/acme`, { transports: [transport] })
    })
  }

  t.test(`a limit that ends a place of ours over ${transport} leaves the application's namespace on the same connection`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, connectionsPerInstance: 1 } })
    serveHost(server.fastify.io)
    await listen(t, `${server.url}/acme`, { transports: [transport] })
    const manager = oneConnection(t, server.url, transport, { reconnection: false })
    const chat = manager.socket('/chat')
    await admitted(chat)
    const full = manager.socket('/acme')
    const { data } = await new Promise<Error & { data?: unknown }>(resolve => { full.once('connect_error', resolve) })
    t.match(data, { code: 'FST_ERR_WS_EVENTS_LIMIT_REACHED', retry: true })
    t.equal(await send(chat, 10), 10)
    t.strictSame(reached(server), { connectionsPerInstance: 1 })
  })
}

t.test("on the plugin's own Server, inboundBytes is the connection's, and so holds for the application's clients as well", async t => {
  const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, inboundBytes: 1000 } })
  serveHost(server.fastify.io)
  const socket = await admitted(connect(t, `${server.url}/chat`))
  t.equal(await send(socket, 900), 900)
  const ended = disconnected(socket)
  socket.emit('said', 'x'.repeat(2000), () => {})
  t.match(await ended, /^transport (close|error)$/)
})
