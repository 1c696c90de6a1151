import type { Server } from 'socket.io'
import { Manager } from 'socket.io-client'
import t from 'tap'
import { errors } from '../../lib/errors.js'
import { admitted, connect, disconnected, Inbox, listen, refused, transports } from '../helpers/client.js'
import { startNode, startNodes } from '../helpers/cluster.js'
import { eventually, latch } from '../helpers/latch.js'
import { outcomeOf } from '../helpers/outcome.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { SharedStore } from '../helpers/shared-store.js'
import { later, storeWith } from '../helpers/stores.js'

const enabled = { defaultConfig: { enabled: true } }

/** Streams that are watched now. */
const watched = (shared: SharedStore): unknown[] => [...shared.watching].map(({ stream }) => stream)

for (const transport of transports) {
  t.test(`a client that is in over ${transport} misses nothing that is emitted from then on, on any node`, async t => {
    const { shared, nodes: [a, b] } = await startNodes(t, 2, enabled)
    const door = latch()
    shared.watchesReady = door.opened
    const socket = connect(t, `${a.url}/acme`, { transports: [transport] })
    const inbox = new Inbox(socket)
    await eventually(() => shared.watching.size > 0)
    t.equal(socket.connected, false, 'it waits until nothing can be missed')
    t.equal(a.wsEvents.stats().clients.admitted, 0)
    door.open()
    await admitted(socket)
    await b.wsEvents.emit('acme', 'call', 1)
    t.strictSame(datas(await inbox.got(1)), [1])
  })
}

t.test('while the store is unavailable new clients are refused with retry, and connected clients stay', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, { ...enabled, limits: { connections: 2 } })
  const { socket, inbox } = await listen(t, `${a.url}/acme`)
  shared.away()
  const start = performance.now()
  const next = connect(t, `${a.url}/acme`)
  t.match(await outcomeOf(next), { word: 'comes back', comesBack: true })
  // Else it would be after 5 s.
  t.ok(performance.now() - start < 4500, 'at once')
  const sent = a.wsEvents.emit('acme', 'call', 'waits')
  shared.back()
  await admitted(next)
  await sent
  t.strictSame(datas(await inbox.got(1)), ['waits'])
  t.equal(socket.connected, true)
  t.equal(a.wsEvents.stats().clients.connections, 2)
})

t.test('on a connection that serves another namespace it is a refusal that may pass, and the other does not suffer', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const manager = new Manager(a.url, { transports: ['websocket'] })
  t.teardown(() => { manager._close() })
  const first = manager.socket('/acme')
  await admitted(first)
  shared.away()
  t.match(await refused(manager.socket('/other')), { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE', statusCode: 503, retry: true })
  t.equal(first.connected, true)
  t.equal(a.wsEvents.clients().length, 1)
})

t.test('who has no key learns nothing of the store, and waits for nothing', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, { ...enabled, apikey: 'k' })
  shared.away()
  t.match(await refused(connect(t, `${a.url}/acme`)), { code: 'FST_ERR_WS_EVENTS_UNAUTHORIZED' })
  t.equal(shared.watching.size, 0)
})

t.test('what a pending session has acquired is released when it is live, has left, is disconnected or refused', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, { limits: { connectionsPerInstance: 1 } })
  await a.wsEvents.set('acme', { enabled: true })
  const isEmpty = async () => { await eventually(() => shared.watching.size === 0 && a.wsEvents.stats().clients.connections === 0) }
  let door = latch()
  const arrive = async () => {
    door = latch()
    shared.watchesReady = door.opened
    const socket = connect(t, `${a.url}/acme`, { reconnection: false })
    await eventually(() => shared.watching.size > 0)
    return socket
  }
  const gone = await arrive()
  gone.disconnect()
  door.open()
  await isEmpty()

  const away = await arrive()
  const code = refused(away)
  await a.wsEvents.disconnect({ instance: 'acme' })
  // At once: its key is accepted, so it need not wait for its stream.
  t.match(await code, { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
  door.open()
  away.disconnect()
  await isEmpty()

  const disabled = await arrive()
  const refusal = refused(disabled)
  await a.wsEvents.set('acme', { enabled: false })
  t.match(await refusal, { code: 'FST_ERR_WS_EVENTS_INSTANCE_DISABLED' })
  door.open()
  disabled.disconnect()
  await isEmpty()

  await a.wsEvents.set('acme', { enabled: true })
  const { socket } = await listen(t, `${a.url}/acme`)
  await eventually(() => watched(shared).length === 1)
  const full = connect(t, `${a.url}/acme`, { reconnection: false })
  t.match(await outcomeOf(full), { word: 'comes back' })
  t.strictSame(watched(shared), ['acme'], 'only for the one that is in')
  socket.disconnect()
  await isEmpty()
  // The one place of the instance is free again after all that.
  await listen(t, `${a.url}/acme`)
})

t.test('a watch that fails, or is not ready in time, is a passing fault', async t => {
  let fails = true
  const store = storeWith(log => ({
    watch: (stream, listener) => {
      const { close } = log.watch(stream, listener)
      return { ready: fails ? Promise.reject(new errors.STORE_UNAVAILABLE('it was closed')) : Promise.resolve(), close }
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const socket = connect(t, `${url}/acme`)
  t.match(await outcomeOf(socket), { word: 'comes back', comesBack: true })
  t.match(fastify.wsEvents.stats(), { clients: { refused: { STORE_UNAVAILABLE: 1 }, connections: 0, inInstances: 0 } })
  fails = false
  await admitted(socket)
})

t.test('a client does not wait longer than 5 s for a watch', async t => {
  const shared = new SharedStore()
  const { url, wsEvents } = await startNode(t, shared, enabled)
  const door = latch()
  shared.watchesReady = door.opened
  const socket = connect(t, `${url}/acme`)
  const start = performance.now()
  t.match(await outcomeOf(socket), { word: 'comes back', comesBack: true })
  const ms = performance.now() - start
  t.ok(ms > 4500, `${ms} ms`)
  t.equal(wsEvents.stats().clients.refused.STORE_UNAVAILABLE, 1)
  door.open()
  await admitted(socket)
})

t.test('many that come at once are one watch', async t => {
  let checked = 0
  const { shared, nodes: [a] } = await startNodes(t, 1, { ...enabled, verify: () => { checked++; return true } })
  const door = latch()
  shared.watchesReady = door.opened
  const sockets = Array.from({ length: 20 }, () => connect(t, `${a.url}/acme`, { auth: { apikey: 'k' } }))
  await eventually(() => checked === 20 && shared.watching.size > 0)
  for (let turn = 0; turn < 3; turn++) await later()
  t.strictSame(watched(shared), ['acme'])
  door.open()
  await Promise.all(sockets.map(admitted))
})

t.test("the host's own namespaces do not depend on the store", async t => {
  const shared = new SharedStore()
  const { fastify, url } = await startNode(t, shared)
  const { io } = fastify as unknown as { io: Server }
  io.of('/chat')
  shared.away()
  const { socket } = await listen(t, `${url}/chat`)
  const left = disconnected(socket)
  socket.disconnect()
  t.equal(await left, 'io client disconnect')
})
