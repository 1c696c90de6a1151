import t from 'tap'
import { admitted, connect, disconnected, listen } from '../helpers/client.js'
import { startNodes } from '../helpers/cluster.js'
import { eventually, latch } from '../helpers/latch.js'
import { datas } from '../helpers/resume.js'
import { later } from '../helpers/stores.js'

const CODE = 'FST_ERR_WS_EVENTS_'
const enabled = { defaultConfig: { enabled: true } }
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

t.test('while the store is unavailable emitted events are queued in order and counted in stats, and then sent', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, { ...enabled, limits: { pendingEvents: 10 } })
  const { inbox } = await listen(t, `${a.url}/acme`)
  t.strictSame(a.wsEvents.stats().store, { available: true, pendingEvents: 0, pendingBytes: 0, failures: 0 })
  shared.away()
  const sent = numbers(10).map(async n => await a.wsEvents.emit('acme', 'call', n))
  await t.rejects(a.wsEvents.emit('acme', 'call', 'too many'), { code: `${CODE}PENDING_FULL` })
  t.match(a.wsEvents.stats(), { emit: { rejected: 1 }, store: { failures: 1, available: false, pendingEvents: 10 } })
  t.ok(a.wsEvents.stats().store.pendingBytes > 10)
  shared.back()
  await Promise.all(sent)
  t.strictSame(datas(await inbox.got(10)), numbers(10))
  t.strictSame(a.wsEvents.stats().store, { available: true, pendingEvents: 0, pendingBytes: 0, failures: 1 })
})

t.test('close() waits 5 s for a store that is away, says what is lost, and its clients come back', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const { socket } = await listen(t, `${a.url}/acme`)
  const ended = disconnected(socket)
  shared.away()
  const lost = numbers(3).map(async n => { await t.rejects(a.wsEvents.emit('acme', 'call', n), { code: `${CODE}STORE_UNAVAILABLE` }) })
  const start = performance.now()
  await a.fastify.close()
  const ms = performance.now() - start
  t.ok(ms > 4500 && ms < 30_000, `${ms} ms`)
  t.match(await ended, /^transport (close|error)$/)
  await Promise.all(lost)
  const warnings = a.lines.filter(({ msg }) => msg.includes('the server is closed before the store has all'))
  t.match(warnings, [{ level: 40, pendingEvents: 3 }])
  t.equal(warnings.length, 1)
})

t.test('close() sends all that was accepted, while the store is there', async t => {
  const { nodes: [a, b] } = await startNodes(t, 2, enabled)
  const clients = await Promise.all([a, b].map(async node => await listen(t, `${node.url}/acme`)))
  for (const n of numbers(200)) void a.wsEvents.emit('acme', 'call', n)
  await a.fastify.close()
  for (const { inbox } of clients) t.strictSame(datas(await inbox.got(200)), numbers(200))
})

t.test('a config change, by this node or another one, waits a limited time for events emitted before', async t => {
  const { shared, nodes: [a, b] } = await startNodes(t, 2)
  await a.wsEvents.set('acme', { enabled: true })
  await eventually(() => shared.nodes[1]?.asked.includes('get acme'))
  for (let turn = 0; turn < 3; turn++) await later()
  const clients = await Promise.all([a, b].map(async ({ url }) => await admitted(connect(t, `${url}/acme`))))
  const ended = Promise.all(clients.map(disconnected))
  const door = latch()
  shared.logReady = door.opened
  for (const { wsEvents } of [a, b]) void wsEvents.emit('acme', 'call', 1)
  const start = performance.now()
  await a.wsEvents.set('acme', { enabled: false })
  t.strictSame(await ended, ['io server disconnect', 'io server disconnect'])
  const ms = performance.now() - start
  t.ok(ms > 4500 && ms < 30_000, `${ms} ms`)
  for (const { lines } of [a, b]) t.equal(lines.filter(({ msg }) => msg.includes('before all emitted events were sent')).length, 1)
  door.open()
})
