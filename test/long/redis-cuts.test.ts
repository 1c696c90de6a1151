import t from 'tap'
import type { OpenStore } from '../../lib/stores/store.js'
import { Random } from '../contracts/random.js'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.js'
import { appendMany, idsAfter, Load, newPrefix, openNode, sameList, watcherOf, watchersOf } from '../stores/redis/nodes.js'
import { type RedisProxy, startRedisProxy } from '../stores/redis/proxy.js'

/** How long connections are cut at least, in ms. */
const LASTS = 3000
/** And how often, under how many events, at least. */
const CUTS_DUE = 10
const EVENTS_DUE = 1000

type Cut = (commands: ReturnType<RedisServer['connect']>, proxies: readonly RedisProxy[], random: Random) => unknown

const CUTS: ReadonlyArray<readonly [name: string, cut: Cut]> = [
  ['Redis ends those that hear', async commands => await commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes')],
  ['Redis ends those that ask', async commands => await commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')],
  ['the network ends some', (commands, [first, second], random) => { (random.oneIn(2) ? first : second)?.cut(random.pick(['all', 'subscribers', 'others'])) }],
  ['all of this', async (commands, proxies, random) => {
    const [, cut] = random.pick(CUTS.slice(0, 3) as [typeof CUTS[0], ...typeof CUTS])
    await cut(commands, proxies, random)
  }]
]

t.test('connections that are cut under load', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  // They do not disturb each other but where Redis ends the connections of all.
  t.jobs = CUTS.length

  for (const [seed, [name, cut]] of CUTS.entries()) {
    t.test(`nothing is lost or told twice when ${name}`, { buffered: true }, async t => {
      const prefix = newPrefix()
      const random = new Random(seed)
      const proxies = [await startRedisProxy(t, redis), await startRedisProxy(t, redis)]
      const nodes = await Promise.all(proxies.map(async ({ url }) => await openNode(t, { url, prefix })))
      const [a, b] = nodes as [OpenStore, OpenStore]
      const watchers = await watchersOf(nodes, 'acme')
      const roots = await watchersOf(nodes, null)
      const silent = await watcherOf(b, 'silent')
      const load = new Load(t, [a.log, b.log], ['acme', null])
      let cuts = 0
      for (const end = performance.now() + LASTS; performance.now() < end || cuts < CUTS_DUE || load.count < EVENTS_DUE; cuts++) {
        await cut(commands, proxies, random)
        await new Promise(resolve => setTimeout(resolve, 20 + random.below(250)))
      }
      const ids = await load.stop()
      t.equal(load.failed.length, 0)
      for (const watcher of [...watchers, ...roots]) {
        await watcher.untilCount(ids.length)
        sameList(watcher.ids, ids, 'told')
        t.equal(new Set(watcher.numbers).size, ids.length, 'none twice')
        t.equal(watcher.gaps.length, 0)
      }
      sameList(watchers[0]?.numbers ?? [], watchers[1]?.numbers ?? [], 'both are told the same')
      for (const { log } of nodes) sameList(await idsAfter(log, 'acme', watchers[0]?.start ?? '') as string[], ids, 'read')
      const late = await appendMany(a.log, ['silent'], 1)
      await silent.untilCount(1)
      t.strictSame(silent.ids, late)
    })
  }

  t.test('many streams are subscribed to again, and what each of them missed is told', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: proxy.url, prefix })]
    const streams = Array.from({ length: 2500 }, (empty, at) => `instance-${at}`)
    const watchers = await Promise.all(streams.map(async stream => await watcherOf(b, stream)))
    const expected = new Map<string, string[]>(streams.map(stream => [stream, []]))
    for (let time = 0; time < 2; time++) {
      proxy.shut()
      for (const stream of streams.filter((name, at) => at % 3 === time)) expected.get(stream)?.push(...await appendMany(a.log, [stream], 2))
      proxy.open()
      for (const [at, stream] of streams.entries()) await watchers[at]?.untilCount(expected.get(stream)?.length ?? 0)
    }
    for (const [at, stream] of streams.entries()) sameList(watchers[at]?.ids ?? [], expected.get(stream) ?? [], stream)
  })

  t.test('who was cut off while far more came than is held back is told all of it', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: proxy.url, prefix })]
    const watcher = await watcherOf(b, 'acme')
    const ids = await appendMany(a.log, ['acme'], 200, { pad: 20_000 })
    proxy.cut('subscribers')
    // Much of this comes while what was before is read.
    for (let burst = 0; burst < 20; burst++) ids.push(...await appendMany(a.log, ['acme'], 25, { pad: 20_000 }))
    await watcher.untilCount(ids.length)
    sameList(watcher.ids, ids, 'told')
    t.equal(watcher.gaps.length, 0)
  })

  t.test('what Redis drops because a node reads too slowly is told all the same', async t => {
    const prefix = newPrefix()
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: redis.url, prefix })]
    const connections = async (): Promise<number> => Number(/total_connections_received:(\d+)/.exec(await commands.info('stats'))?.[1])
    await commands.config('SET', 'client-output-buffer-limit', 'pubsub 200000 100000 1')
    const watcher = await watcherOf(b, 'acme')
    const before = await connections()
    const ids = await appendMany(a.log, ['acme'], 600, { pad: 20_000 })
    await watcher.untilCount(ids.length)
    sameList(watcher.ids, ids, 'told')
    t.ok(await connections() > before, 'it was cut off for that')
    await commands.config('SET', 'client-output-buffer-limit', 'pubsub 33554432 8388608 60')
  })
})
