import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Server, Socket as ServerSocket } from 'socket.io'
import { Manager } from 'socket.io-client'
import t from 'tap'
import { WebSocket } from 'ws'
import { admitted, connect, disconnected, Inbox, listen, refused } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import { startServer, type TestServer } from '../helpers/server.js'

// A client's way from its first packet to its end, off the beaten track.

const enabled = { defaultConfig: { enabled: true } }
const ioOf = ({ fastify }: TestServer): Server => (fastify as unknown as { io: Server }).io
const turn = async () => { await new Promise(resolve => { setImmediate(resolve) }) }
const until = async (condition: () => boolean) => { while (!condition()) await turn() }

/** A client that speaks the protocol by hand, and answers nothing unless told to. */
async function raw (server: TestServer): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`)
  await once(socket, 'message')
  return socket
}

t.test('limits hold when the application has a middleware of its own after ours, and nothing is given back twice', async t => {
  const server = await startServer(t, { globalEvents: true, limits: { connections: 2 } })
  const waiting: Array<() => void> = []
  ioOf(server).use((socket, next) => { waiting.push(next) })
  const clients = [1, 2].map(() => connect(t, server.url, { reconnection: false }))
  await until(() => waiting.length === 2)
  const third = connect(t, server.url, { reconnection: false })
  await disconnectedOrClosed(third)
  t.equal(server.fastify.wsEvents.stats().clients.refused.LIMIT_REACHED, 1)
  for (const next of waiting) next()
  await Promise.all(clients.map(admitted))
  t.equal(server.fastify.wsEvents.stats().clients.connections, 2)
  for (const client of clients) client.disconnect()
  await until(() => server.fastify.wsEvents.stats().clients.atRoot === 0)
  t.equal(server.fastify.wsEvents.stats().clients.connections, 0)
})

/** Resolves when the connection of a client that was never in has ended. */
async function disconnectedOrClosed (socket: ReturnType<typeof connect>): Promise<void> {
  await new Promise<void>(resolve => { socket.io.once('close', () => { resolve() }) })
}

t.test("a client that the application's own middleware refuses, or that leaves in the middle, holds nothing", async t => {
  const server = await startServer(t, { globalEvents: true, limits: { connections: 1 } })
  let next: ((error?: Error) => void) | undefined
  ioOf(server).use((socket, pass) => { next = pass })
  const one = connect(t, server.url, { reconnection: false })
  await until(() => next !== undefined)
  next?.(new Error('not today'))
  await new Promise(resolve => { one.once('connect_error', resolve) })
  await until(() => server.fastify.wsEvents.stats().clients.connections === 0)
  next = undefined
  const two = connect(t, server.url, { reconnection: false })
  await until(() => next !== undefined)
  two.disconnect()
  await until(() => server.fastify.wsEvents.stats().clients.connections === 0)
  t.equal(server.fastify.wsEvents.stats().clients.admitted, 0)
})

t.test("a client that the application's own middleware refuses later on holds nothing, also where its connection stays", async t => {
  const server = await startServer(t, { globalEvents: true, limits: { connectionsPerInstance: 1 } })
  const asked: Array<(error?: Error) => void> = []
  ioOf(server).use((socket, next) => { asked.push(next) })
  const socket = await raw(server)
  const answers: string[] = []
  socket.on('message', data => { answers.push(String(data)) })
  for (const isRefused of [true, true, false]) {
    socket.send('40{}')
    await until(() => asked.length > 0)
    await turn()
    await turn()
    const before = answers.length
    asked.pop()?.(isRefused ? new Error('not today') : undefined)
    await until(() => answers.length > before)
    t.match(answers.at(-1), isRefused ? /^44.*not today/ : /^40|^42/)
    if (isRefused) await until(() => server.fastify.wsEvents.stats().clients.connections === 0)
  }
  await until(() => server.fastify.wsEvents.stats().clients.atRoot === 1)
  socket.close()
  await until(() => server.fastify.wsEvents.stats().clients.connections === 0)
})

t.test('a client that asks twice while its key is checked gets each event once, and is gone when it leaves', async t => {
  const checks: Array<() => void> = []
  const server = await startServer(t, { ...enabled, verify: async () => await new Promise<boolean>(resolve => { checks.push(() => { resolve(true) }) }) })
  const { fastify, url } = server
  const socket = connect(t, `${url}/acme`)
  const inbox = new Inbox(socket)
  await until(() => checks.length === 1)
  socket.disconnect().connect()
  socket.disconnect().connect()
  // Another namespace keeps the connection itself open.
  const other = socket.io.socket('/other', {})
  await until(() => checks.length >= 3)
  await turn()
  for (let i = 0; i < checks.length; i++) checks[i]?.()
  await admitted(socket)
  await until(() => { for (const check of checks) check(); return other.connected })
  await fastify.wsEvents.emit('acme', 'call', 1)
  await fastify.wsEvents.emit('acme', 'call', 2)
  await inbox.got(({ data }) => data === 2)
  t.strictSame(inbox.messages.map(({ data }) => data), [1, 2])
  socket.disconnect()
  await until(() => fastify.wsEvents.clients({ instance: 'acme' }).length === 0)
  other.disconnect()
  await until(() => fastify.wsEvents.stats().clients.connections === 0)
  t.equal(fastify.wsEvents.stats().clients.inInstances, 0)
})

t.test('a namespace that a client has asked for twice is deleted when its connection ends', async t => {
  const checks: Array<() => void> = []
  const server = await startServer(t, { ...enabled, verify: async () => await new Promise<boolean>(resolve => { checks.push(() => { resolve(true) }) }) })
  const { wsEvents } = server.fastify
  const socket = await raw(server)
  const admissions: string[] = []
  socket.on('message', data => { if (String(data).startsWith('40/acme,')) admissions.push(String(data)) })
  for (let times = 0; times < 2; times++) socket.send('40/acme,{"apikey":"a-key"}')
  await until(() => checks.length === 2)
  for (const check of checks) check()
  await until(() => admissions.length === 2)
  // It leaves the newer one. Socket.IO keeps the older one until the connection ends.
  socket.send('41/acme,')
  await until(() => wsEvents.clients().length === 0)
  socket.close()
  await until(() => !ioOf(server)._nsps.has('/acme'))
  t.equal(wsEvents.stats().clients.namespaces, 0)
})

t.test('disconnect by a key reaches those whose key is being checked', async t => {
  let answer = (): void => {}
  const { fastify, url } = await startServer(t, { ...enabled, verify: async () => await new Promise<boolean>(resolve => { answer = () => { resolve(true) } }) })
  const socket = connect(t, `${url}/acme`, { auth: { apikey: 'taken-back' } })
  const refusal = refused(socket)
  let isAsked = false
  const ask = answer
  await until(() => { isAsked = answer !== ask; return isAsked })
  await fastify.wsEvents.disconnect({ apikey: 'taken-back' })
  answer()
  t.match(await refusal, { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', retry: false })
  await until(() => fastify.wsEvents.stats().clients.connections === 0)
})

t.test("the silent root of Evolution's clients cannot be filled, and takes nobody's place", async t => {
  const { fastify, url } = await startServer(t, { ...enabled, evolution: true, limits: { connectionsPerInstance: 2 } })
  await Promise.all([1, 2, 3, 4].map(async () => await admitted(connect(t, url))))
  t.equal(fastify.wsEvents.stats().clients.atRoot, 4)
  await listen(t, `${url}/acme`)
})

t.test('a client that is refused again and again without reading is ended', async t => {
  const server = await startServer(t, { limits: { queuedBytes: 100_000, namespacesPerConnection: 0 } })
  const socket = await raw(server)
  const { _socket: tcp } = socket as unknown as { _socket: { pause: () => void, resume: () => void } }
  tcp.pause()
  const name = 'x'.repeat(50_000)
  while (server.fastify.wsEvents.stats().delivery.slowConsumers === 0 && socket.readyState === WebSocket.OPEN) {
    socket.send(`40/${name},`)
    await turn()
  }
  tcp.resume()
  t.equal(server.fastify.wsEvents.stats().delivery.slowConsumers, 1)
  await until(() => ioOf(server).engine.clientsCount === 0)
})

t.test('a connection that serves nobody is refused so often, and then ended', async t => {
  const server = await startServer(t, { limits: { namespacesPerConnection: 20 } })
  const socket = await raw(server)
  const closed = once(socket, 'close')
  for (let n = 0; n < 1000; n++) socket.send(`40/unset-${n},`)
  await closed
  t.ok((server.fastify.wsEvents.stats().clients.refused.NOT_SET ?? 0) <= 21)
  await until(() => server.fastify.wsEvents.stats().clients.namespaces === 0)
})

t.test('what was emitted before close() reaches clients that are sending, too', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { inboundPerSecond: 0 } })
  const clients = await Promise.all([1, 2, 3, 4, 5].map(async () => await listen(t, `${url}/acme`, { reconnection: false })))
  const ends = clients.map(async ({ socket }) => await disconnected(socket))
  const sending = setInterval(() => { for (const { socket } of clients) if (socket.connected) for (let i = 0; i < 20; i++) socket.emit('noise', 'x'.repeat(1000)) }, 1)
  t.teardown(() => { clearInterval(sending) })
  await until(() => fastify.wsEvents.stats().clients.received.dropped > 100)
  for (let n = 0; n < 400; n++) void fastify.wsEvents.emit('acme', 'call', { n, text: 'x'.repeat(500) })
  await fastify.close()
  await Promise.all(ends)
  t.strictSame(clients.map(({ inbox }) => inbox.messages.length), [400, 400, 400, 400, 400])
})

t.test("a listener of the application's that throws keeps nobody else from being ended", async t => {
  const server = await startServer(t, enabled)
  const { fastify, url } = server
  ioOf(server).on('new_namespace', namespace => {
    namespace.on('connection', (socket: ServerSocket) => { socket.on('disconnect', () => { throw new Error('out of order') }) })
  })
  const clients = await Promise.all([1, 2, 3].map(async () => await listen(t, `${url}/acme`)))
  const ends = Promise.all(clients.map(async ({ socket }) => await disconnected(socket)))
  t.match(await fastify.wsEvents.set('acme', { enabled: false }), { enabled: false })
  t.strictSame(await ends, ['io server disconnect', 'io server disconnect', 'io server disconnect'])
  t.equal(fastify.wsEvents.stats().clients.inInstances, 0)
})

t.test('a middleware that the application adds to a namespace of ours goes on guarding it', async t => {
  const server = await startServer(t, enabled)
  const { socket } = await listen(t, `${server.url}/acme`)
  ioOf(server).of('/acme').use((client, next) => { next(new Error('closed by the application')) })
  socket.disconnect()
  await until(() => server.fastify.wsEvents.stats().clients.inInstances === 0)
  await turn()
  const error = await new Promise<Error>(resolve => { connect(t, `${server.url}/acme`).once('connect_error', resolve) })
  t.equal(error.message, 'closed by the application')
})

t.test('a namespace stays ours in the spelling that clients used', async t => {
  const server = await startServer(t, { apikey: 'key', ...enabled })
  const { socket } = await listen(t, `${server.url}/Teste%2001`, { auth: { apikey: 'key' } })
  socket.disconnect()
  await until(() => server.fastify.wsEvents.stats().clients.namespaces === 0)
  ioOf(server).of('/Teste%2001').emit('host', 1)
  t.match(await refused(connect(t, `${server.url}/Teste%2001`, { auth: { apikey: 'bad' } })), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
  const { inbox } = await listen(t, `${server.url}/Teste%2001`, { auth: { apikey: 'key' } })
  await server.fastify.wsEvents.emit('Teste 01', 'call', 1)
  t.equal((await inbox.got(1)).length, 1)
})

t.test('many checks of keys at once give no warning, also on one connection', async t => {
  const warnings: Error[] = []
  const note = (warning: Error) => { warnings.push(warning) }
  process.on('warning', note)
  t.teardown(() => { process.off('warning', note) })
  let asked = 0
  const all = latch()
  const { url } = await startServer(t, {
    ...enabled,
    verify: async ({ instance }) => {
      if (instance === 'acme') await turn()
      else if (++asked < 30) await all.opened
      else all.open()
      return true
    }
  })
  await Promise.all(Array.from({ length: 30 }, async () => await listen(t, `${url}/acme`)))
  const manager = new Manager(url, { transports: ['websocket'] })
  await Promise.all(Array.from({ length: 30 }, async (empty, at) => {
    const socket = manager.socket(`/acme${at}`)
    t.teardown(() => { socket.disconnect() })
    await admitted(socket)
  }))
  await turn()
  t.strictSame(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'), [])
})

t.test('who asks for another protocol where nobody speaks one is ended, whatever is sent after that', async t => {
  const server = await startServer(t)
  const socket = connectTcp({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => { socket.destroy() })
  // Being reset is an end, too.
  socket.on('error', () => {})
  const ended = new Promise(resolve => { socket.once('close', resolve) })
  const answered = once(socket, 'end').catch(() => {})
  socket.write('GET /elsewhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  // More than is read for nobody.
  socket.write(Buffer.alloc(200_000))
  socket.resume()
  await Promise.race([answered, ended])
  socket.end()
  await ended
  const connections = async () => await new Promise<number>((resolve, reject) => { server.fastify.server.getConnections((error, count) => { if (error === null) resolve(count); else reject(error) }) })
  while (await connections() > 0) await turn()
  t.equal(await connections(), 0)
})
