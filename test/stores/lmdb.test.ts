import { open as openRoot } from 'lmdb'
import { cp, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { errors } from '../../lib/errors.js'
import { type EventLog, type LogEntry, type LogRecord, type Retention, sizeOf, type StreamName } from '../../lib/log/event-log.js'
import { epochOf, Ids } from '../../lib/log/ids.js'
import { Committer } from '../../lib/stores/lmdb/commit.js'
import { type Databases, openDatabases } from '../../lib/stores/lmdb/database.js'
import { type LmdbStoreOptions, lmdbStore } from '../../lib/stores/lmdb/index.js'
import { LmdbKeys } from '../../lib/stores/lmdb/keys.js'
import { LmdbLog } from '../../lib/stores/lmdb/log.js'
import { Starts } from '../../lib/stores/lmdb/starts.js'
import { Streams } from '../../lib/stores/lmdb/streams.js'
import { Trimmer } from '../../lib/stores/lmdb/trim.js'
import type { Presence } from '../../lib/stores/lmdb/presence.js'
import { type OpenStore, UNLIMITED } from '../../lib/stores/store.js'
import { configStoreSuite, eventLogSuite, type OpenConfigs, type OpenLog } from '../contracts/index.js'
import { keepsToTotal } from './total.js'
import { eventually, latch } from '../helpers/latch.js'

/** A file that nobody deletes. */
const IS_THERE = { isThere: true, check () {} } as Presence

const HOUR = 3_600_000
const AMPLE: Retention = { maxAge: 24 * HOUR, maxEvents: 1_000_000, maxBytes: 1_000_000_000 }
const START = Date.UTC(2026, 0, 1)
const quiet = { warn () {}, error () {} }

type Opened = OpenStore & Required<OpenLog> & Required<OpenConfigs>

/** A store in a directory of its own, with a clock that can be set. */
async function openSubject (retention: Retention, options: Partial<LmdbStoreOptions> = {}): Promise<Opened> {
  const path = await mkdtemp(join(tmpdir(), 'lmdb-suite-'))
  let time = Date.now()
  const open = async (): Promise<Opened> => {
    const store = await lmdbStore({ path, now: () => time, ...options }).open({ retention, logger: quiet })
    return {
      ...store,
      advance: milliseconds => { time += milliseconds },
      reopen: async () => {
        await store.close()
        return await open()
      },
      close: async () => {
        await store.close()
        await rm(path, { recursive: true })
      }
    }
  }
  return await open()
}

for (const { name, run } of eventLogSuite(async retention => await openSubject(retention))) t.test(name, run)
for (const { name, run } of eventLogSuite(async retention => await openSubject(retention, { flush: true }))) t.test(`with flush: ${name}`, run)
for (const { name, run } of configStoreSuite(async () => await openSubject(AMPLE))) t.test(name, run)

interface Clock {
  time: number
}

interface Setting {
  readonly retention?: Partial<Retention>
  readonly options?: Partial<LmdbStoreOptions>
  readonly clock?: Clock
}

/** Opens the store of a path; closed when the test ends, if not before. */
async function openAt (t: Test, path: string, { retention = {}, options = {}, clock = { time: START } }: Setting = {}): Promise<OpenStore> {
  const store = await lmdbStore({ path, now: () => clock.time, ...options }).open({ retention: { ...AMPLE, ...retention }, logger: quiet })
  t.teardown(async () => { await store.close() })
  return store
}

const recordOf = (n: number, pad = 0): LogRecord => ({ instance: 'acme', event: 'call', rest: Buffer.from(`,"n":${n},"pad":"${'x'.repeat(pad)}"}`), attachments: [] })

async function appendMany (log: EventLog, streams: readonly StreamName[], count: number, pad = 0): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, async (empty, n) => await log.append(streams, recordOf(n, pad))))
}

async function readAll (log: EventLog, stream: StreamName, after: string): Promise<LogEntry[] | 'gap'> {
  const found: LogEntry[] = []
  for (let last = after; ;) {
    const page = await log.read(stream, last, 100_000)
    if (page === 'gap') return 'gap'
    const newest = page.at(-1)
    if (newest === undefined) return found
    found.push(...page)
    last = newest.id
  }
}

async function idsAfter (log: EventLog, stream: StreamName, after: string): Promise<string[] | 'gap'> {
  const found = await readAll(log, stream, after)
  return found === 'gap' ? 'gap' : found.map(({ id }) => id)
}

t.test('a store has a name and a default retention', async t => {
  const store = lmdbStore('./data')
  t.equal(store.name, 'lmdb:./data')
  t.strictSame(store.retention, { maxAge: 24 * HOUR, maxEvents: 100_000, maxBytes: 64 * 1024 * 1024 })
  t.equal(lmdbStore({ path: 'other' }).name, 'lmdb:other')
})

t.test('a path is one from where the process runs, and a dot in it means nothing', async t => {
  const directory = t.testdir()
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => { process.chdir(before) })
  await openAt(t, 'some/deep/events.v1')
  t.ok((await stat(join(directory, 'some/deep/events.v1'))).isDirectory())
})

t.test('a restart keeps what is counted, remembered, dropped and set', async t => {
  const path = t.testdir()
  const setting = { retention: { maxEvents: 50 } }
  const first = await openAt(t, path, setting)
  const start = first.log.head('acme')
  const ids = await appendMany(first.log, ['acme', null], 200)
  await appendMany(first.log, ['other', null], 3)
  await eventually(() => first.log.stats().records === 103)
  await first.configs.set('acme', { enabled: true, events: ['CALL'] })
  const stats = first.log.stats()
  await first.close()

  const second = await openAt(t, path, setting)
  t.strictSame(second.log.stats(), stats)
  t.equal(stats.streams, 3)
  t.ok(stats.bytes > 103 * 20)
  t.equal(second.log.read('acme', start, 1), 'gap')
  t.equal(second.log.read('acme', ids[148] ?? '', 1), 'gap')
  t.strictSame(await idsAfter(second.log, 'acme', ids[149] ?? ''), ids.slice(150))
  t.strictSame(await second.configs.get('acme'), { enabled: true, events: ['CALL'] })
  t.ok(await second.log.append(['acme'], recordOf(1)) > (ids.at(-1) ?? ''))
})

t.test('an older copy that takes the place of newer data is a gap for whoever has seen more, and for nobody else', async t => {
  const [path, copy] = [join(t.testdir(), 'data'), join(t.testdir(), 'copy')]
  const clock = { time: START }
  const open = async (): Promise<OpenStore> => {
    clock.time += 1000
    return await openAt(t, path, { clock })
  }
  const append = async ({ log }: OpenStore, n: number): Promise<string> => {
    clock.time += 1000
    return await log.append(['acme'], recordOf(n))
  }

  const original = await open()
  const start = original.log.head('acme')
  const copied = await append(original, 1)
  await original.close()
  await cp(path, copy, { recursive: true })
  const newer = await open()
  const lost = [await append(newer, 2), await append(newer, 3)]
  await newer.close()
  await rm(path, { recursive: true })
  await cp(copy, path, { recursive: true })

  const restored = await open()
  for (const id of lost) t.equal(restored.log.read('acme', id, 1), 'gap', 'before anything is emitted')
  const ids = [await append(restored, 4)]
  for (const id of lost) t.equal(restored.log.read('acme', id, 1), 'gap')
  t.strictSame(await idsAfter(restored.log, 'acme', copied), ids)
  await restored.close()

  // With nothing emitted in between, and with something.
  await (await open()).close()
  const again = await open()
  for (const id of lost) t.equal(again.log.read('acme', id, 1), 'gap', 'after further restarts')
  ids.push(await append(again, 5))
  await again.close()
  const last = await open()
  for (const id of lost) t.equal(last.log.read('acme', id, 1), 'gap')
  for (const [at, id] of [copied, ...ids].entries()) t.strictSame(await idsAfter(last.log, 'acme', id), ids.slice(at))
  t.strictSame(await idsAfter(last.log, 'acme', start), [copied, ...ids])
})

t.test('of more starts than are kept, ids before the oldest of them are a gap', t => {
  let starts = Starts.parse(undefined)
  const idAt = (n: number): string => String(n).padStart(6, '0')
  for (let n = 0; n < 1000; n++) starts = Starts.parse(String(starts.with(idAt(3 * n), idAt(3 * n + 1))))
  t.strictSame([0, 1, 2, 3].map(n => starts.isUnknown(idAt(n))), [false, true, false, false])
  starts = starts.with(idAt(5000), idAt(5001))
  t.strictSame([0, 1, 2, 3, 4, 5, 5001, 5002].map(n => starts.isUnknown(idAt(n))), [true, true, true, false, true, false, true, false])
  t.end()
})

t.test('a clock that is set back over a restart makes no id smaller, and no gap', async t => {
  const path = t.testdir()
  const clock = { time: START }
  const ids: string[] = []
  let start: string | undefined
  for (const time of [START, START - 10 * HOUR, START - 1000 * HOUR, START + 1]) {
    clock.time = time
    const store = await openAt(t, path, { clock })
    start ??= store.log.head(null)
    ids.push(...await appendMany(store.log, [null], 5))
    await store.close()
  }
  t.strictSame(ids, ids.toSorted())
  t.equal(new Set(ids).size, 20)
  const { log } = await openAt(t, path, { clock })
  t.strictSame(await idsAfter(log, null, start ?? ''), ids)
})

t.test('an instance named null has its own stream, and every name a valid key', async t => {
  const path = t.testdir()
  const names = [null, 'null', '\0', 'a/b', '😀'.repeat(75), 'x'.repeat(300)]
  const first = await openAt(t, path)
  const start = first.log.head(null)
  const ids = new Map<StreamName, string[]>()
  for (const name of names) ids.set(name, await appendMany(first.log, [name], 2))
  await first.close()
  const { log } = await openAt(t, path)
  for (const name of names) t.strictSame(await idsAfter(log, name, start), ids.get(name), JSON.stringify(name))
})

t.test('a machine that went down begins a new life of the log, because something may be lost; a process that did, does not', async t => {
  const path = t.testdir()
  const first = await openAt(t, path)
  const ids = await appendMany(first.log, ['acme'], 3)
  await first.close()

  const goDown = async (boot: string): Promise<void> => {
    const { root, meta } = openDatabases({ ...(await import('lmdb')) }, path)
    await meta.put('boot', boot)
    await root.close()
  }
  await goDown('another life of the machine')
  const second = await openAt(t, path)
  t.equal(second.log.read('acme', ids[0] ?? '', 1), 'gap')
  t.equal(second.log.read('acme', ids[2] ?? '', 1), 'gap', 'the newest id, too: what came after it may be lost')
  const start = second.log.head('acme')
  t.ok(start > (ids[2] ?? ''))
  t.not(epochOf(start), epochOf(ids[2] ?? ''))
  const later = await appendMany(second.log, ['acme'], 3)
  t.strictSame(await idsAfter(second.log, 'acme', start), later)
  await second.close()

  await goDown('')
  const third = await openAt(t, path)
  t.strictSame(await idsAfter(third.log, 'acme', start), later, 'closed in order: nothing can be lost')
  await third.close()
})

t.test('what is removed is gone, with all that was appended before, and leaves a gap behind', async t => {
  const path = t.testdir()
  const { log } = await openAt(t, path)
  const start = log.head('acme')
  const ids = Promise.all(Array.from({ length: 2000 }, async (empty, n) => await log.append(['acme', null], recordOf(n))))
  const removed = log.remove('acme')
  const later = log.append(['acme'], recordOf(-1))
  await removed
  t.equal(log.read('acme', start, 1), 'gap')
  t.strictSame(await idsAfter(log, 'acme', (await ids).at(-1) ?? ''), [await later])
  t.equal((await idsAfter(log, null, start)).length, 2000)
  await eventually(() => log.stats().records === 2001)
  await log.remove('never heard of')
  t.strictSame(log.read('never heard of', start, 1), [])
})

t.test('a noisy stream that has all there is to have shortens no quiet one', async t => {
  const { log } = await openAt(t, t.testdir(), { options: { maxTotalBytes: 1_000_000 } })
  const start = log.head(null)
  const quietIds = new Map<string, string[]>()
  for (const name of ['a', 'b', 'c']) quietIds.set(name, await appendMany(log, [name], 100, 1000))
  for (let round = 0; round < 40; round++) await appendMany(log, ['noisy'], 100, 1000)
  await appendMany(log, ['loud'], 700, 1000)
  await eventually(() => log.stats().bytes <= 1_000_000)
  for (const [name, ids] of quietIds) t.strictSame(await idsAfter(log, name, start), ids, name)
  t.equal(log.read('noisy', start, 1), 'gap')
  t.equal(log.read('loud', start, 1), 'gap')
  t.ok(log.stats().bytes > 800_000, 'not more is dropped than must be')
})

t.test('all streams together keep to their bound: of large events the oldest go, and small streams keep all', async t => {
  const { log } = await openAt(t, t.testdir(), { retention: { maxBytes: 100_000 }, options: { maxTotalBytes: 1_000_000 } })
  await keepsToTotal(t, log)
})

t.test('48 hours of events leave 24 behind, in a file that stopped growing', async t => {
  const path = t.testdir()
  const clock = { time: START }
  const { log } = await openAt(t, path, { clock })
  const silent = log.head('silent')
  const [early] = await appendMany(log, ['quiet'], 1)
  const sizes: number[] = []
  for (let hour = 1; hour <= 48; hour++) {
    for (let part = 0; part < 6; part++) {
      clock.time += HOUR / 6
      await appendMany(log, [`instance-${part}`, null], 30, 500)
    }
    sizes.push((await stat(join(path, 'data.mdb'))).size)
  }
  // The first of a day is a day old, and not older.
  const records = 2 * 30 * (24 * 6 + 1)
  await eventually(() => log.stats().records <= records)
  t.equal(log.stats().records, records)
  const [half, end] = [sizes[24] ?? 0, sizes[47] ?? 0]
  t.ok(end < 1.5 * half, `${half} bytes after a day and ${end} after two`)
  t.equal(log.read(null, silent, 1), 'gap')
  t.strictSame(log.read('silent', silent, 1), [], 'a stream that never had anything has no gap')
  t.strictSame(log.read('quiet', early ?? '', 1), [], 'and one that had nothing since has none either')
  t.equal(log.read('quiet', silent, 1), 'gap', 'but what it dropped is one')
})

t.test('what is too old is dropped from streams that are quiet, after a restart too', async t => {
  const path = t.testdir()
  const clock = { time: START }
  const first = await openAt(t, path, { clock })
  for (let n = 0; n < 1000; n++) void first.log.append([`instance-${n}`], recordOf(n))
  await first.log.drained()
  await first.close()
  clock.time += 25 * HOUR
  const { log } = await openAt(t, path, { clock })
  await eventually(() => log.stats().records === 0)
  t.strictSame(log.stats(), { streams: 0, records: 0, bytes: 0 })
})

interface Held {
  readonly log: LmdbLog
  readonly databases: Databases
  /** Lets the transactions under way be kept, or fail. */
  settle (error?: Error): void
  /** Resolves when the next transaction can be read by LMDB. */
  readonly visible: () => Promise<void>
  readonly errors: string[]
}

/** A log whose transactions are kept or fail when the test says so, although LMDB has them at once, or never. */
async function openHeld (t: Test, isWritten: boolean, limits = UNLIMITED): Promise<Held> {
  const databases = openDatabases(await import('lmdb'), t.testdir())
  const now = (): number => START
  const told: string[] = []
  const logger = { warn () {}, error: (details: object, message: string) => { told.push(message) } }
  const ids = new Ids({ now })
  const streams = new Streams(databases.streams, ids.last)
  const trimmer = new Trimmer(databases.sizes, streams, { ...AMPLE, maxTotalBytes: Infinity }, now, logger)
  const committer = new Committer(databases.root, true)
  let visible = latch()
  let settle: (error?: Error) => void = () => {}
  committer.commit = write => {
    const kept = new Promise<void>((resolve, reject) => { settle = error => { error === undefined ? resolve() : reject(error) } })
    const written = isWritten ? databases.root.batch(write) : Promise.resolve()
    void written.then(() => {
      databases.root.resetReadTxn()
      visible.open()
      visible = latch()
    })
    return { kept, flushed: kept }
  }
  const log = new LmdbLog({ databases, ids, head: ids.last, starts: Starts.parse(undefined), streams, trimmer, keys: new LmdbKeys(databases.keys, databases.keyTimes, now), committer, file: IS_THERE, limits, logger, now })
  t.teardown(async () => {
    settle()
    await log.close()
    await databases.root.close()
  })
  return { log, databases, settle: error => { settle(error) }, visible: async () => { await visible.opened }, errors: told }
}

t.test('events that LMDB has stored but not published are not read', async t => {
  const { log, settle, visible } = await openHeld(t, true)
  const start = log.head()
  const told: string[] = []
  log.watch('acme', ({ id }) => { told.push(id) })
  for (let n = 0; n < 3; n++) {
    const seen = visible()
    const id = log.append(['acme'], recordOf(n))
    await seen
    t.equal(log.read('acme', start, 10_000).length, n, 'it is not there before it is told')
    t.equal(log.head(), told.at(-1) ?? start)
    settle()
    t.equal(await id, told.at(-1))
    t.equal(log.read('acme', start, 10_000).length, n + 1)
    t.equal(log.head(), await id)
  }
})

t.test('records, what is counted of them, and the newest id are written in one transaction', async t => {
  const { log, databases, settle, visible } = await openHeld(t, true)
  for (let n = 1; n <= 3; n++) {
    const seen = visible()
    const appends = [log.append(['acme', null], recordOf(n)), log.append(['acme'], recordOf(n))]
    await seen
    const counts = [...databases.streams.getRange({ start: 0 })].map(({ value }) => [value.name, value.count])
    t.strictSame(counts, [['acme', 2 * n], [null, n]])
    t.equal([...databases.records.getKeys({ start: '\0' })].length, 3 * n)
    settle()
    t.equal((await Promise.all(appends)).at(-1), databases.meta.get('head'))
  }
  const seen = visible()
  const removed = log.remove('acme')
  await seen
  const [acme] = [...databases.streams.getRange({ start: 0 })].map(({ value }) => value)
  t.match(acme, { floor: databases.meta.get('head'), count: 6 }, 'first nobody can read it any more')
  const dropping = visible()
  settle()
  await removed
  await dropping
  t.strictSame([...databases.streams.getRange({ start: 0 })].map(({ value }) => value.count), [0, 3])
  t.equal([...databases.records.getKeys({ start: '\0' })].length, 3)
  settle()
})

t.test('a failed transaction is not published, and changes no counts', async t => {
  const { log, settle, errors: told } = await openHeld(t, false)
  const start = log.head()
  log.watch('acme', () => { t.fail('nothing happened') })
  const appends = [log.append(['acme', null], recordOf(1)), log.append(['acme'], recordOf(2))]
  const drained = log.drained()
  await Promise.resolve()
  settle(new Error('no room'))
  for (const append of appends) await t.rejects(append, new errors.STORE_UNAVAILABLE('the log could not be written: no room'))
  await drained
  t.strictSame(log.stats(), { streams: 0, records: 0, bytes: 0 })
  t.equal(log.head(), start)
  t.strictSame(log.read('acme', start, 1), [])
  t.strictSame(told, [])
})

t.test('while the disk takes nothing, no more events wait than may, and those that wait are remembered later', async t => {
  let clock = performance.now()
  const { mock: stopped } = mock.method(performance, 'now', () => clock)
  t.teardown(() => { stopped.restore() })
  for (const [limit, most] of [['pendingEvents', 5], ['pendingBytes', 5 * sizeOf(recordOf(0))]] as const) {
    const { log, settle, visible } = await openHeld(t, true, { ...UNLIMITED, [limit]: most })
    const seen = visible()
    const waiting = [1, 2, 3, 4, 5, 6].map(async n => await log.append(['acme'], recordOf(n)))
    await seen
    t.match(log.health(), { available: true, pendingEvents: 6 }, 'a burst is no outage')
    clock += 1001
    await setImmediate()
    await t.rejects(log.append(['acme'], recordOf(7)), { code: 'FST_ERR_WS_EVENTS_PENDING_FULL' })
    t.equal(log.health().pendingEvents, 6)
    clock += 4000
    await setImmediate()
    t.equal(log.health().available, false)
    settle()
    t.equal(new Set(await Promise.all(waiting)).size, 6)
    await setImmediate()
    t.strictSame(log.health(), { available: true, pendingEvents: 0, pendingBytes: 0 })
    const more = log.append(['acme'], recordOf(8))
    await setImmediate()
    settle()
    await more
  }
})

t.test('a listener that throws is reported, and the others are told all the same', async t => {
  const { log, settle, errors: told } = await openHeld(t, true)
  const heard: string[] = []
  log.watch('acme', () => { throw new Error('oh') })
  log.watch('acme', ({ id }) => { heard.push(id) })
  const id = log.append(['acme'], recordOf(1))
  await Promise.resolve()
  settle()
  t.strictSame([await id], heard)
  t.strictSame(told, ['a listener of the event log failed'])
})

t.test('lmdb tells when a transaction can be read, before the disk has it', async t => {
  const root = openRoot({ path: t.testdir(), noSubdir: false, eventTurnBatching: false })
  t.teardown(async () => { await root.close() })
  const committer = new Committer(root, false)
  let looked = 0
  // It may be flushed so fast that it is not told before.
  for (let n = 0; n < 200 && looked === 0; n++) {
    const { kept, flushed } = committer.commit(() => { void root.put('n', n) }, () => {
      looked++
      return root.get('n') === n
    })
    await kept
    t.equal(root.get('n'), n)
    await flushed
  }
  t.ok(looked > 0)
})

t.test('append to a closed log rejects', async t => {
  const { log, configs, close } = await openAt(t, t.testdir())
  const last = log.append(['acme'], recordOf(1))
  const closed = close()
  await t.rejects(async () => await log.append(['acme'], recordOf(2)), new errors.STORE_UNAVAILABLE('it is closed'))
  await t.resolves(last as Promise<string>)
  await closed
  await close()
  await t.rejects(log.remove('acme'), new errors.STORE_UNAVAILABLE('it is closed'))
  await t.rejects(configs.set('acme', { enabled: true, events: null }), new errors.STORE_UNAVAILABLE('it is closed'))
})
