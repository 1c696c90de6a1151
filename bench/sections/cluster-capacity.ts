import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../lib/children.js'
import { type Cluster, cpuOf, withCluster } from '../lib/cluster.js'
import type { Context } from '../lib/context.js'
import { infoOf, type OwnRedis, redisCpu, scriptCalls, withRedis } from '../lib/own-redis.js'
import { expectLoad } from '../lib/pair.js'
import { type Report, shown } from '../lib/report.js'
import type { Load } from '../lib/window.js'
import type { NodeApi } from '../node.js'

const BYTES = 500

/** What a node and a Redis can carry, and what it takes: once each, because these are sizes and no contest. */
export async function capacity (context: Context): Promise<Report> {
  return await withRedis(async redis => {
    const reports = [await rates(context, redis), await fanOut(context, redis), await remembered(context, redis), await subscriptions(context, redis)]
    return { tables: reports.flatMap(({ tables }) => tables), targets: [], figures: reports.map(({ figures }) => figures) }
  })
}

// --- Rates

const RATES = [100, 1000, 5000] as const
const PER_TICK = [1, 20] as const
const INSTANCES = 20

interface Rate {
  readonly title: string
  readonly perSecond: number
  /** Of one run of the script that appends. */
  readonly batch: number
  readonly redis: number
  readonly a: number
  readonly b: number
}

/** One node emits, the other has a client for each instance. */
async function rates ({ quick, progress }: Context, redis: OwnRedis): Promise<Report> {
  const found = await withCluster(redis, { peer: 'ours', instances: INSTANCES, clients: 1, place: 'b', timeEvery: 0 }, async cluster => {
    const seconds = quick ? 1 : 3
    const load = { bytes: BYTES, clients: 1 }
    const results: Rate[] = []
    await cluster.burst({ ...load, perTick: 20, inFlight: 4000 }, 1000)
    progress('capacity: at rest')
    const { cpu: atRest } = await cpuOf(cluster, async () => { await sleep(seconds * 1000) })
    for (const rate of RATES) {
      progress(`capacity: ${rate} events/s`)
      const steady = { ...load, perTick: 20, inFlight: 100 }
      results.push(await rateOf(cluster, `${rate.toLocaleString('en-US')} events/s`, steady, async () => await cluster.a.call('steady', { ...steady, rate, events: rate * seconds })))
    }
    for (const perTick of PER_TICK) {
      progress(`capacity: as fast as it goes, ${perTick} a tick`)
      const full = { ...load, perTick, inFlight: 4000 }
      results.push(await rateOf(cluster, `as fast as it goes, ${perTick} a tick`, full, async () => await cluster.burst(full, seconds * 1000)))
    }
    return { rates: results, atRest: { redis: atRest.redis / seconds, a: atRest.a / seconds, b: atRest.b / seconds } }
  })
  return {
    tables: [{
      title: `One node emits to ${INSTANCES} instances, another has a client of each, 0.5 kB`,
      columns: ['', 'events/s', 'events a script', 'CPU µs per event: Redis', 'emitting node', 'other node'],
      rows: found.rates.map(({ title, perSecond, batch, redis, a, b }) => [title, ...[perSecond, batch, redis, a, b].map(shown)])
    }, {
      title: 'The same at rest',
      columns: ['', 'CPU µs per second: Redis', 'one node', 'other node'],
      rows: [['no events', ...[found.atRest.redis, found.atRest.a, found.atRest.b].map(shown)]]
    }],
    targets: [],
    figures: found
  }
}

async function rateOf (cluster: Cluster, title: string, load: Load, run: () => Promise<{ readonly events: number, readonly wall: number }>): Promise<Rate> {
  await expectLoad(cluster, load)
  const before = await scriptCalls(cluster.redis)
  const { result: { events, wall }, cpu } = await cpuOf(cluster, run)
  const batch = events / (await scriptCalls(cluster.redis) - before)
  return { title, perSecond: events / wall * 1e6, batch, redis: cpu.redis / events, a: cpu.a / events, b: cpu.b / events }
}

// --- Clients of one instance

const CLIENTS = [1, 10, 100, 1000] as const

/** What an event costs a node that gets it from Redis, by how many clients it has for it. */
async function fanOut ({ quick, progress }: Context, redis: OwnRedis): Promise<Report> {
  const found: Array<{ clients: number, perSecond: number, cpu: number }> = []
  for (const clients of CLIENTS) {
    progress(`capacity: ${clients} clients of one instance`)
    await withCluster(redis, { peer: 'ours', instances: 1, clients, place: 'b', timeEvery: 0 }, async cluster => {
      const load = { bytes: BYTES, clients, perTick: 4 }
      await cluster.burst(load, quick ? 300 : 1000)
      const { result: { events, wall }, cpu } = await cpuOf(cluster, async () => await cluster.burst(load, quick ? 700 : 2000))
      found.push({ clients, perSecond: events / wall * 1e6, cpu: cpu.b / events })
    })
  }
  return {
    tables: [{
      title: 'A node that delivers what another has emitted, 0.5 kB, one instance',
      columns: ['clients', 'events/s', 'deliveries/s', 'CPU µs per event', 'CPU µs per delivery'],
      rows: found.map(({ clients, perSecond, cpu }) => [String(clients), shown(perSecond), shown(perSecond * clients), shown(cpu), (cpu / clients).toFixed(3)])
    }],
    targets: [],
    figures: found
  }
}

// --- What is remembered

const QUIET_INSTANCES = 10_000

async function remembered ({ quick, progress }: Context, redis: OwnRedis): Promise<Report> {
  const events = quick ? 20_000 : 50_000
  const measure = async (streams: number, count: number): Promise<number> => await withStores(redis, [], async node => {
    await node.call('append', { events: 1, streams: 1, bytes: BYTES })
    const before = await usedMemory(redis)
    await node.call('append', { events: count, streams, bytes: BYTES })
    return (await usedMemory(redis) - before) / count
  })
  progress('capacity: memory of what is remembered')
  const found = { event: await measure(1, events), quiet: await measure(QUIET_INSTANCES, QUIET_INSTANCES) }
  return {
    tables: [{
      title: 'Memory of Redis, 0.5 kB an event and its envelope',
      columns: ['', 'bytes'],
      rows: [
        [`an event, of ${events.toLocaleString('en-US')} of one instance`, shown(found.event)],
        [`an instance with one event, of ${QUIET_INSTANCES.toLocaleString('en-US')}`, shown(found.quiet)]
      ]
    }],
    targets: [],
    figures: found
  }
}

const usedMemory = async (redis: OwnRedis): Promise<number> => await infoOf(redis, 'memory', 'used_memory:')

/** Two stores without servers, on a Redis that is empty: one that writes and one that watches. */
async function withStores<Result> (redis: OwnRedis, nodeOptions: readonly string[], use: (writer: Child<NodeApi>, watcher: Child<NodeApi>) => Promise<Result>): Promise<Result> {
  await redis.admin.flushall('SYNC')
  const nodes = [new Child<NodeApi>('node.ts', nodeOptions), new Child<NodeApi>('node.ts', nodeOptions)] as const
  try {
    for (const node of nodes) await node.call('openStore', { url: redis.url })
    return await use(...nodes)
  } finally {
    await Promise.all(nodes.map(async node => { await node.end() }))
  }
}

// --- Subscriptions

/** Events that are emitted while the connection is cut, each to another stream. */
const MISSED = 100
/** How long nothing is done, in ms. */
const REST = 3000

interface Subscriptions {
  readonly streams: number
  /** Bytes each. */
  readonly atRedis: number
  readonly atNode: number
  /** CPU at rest, in µs a second. */
  readonly redisAtRest: number
  readonly nodeAtRest: number
  /** In ms. */
  readonly subscribed: number
  /** After a cut: until Redis knows all of them again, and until what was emitted meanwhile has been told. */
  readonly again: number
  readonly healed: number
}

/** One node that watches many streams, whose connection is then cut. */
async function subscriptions ({ quick, progress }: Context, redis: OwnRedis): Promise<Report> {
  const found: Subscriptions[] = []
  for (const streams of quick ? [10_000] : [10_000, 100_000]) {
    progress(`capacity: ${streams} subscriptions`)
    found.push(await withStores(redis, ['--expose-gc'], async (writer, watcher) => await subscribe(redis, streams, writer, watcher)))
  }
  return {
    tables: [{
      title: 'Subscriptions of one node',
      columns: ['streams', 'bytes each: Redis', 'node', 'at rest, CPU µs per second: Redis', 'node', 's until subscribed', 'after a cut: s until subscribed', 's until what was missed is there'],
      rows: found.map(({ streams, atRedis, atNode, redisAtRest, nodeAtRest, subscribed, again, healed }) => [
        streams.toLocaleString('en-US'), ...[atRedis, atNode, redisAtRest, nodeAtRest].map(shown), ...[subscribed, again, healed].map(ms => (ms / 1000).toFixed(2))
      ])
    }],
    targets: [],
    figures: found
  }
}

async function subscribe (redis: OwnRedis, streams: number, writer: Child<NodeApi>, watcher: Child<NodeApi>): Promise<Subscriptions> {
  const [usedBefore, { held: heldBefore }] = [await usedMemory(redis), await watcher.call('memory', null)]
  const subscribed = await watcher.call('watch', { streams })
  const [used, { held }] = [await usedMemory(redis), await watcher.call('memory', null)]
  const [redisBefore, nodeBefore] = [await redisCpu(redis), await watcher.call('cpu', null)]
  await sleep(REST)
  const redisAtRest = (await redisCpu(redis) - redisBefore) / REST * 1000
  const nodeAtRest = (await watcher.call('cpu', null) - nodeBefore) / REST * 1000
  await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const start = performance.now()
  await writer.call('append', { events: MISSED, streams, step: streams / MISSED, bytes: BYTES })
  let again = 0
  for (let heard = 0; heard < MISSED || again === 0;) {
    await sleep(5)
    if (again === 0 && await infoOf(redis, 'stats', 'pubsub_channels:') >= streams) again = performance.now() - start
    heard = await watcher.call('heard', null)
    if (performance.now() - start > 60_000) throw new Error(`${heard} of ${MISSED} events were told after a cut`)
  }
  return { streams, atRedis: (used - usedBefore) / streams, atNode: (held - heldBefore) / streams, redisAtRest, nodeAtRest, subscribed, again, healed: performance.now() - start }
}
