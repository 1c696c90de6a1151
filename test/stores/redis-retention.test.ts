import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import type { EventLog, StreamName } from '../../lib/log/event-log.js'
import type { OpenStore } from '../../lib/stores/store.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { appendMany, idsAfter, newPrefix, openNode, recordOf, sameList, type Setting, type Watcher, watcherOf } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

const wait = async (ms: number): Promise<void> => { await new Promise(resolve => setTimeout(resolve, ms)) }

/** From the oldest id that is no gap on, everything is there; all that are older are a gap. @returns how many events are there */
async function assertNoHole (logs: readonly EventLog[], stream: StreamName, ids: readonly string[]): Promise<number> {
  let left = -1
  for (const log of logs) {
    const found = await Promise.all(ids.map(async id => await idsAfter(log, stream, id)))
    const first = found.findIndex(each => each !== 'gap')
    assert.notEqual(first, -1, 'the newest id is no gap')
    for (const [at, each] of found.entries()) {
      if (at < first) assert.equal(each, 'gap', `the id at ${at} is older than that at ${first}, which is the oldest that can be read from`)
      else sameList(each as string[], ids.slice(at + 1), `after the id at ${at}`)
    }
    if (left !== -1) assert.equal(ids.length - 1 - first, left, 'both nodes know of the same')
    left = ids.length - 1 - first
  }
  return left
}

/** Each event was told. A process that stood still gets a gap where so little is kept: then each one since. */
function assertTold ({ ids, gaps }: Watcher, expected: readonly string[]): void {
  const told = ids.slice(gaps.at(-1)?.after ?? 0)
  sameList(told, gaps.length === 0 ? expected : expected.slice(expected.length - told.length), 'told')
}

t.test('what Redis keeps', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  t.jobs = 4

  interface Place {
    readonly prefix: string
    readonly node: OpenStore
    /** Is subscribed to no stream, and so answers nothing from memory. */
    readonly other: OpenStore
    readonly entries: string
    readonly state: string
  }
  async function startPlace (t: Test, setting: Setting = {}): Promise<Place> {
    const prefix = newPrefix()
    const [node, other] = await Promise.all([1, 2].map(async () => await openNode(t, { url: redis.url, prefix }, setting))) as [OpenStore, OpenStore]
    return { prefix, node, other, entries: `{${prefix}}:stream:instance:acme`, state: `{${prefix}}:state:instance:acme` }
  }
  const length = async (key: string): Promise<number> => await commands.xlen(key)

  t.test('is not many more than maxEvents, and from the newest that was dropped on all of it can be read', async t => {
    const { node, other, entries, state } = await startPlace(t, { retention: { maxEvents: 100 } })
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start]
    for (const count of [1, 50, 48, 1, 1, 40, 7, 1000, 300]) {
      ids.push(...await appendMany(node.log, ['acme'], count))
      const kept = await length(entries)
      t.ok(kept <= 132 && kept >= Math.min(100, ids.length - 1), `${kept} are kept`)
      t.equal(await assertNoHole([other.log, node.log], 'acme', ids.slice(-300)), Math.min(kept, ids.slice(-300).length - 1))
      await node.log.drained()
      t.equal(node.log.stats().records, kept)
    }
    const floor = await commands.hget(state, 'floor')
    const [oldest] = await commands.xrange(entries, '-', '+', 'COUNT', 1)
    t.ok(Number(floor?.split('-')[0]) <= Number(oldest?.[0].split('-')[0]))
    await node.log.drained()
    assertTold(watcher, ids.slice(1))
  })

  t.test('is loaded in parts: few entries more than are asked for, because each may be large', async t => {
    const { node, other, entries } = await startPlace(t)
    const start = await node.log.append(['acme'], recordOf(0))
    const ids = await appendMany(node.log, ['acme'], 100, { pad: 10_000 })
    // By hand: that of ioredis takes the first line for an answer where much goes on.
    const monitor = connectTcp(redis.port, '127.0.0.1')
    t.teardown(() => { monitor.destroy() })
    let loaded = 0
    let seen: (text?: string) => void = () => {}
    createInterface(monitor).on('line', line => {
      const [command = '', key, , , , count] = [...line.matchAll(/"([^"]*)"/g)].map(([, text]) => text)
      if (command.toLowerCase() === 'xrange' && key === entries) loaded += Number(count)
      if (command.toLowerCase() === 'echo') seen(key)
    })
    monitor.write('MONITOR\r\n')
    await once(monitor, 'data')
    for (const [bytes, most] of [[1, 1], [25_000, 7], [100_000, 31]] as const) {
      loaded = 0
      const page = await other.log.read('acme', start, bytes)
      // The monitor tells what was before it by then. Tests beside this one have no such text.
      const isSeen = new Promise<void>(resolve => { seen = text => { if (text === entries) resolve() } })
      await commands.echo(entries)
      await isSeen
      t.ok(page.length > 0 && page.length * 10_000 <= Math.max(bytes, 11_000), `${page.length} entries for ${bytes} bytes`)
      t.ok(loaded > 0 && loaded <= most, `${loaded} are loaded for ${bytes} bytes`)
    }
    t.strictSame(await idsAfter(other.log, 'acme', start), ids)
  })

  t.test('is not many more than maxBytes', async t => {
    const { node, other, entries, state } = await startPlace(t, { retention: { maxBytes: 100_000 } })
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start]
    for (const [count, pad] of [[40, 1000], [40, 1000], [200, 5000], [1, 50_000], [1, 20]] as const) {
      ids.push(...await appendMany(node.log, ['acme'], count, { pad }))
      const bytes = (await commands.xrange(entries, '-', '+')).reduce((sum, [, [, record = '']]) => sum + record.length, 0)
      t.ok(bytes <= 106_250, `${bytes} bytes are kept`)
      t.equal(Number(await commands.hget(state, 'bytes')), bytes, 'and counted')
      await node.log.drained()
      if (watcher.gaps.length === 0) t.equal(node.log.stats().bytes, bytes)
      await assertNoHole([other.log, node.log], 'acme', ids.slice(-60))
    }
    t.ok(Number(await commands.memory('USAGE', entries, 'SAMPLES', 0)) < 200_000)
    await node.log.drained()
    assertTold(watcher, ids.slice(1))
  })

  t.test('has no event that is larger than maxBytes for long, and no hole where it was', async t => {
    const { node, other, entries } = await startPlace(t, { retention: { maxBytes: 10_000 } })
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start, ...await appendMany(node.log, ['acme'], 5, { pad: 100 })]
    ids.push(await node.log.append(['acme'], recordOf(5, 50_000)))
    await assertNoHole([other.log, node.log], 'acme', ids)
    t.ok(await length(entries) <= 1)
    ids.push(...await appendMany(node.log, ['acme'], 5, { pad: 100 }))
    t.ok(await assertNoHole([other.log, node.log], 'acme', ids) >= 5)
    t.ok(Number(await commands.memory('USAGE', entries, 'SAMPLES', 0)) < 20_000)
    await watcher.untilCount(11)
    await node.log.drained()
    assertTold(watcher, ids.slice(1))
  })

  t.test('is little, also when five thousand come at once', async t => {
    const { node, other, entries } = await startPlace(t, { retention: { maxEvents: 10 } })
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start, ...await appendMany(node.log, ['acme', null, 'other'], 5000)]
    t.ok(await length(entries) <= 42)
    t.ok(await assertNoHole([other.log, node.log], 'acme', ids.slice(-100)) >= 10)
    for (const { log } of [node, other]) t.equal(await log.read('acme', watcher.start, 1), 'gap')
    await node.log.drained()
    assertTold(watcher, ids.slice(1))
  })

  t.test('is dropped soon after maxAge, and a stream that is quiet has no gap', { buffered: true }, async t => {
    // What is read must be younger, also on a busy machine.
    const maxAge = 2400
    const { node, other, entries, state } = await startPlace(t, { retention: { maxAge } })
    const watcher = await watcherOf(node, 'acme')
    const quiet = await watcherOf(node, 'quiet')
    const silent = await watcherOf(node, 'silent')
    const first = await appendMany(node.log, ['acme', 'quiet'], 5)
    const ids = [watcher.start, ...first]
    for (let time = 0; time < 8; time++) {
      await wait(maxAge / 4)
      ids.push(...await appendMany(node.log, ['acme'], 3))
      await assertNoHole([other.log], 'acme', ids)
    }
    t.equal(await other.log.read('acme', first[3] ?? '', 1000), 'gap')
    t.ok(await length(entries) <= 18, `${await length(entries)} are left`)
    t.equal(await length(entries.replace('acme', 'quiet')), 0)
    const newest = quiet.ids.at(-1) ?? ''
    for (const { log } of [node, other]) {
      t.strictSame(await log.read('quiet', newest, 1000), [], 'nothing has come since')
      t.strictSame(await log.read('silent', silent.start, 1000), [], 'nothing has come ever')
    }
    t.equal(await other.log.read('quiet', first[3] ?? '', 1000), 'gap')
    const later = await appendMany(node.log, ['quiet', 'silent'], 2)
    for (const { log } of [node, other]) {
      t.strictSame(await idsAfter(log, 'quiet', newest), later)
      t.strictSame(await idsAfter(log, 'silent', silent.start), later)
    }
    t.equal(await other.log.read('quiet', first[3] ?? '', 1000), 'gap')
    t.ok(await commands.pttl(state) > 29 * 24 * 3_600_000)
  })

  t.test('has a time to live, but for the log and the configs', async t => {
    const { node, prefix } = await startPlace(t, { retention: { maxAge: 60_000 } })
    await appendMany(node.log, ['acme', null], 3)
    await node.peers?.tell('word')
    await node.configs.set('acme', { enabled: true, events: null })
    await node.log.remove('acme')
    await appendMany(node.log, ['acme'], 3)
    const keys = await commands.keys(`{${prefix}}*`)
    t.ok(keys.length >= 8)
    for (const key of keys) {
      const ttl = await commands.pttl(key)
      if (/:(log|configs)$/.test(key)) t.equal(ttl, -1, key)
      else if (/:stream:/.test(key)) t.ok(ttl > 0 && ttl <= 60_000, `${key}: ${ttl}`)
      else t.ok(ttl > 3_600_000, `${key}: ${ttl}`)
    }
  })

  t.test('can lose the state of a stream: then it has gaps, and no holes', async t => {
    const { node, other, state } = await startPlace(t, { retention: { maxEvents: 20, maxBytes: 2000 } })
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start]
    // On a slow machine a node that is more behind than what is kept would rightly tell of a gap.
    const add = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 10) {
        ids.push(...await appendMany(node.log, ['acme'], Math.min(left, 10)))
        await node.log.drained()
      }
    }
    await add(100)
    for (let time = 0; time < 3; time++) {
      await add(25)
      await commands.del(state)
      const kept = await assertNoHole([other.log], 'acme', ids)
      t.ok(kept > 0, `${kept} can be read`)
      await add(3)
      await assertNoHole([other.log], 'acme', ids)
      await add(60)
      await assertNoHole([other.log], 'acme', ids)
      const stats = node.log.stats()
      t.ok(stats.records >= 0 && stats.bytes >= 0, `${stats.bytes} bytes of ${stats.records} events`)
      t.ok(Number(await commands.hget(state, 'bytes')) >= 0)
    }
    assertTold(watcher, ids.slice(1))
    t.equal(watcher.gaps.length, 0)
  })

  t.test('can lose the events of a stream: then it has a gap, and its newest id has none', async t => {
    const { node, other, entries } = await startPlace(t)
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start, ...await appendMany(node.log, ['acme'], 10)]
    await commands.del(entries)
    t.equal(await assertNoHole([other.log], 'acme', ids), 0)
    ids.push(...await appendMany(node.log, ['acme'], 3))
    t.equal(await assertNoHole([other.log], 'acme', ids), 3)
    await node.log.drained()
    assertTold(watcher, ids.slice(1))
    t.equal(watcher.gaps.length, 0)
  })

  for (const what of ['entries', 'state'] as const) {
    t.test(`can lose the ${what} of a stream while a node is cut off: that is told what it missed, or of a gap`, async t => {
      const place = await startPlace(t)
      const { node, prefix } = place
      const proxy = await startRedisProxy(t, redis)
      const away = await openNode(t, { url: proxy.url, prefix })
      const watcher = await watcherOf(away, 'acme')
      const before = await appendMany(node.log, ['acme'], 3)
      await watcher.untilCount(3)
      proxy.shut()
      const missed = await appendMany(node.log, ['acme'], 3)
      await commands.del(place[what])
      proxy.open()
      if (what === 'entries') await watcher.until(() => watcher.gaps.length === 1)
      else await watcher.untilCount(6)
      const after = await appendMany(node.log, ['acme'], 3)
      await watcher.untilId(after[2] ?? '')
      t.strictSame(watcher.ids, what === 'entries' ? [...before, ...after] : [...before, ...missed, ...after])
    })
  }

  t.test('can be flushed of its scripts', async t => {
    const { node } = await startPlace(t)
    const watcher = await watcherOf(node, 'acme')
    const ids = await appendMany(node.log, ['acme'], 3)
    await commands.script('FLUSH')
    ids.push(...await appendMany(node.log, ['acme'], 3))
    await commands.script('FLUSH')
    t.strictSame(await idsAfter(node.log, 'other', watcher.start), [])
    await commands.script('FLUSH')
    await node.configs.set('acme', { enabled: true, events: null })
    await watcher.untilCount(6)
    t.strictSame(watcher.ids, ids)
    t.equal(watcher.gaps.length, 0)
  })

  t.test('is that of a stream alone when it is removed, and can be read from its newest id on', async t => {
    const { node, other, entries } = await startPlace(t)
    const watcher = await watcherOf(node, 'acme')
    const ids = [watcher.start, ...await appendMany(node.log, ['acme', null], 10)]
    await node.log.remove('acme')
    t.equal(await length(entries), 0)
    t.equal(await length(entries.replace('instance:acme', 'root')), 10)
    t.equal(await assertNoHole([other.log, node.log], 'acme', ids), 0)
    ids.push(...await appendMany(other.log, ['acme'], 2))
    await watcher.untilCount(12)
    t.equal(await assertNoHole([other.log, node.log], 'acme', ids), 2)
  })
})
