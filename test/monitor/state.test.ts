import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'
import { Activity } from '../../lib/intake/activity.js'
import monitor, { type MonitorState } from '../../lib/monitor/index.js'
import { listen } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'

const PREFIX = 'FST_ERR_WS_EVENTS_'
const GLOBAL = { apikey: 'the-global-key' }
const ACME = { apikey: 'key-of-acme' }
const KEYS: WsEventsOptions = { apikey: 'the-global-key', verify: ({ apikey }) => apikey === 'key-of-acme' && { instances: ['acme'] } }

async function serve (t: Test, options: WsEventsOptions = {}): Promise<{ fastify: FastifyInstance, url: string }> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { fastify, url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}` }
}

async function stateOf (fastify: FastifyInstance, query = '', headers = {}): Promise<MonitorState> {
  const response = await fastify.inject({ url: `/monitor/state${query}`, headers })
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${response.body}`)
  return response.json()
}

t.test('it says when an instance had its last event, how often it has them, and why its clients got nothing of one', async t => {
  const { fastify } = await serve(t)
  await fastify.wsEvents.set('acme', { enabled: true, events: ['CALL'] })
  await fastify.wsEvents.set('globex', { enabled: false })
  t.match((await stateOf(fastify)).instances, [{ instance: 'acme', emitted: 0, last: null, interval: 0 }, { instance: 'globex', emitted: 0 }])
  const before = Date.now()
  await fastify.wsEvents.emit('acme', 'call', 1)
  await fastify.wsEvents.emit('acme', 'messages.upsert', 2)
  await fastify.wsEvents.emit('globex', 'call', 3)
  const { instances: [acme, globex] } = await stateOf(fastify)
  t.match(acme, { emitted: 2, skipped: 1, skipReason: 'filtered' })
  t.match(globex, { emitted: 1, skipped: 1, skipReason: 'instance-disabled' })
  t.ok(Date.parse(acme?.last ?? '') >= before)
})

t.test('activity learns the usual interval, costs nothing while nobody looks, and keeps so many names', t => {
  let now = 1000
  const activity = new Activity(() => now)
  activity.note('acme', null)
  t.equal(activity.of('acme'), undefined)
  activity.start()
  activity.start()
  for (let at = 0; at < 100; at++, now += 500) activity.note('acme', null)
  t.match(activity.of('acme'), { count: 100, last: now - 500, interval: 500, skipReason: null })
  for (let at = 0; at < 10_000; at++) activity.note(`unset-${at}`, 'not-set')
  t.equal(activity.of('acme'), undefined, 'the one that was seen first goes')
  t.match(activity.of('unset-9999'), { count: 1, interval: 0, skipped: 1, skipReason: 'not-set' })
  t.end()
})

t.test('clients that were refused are listed by instance and code, for who may see the instance', async t => {
  const { fastify, url } = await serve(t, KEYS)
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  for (const name of ['acme', 'acme', 'globex', 'x'.repeat(300)]) {
    const response = await fetch(`${url}/instance/${name}/events`, { headers: { apikey: 'opens-nothing-here' } })
    t.ok([400, 403, 414].includes(response.status))
  }
  const { refused } = await stateOf(fastify, '', GLOBAL)
  t.match(refused.filter(({ code }) => code === 'FORBIDDEN'), [
    { instance: 'globex', count: 1, address: '127.0.0.1' }, { instance: 'acme', count: 2, address: '127.0.0.1' }
  ])
  for (const { instance, last } of refused) {
    t.ok(Date.now() - Date.parse(last) < 60_000)
    t.ok((instance ?? '').length <= 100)
  }
  const own = await stateOf(fastify, '', ACME)
  t.match(own.refused, [{ instance: 'acme', code: 'FORBIDDEN', count: 2, address: null }], 'of its instance alone, without addresses')
  t.equal(own.refused.length, 1)
})

t.test('so many refusals are kept, whatever names are made up', async t => {
  const { fastify } = await serve(t, KEYS)
  for (let at = 0; at < 1010; at++) await fastify.inject({ url: `/instance/unset-${at}/events`, headers: { apikey: 'opens-nothing-here' } })
  const { refused, health } = await stateOf(fastify, '', GLOBAL)
  t.equal(refused.length, 100)
  t.equal(refused[0]?.instance, 'unset-1009')
  t.equal(health?.refused.FORBIDDEN, 1010)
})

t.test('the whole node is shown to who may see all of it, and nobody else', async t => {
  const { fastify, url } = await serve(t, KEYS)
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const { inbox } = await listen(t, `${url}/globex`, { auth: GLOBAL })
  await fastify.wsEvents.emit('globex', 'call', 1)
  await inbox.got(1)
  const all = await stateOf(fastify, '', GLOBAL)
  t.match(all, { storeAvailable: true, evolution: false, grant: { key: true, instances: null, allEvents: true } })
  t.match(all.health, { store: 'memory:', clients: 1, connections: 1, emitted: 1, delivered: 1, slowConsumers: 0, records: 1 })
  t.ok(Math.abs(Date.parse(all.now) - Date.now()) < 60_000)
  const limited = await stateOf(fastify, '', ACME)
  t.match(limited, { health: null, skipped: [], clients: [], grant: { key: true, instances: ['acme'], allEvents: true } })
  t.equal((await stateOf(fastify, '?instance=acme', GLOBAL)).health, null)
  const { fastify: open } = await serve(t, { evolution: true })
  t.match(await stateOf(open), { evolution: true, grant: { key: false, instances: null } })
})

t.test('the clients of one instance are listed with what they get', async t => {
  const { fastify, url } = await serve(t, KEYS)
  await fastify.wsEvents.set('acme', { enabled: true })
  await listen(t, `${url}/acme`, { auth: { ...GLOBAL, events: ['call'] } })
  await listen(t, `${url}/acme`, { auth: GLOBAL })
  const { clients } = await stateOf(fastify, '?instance=acme', GLOBAL)
  t.match(clients, [{ address: '127.0.0.1', events: ['call'], queuedBytes: 0 }, { address: '127.0.0.1', events: null }])
  const own = await stateOf(fastify, '?instance=acme', ACME)
  t.strictSame(own.clients.map(({ address }) => address), [null, null])
})

t.test('clients are disconnected by who may set the instance', async t => {
  const { fastify, url } = await serve(t, KEYS)
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const { socket } = await listen(t, `${url}/acme`, { auth: GLOBAL })
  await listen(t, `${url}/globex`, { auth: GLOBAL })
  const post = async (query: string, headers: object) => (await fastify.inject({ method: 'POST', url: `/monitor/disconnect${query}`, headers: { ...headers } })).statusCode
  t.equal(await post('?instance=acme', {}), 401)
  t.equal(await post('?instance=globex', ACME), 403)
  t.equal(await post('', GLOBAL), 400)
  t.equal(fastify.wsEvents.clients().length, 2)
  t.equal(await post('?instance=acme', ACME), 204)
  await eventually(() => !socket.connected)
  t.equal(socket.active, false, 'it stays away')
  t.equal(fastify.wsEvents.clients().length, 1)
})

t.test('a page of history begins at a time, or as early as the stream reaches, or with one event', async t => {
  const { fastify } = await serve(t, { globalEvents: true, ...KEYS })
  for (const name of ['acme', 'globex']) await fastify.wsEvents.set(name, { enabled: true })
  const ask = async (query: string, headers: object) => await fastify.inject({ url: `/monitor/position${query}`, headers: { ...headers } })
  const code = async (query: string, headers: object) => (await ask(query, headers)).json<{ code?: string }>().code?.replace(PREFIX, '')
  t.equal(await code('?since=0', ACME), 'FORBIDDEN', 'the root is not for a limited key')
  t.equal(await code('?instance=globex', ACME), 'FORBIDDEN')
  t.equal(await code('?instance=nobody', GLOBAL), 'NOT_SET')
  t.equal((await ask('?instance=acme&since=-1', GLOBAL)).statusCode, 400)

  const begin = Date.now()
  const first = (await ask('?instance=acme&since=0', GLOBAL)).json<{ complete: boolean, lastEventId: string, time: string }>()
  t.equal(first.complete, false, 'nothing was remembered before somebody looked')
  t.ok(Math.abs(Date.parse(first.time) - begin) < 60_000)
  const ids: Array<string | null> = []
  for (let at = 0; at < 5; at++) ids.push((await fastify.wsEvents.emit('acme', 'call', at)).id)
  const page = async (after: string, limit = 100) => {
    const { events } = (await fastify.inject({ url: `/instance/acme/events?limit=${limit}&after=${after}`, headers: ACME })).json<{ events?: Array<{ id: string }> }>()
    return events?.map(({ id }) => id)
  }
  t.strictSame(await page(first.lastEventId), ids)
  const from = (await ask(`?instance=acme&since=${begin}`, ACME)).json<{ lastEventId: string }>()
  t.strictSame(await page(from.lastEventId), ids)
  for (const id of ids) {
    const { lastEventId } = (await ask(`?instance=acme&before=${id}`, ACME)).json<{ lastEventId: string }>()
    t.strictSame(await page(lastEventId, 1), [id])
  }
  t.match((await ask('?since=0', GLOBAL)).json(), { complete: false })
  t.equal((await ask('?instance=acme&before=no-id', GLOBAL)).statusCode, 200, 'what is no id is as if it were not given')
})

t.test('the page is compressed as the browser takes it, and not sent again', async t => {
  const { fastify } = await serve(t)
  const plain = await fastify.inject('/monitor/page.js')
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(plain.headers.vary, 'accept-encoding')
  const decoders = { br: brotliDecompressSync, gzip: gunzipSync }
  for (const [coding, decode] of Object.entries(decoders)) {
    const { headers, rawPayload } = await fastify.inject({ url: '/monitor/page.js', headers: { 'accept-encoding': `deflate, ${coding};q=0.8` } })
    t.equal(headers['content-encoding'], coding)
    t.ok(decode(rawPayload).equals(plain.rawPayload))
  }
  t.equal((await fastify.inject({ url: '/monitor/page.js', headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding'], undefined)
  const { statusCode, body } = await fastify.inject({ url: '/monitor/page.js', headers: { 'if-none-match': String(plain.headers.etag) } })
  t.strictSame([statusCode, body], [304, ''])
})
