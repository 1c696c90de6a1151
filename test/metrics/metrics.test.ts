import { createRequire } from 'node:module'
import { spawnSync } from 'node:child_process'
import { Counter, Registry } from 'prom-client'
import t from 'tap'
import { listen } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { LOADER } from '../helpers/program.js'
import { register, registrationError } from '../helpers/register.js'
import { SharedStore } from '../helpers/shared-store.js'
import { startServer } from '../helpers/server.js'
import { KEY, keepBusy, startMeasured } from './busy.js'
import { parse, valueOf } from './exposition.js'

const OPTION = 'FST_ERR_WS_EVENTS_INVALID_OPTION'
const auth = { apikey: KEY }

t.test('a scrape tells what stats() tells, and by event what was emitted and delivered', async t => {
  const server = await startMeasured(t, { limits: { queuedBytes: 300_000 } })
  await keepBusy(t, server)
  const stats = server.fastify.wsEvents.stats()
  const scrape = parse(await server.scrape())
  const value = (name: string, labels = {}) => valueOf(scrape, `ws_events_${name}`, labels)

  t.equal(value('emitted_total'), stats.emit.accepted)
  t.equal(value('emitted_total', { event: 'chats.set' }), 1)
  t.equal(value('emitted_total', { event: 'qrcode.updated' }), 0, 'what did not happen is there too, so that a rate sees its first step')
  t.equal(value('rejected_total'), stats.emit.rejected)
  t.strictSame(['UNKNOWN_EVENT', 'INVALID_NAME', 'PENDING_FULL', 'other'].map(code => value('rejected_total', { code })), [1, 1, 0, 0])
  t.equal(value('delivered_total'), stats.delivery.delivered)
  t.equal(value('delivered_total', { event: 'chats.set' }), 1, 'once, to the root')
  t.equal(value('delivered_total', { event: 'other' }), 0)
  t.equal(value('replayed_total'), 2)
  t.equal(value('admitted_total'), stats.clients.admitted)
  t.equal(value('slow_closes_total'), 1)
  t.equal(value('connections'), 3)
  t.equal(value('namespaces'), stats.clients.namespaces)
  for (const [labelled, label, counts] of [
    ['skipped_total', 'reason', stats.emit.skipped],
    ['resumed_total', 'outcome', stats.delivery.resumed],
    ['refused_total', 'code', stats.clients.refused],
    ['limited_total', 'limit', stats.limits],
    ['received_total', 'outcome', { handled: stats.clients.received.handled, dropped: stats.clients.received.dropped }],
    ['clients', 'namespace', { root: stats.clients.atRoot, instance: stats.clients.inInstances }]
  ] as const) {
    for (const [name, count] of Object.entries(counts)) t.equal(value(labelled, { [label]: name }), count, `${labelled} of ${name}`)
  }
  t.match(stats, { emit: { skipped: { filtered: 1, 'not-set': 1, 'instance-disabled': 1 } }, delivery: { resumed: { recovered: 1, gap: 1, fresh: 1 } }, clients: { refused: { FORBIDDEN: 1, UNAUTHORIZED: 1, NOT_SET: 1 }, received: { handled: 1, dropped: 1 }, atRoot: 1, inInstances: 2 } }, 'there was something of each')
  t.strictSame(['streams', 'records', 'bytes'].map(part => value(`log_${part}`)), [stats.log.streams, stats.log.records, stats.log.bytes])
  t.strictSame(['available', 'pending_events', 'pending_bytes'].map(part => value(`store_${part}`)), [1, 0, 0])
  t.equal(value('queue_bytes'), 0)
  t.equal(value('queue_max_bytes'), 0)
})

t.test('batches are counted by their events, and how late they were written', async t => {
  const server = await startMeasured(t)
  const { inbox } = await listen(t, server.url, { auth })
  const { wsEvents } = server.fastify
  for (let i = 0; i < 3; i++) void wsEvents.emit('acme', 'call', i)
  await inbox.got(3)
  await wsEvents.emit('acme', 'call', 3)
  await inbox.got(4)
  const scrape = parse(await server.scrape())
  const value = (name: string, labels = {}) => valueOf(scrape, `ws_events_${name}`, labels)
  t.equal(value('batch_events_sum'), 4)
  t.equal(value('batch_events_count'), 2)
  t.strictSame(['1', '2', '4', '+Inf'].map(le => value('batch_events_bucket', { le })), [1, 1, 2, 2])
  t.ok([1, 2].includes(value('delivery_lag_seconds_count')), 'they may have been written in one millisecond')
  t.equal(value('delivery_lag_seconds_bucket', { le: '+Inf' }), value('delivery_lag_seconds_count'))
  t.ok(value('delivery_lag_seconds_sum') >= 0 && value('delivery_lag_seconds_sum') < 60, 'in seconds')
})

t.test('on the way of Socket.IO the same is counted', async t => {
  const server = await startMeasured(t, { fastPath: false })
  const inboxes = [(await listen(t, server.url, { auth })).inbox, (await listen(t, server.url, { auth })).inbox]
  for (let i = 0; i < 3; i++) void server.fastify.wsEvents.emit('acme', 'call', i)
  for (const inbox of inboxes) await inbox.got(3)
  const scrape = parse(await server.scrape())
  t.equal(valueOf(scrape, 'ws_events_delivered_total', { event: 'call' }), 6)
  t.equal(server.fastify.wsEvents.stats().delivery.delivered, 6)
})

t.test('an event that is in the catalogue of another node alone counts as other', async t => {
  const store = new SharedStore()
  const ours = await startMeasured(t, { store: store.node() })
  const theirs = await startServer(t, { globalEvents: true, events: ['call', 'order.paid'], store: store.node() })
  const { inbox } = await listen(t, ours.url, { auth })
  for (const event of ['order.paid', 'call']) await theirs.fastify.wsEvents.emit('acme', event, 1)
  await inbox.got(2)
  const scrape = parse(await ours.scrape())
  t.equal(valueOf(scrape, 'ws_events_delivered_total', { event: 'other' }), 1)
  t.equal(valueOf(scrape, 'ws_events_delivered_total', { event: 'call' }), 1)
  t.equal(valueOf(scrape, 'ws_events_delivered_total'), ours.fastify.wsEvents.stats().delivery.delivered)
})

t.test("an event of the host's that is called other is not lost", async t => {
  const server = await startMeasured(t, { events: ['other', '__proto__'] })
  for (const event of ['other', '__proto__']) await server.fastify.wsEvents.emit('acme', event, 1)
  const scrape = parse(await server.scrape())
  for (const event of ['other', '__proto__']) t.equal(valueOf(scrape, 'ws_events_emitted_total', { event }), 1, event)
})

t.test('a store that is away is seen', async t => {
  const store = new SharedStore()
  const server = await startMeasured(t, { store: store.node() })
  await listen(t, server.url, { auth })
  store.away()
  void server.fastify.wsEvents.emit('acme', 'call', 'waits')
  const scrape = await eventually(() => server.fastify.wsEvents.stats().store.pendingEvents === 1 && server.scrape())
  t.equal(valueOf(parse(scrape), 'ws_events_store_available'), 0)
  t.equal(valueOf(parse(scrape), 'ws_events_store_pending_events'), 1)
  t.ok(valueOf(parse(scrape), 'ws_events_store_pending_bytes') > 0)
  store.back()
})

t.test('closing takes out what was registered, and nothing else, so that a server can come after', async t => {
  const registry = new Registry()
  const theirs = new Counter({ name: 'my_total', help: 'The application\'s own.', registers: [registry] })
  const names = () => registry.getMetricsAsArray().map(({ name }) => name)
  for (let time = 0; time < 2; time++) {
    const fastify = await register(t, { metrics: { registry } })
    t.ok(names().length > 20)
    t.strictSame(names().filter(name => !name.startsWith('ws_events_')), ['my_total'], 'no metrics of the process')
    await fastify.close()
    t.strictSame(names(), ['my_total'])
    t.equal(registry.getSingleMetric('my_total'), theirs)
  }
})

t.test('what somebody else has put in place of ours stays', async t => {
  const registry = new Registry()
  const fastify = await register(t, { metrics: { registry } })
  registry.clear()
  const theirs = new Counter({ name: 'ws_events_replayed_total', help: 'Of somebody else.', registers: [registry] })
  await fastify.close()
  t.strictSame(registry.getMetricsAsArray(), [theirs])
})

t.test('two servers cannot share a registry, and the second leaves the first as it is', async t => {
  const registry = new Registry()
  await register(t, { metrics: { registry } })
  const before = registry.getMetricsAsArray()
  const error = await registrationError(t, { metrics: { registry } })
  t.equal(error.code, OPTION)
  t.match(error.message, /option "metrics": the registry has a metric "ws_events_emitted_total" already: .*registry of its own.*Registry\.merge/)
  t.strictSame(registry.getMetricsAsArray(), before)
  t.match(await registry.metrics(), /^ws_events_connections 0$/m)
})

t.test('a registration that fails leaves nothing in the registry', async t => {
  const registry = new Registry()
  const error = await registrationError(t, { metrics: { registry }, defaultConfig: { enabled: true }, evolution: true }, fastify => {
    fastify.get('/instance/:name/websocket', async () => null)
  })
  t.equal((error as Error & { code: string }).code, 'FST_ERR_DUPLICATED_ROUTE')
  t.strictSame(registry.getMetricsAsArray(), [])
})

t.test('the registry may be of another copy of prom-client, and speak OpenMetrics', async t => {
  const require = createRequire(import.meta.url)
  for (const file of Object.keys(require.cache).filter(file => file.includes('/prom-client/'))) Reflect.deleteProperty(require.cache, file)
  // Its type does not have the parameter that it takes.
  const other = require('prom-client') as { Registry: new (contentType: string) => Registry }
  t.not(other.Registry, Registry)
  const registry = new other.Registry('application/openmetrics-text; version=1.0.0; charset=utf-8')
  registry.setDefaultLabels({ region: 'south' })
  const fastify = await register(t, { metrics: { registry }, globalEvents: true })
  await fastify.wsEvents.emit('acme', 'call', 1)
  for (let time = 0; time < 2; time++) t.match(await registry.metrics(), /^ws_events_emitted_total\{event="call",region="south"\} 1$/m, 'a counter is not added to itself')
  t.match(await registry.metrics(), /^# TYPE ws_events_emitted counter$/m)
  await fastify.close()
  t.strictSame(registry.getMetricsAsArray(), [], 'prom-client had changed the names of the counters')
})

t.test('a server that is switched off has its metrics too', async t => {
  const registry = new Registry()
  const fastify = await register(t, { metrics: { registry }, enabled: false })
  await fastify.wsEvents.emit('acme', 'call', 1)
  const scrape = parse(await registry.metrics())
  t.equal(valueOf(scrape, 'ws_events_skipped_total', { reason: 'disabled' }), 1)
  t.equal(valueOf(scrape, 'ws_events_queue_bytes'), 0)
})

t.test('without the option nothing is registered anywhere', async t => {
  const { register: common } = await import('prom-client')
  const fastify = await register(t)
  await fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame(common.getMetricsAsArray(), [])
})

t.test('where prom-client is not installed, that is said', async t => {
  const resolve = "export async function resolve (name, context, next) { if (name === 'prom-client') throw Object.assign(new Error('not here'), { code: 'ERR_MODULE_NOT_FOUND' }); return await next(name, context) }"
  const hook = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(resolve)}`)})`
  const { status, stdout } = spawnSync(process.execPath, [...LOADER, '--import', `data:text/javascript,${encodeURIComponent(hook)}`, new URL('../fixtures/measured-server.ts', import.meta.url).pathname], { encoding: 'utf8' })
  t.equal(stdout, `${OPTION} option "metrics" needs prom-client: install it: npm install prom-client\n`)
  t.equal(status, 0)
})
