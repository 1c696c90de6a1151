import t from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, Inbox, listen } from '../helpers/client.js'
import { startNode } from '../helpers/cluster.js'
import { eventually } from '../helpers/latch.js'
import { outcomeOf } from '../helpers/outcome.js'
import { registrationError } from '../helpers/register.js'
import { datas, Follower } from '../helpers/resume.js'
import type { Scope } from '../helpers/server.js'
import { SharedStore } from '../helpers/shared-store.js'
import { later } from '../helpers/stores.js'

const CODE = 'FST_ERR_WS_EVENTS_'
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** A node that was started while its store was away; the store has the config of `acme`. */
async function startLate (t: Scope, options: WsEventsOptions = {}) {
  const shared = new SharedStore()
  await shared.configs.set('acme', { enabled: true, events: ['CALL'] })
  shared.away()
  return { shared, ...await startNode(t, shared, options) }
}

t.test('a node that starts while the store is away says so, and serves when it comes', async t => {
  const { shared, url, wsEvents, lines } = await startLate(t)
  t.equal(lines.filter(({ level, msg }) => level === 40 && msg.includes('the store is unavailable: until it is available')).length, 1)
  const waiting = connect(t, `${url}/acme`)
  const inbox = new Inbox(waiting)
  t.match(await outcomeOf(waiting), { word: 'comes back', comesBack: true })
  t.match(wsEvents.stats(), { clients: { refused: { STORE_UNAVAILABLE: 1 }, admitted: 0 }, store: { available: false } })
  shared.back()
  await admitted(waiting)
  await wsEvents.emit('acme', 'call', 1)
  t.strictSame(datas(await inbox.got(1)), [1])
  t.match(wsEvents.stats(), { store: { available: true }, clients: { connections: 1 } })
})

t.test('until then routes and configs answer that the store is not available', async t => {
  const { shared, fastify, wsEvents } = await startLate(t)
  const code = `${CODE}STORE_UNAVAILABLE`
  const start = performance.now()
  await t.rejects(wsEvents.find('acme'), { code })
  await t.rejects(wsEvents.set('acme', { enabled: true }), { code })
  await t.rejects(wsEvents.remove('acme'), { code })
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    const response = await fastify.inject({ method, url: '/instance/acme/websocket', ...(method === 'PUT' && { payload: { enabled: true } }) })
    t.equal(response.statusCode, 503, method)
    t.match(response.json(), { code })
  }
  // Six that wait for 5 s each take 30.
  t.ok(performance.now() - start < 15_000, 'at once')
  shared.back()
  t.match(await wsEvents.find('acme'), { enabled: true, events: ['CALL'] })
})

for (const globalEvents of [false, true]) {
  t.test(`what is emitted before the store comes is checked, read in the call, and arrives in order, ${globalEvents ? 'global' : 'traditional'} mode`, async t => {
    const options: WsEventsOptions = { globalEvents, events: { call: { type: 'object' }, 'chats.set': true } }
    const shared = new SharedStore()
    await shared.configs.set('acme', { enabled: true, events: ['CALL'] })
    const other = await startNode(t, shared, options)
    const { inbox } = await listen(t, globalEvents ? other.url : `${other.url}/acme`)
    shared.away()
    const { wsEvents } = await startNode(t, shared, options)
    await t.rejects(wsEvents.emit('a/b', 'call', {}), { code: `${CODE}INVALID_NAME` })
    await t.rejects(wsEvents.emit('acme', 'nonsense', {}), { code: `${CODE}UNKNOWN_EVENT` })
    await t.rejects(wsEvents.emit('acme', 'call', 'text'), { code: `${CODE}INVALID_DATA` })
    await t.rejects(wsEvents.emit('acme', 'call', { n: 5n }), { code: `${CODE}NOT_SERIALIZABLE` })
    const data = { n: 0 }
    const results = numbers(50).map(async n => {
      data.n = n
      return await wsEvents.emit('acme', 'call', data)
    })
    const others = [wsEvents.emit('acme', 'chats.set', null), wsEvents.emit('nobody', 'call', {})]
    t.equal(wsEvents.stats().store.pendingEvents, 52 + (globalEvents ? 0 : 1), 'and in traditional mode what breaks off the past of the root')
    t.equal(wsEvents.stats().emit.accepted, 0)
    shared.back()
    // In the moment of loading, and after it.
    for (let n = 50; n < 100; n++) {
      results.push(wsEvents.emit('acme', 'call', { n }))
      await later()
    }
    const ids = (await Promise.all(results)).map(({ id }) => id)
    t.strictSame(ids, ids.toSorted(), 'in the order of the calls')
    t.strictSame((await Promise.all(others)).map(({ skipped }) => skipped), ['filtered', 'not-set'])
    const arrived = await inbox.got(globalEvents ? 102 : 100)
    t.strictSame(arrived.filter(({ event, instance }) => event === 'call' && instance === 'acme').map(({ data }) => data), numbers(100).map(n => ({ n })), 'on another node')
    t.strictSame(wsEvents.stats().store, { available: true, pendingEvents: 0, pendingBytes: 0, failures: 0 })
  })
}

t.test('as much waits as the limits say, and not more', async t => {
  for (const limits of [{ pendingEvents: 3 }, { pendingBytes: 1000 }]) {
    const { shared, wsEvents, lines } = await startLate(t, { limits, globalEvents: true })
    const sent = numbers(3).map(async n => await wsEvents.emit('acme', 'call', n))
    const full = 'pendingEvents' in limits ? null : 'x'.repeat(900)
    await t.rejects(wsEvents.emit('acme', 'call', full), { code: `${CODE}PENDING_FULL`, statusCode: 503 })
    t.match(wsEvents.stats(), { emit: { rejected: 1, accepted: 0 }, store: { failures: 1, pendingEvents: 3 } })
    t.equal(lines.filter(({ msg }) => msg === 'an event was not emitted').length, 1)
    shared.back()
    await Promise.all(sent)
    t.type((await wsEvents.emit('acme', 'call', full)).id, 'string', 'when it is back there is room')
    t.strictSame(wsEvents.stats().store, { available: true, pendingEvents: 0, pendingBytes: 0, failures: 1 })
  }
})

t.test('a limit of 0 is none', async t => {
  const { shared, wsEvents } = await startLate(t, { limits: { pendingEvents: 0, pendingBytes: 0 } })
  const sent = numbers(20_000).map(async n => await wsEvents.emit('acme', 'call', n))
  shared.back()
  t.equal((await Promise.all(sent)).length, 20_000)
})

t.test('close() rejects what still waits, each once, and does not wait for the store for long', async t => {
  const { fastify, wsEvents, lines } = await startLate(t, { globalEvents: true })
  const waiting = numbers(3).map(async n => { await t.rejects(wsEvents.emit('acme', 'call', n), { code: `${CODE}CLOSED` }) })
  await fastify.close()
  await Promise.all(waiting)
  t.match(wsEvents.stats(), { emit: { rejected: 3 }, store: { failures: 0, pendingEvents: 0, pendingBytes: 0 } })
  t.equal(lines.filter(({ msg }) => msg === 'an event was not emitted').length, 3)
})

t.test('a store that hangs at the start holds nothing up either', async t => {
  const shared = new SharedStore()
  await shared.configs.set('acme', { enabled: true, events: null })
  const list = shared.configs.list.bind(shared.configs)
  let goOn = (): void => {}
  const hanging = new Promise<void>(resolve => { goOn = resolve })
  shared.configs.list = async function * () {
    await hanging
    yield * list()
  }
  const { url, lines } = await startNode(t, shared)
  t.equal(lines.filter(({ msg }) => msg.includes('the store is unavailable')).length, 1)
  goOn()
  await listen(t, `${url}/acme`)
})

t.test('in traditional mode the root\'s history gets a gap once the store is available', async t => {
  const shared = new SharedStore()
  const before = await startNode(t, shared, { globalEvents: true })
  const follower = new Follower(t, before.url)
  await follower.nextReady(1)
  await before.wsEvents.emit('acme', 'call', 1)
  await follower.inbox.got(1)
  const id = follower.inbox.messages[0]?.id ?? ''
  shared.away()
  const { lines } = await startNode(t, shared)
  shared.back()
  await eventually(() => shared.log.read(null, id, 1) === 'gap')
  t.strictSame(lines.filter(({ level }) => level > 40), [])
})

t.test('a gap of the root that cannot be stored is logged', async t => {
  const { fastify, lines } = await startLate(t)
  await fastify.close()
  await eventually(() => lines.some(({ level, msg }) => level === 50 && msg.includes('the gap in the history of the root could not be stored')))
})

t.test('configs that cannot be read for another reason, or that nobody tells of, fail the registration', async t => {
  const shared = new SharedStore()
  shared.configs.list = async function * () { throw new Error('they are in another format') }
  t.match(await registrationError(t, { store: shared.node() }), { code: `${CODE}STORE_OPEN`, message: /another format/ })
  const configs = { get: () => null, set: () => {}, delete: () => false, list: () => { throw new Error('the database is away') } }
  t.match(await registrationError(t, { store: new SharedStore().node(), configs }), { code: `${CODE}STORE_OPEN`, message: /the database is away/ })
})

t.test("with the host's own configs, a node whose store is away emits to it in order", async t => {
  const shared = new SharedStore()
  shared.away()
  const configs = { get: () => null, set: () => {}, delete: () => false, list: () => [['acme', { enabled: true, events: null }]] as const }
  const { url, wsEvents } = await startNode(t, shared, { configs })
  const waiting = connect(t, `${url}/acme`)
  t.match(await outcomeOf(waiting), { word: 'comes back' })
  const sent = wsEvents.emit('acme', 'call', 1)
  shared.back()
  t.match(await sent, { routes: ['/acme'] })
  await admitted(waiting)
})

t.test('in disabled mode nothing waits for a store that is away', async t => {
  const { wsEvents } = await startLate(t, { enabled: false })
  t.strictSame(await wsEvents.emit('acme', 'call', 1), { id: null, routes: [], skipped: 'disabled' })
})
