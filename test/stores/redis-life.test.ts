import assert from 'node:assert/strict'
import t, { type Test } from 'tap'
import { epochOf, idFrom, isId, sequenceOf, timeOf } from '../../lib/log/ids.js'
import { Keys } from '../../lib/stores/redis/keys.js'
import type { OpenStore } from '../../lib/stores/store.js'
import { type RedisServer, startRedis, startReplica, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { appendMany, idsAfter, Load, newPrefix, openNode, recordOf, sameList, type Watcher, watcherOf, watchersOf } from './redis/nodes.js'
import { type RedisProxy, startRedisProxy } from './redis/proxy.js'

const withRedis = { skip: withoutRedis }

for (const { how, stop, setup } of [
  { how: 'stopped and started', stop: async (redis: RedisServer) => { await redis.stop() }, setup: { appendonly: true } },
  { how: 'killed and started, where it writes before it answers', stop: async (redis: RedisServer) => { await redis.kill() }, setup: { appendonly: true, appendfsync: 'always' } as const }
]) {
  t.test(`a Redis that is ${how} again under load has lost nothing, and nothing is told twice`, withRedis, async t => {
    const redis = await startRedis(t, setup)
    const prefix = newPrefix()
    const nodes = await Promise.all([1, 2].map(async () => await openNode(t, { url: redis.url, prefix })))
    const watchers = await watchersOf(nodes, 'acme')
    const silent = await watcherOf(nodes[1] as OpenStore, 'silent')
    const load = new Load(t, nodes.map(({ log }) => log), ['acme', null])
    for (let time = 0; time < 3; time++) {
      const count = watchers[0]?.told.length ?? 0
      await watchers[0]?.untilCount(count + 100)
      await stop(redis)
      await redis.start()
    }
    await watchers[0]?.untilCount((watchers[0]?.told.length ?? 0) + 100)
    const ids = await load.stop()
    t.equal(load.failed.length, 0)
    t.equal(new Set(ids.map(epochOf)).size, 1)
    t.equal(load.kept.length, load.count)
    for (const [at, watcher] of watchers.entries()) {
      await watcher.untilCount(ids.length)
      sameList(watcher.ids, ids, 'told')
      t.equal(watcher.gaps.length, 0)
      t.equal(new Set(watcher.numbers).size, ids.length)
      // What one node has appended is told in the order of its calls: each timer appended four on each in turn.
      for (const half of [0, 1]) {
        const own = watcher.numbers.filter(number => Math.floor(number / 4) % 2 === half)
        sameList(own, own.toSorted((a, b) => a - b), 'of one node')
      }
      sameList(await idsAfter((nodes[at] as OpenStore).log, 'acme', watcher.start) as string[], ids, 'read')
    }
    t.equal(silent.gaps.length, 0)
    t.strictSame(await (nodes[0] as OpenStore).log.read('silent', silent.start, 1000), [])
  })
}

t.test('a batch that Redis had cut off at one start and executes at the next is in the log once', withRedis, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  const prefix = newPrefix()
  const node = await openNode(t, { url: redis.url, prefix })
  const { log } = node
  const watcher = await watcherOf(node, 'acme')
  const old = await appendMany(log, ['acme'], 3)
  await redis.kill()
  await redis.start()
  const ids = await appendMany(log, ['acme'], 3)
  const commands = redis.connect()
  const { entries } = new Keys(prefix, 0).stream('acme')
  // As Redis 7 does it, at a place of its file that is before the newest ones.
  const kept = await commands.xrange(entries, '-', '+')
  const [last = ''] = kept[2] ?? []
  await commands.del(entries)
  const returned = `${last.split('-')[0]}-${Number(last.split('-')[1]) + 1}`
  for (const [position, fields] of [...kept.slice(0, 3), [returned, kept[2]?.[1] ?? []] as const, ...kept.slice(3)]) await commands.xadd(entries, position, ...fields)
  const late = await openNode(t, { url: redis.url, prefix })
  for (const each of [log, late.log]) {
    t.strictSame(await idsAfter(each, 'acme', watcher.start), [...old, ...ids])
    t.strictSame(await idsAfter(each, 'acme', old.at(-1) ?? ''), ids)
  }
})

/** Everybody who watches was told of a gap, and of all that is appended afterwards and nothing else. */
async function assertNewLife (t: Test, nodes: readonly OpenStore[], watchers: readonly Watcher[], stream: string): Promise<void> {
  for (const watcher of watchers) await watcher.until(() => watcher.gaps.length > 0)
  const before = watchers.map(({ told }) => told.length)
  const ids: string[] = []
  for (const { log } of nodes) ids.push(...await appendMany(log, [stream], 5))
  for (const [at, watcher] of watchers.entries()) {
    await watcher.untilId(ids.at(-1) ?? '')
    sameList(watcher.ids.slice(before[at]), ids, 'what comes afterwards')
    const { head } = watcher.gaps.at(-1) ?? { head: '' }
    t.ok(head < (ids[0] ?? ''), 'new events come after the head of the gap')
    for (const { log } of nodes) sameList((await idsAfter(log, stream, head) as string[]).slice(-ids.length), ids, 'read after that head')
  }
}

t.test('an emptied Redis leads to a gap for every client, and then works', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const nodes = await Promise.all([1, 2].map(async () => await openNode(t, { url: redis.url, prefix })))
  const watchers = await watchersOf(nodes, 'acme')
  const silent = await watcherOf(nodes[1] as OpenStore, 'silent')
  const old = await appendMany((nodes[0] as OpenStore).log, ['acme'], 20)
  for (const watcher of watchers) await watcher.untilCount(20)
  await redis.kill()
  await redis.start()
  await assertNewLife(t, nodes, watchers, 'acme')
  await silent.until(() => silent.gaps.length > 0)
  for (const { log } of nodes) {
    for (const id of [watchers[0]?.start ?? '', ...old]) assert.equal(await log.read('acme', id, 1000), 'gap', id)
    t.equal(await log.read('silent', silent.start, 1000), 'gap')
    t.ok(log.head('acme') > (old.at(-1) ?? ''), 'ids go on growing')
  }
  const late = await openNode(t, { url: redis.url, prefix })
  t.equal(await late.log.read('acme', old.at(-1) ?? '', 1000), 'gap')
})

t.test('a Redis that twice comes back with one old snapshot makes a gap each time that something is missing', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const nodes = await Promise.all([1, 2].map(async () => await openNode(t, { url: redis.url, prefix })))
  const [a, b] = nodes as [OpenStore, OpenStore]
  const watchers = await watchersOf(nodes, 'acme')
  const kept = await appendMany(a.log, ['acme'], 5)
  for (const watcher of watchers) await watcher.untilCount(5)
  await redis.connect().save()
  await redis.kill()
  await redis.start()
  // Nothing is missing now.
  for (const { log } of nodes) sameList(await idsAfter(log, 'acme', kept[0] ?? '') as string[], kept.slice(1), 'read')
  const lost = await appendMany(b.log, ['acme'], 5)
  for (const watcher of watchers) await watcher.untilCount(10)
  t.strictSame(watchers.map(({ gaps }) => gaps), [[], []])
  await redis.kill()
  await redis.start()
  for (const watcher of watchers) await watcher.until(() => watcher.gaps.length === 1)
  for (const { log } of nodes) {
    for (const id of [...kept, ...lost]) t.equal(await log.read('acme', id, 1000), 'gap', id)
  }
  await assertNewLife(t, nodes, watchers, 'acme')
})

t.test('a Redis that is flushed under load makes a gap on every node, also where nothing happens', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const nodes = await Promise.all([1, 2, 3].map(async () => await openNode(t, { url: redis.url, prefix })))
  const [a, b, c] = nodes as [OpenStore, OpenStore, OpenStore]
  const watchers = await watchersOf(nodes.slice(0, 2), 'acme')
  const silent = await watcherOf(c, 'silent')
  const commands = redis.connect()
  for (let time = 1; time <= 2; time++) {
    const load = new Load(t, [a.log, b.log], ['acme'])
    await watchers[0]?.untilCount((watchers[0]?.told.length ?? 0) + 200)
    const old = watchers[0]?.ids.at(-1) ?? ''
    const head = c.log.head('silent')
    await commands.flushall()
    for (const watcher of [...watchers, silent]) await watcher.until(() => watcher.gaps.length === time)
    for (const { log } of nodes) t.equal(await log.read('acme', old, 1000), 'gap')
    t.equal(await c.log.read('silent', head, 1000), 'gap')
    await watchers[0]?.untilCount((watchers[0]?.told.length ?? 0) + 100)
    const newest = (await load.stop()).at(-1) ?? ''
    for (const watcher of watchers) await watcher.untilId(newest)
    t.equal(load.failed.length, 0)
    await assertNewLife(t, [a, b], watchers, 'acme')
    const ids = await appendMany(a.log, ['silent'], 3)
    await silent.untilId(ids.at(-1) ?? '')
    sameList(silent.ids.slice(-3), ids, 'told afterwards')
  }
  for (const watcher of [...watchers, silent]) t.equal(watcher.gaps.length, 2, 'each time one gap')
  const [first, second] = watchers
  // From the last gap on both are told the same.
  const common = (watcher: Watcher | undefined): string[] => watcher?.ids.filter(id => epochOf(id) === epochOf(a.log.head('acme'))) ?? []
  sameList(common(first).slice(-100), common(second).slice(-100), 'after the last gap')
})

t.test('when Redis is flushed and no connection lost, configs are read again, and those that a node knew are put back', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const nodes = await Promise.all([1, 2].map(async () => await openNode(t, { url: redis.url, prefix })))
  const [a, b] = nodes as [OpenStore, OpenStore]
  const listed = async ({ configs }: OpenStore): Promise<string[]> => {
    const names: string[] = []
    for await (const [name] of configs.list()) names.push(name)
    return names.toSorted()
  }
  for (const node of nodes) t.strictSame(await listed(node), [])
  await a.configs.set('acme', { enabled: true, events: null })
  await b.configs.set('gone', { enabled: true, events: null })
  for (const node of nodes) t.strictSame(await listed(node), ['acme', 'gone'])
  await a.configs.delete('gone')
  t.equal(await b.configs.get('gone'), null)
  const told = nodes.map(async ({ configs }) => { await new Promise<void>(resolve => { configs.watch?.(name => { if (name === null) resolve() }) }) })
  const from = performance.now()
  await redis.connect().flushall()
  await Promise.all(told)
  t.ok(performance.now() - from < 30_000, 'within some beats')
  for (const node of nodes) t.strictSame(await listed(node), ['acme'])
  t.match(await b.configs.get('acme'), { enabled: true, events: null })
  const late = await openNode(t, { url: redis.url, prefix })
  t.strictSame(await listed(late), ['acme'])
})

interface Pair {
  readonly master: RedisServer
  readonly replica: RedisServer
}

/** A master, and a replica that has all that it has. */
async function startPair (t: Test): Promise<Pair> {
  const master = await startRedis(t)
  return { master, replica: await startReplica(t, master) }
}

/** Resolves when the replica has everything. */
async function inSync ({ master, replica }: Pair): Promise<void> {
  const [offset, has] = [master, replica].map(server => {
    const redis = server.connect()
    return async () => /(?:master|slave)_repl_offset:(\d+)/.exec(await redis.info('replication'))?.[1]
  })
  await answered(async () => await offset?.() === await has?.())
}

/** The replica hears no more of its master, and takes over as soon as it is asked. */
async function cutOff ({ replica }: Pair): Promise<void> {
  await replica.connect().replicaof('NO', 'ONE')
}

interface Place extends Pair {
  readonly prefix: string
  /** Each with a way to Redis of its own. */
  readonly nodes: ReadonlyArray<OpenStore & { readonly proxy: RedisProxy }>
}

async function startPlace (t: Test, count: number): Promise<Place> {
  const pair = await startPair(t)
  const prefix = newPrefix()
  const nodes = await Promise.all(Array.from({ length: count }, async () => {
    const proxy = await startRedisProxy(t, pair.master)
    return { ...await openNode(t, { url: proxy.url, prefix }), proxy }
  }))
  return { ...pair, prefix, nodes }
}

/**
 * The first node appends ten events that both servers have, and three that the master alone has.
 *
 * @param between runs before those three
 */
async function appendAndLose (place: Place, between?: () => unknown): Promise<{ kept: string[], lost: string[] }> {
  const { log } = place.nodes[0] as OpenStore
  const kept = await appendMany(log, ['acme'], 10)
  await inSync(place)
  await cutOff(place)
  await between?.()
  return { kept, lost: await appendMany(log, ['acme'], 3) }
}

t.test('a replica that takes over and has everything makes no gap', withRedis, async t => {
  const place = await startPlace(t, 2)
  const { master, replica, nodes } = place
  const [a, b] = nodes as [Place['nodes'][0], Place['nodes'][0]]
  const watchers = await watchersOf(nodes, 'acme')
  const ids = await appendMany(a.log, ['acme'], 50)
  for (const watcher of watchers) await watcher.untilCount(50)
  await inSync(place)
  await cutOff(place)
  for (const { proxy } of nodes) proxy.leadTo(replica.port)
  await master.kill()
  for (const { log } of nodes) ids.push(...await appendMany(log, ['acme'], 20))
  for (const watcher of watchers) {
    await watcher.untilCount(ids.length)
    sameList(watcher.ids, ids, 'told')
    t.equal(watcher.gaps.length, 0)
  }
  for (const { log } of [a, b]) for (const id of [watchers[0]?.start ?? '', ids[10] ?? '', ids.at(-1) ?? '']) sameList(await idsAfter(log, 'acme', id) as string[], ids.filter(each => each > id), 'read')
  t.equal(new Set(ids.map(epochOf)).size, 1)
})

t.test('a replica that takes over and lacks the newest events makes a gap on all nodes that have seen them', withRedis, async t => {
  const place = await startPlace(t, 2)
  const { master, replica, nodes } = place
  const watchers = await watchersOf(nodes, 'acme')
  const { kept, lost } = await appendAndLose(place)
  for (const watcher of watchers) await watcher.untilCount(13)
  for (const { proxy } of nodes) proxy.leadTo(replica.port)
  await master.kill()
  await assertNewLife(t, nodes, watchers, 'acme')
  for (const { log } of nodes) for (const id of [...kept, ...lost]) t.equal(await log.read('acme', id, 1000), 'gap', id)
  for (const { gaps } of watchers) t.equal(gaps.length, 1)
})

t.test('also when a node that has not seen them comes first, and appends', withRedis, async t => {
  const place = await startPlace(t, 2)
  const { master, replica, nodes } = place
  const [a, b] = nodes as [Place['nodes'][0], Place['nodes'][0]]
  const watchers = await watchersOf(nodes, 'acme')
  const [atA, atB] = watchers as [Watcher, Watcher]
  const { kept, lost } = await appendAndLose(place, async () => {
    await atB.untilCount(10)
    b.proxy.shut()
  })
  await atA.untilCount(13)
  a.proxy.shut()
  await master.kill()
  b.proxy.leadTo(replica.port)
  b.proxy.open()
  const between = await appendMany(b.log, ['acme'], 5)
  await atB.untilCount(15)
  // It knows of no gap yet. But what others have seen cannot be continued from.
  for (const id of lost) t.equal(await b.log.read('acme', id, 1000), 'gap', id)
  t.strictSame(await idsAfter(b.log, 'acme', kept[9] ?? ''), between)
  a.proxy.leadTo(replica.port)
  a.proxy.open()
  await assertNewLife(t, nodes, watchers, 'acme')
  for (const { log } of nodes) for (const id of [...kept, ...lost, ...between]) t.equal(await log.read('acme', id, 1000), 'gap', id)
  for (const { gaps } of watchers) t.equal(gaps.length, 1)
  t.equal(new Set([...kept, ...lost, ...between]).size, 18, 'no id is given twice')
})

t.test('even if the appending node knows of no watcher', withRedis, async t => {
  const place = await startPlace(t, 2)
  const { master, replica, nodes } = place
  const [a, b] = nodes as [Place['nodes'][0], Place['nodes'][0]]
  const { kept, lost } = await appendAndLose(place)
  for (const { proxy } of nodes) proxy.leadTo(replica.port)
  await master.kill()
  await Promise.all(nodes.map(async ({ log }) => { await log.drained() }))
  for (const { log } of nodes) for (const id of [...kept, ...lost]) t.equal(await log.read('acme', id, 1000), 'gap', id)
  const watcher = await watcherOf(b, 'acme')
  const ids = await appendMany(a.log, ['acme'], 3)
  await watcher.untilCount(3)
  t.strictSame(watcher.ids, ids)
})

for (const ahead of [0, 3_600_000]) {
  t.test(`an id that was lost with the node that knew it leads to no hole${ahead === 0 ? '' : ', also when the clock of the lost Redis was ahead'}`, withRedis, async t => {
    const place = await startPlace(t, 2)
    const { master, replica, nodes, prefix } = place
    const [a, b] = nodes as [Place['nodes'][0], Place['nodes'][0]]
    if (ahead > 0) await master.connect().hset(`{${prefix}}:log`, 'last', `${Date.now() + ahead}-0`)
    const atB = await watcherOf(b, 'acme')
    const { kept, lost } = await appendAndLose(place, async () => {
      await atB.untilCount(10)
      b.proxy.shut()
    })
    await a.close()
    await master.kill()
    b.proxy.leadTo(replica.port)
    b.proxy.open()
    await b.log.drained()
    const late = await openNode(t, { url: replica.url, prefix })
    const check = async (): Promise<void> => {
      for (const { log } of [b, late]) for (const id of lost) t.equal(await log.read('acme', id, 1000), 'gap', id)
    }
    await check()
    const ids = await appendMany(b.log, ['acme'], 6)
    await atB.untilCount(16)
    await check()
    t.notOk(ids.some(id => lost.includes(id)), 'no id is given twice')
    for (const { log } of [b, late]) t.strictSame(await idsAfter(log, 'acme', kept[9] ?? ''), ids)
  })
}

t.test('a clock that was set back far makes no id longer or smaller than those before', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const node = await openNode(t, { url: redis.url, prefix })
  const watcher = await watcherOf(node, 'acme')
  const commands = redis.connect()
  const future = Date.now() + 3_600_000
  await commands.hset(`{${prefix}}:log`, 'last', `${future}-${36 ** 4 - 200}`)
  const ids: string[] = []
  for (let burst = 0; burst < 4; burst++) ids.push(...await appendMany(node.log, ['acme'], 100, { from: 100 * burst }))
  await watcher.untilCount(400)
  t.ok(ids.every(isId), 'all ids have the form of one')
  sameList(ids, ids.toSorted(), 'ids grow')
  t.ok((ids[0] ?? '') > idFrom(future, 36 ** 4 - 200, epochOf(watcher.start)))
  sameList(watcher.ids, ids, 'told')
  sameList(await idsAfter(node.log, 'acme', watcher.start) as string[], ids, 'read')
  t.ok(timeOf(ids.at(-1) ?? '') >= future && sequenceOf(ids.at(-1) ?? '') < 36 ** 4)
  t.ok(isId(await node.log.append(['acme'], recordOf(0))))
})
