import t, { type Test } from 'tap'
import type { OpenStore } from '../../lib/stores/store.js'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.js'
import { appendMany, idsAfter, newPrefix, openNode, recordOf, sameList, type Setting, watcherOf } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

const PENDING_FULL = 'FST_ERR_WS_EVENTS_PENDING_FULL'
const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'

type Settled = Array<PromiseSettledResult<string>>

const idsOf = (settled: Settled): string[] => settled.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])
const codesOf = (settled: Settled): unknown[] => [...new Set(settled.flatMap(result => result.status === 'rejected' ? [(result.reason as { code?: unknown }).code] : []))]

/** Appends in one go, and says what becomes of each. */
async function tryMany ({ log }: OpenStore, count: number, { from = 0, pad = 0 } = {}): Promise<Settled> {
  return await Promise.allSettled(Array.from({ length: count }, async (empty, n) => await log.append(['acme'], recordOf(from + n, pad))))
}

const isAvailable = ({ health }: OpenStore): boolean => health?.().available === true

const wait = async (ms: number): Promise<void> => { await new Promise(resolve => setTimeout(resolve, ms)) }

/** Fails where something takes too long. */
async function inTime<T> (promise: Promise<T>): Promise<T> {
  return await Promise.race([promise, new Promise<never>((resolve, reject) => {
    setTimeout(() => { reject(new Error('not within 30 s')) }, 30_000).unref()
  })])
}

/** Asks now and then, so that others have the processor. */
async function until (isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(5)
}

interface Place {
  readonly redis: RedisServer
  readonly node: OpenStore
}

/** A Redis that keeps what it has when it is killed, and a node. */
async function startPlace (t: Test, setting: Setting = {}): Promise<Place> {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  return { redis, node: await openNode(t, { url: redis.url, prefix: newPrefix() }, setting) }
}

t.test('a Redis that does not answer', { skip: withoutRedis }, async t => {
  // Each has its own Redis, and they wait together.
  t.jobs = 4

  t.test('what is appended while Redis is paused waits in order, and arrives once', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t)
    const other = await openNode(t, { url: redis.url, prefix: newPrefix() })
    const watcher = await watcherOf(node, 'acme')
    t.strictSame(node.health?.(), { available: true, pendingEvents: 0, pendingBytes: 0 })
    const appends: Array<Promise<string>> = []
    for (let time = 0; time < 2; time++) {
      redis.pause()
      while (isAvailable(node) || isAvailable(other)) {
        for (let left = 0; left < 10; left++) appends.push(Promise.resolve(node.log.append(['acme', null], recordOf(appends.length))))
        await wait(10)
      }
      const { available, pendingEvents, pendingBytes } = node.health?.() ?? { available: true, pendingEvents: 0, pendingBytes: 0 }
      t.equal(available, false)
      t.ok(pendingEvents > 100 && pendingBytes > pendingEvents * 20, `${pendingEvents} events of ${pendingBytes} bytes wait`)
      redis.resume()
      await until(() => isAvailable(node) && isAvailable(other))
    }
    const ids = await Promise.all(appends)
    await watcher.untilCount(ids.length)
    sameList(watcher.ids, ids, 'told')
    sameList(watcher.numbers, ids.map((id, n) => n), 'in order')
    sameList(await idsAfter(node.log, 'acme', watcher.start) as string[], ids, 'read')
    t.equal(watcher.gaps.length, 0)
    t.strictSame(node.health?.(), { available: true, pendingEvents: 0, pendingBytes: 0 })
  })

  t.test('while Redis is away as many events wait as may, and no more', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t, { limits: { pendingEvents: 1000, pendingBytes: 0 } })
    const watcher = await watcherOf(node, 'acme')
    await redis.kill()
    await until(() => !isAvailable(node))
    const waiting = tryMany(node, 1000)
    const over = await tryMany(node, 200, { from: 1000 })
    t.strictSame([idsOf(over), codesOf(over)], [[], [PENDING_FULL]])
    t.equal(node.health?.().pendingEvents, 1000)
    await redis.start()
    const ids = idsOf(await waiting)
    t.equal(ids.length, 1000)
    await watcher.untilCount(1000)
    sameList(watcher.ids, ids, 'told')
    sameList(watcher.numbers, ids.map((id, n) => n), 'in order')
    const again = await tryMany(node, 200, { from: 1000 })
    t.equal(idsOf(again).length, 200, 'when it is back, more are taken')
    t.equal(node.health?.().pendingEvents, 0)
  })

  t.test('who is told that Redis is away is not let wait past the limit, whichever connection was lost first', { buffered: true }, async t => {
    const redis = await startRedis(t)
    const proxy = await startRedisProxy(t, redis)
    const logged: string[] = []
    const logger = { warn: () => {}, error: (about: object, message: string) => { logged.push(message) } }
    const node = await openNode(t, { url: proxy.url, prefix: newPrefix() }, { limits: { pendingEvents: 3, pendingBytes: 0 }, logger })
    proxy.shut('subscribers')
    await until(() => !isAvailable(node))
    t.equal(idsOf(await tryMany(node, 10)).length, 10, 'what is not heard is taken')
    proxy.cut('others')
    await until(() => logged.some(message => message.startsWith('Redis is away')))
    const waiting = tryMany(node, 3, { from: 10 })
    t.strictSame(codesOf(await tryMany(node, 2, { from: 13 })), [PENDING_FULL])
    proxy.open()
    t.equal(idsOf(await waiting).length, 3)
  })

  t.test('while Redis is away as many bytes wait as may, and no more', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t, { limits: { pendingEvents: 0, pendingBytes: 1_000_000 } })
    const watcher = await watcherOf(node, 'acme')
    await redis.kill()
    await until(() => !isAvailable(node))
    const waiting = tryMany(node, 2000, { pad: 1000 })
    await until(() => (node.health?.().pendingEvents ?? 0) > 0)
    const { pendingEvents = 0, pendingBytes = 0 } = node.health?.() ?? {}
    t.ok(pendingBytes <= 1_000_000 && pendingBytes > 998_000, `${pendingBytes} bytes wait`)
    t.ok(pendingEvents > 900 && pendingEvents < 1000, `${pendingEvents} events wait`)
    await redis.start()
    const settled = await waiting
    t.equal(idsOf(settled).length, pendingEvents)
    t.strictSame(codesOf(settled), [PENDING_FULL])
    await watcher.untilCount(pendingEvents)
    sameList(watcher.numbers, watcher.ids.map((id, n) => n), 'the first of them were taken')
  })

  t.test('a Redis that answers takes a burst of any size', { buffered: true }, async t => {
    const { node } = await startPlace(t, { limits: { pendingEvents: 10_000, pendingBytes: 64 * 1024 * 1024 } })
    const watcher = await watcherOf(node, 'acme')
    const records = Array.from({ length: 50_000 }, (empty, n) => recordOf(n))
    const settled = await Promise.allSettled(records.map(record => node.log.append(['acme'], record)))
    t.equal(idsOf(settled).length, 50_000)
    await watcher.untilCount(50_000)
    sameList(watcher.ids, idsOf(settled), 'told')
    sameList(watcher.numbers, settled.map((id, n) => n), 'in order')
  })

  t.test('an outage loses nothing of what was taken, on whichever side of the limit', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t, { limits: { pendingEvents: 500, pendingBytes: 0 } })
    const watcher = await watcherOf(node, 'acme')
    const appends: Array<Promise<Settled>> = []
    let next = 0
    const timer = setInterval(() => { appends.push(tryMany(node, 5, { from: next })); next += 5 }, 2)
    t.teardown(() => { clearInterval(timer) })
    await watcher.untilCount(100)
    redis.pause()
    await until(() => !isAvailable(node))
    // More than may wait.
    const before = next
    await until(() => next > before + 500)
    redis.resume()
    await until(() => isAvailable(node))
    const taken = watcher.told.length
    await watcher.untilCount(taken + 100)
    clearInterval(timer)
    const settled = (await Promise.all(appends)).flat()
    const kept = settled.flatMap((result, number) => result.status === 'fulfilled' ? [{ number, id: result.value }] : [])
    t.strictSame(codesOf(settled), [PENDING_FULL])
    await watcher.untilCount(kept.length)
    sameList(watcher.ids, kept.map(({ id }) => id), 'told')
    sameList(watcher.numbers, kept.map(({ number }) => number), 'in order')
  })

  t.test('what is asked of a Redis that is away fails soon, and says why', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t)
    const start = (await watcherOf(node, 'acme')).start
    await redis.kill()
    await until(() => !isAvailable(node))
    const unavailable = { code: UNAVAILABLE, message: /ECONNREFUSED|it is away|does not answer/ }
    await Promise.all([
      t.rejects(node.configs.get('acme'), unavailable),
      t.rejects(node.configs.set('acme', { enabled: true, events: null }), unavailable),
      t.rejects(node.configs.delete('acme'), unavailable),
      t.rejects((async () => { for await (const each of node.configs.list()) t.fail(String(each)) })(), unavailable),
      t.rejects(Promise.resolve(node.log.read('other', start, 1000)), unavailable),
      t.rejects(node.log.remove('acme'), unavailable)
    ])
    await redis.start()
    await until(() => isAvailable(node))
    t.equal(await node.configs.get('acme'), null)
  })

  t.test('a stream that is watched while Redis is away is watched from when it is there', { buffered: true }, async t => {
    const redis = await startRedis(t)
    const proxy = await startRedisProxy(t, redis)
    const prefix = newPrefix()
    const [node, other] = [await openNode(t, { url: proxy.url, prefix }), await openNode(t, { url: redis.url, prefix })]
    proxy.shut()
    await until(() => !isAvailable(node))
    const watching = watcherOf(node, 'acme')
    let isReady = false
    const ready = watching.then(() => { isReady = true })
    const before = await appendMany(other.log, ['acme'], 3)
    t.equal(isReady, false)
    proxy.open()
    await ready
    const watcher = await watching
    const after = await appendMany(other.log, ['acme'], 3)
    await watcher.untilCount(3)
    t.strictSame(watcher.ids, after)
    t.ok(watcher.start >= (before[2] ?? ''))
  })

  t.test('when Redis has no memory left an event fails at once with the reason, and later ones are taken', { buffered: true }, async t => {
    const { redis, node } = await startPlace(t)
    const watcher = await watcherOf(node, 'acme')
    const commands = redis.connect()
    const kept = await appendMany(node.log, ['acme'], 3)
    const [, policy] = await commands.config('GET', 'maxmemory-policy') as string[]
    t.equal(policy, 'noeviction')
    await commands.config('SET', 'maxmemory', '100kb')
    const [refused] = await inTime(tryMany(node, 1))
    t.match(refused, { reason: { code: UNAVAILABLE, message: /OOM command not allowed/ } })
    t.strictSame(codesOf(await inTime(tryMany(node, 1000))), [UNAVAILABLE])
    // What is there can still be read, and it is still watched.
    t.strictSame(await idsAfter(node.log, 'acme', kept[0] ?? ''), kept.slice(1))
    t.equal(isAvailable(node), false)
    await commands.config('SET', 'maxmemory', '0')
    await until(() => isAvailable(node))
    const later = await appendMany(node.log, ['acme'], 3, { from: 100 })
    await watcher.untilCount(6)
    t.strictSame(watcher.ids, [...kept, ...later])
    t.strictSame(await idsAfter(node.log, 'acme', watcher.start), [...kept, ...later])
    t.equal(watcher.gaps.length, 0)
  })

  t.test('an event that is larger than Redis takes fails, and what comes later does not', { buffered: true }, async t => {
    const redis = await startRedis(t, { args: ['--proto-max-bulk-len', '1mb'] })
    const node = await openNode(t, { url: redis.url, prefix: newPrefix() })
    const watcher = await watcherOf(node, 'acme')
    const [refused] = await inTime(tryMany(node, 1, { pad: 2 * 1024 * 1024 }))
    t.match(refused, { reason: { code: UNAVAILABLE, message: /Redis: / } })
    const ids = await appendMany(node.log, ['acme'], 3)
    await watcher.untilCount(3)
    t.strictSame(watcher.ids, ids)
  })

  t.test('a record that cannot be understood silences no other stream', { buffered: true }, async t => {
    const prefix = newPrefix()
    const redis = await startRedis(t)
    const node = await openNode(t, { url: redis.url, prefix })
    const [damaged, other] = [await watcherOf(node, 'acme'), await watcherOf(node, 'other')]
    const commands = redis.connect()
    await appendMany(node.log, ['acme'], 1)
    await damaged.untilCount(1)
    const [time, number] = String(await commands.hget(`{${prefix}}:log`, 'last')).split('-')
    const position = `${time}-${Number(number) + 1}`
    await commands.multi()
      .xadd(`{${prefix}}:stream:instance:acme`, position, 'e', 'no record')
      .hset(`{${prefix}}:log`, 'last', position)
      .hset(`{${prefix}}:state:instance:acme`, 'newest', position)
      .exec()
    await commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const ids = await appendMany(node.log, ['other'], 3)
    await other.untilCount(3)
    t.strictSame(other.ids, ids)
  })

  t.test('what anybody publishes on our channels does no harm', { buffered: true }, async t => {
    const prefix = newPrefix()
    const redis = await startRedis(t)
    const node = await openNode(t, { url: redis.url, prefix })
    const watcher = await watcherOf(node, 'acme')
    const commands = redis.connect()
    for (const text of ['', 'hello', 'e', 'e a b\n', 'e a b c d e f\n123456789', 'r', 'r x', '\n', Buffer.alloc(100, 0xff)]) {
      await commands.publish(`{${prefix}}:stream:instance:acme`, text)
      await commands.publish(`{${prefix}}:stream:nodes`, text)
      await commands.publish(`{${prefix}}:configs`, text)
    }
    const ids = await appendMany(node.log, ['acme'], 3)
    await watcher.untilCount(3)
    t.strictSame(watcher.ids, ids)
    t.strictSame(await idsAfter(node.log, 'acme', watcher.start), ids)
  })
})
