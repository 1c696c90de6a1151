import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { EventLog, LogEntry, LogRecord, Retention, StreamName } from '../../../lib/log/event-log.js'
import { type RedisStoreOptions, redisStore } from '../../../lib/stores/redis/index.js'
import type { OpenStore, PendingLimits, StoreLogger } from '../../../lib/stores/store.js'
import type { Scope } from '../../helpers/server.js'

export const AMPLE: Retention = { maxAge: 3_600_000, maxEvents: 1_000_000, maxBytes: 1_000_000_000 }
export const quiet: StoreLogger = { warn () {}, error () {} }

/** What every key of a test begins with, so that tests can share a Redis. */
export const newPrefix = (): string => `test-${randomUUID()}`

export interface Setting {
  readonly retention?: Partial<Retention>
  readonly limits?: PendingLimits
  readonly logger?: StoreLogger
}

/** A node of its own, in this process. Closed with the test, if not before. */
export async function openNode (t: Scope, options: RedisStoreOptions, { retention = {}, logger = quiet, limits }: Setting = {}): Promise<OpenStore> {
  const node = await redisStore(options).open({ retention: { ...AMPLE, ...retention }, limits, logger })
  t.teardown(async () => { await node.close() })
  return node
}

/** An event, known by a number. */
export const recordOf = (n: number, pad = 0): LogRecord =>
  ({ instance: 'acme', event: 'call', rest: Buffer.from(`,"n":${n},"pad":"${'x'.repeat(pad)}"}`), attachments: [] })

/** The number of an event. */
export const numberOf = ({ rest }: LogRecord): number => Number(/"n":(\d+)/.exec(rest.toString())?.[1])

/** Appends so many events in one go. @returns their ids */
export async function appendMany (log: EventLog, streams: readonly StreamName[], count: number, { from = 0, pad = 0 } = {}): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, async (empty, n) => await log.append(streams, recordOf(from + n, pad))))
}

/** What came after an id, to the end. */
export async function readAll (log: EventLog, stream: StreamName, after: string): Promise<LogEntry[] | 'gap'> {
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

export async function idsAfter (log: EventLog, stream: StreamName, after: string): Promise<string[] | 'gap'> {
  const found = await readAll(log, stream, after)
  return found === 'gap' ? 'gap' : found.map(({ id }) => id)
}

/** The same list, and if not, the first that differs: there may be thousands. */
export function sameList (found: readonly unknown[], expected: readonly unknown[], what: string): void {
  const differs = expected.findIndex((each, at) => each !== found[at])
  const at = differs === -1 ? expected.length : differs
  assert.equal(found[at], expected[at], `${what}: the one at ${at}, of ${found.length} instead of ${expected.length}`)
}

/** How long anything may take, in ms: far longer than it should, because machines differ. */
const PATIENCE = 30_000

/** Who watches a stream on a node, and what it is told from when nothing can be missed. */
export class Watcher {
  readonly told: LogEntry[] = []
  /** The heads of the gaps that it was told of, and how many events were told before each. */
  readonly gaps: Array<{ readonly head: string, readonly after: number }> = []
  readonly ready: Promise<void>
  readonly close: () => void
  #checks = new Set<() => void>()
  #start: string | undefined

  constructor (log: EventLog, stream: StreamName) {
    const watch = log.watch(stream, entry => {
      this.told.push(entry)
      this.#check()
    }, head => {
      this.gaps.push({ head, after: this.told.length })
      this.#check()
    })
    this.ready = (async () => {
      await watch.ready
      this.#start = log.head(stream)
      // What was told before is not behind the head, and it does not count.
      assert.ok(this.told.every(({ id }) => id <= this.start))
      this.told.length = 0
    })()
    this.ready.catch(() => {})
    this.close = () => { watch.close() }
  }

  /** The head when it was ready. */
  get start (): string {
    assert.ok(this.#start !== undefined, 'it is ready')
    return this.#start
  }

  get ids (): string[] {
    return this.told.map(({ id }) => id)
  }

  get numbers (): number[] {
    return this.told.map(numberOf)
  }

  /** Resolves as soon as it was told enough. */
  async until (isEnough: () => boolean): Promise<void> {
    // Here, and not where it is late: there nobody knows any more who has waited.
    const late = new Error(`not within ${PATIENCE / 1000} s`)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        late.message += `: it was told of ${this.told.length} events and ${this.gaps.length} gaps`
        reject(late)
      }, PATIENCE)
      const check = (): void => {
        if (!isEnough()) return
        this.#checks.delete(check)
        clearTimeout(timer)
        resolve()
      }
      this.#checks.add(check)
      check()
    })
  }

  async untilCount (count: number): Promise<void> {
    await this.until(() => this.told.length >= count)
  }

  async untilId (id: string): Promise<void> {
    await this.until(() => (this.told.at(-1)?.id ?? '') >= id)
  }

  #check (): void {
    for (const check of this.#checks) check()
  }
}

/** Watches, from when nothing can be missed any more. */
export async function watcherOf ({ log }: OpenStore, stream: StreamName): Promise<Watcher> {
  const watcher = new Watcher(log, stream)
  await watcher.ready
  return watcher
}

export async function watchersOf (nodes: readonly OpenStore[], stream: StreamName): Promise<Watcher[]> {
  return await Promise.all(nodes.map(async node => await watcherOf(node, stream)))
}

/** Numbered events, some at a time on each node in turn, until it is stopped. */
export class Load {
  /** What has resolved: its id, and its number. */
  readonly kept: Array<{ readonly id: string, readonly number: number }> = []
  readonly failed: unknown[] = []
  readonly #timer: NodeJS.Timeout
  readonly #calls: Array<Promise<void>> = []
  #next = 0

  constructor (t: Scope, logs: readonly EventLog[], streams: readonly StreamName[], { every = 2, some = 4 } = {}) {
    this.#timer = setInterval(() => {
      for (const log of logs) for (let left = some; left > 0; left--) this.#calls.push(this.#append(log, streams, this.#next++))
    }, every)
    t.teardown(() => { clearInterval(this.#timer) })
  }

  get count (): number {
    return this.#next
  }

  async #append (log: EventLog, streams: readonly StreamName[], number: number): Promise<void> {
    try {
      this.kept.push({ id: await log.append(streams, recordOf(number)), number })
    } catch (error) {
      this.failed.push(error)
    }
  }

  /** Stops, and waits for all. @returns the ids of those that are kept, in order */
  async stop (): Promise<string[]> {
    clearInterval(this.#timer)
    await Promise.all(this.#calls)
    return this.kept.map(({ id }) => id).toSorted()
  }
}

/** Two nodes serve as they should: a handful of what the suites show at length. */
export async function assertServe (a: OpenStore, b: OpenStore): Promise<void> {
  const name = `acme-${randomUUID()}`
  const [atA, atB] = [await watcherOf(a, name), await watcherOf(b, name)]
  const ids = [...await appendMany(a.log, [name, null], 50), ...await appendMany(b.log, [name], 50)]
  for (const watcher of [atA, atB]) {
    await watcher.untilCount(100)
    sameList(watcher.ids, ids, 'told')
  }
  sameList(await idsAfter(b.log, name, ids[10] ?? '') as string[], ids.slice(11), 'read')
  assert.equal(await b.log.read(name, '0'.repeat(19), 1000), 'gap')
  await a.log.remove(name)
  await b.log.drained()
  assert.equal(await b.log.read(name, ids[98] ?? '', 1000), 'gap')
  const heard = new Promise<string>(resolve => { b.peers?.listen(resolve) })
  await a.peers?.tell(name)
  assert.equal(await heard, name)
  await a.configs.set(name, { enabled: true, events: ['CALL'] })
  assert.deepEqual((await b.configs.get(name))?.events, ['CALL'])
  assert.equal(await b.configs.delete(name), true)
  assert.equal(await a.configs.delete(name), false)
  await a.log.drained()
  assert.deepEqual([atA.gaps, atB.gaps], [[], []])
  atA.close()
  atB.close()
}
