import assert from 'node:assert/strict'
import type { EventLog, StreamName, Watch } from '../../../lib/log/event-log.js'
import { turn } from '../contract-test.js'
import { Random } from '../random.js'
import { Appends, follow, idsOf, isPending, type LogTest, record, sameList, textOf } from './subject.js'
import { IN_FULL } from '../../helpers/sample.js'

const SEEDS = IN_FULL ? 20 : 5

interface Place {
  readonly log: EventLog
  readonly stream: StreamName
  readonly random: Random
  /** Whether so little is remembered that who is slow may find a gap. */
  readonly scant: boolean
}

/** Somebody who comes to a stream while events keep coming. */
interface Joiner {
  leave (): void
  /** Shows that it got what it should, of all ids of the stream. */
  check (all: readonly string[]): Promise<void>
}

async function pause (random: Random): Promise<void> {
  if (random.oneIn(2)) await Promise.resolve()
  else await turn()
}

/** What was given to who came after an id: all that came after it, each once, in order, or for who left the first of it. */
function assertGot (got: readonly string[], all: readonly string[], after: string, stayed: boolean): void {
  const due = all.filter(id => id > after)
  sameList(got, stayed ? due : due.slice(0, got.length), `what came to who joined after ${after}`)
}

/** A client that comes back: it reads until there is no more, and then watches in the same turn of the event loop. */
function comeBack ({ log, stream, random, scant }: Place, after: string): Joiner {
  const got: string[] = []
  let watch: Watch | undefined
  let gap = false
  let left = false

  async function join (): Promise<void> {
    for (let last = after; ;) {
      const reading = log.read(stream, last, random.below(600))
      const page = isPending(reading) ? await reading : reading
      gap = page === 'gap'
      if (page === 'gap' || left) return
      const newest = page.at(-1)
      if (newest === undefined) break
      assert.ok(newest.id > last, `what comes after ${last} has a greater id, and not ${newest.id}`)
      got.push(...idsOf(page))
      last = newest.id
      if (random.oneIn(2)) await pause(random)
      if (left) return
    }
    watch = log.watch(stream, ({ id }) => { got.push(id) })
  }

  // It may fail long before anybody waits for it.
  const joined = Promise.allSettled([join()])
  return {
    leave () {
      left = true
      watch?.close()
    },
    async check (all) {
      for (const result of await joined) if (result.status === 'rejected') throw result.reason
      await watch?.ready
      assert.ok(scant || !gap, `after ${after} there is no gap`)
      assertGot(got, all, after, !gap && !left)
    }
  }
}

/** A client that comes for the first time: it watches, and the head tells it what is behind it. */
function comeAnew ({ log, stream, scant }: Place): Joiner {
  const told: string[] = []
  const watch = log.watch(stream, ({ id }) => { told.push(id) })
  let head = ''
  let before: readonly string[] = []
  let left = false

  async function join (): Promise<void> {
    await watch.ready
    before = [...told]
    head = log.head(stream)
    const reading = log.read(stream, head, 600)
    const page = isPending(reading) ? await reading : reading
    if (left) return
    assert.ok(scant || page !== 'gap', 'a head is no gap')
    for (const { id } of page === 'gap' ? [] : page) assert.ok(told.includes(id), `${id} is behind the head, can be read, and was not told`)
  }

  const joined = Promise.allSettled([join()])
  return {
    leave () {
      left = true
      watch.close()
    },
    async check (all) {
      for (const result of await joined) if (result.status === 'rejected') throw result.reason
      // Who left before it was ready has no head.
      if (head === '') return
      assert.ok(before.every(id => id <= head), 'what was told before is not behind the head')
      assertGot(told.slice(before.length), all, head, !left)
    }
  }
}

/** Events come in bursts to several streams, while many come, come back and leave, at every moment there is. */
async function storm (log: EventLog, seed: number, scant: boolean): Promise<void> {
  const random = new Random(seed)
  const streams: [StreamName, ...StreamName[]] = [null, `acme-${seed}`, `other-${seed}`]
  const keepers = new Map(await Promise.all(streams.map(async stream => [stream, await follow(log, stream)] as const)))
  const due = new Map<StreamName, string[]>(streams.map(stream => [stream, []]))
  const joiners: Array<{ readonly stream: StreamName, readonly joiner: Joiner }> = []
  const appends = new Appends()
  // Streams where somebody joins while the next event is told.
  const awaited = new Set<StreamName>()

  const join = (stream: StreamName): void => {
    const place = { log, stream, random, scant }
    const ids = keepers.get(stream)?.ids() ?? []
    const far = random.oneIn(4) ? ids.length : Math.min(20, ids.length)
    const after = ids.at(-1 - random.below(far)) ?? ''
    joiners.push({ stream, joiner: random.oneIn(4) ? comeAnew(place) : comeBack(place, after) })
  }
  const append = (n: number): void => {
    const into = random.some(streams)
    const each = record(n, random.oneIn(8) ? { attachments: [Buffer.alloc(random.below(20_000))] } : {})
    for (const stream of into) due.get(stream)?.push(textOf(each))
    appends.add(log.append(into, each))
  }
  for (const stream of streams) {
    const watch = log.watch(stream, () => {
      if (awaited.delete(stream)) join(stream)
    })
    await watch.ready
  }

  for (let step = 0; step < 120; step++) {
    const chance = random.below(10)
    if (chance < 5) for (let left = random.below(6); left >= 0; left--) append(step * 10 + left)
    else if (chance < 7) join(random.pick(streams))
    else if (chance === 7) awaited.add(random.pick(streams))
    else if (chance === 8) joiners[random.below(joiners.length + 1)]?.joiner.leave()
    else if (random.oneIn(2)) await log.drained()
    else await Promise.all([appends.ids(), turn()])
    if (random.oneIn(3)) await pause(random)
  }
  await appends.ids()
  await log.drained()
  for (const [stream, { told, gap }] of keepers) {
    // A process that stood still is told of a gap where little is remembered.
    const since = told.slice(scant ? gap ?? 0 : 0).map(textOf)
    const all = due.get(stream) ?? []
    sameList(since, scant && gap !== null ? all.slice(all.length - since.length) : all, `told by ${stream}`)
  }
  for (const { stream, joiner } of joiners) {
    await joiner.check(keepers.get(stream)?.ids() ?? [])
    joiner.leave()
  }
}

async function storms (log: EventLog, scant: boolean): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await storm(log, seed, scant)
    } catch (error) {
      if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
      throw error
    }
  }
}

export const joining: readonly LogTest[] = [
  {
    name: 'whoever joins while events keep coming gets each of them once, in order',
    async show ({ log }) {
      await storms(log, false)
    }
  },
  {
    name: 'where little is remembered, whoever joins gets each event once, in order, or is told of a gap',
    retention: { maxEvents: 10 },
    async show ({ log }) {
      await storms(log, true)
    }
  }
]
