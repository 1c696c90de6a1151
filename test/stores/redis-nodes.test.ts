import assert from 'node:assert/strict'
import t, { type Test } from 'tap'
import type { EventLog, LogEntry, StreamName } from '../../lib/log/event-log.js'
import type { OpenStore } from '../../lib/stores/store.js'
import { Random } from '../contracts/random.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { appendMany, idsAfter, Load, newPrefix, openNode, recordOf, sameList, Watcher, watcherOf, watchersOf } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

const turn = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve) }) }

async function openNodes (t: Test, { url }: { readonly url: string }, count: number): Promise<OpenStore[]> {
  const prefix = newPrefix()
  return await Promise.all(Array.from({ length: count }, async () => await openNode(t, { url, prefix })))
}

/** Somebody who comes to a node with an id, as the gateway lets it: reads until there is no more, and watches in the same turn. */
class Joiner {
  readonly after: string
  readonly got: string[] = []
  readonly joined: Promise<void>
  gap = false
  #watch: Watcher | undefined

  constructor (log: EventLog, stream: StreamName, after: string, random: Random) {
    this.after = after
    this.joined = this.#join(log, stream, random)
    this.joined.catch(() => {})
  }

  async #join (log: EventLog, stream: StreamName, random: Random): Promise<void> {
    for (let last = this.after; ;) {
      const reading = log.read(stream, last, random.below(2000))
      const page = reading instanceof Promise ? await reading : reading
      if (page === 'gap') {
        this.gap = true
        return
      }
      const newest = page.at(-1)
      if (newest === undefined) break
      assert.ok(newest.id > last, `${newest.id} comes after ${last}`)
      this.got.push(...page.map(({ id }) => id))
      last = newest.id
      if (random.oneIn(2)) await turn()
    }
    this.#watch = new Watcher(log, stream)
  }

  /** Everything that came after its id has come to it, once and in order. */
  async check (all: readonly string[]): Promise<void> {
    await this.joined
    assert.ok(!this.gap, `after ${this.after} there is no gap`)
    const due = all.filter(id => id > this.after)
    const missing = due.length - this.got.length
    await this.#watch?.untilCount(missing)
    sameList([...this.got, ...this.#watch?.ids ?? []], due, `what came to who joined after ${this.after}`)
    this.#watch?.close()
  }
}

t.test('several nodes on one Redis', { skip: withoutRedis }, async t => {
  // Those that wait for time to pass wait together.
  t.jobs = 2
  const redis = await startRedis(t)

  t.test('nodes that append at the same time tell the same, in the same order', async t => {
    const nodes = await openNodes(t, redis, 3)
    const watchers = await watchersOf(nodes, 'acme')
    const roots = await watchersOf(nodes, null)
    const appended = await Promise.all(nodes.map(async ({ log }, node) => {
      const ids: string[] = []
      for (let burst = 0; burst < 10; burst++) ids.push(...await appendMany(log, burst % 3 === 0 ? ['acme', null] : ['acme'], 100, { from: 10_000 * node + 100 * burst }))
      sameList(ids, ids.toSorted(), 'the ids of a node grow')
      return ids
    }))
    const all = appended.flat().toSorted()
    t.equal(new Set(all).size, 3000)
    for (const watcher of [...watchers]) {
      await watcher.untilCount(3000)
      sameList(watcher.ids, all, 'told')
    }
    const [first] = watchers
    for (const watcher of watchers) sameList(watcher.numbers, first?.numbers ?? [], 'what was told')
    for (const root of roots) {
      await root.untilCount(1200)
      sameList(root.numbers, roots[0]?.numbers ?? [], 'told at the root')
    }
    // The events of one node keep the order of its calls.
    for (let node = 0; node < 3; node++) {
      const own = first?.numbers.filter(number => Math.floor(number / 10_000) === node) ?? []
      sameList(own, Array.from({ length: 1000 }, (empty, n) => 10_000 * node + n), 'of one node')
    }
  })

  t.test('an id of one node leads on another to exactly the rest, also before that node was told of it', async t => {
    const [a, b] = await openNodes(t, redis, 2) as [OpenStore, OpenStore]
    const start = (await watcherOf(b, 'acme')).start
    await watcherOf(a, 'acme')
    const ids: string[] = []
    for (let n = 0; n < 100; n++) {
      const id = await a.log.append(['acme'], recordOf(n))
      ids.push(id)
      // In this very turn: what Redis has published has not been read from B's socket.
      assert.deepEqual(await b.log.read('acme', id, 1000), [])
      const before = ids.at(-3) ?? start
      sameList((await b.log.read('acme', before, 1e6) as LogEntry[]).map(each => each.id), ids.filter(each => each > before), 'the rest')
    }
    t.strictSame(await idsAfter(b.log, 'acme', start), ids)
  })

  t.test('whoever moves from node to node while all of them append gets each event once, in order', async t => {
    const nodes = await openNodes(t, redis, 2)
    const keepers = await watchersOf(nodes, 'acme')
    const load = new Load(t, nodes.map(({ log }) => log), ['acme', null], { every: 1, some: 2 })
    const random = new Random(7)
    const joiners: Joiner[] = []
    while (joiners.length < 300) {
      // The newest id of one node, on another that may not have been told of it.
      const [from, to] = random.oneIn(2) ? [0, 1] : [1, 0]
      const ids = [keepers[from]?.start ?? '', ...keepers[from]?.ids ?? []]
      const after = ids.at(-1 - (random.oneIn(2) ? 0 : random.below(Math.min(ids.length, 200)))) ?? ''
      joiners.push(new Joiner((nodes[to] as OpenStore).log, 'acme', after, random))
      if (random.oneIn(3)) await keepers[from]?.untilCount(ids.length)
      else await turn()
    }
    const all = await load.stop()
    t.equal(load.failed.length, 0)
    for (const keeper of keepers) {
      await keeper.untilCount(all.length)
      sameList(keeper.ids, all, 'told')
    }
    for (const joiner of joiners) await joiner.check(all)
    t.ok(joiners.some(({ got }) => got.length > 0), 'somebody had something to read')
  })

  t.test('what was removed on one node is a gap on the others, also for those who watch', async t => {
    const [a, b] = await openNodes(t, redis, 2) as [OpenStore, OpenStore]
    const [atA, atB] = [await watcherOf(a, 'acme'), await watcherOf(b, 'acme')]
    const ids = await appendMany(a.log, ['acme'], 10)
    await atB.untilCount(10)
    await a.log.remove('acme')
    await a.log.drained()
    await b.log.drained()
    for (const { log } of [a, b]) {
      t.equal(await log.read('acme', atA.start, 1000), 'gap')
      t.equal(await log.read('acme', ids[8] ?? '', 1000), 'gap')
      t.strictSame(await log.read('acme', ids[9] ?? '', 1000), [])
    }
    const next = await b.log.append(['acme'], recordOf(11))
    await atA.untilCount(11)
    for (const { log } of [a, b]) t.strictSame(await idsAfter(log, 'acme', ids[9] ?? ''), [next])
    t.strictSame([atA.gaps, atB.gaps], [[], []])
  })

  t.test('a node asks only for what somebody watches there, until ten seconds after the last has left', { buffered: true }, async t => {
    // Its own, because what others ask of theirs meanwhile would be counted as well.
    const redis = await startRedis(t)
    const commands = redis.connect()
    const subscribers = async (channel: string): Promise<number> => Number((await commands.pubsub('NUMSUB', channel) as [string, number])[1])
    const prefix = newPrefix()
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: redis.url, prefix })]
    const channel = (name: string): string => `{${prefix}}:stream:instance:${name}`
    const [left, back, stays] = [await watcherOf(a, 'left'), await watcherOf(a, 'back'), await watcherOf(a, 'stays')]
    for (const name of ['left', 'back', 'stays']) t.equal(await subscribers(channel(name)), 1)
    await appendMany(b.log, ['left', 'other'], 3)
    t.equal(await subscribers(channel('other')), 0)
    t.equal(await subscribers(`{${prefix}}:stream:root`), 0)

    const leaving = performance.now()
    left.close()
    back.close()
    await left.until(() => true)
    const count = async (): Promise<number> => Number(/cmdstat_subscribe:calls=(\d+)/.exec(await commands.info('commandstats'))?.[1])
    const before = await count()
    const again = await watcherOf(a, 'back')
    t.equal(await count(), before, 'who comes back needs no new subscription')
    await answered(async () => await subscribers(channel('left')) === 0)
    const lasted = performance.now() - leaving
    t.ok(lasted > 9900, `it was unsubscribed from after ${lasted} ms`)
    for (const name of ['back', 'stays']) t.equal(await subscribers(channel(name)), 1)
    await appendMany(b.log, ['back', 'left', 'stays'], 2)
    await again.untilCount(2)
    await stays.untilCount(2)
    t.equal(left.told.length, 3)
    const comes = await watcherOf(a, 'left')
    const [id] = await appendMany(b.log, ['left'], 1)
    await comes.untilCount(1)
    t.strictSame(comes.ids, [id])
  })

  t.test('who watches again in the very moment that a stream is let go of misses nothing', { buffered: true }, async t => {
    const [a, b] = await openNodes(t, redis, 2) as [OpenStore, OpenStore]
    const streams = Array.from({ length: 150 }, (empty, at) => `instance-${at}`)
    for (const watcher of await Promise.all(streams.map(async stream => await watcherOf(a, stream)))) watcher.close()
    const left = performance.now()
    const after = async (ms: number): Promise<void> => { await new Promise(resolve => setTimeout(resolve, left + ms - performance.now())) }
    await after(9800)
    const load = new Load(t, [b.log], streams, { every: 10, some: 1 })
    // Within a second after the tenth, a beat lets go of those that nobody has come back to yet.
    const watchers: Watcher[] = []
    for (const [at, stream] of streams.entries()) {
      await after(10_000 + at * 8)
      watchers.push(await watcherOf(a, stream))
    }
    const all = await load.stop()
    for (const watcher of watchers) {
      const due = all.filter(id => id > watcher.start)
      await watcher.untilCount(due.length)
      sameList(watcher.ids, due, 'told')
      assert.equal(watcher.gaps.length, 0)
    }
    t.equal(load.failed.length, 0)
  })

  t.test('words to the nodes are heard by all, in order, also by one that was cut off meanwhile', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: proxy.url, prefix })]
    const heard = await Promise.all([a, b].map(async ({ peers }) => await wordsTo(peers)))
    const words: string[] = []
    for (let n = 0; n < 30; n++) {
      if (n === 10) proxy.shut()
      const word = `word ${n} é 日本`
      words.push(word)
      await a.peers?.tell(word)
    }
    proxy.open()
    await b.peers?.tell('the last')
    for (const { list, until } of heard) {
      await until('the last')
      t.strictSame(list, [...words, 'the last'])
    }
  })

  t.test('a config that one node sets or deletes is told on the others, and after each cut all may have changed', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: proxy.url, prefix })]
    const told: Array<readonly [name: string | null, removed: string | undefined]> = []
    let check = (): void => {}
    b.configs.watch?.((name, removed) => {
      told.push([name, removed])
      check()
    })
    const until = async (isSo: () => boolean): Promise<void> => {
      await new Promise<void>(resolve => {
        check = () => { if (isSo()) resolve() }
        check()
      })
    }
    const untilTold = async (name: string): Promise<void> => { await until(() => told.at(-1)?.[0] === name) }
    await a.configs.set('acme', { enabled: true, events: null })
    await untilTold('acme')
    const first = await b.configs.get('acme')
    t.match(first, { enabled: true, events: null, generation: /./ })
    await a.configs.set('é 日本', { enabled: true, events: null })
    await untilTold('é 日本')
    await a.configs.set('acme', { enabled: false, events: ['CALL'] })
    await untilTold('acme')
    t.strictSame(await b.configs.get('acme'), { ...first, enabled: false, events: ['CALL'] }, 'it is the same instance')
    t.equal(told.at(-1)?.[1], undefined)
    t.equal(await a.configs.delete('acme'), true)
    await until(() => told.at(-1)?.[1] === first?.generation)
    t.equal(told.at(-1)?.[0], 'acme')
    t.equal(await b.configs.get('acme'), null)
    t.equal(await a.configs.delete('nobody'), false)
    await untilTold('nobody')
    t.equal(told.at(-1)?.[1], '')
    for (let time = 0; time < 3; time++) {
      told.length = 0
      proxy.cut('subscribers')
      await until(() => told.some(([name]) => name === null))
    }
    await a.configs.set('acme', { enabled: true, events: null })
    await untilTold('acme')
    t.not((await b.configs.get('acme'))?.generation, first?.generation, 'it is another instance')
  })

  t.test('nodes with another prefix have nothing to do with each other', async t => {
    const [[a], [b]] = [await openNodes(t, redis, 1), await openNodes(t, redis, 1)] as [[OpenStore], [OpenStore]]
    const [atA, atB] = [await watcherOf(a, 'acme'), await watcherOf(b, 'acme')]
    const [id] = await appendMany(a.log, ['acme'], 1)
    await atA.untilCount(1)
    await b.log.drained()
    t.equal(atB.told.length, 0)
    t.equal(await b.log.read('acme', id ?? '', 1000), 'gap')
    t.equal(await b.log.read('acme', atA.start, 1000), 'gap')
    await a.configs.set('acme', { enabled: true, events: null })
    t.equal(await b.configs.get('acme'), null)
  })
})

/** What a node hears. */
async function wordsTo (peers: OpenStore['peers']): Promise<{ list: string[], until: (word: string) => Promise<void> }> {
  const list: string[] = []
  let check = (): void => {}
  peers?.listen(word => {
    list.push(word)
    check()
  })
  return {
    list,
    until: async word => {
      await new Promise<void>(resolve => {
        check = () => { if (list.includes(word)) resolve() }
        check()
      })
    }
  }
}

t.test('what was published has arrived, however many streams are being begun meanwhile', { skip: withoutRedis }, async t => {
  const { log } = await openNode(t, { url: (await startRedis(t)).url, prefix: newPrefix() })
  const watches = [log.watch('acme', () => {})]
  const MOST = 3000
  const waiting = { isOver: false }
  const drained = log.drained().then(() => { waiting.isOver = true })
  while (!waiting.isOver && watches.length < MOST) {
    watches.push(log.watch(`stream-${watches.length}`, () => {}))
    await turn()
  }
  t.ok(watches.length < MOST, 'it does not wait for those that came later')
  for (const watch of watches) watch.close()
  await drained
})
