import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { EventLog, LogEntry, LogPage, LogRecord, Retention, StreamName } from '../../../lib/log/event-log.js'
import { turn } from '../contract-test.js'

/** A log with nothing in it, or one that was closed and opened again. An `OpenStore` is one, too. */
export interface OpenLog {
  readonly log: EventLog
  /** Ends it and removes what it left behind. */
  close(): Promise<void>
  /** Where a log outlives its process: closes it as a server does that stops, and opens it again with all it has. */
  reopen?(): Promise<OpenLog>
  /** Where the log's clock is not the machine's: sets it on by so many milliseconds, and may do what is due then. */
  advance?(milliseconds: number): void | Promise<void>
}

/**
 * Opens a log of its own each time it is called, with nothing in it, which remembers as much as it is told. Two of
 * them may be open at once.
 */
export type OpenLogs = (retention: Retention) => Promise<OpenLog>

/** A promise about logs, and how it is shown. */
export interface LogTest {
  readonly name: string
  /** Bounds that the test is about. */
  readonly retention?: Partial<Retention>
  /** What the log must offer for the test to have something to show. */
  readonly needs?: 'reopen' | 'advance' | 'keys'
  show(subject: Subject): Promise<void>
}

/** Bounds that a test does not reach but by intention. */
const AMPLE: Retention = { maxAge: 3_600_000, maxEvents: 1_000_000, maxBytes: 128 * 1024 * 1024 }

/** The log that a test is about. */
export class Subject {
  readonly #open: OpenLogs
  readonly #retention: Retention
  #opened: OpenLog
  readonly #others: OpenLog[] = []

  static async open (open: OpenLogs, retention: Partial<Retention> = {}): Promise<Subject> {
    const all = { ...AMPLE, ...retention }
    return new Subject(open, all, await open(all))
  }

  private constructor (open: OpenLogs, retention: Retention, opened: OpenLog) {
    this.#open = open
    this.#retention = retention
    this.#opened = opened
  }

  get log (): EventLog {
    return this.#opened.log
  }

  /** Another log with nothing in it. */
  async another (): Promise<EventLog> {
    const other = await this.#open(this.#retention)
    this.#others.push(other)
    return other.log
  }

  offers (what: 'reopen' | 'advance' | 'keys'): boolean {
    if (what === 'keys') return this.log.appendOnce !== undefined
    return this.#opened[what] !== undefined
  }

  /** @returns the same log, closed and opened again */
  async reopen (): Promise<EventLog> {
    assert.ok(this.#opened.reopen, 'it can be reopened')
    this.#opened = await this.#opened.reopen()
    return this.log
  }

  /** Sets the clocks of the logs on, where they can be set. */
  async advance (milliseconds: number): Promise<void> {
    for (const opened of [this.#opened, ...this.#others]) await opened.advance?.(milliseconds)
  }

  async close (): Promise<void> {
    for (const opened of [this.#opened, ...this.#others]) await opened.close()
  }
}

/** An event, told from others by a number. */
export function record (n: number, parts: Partial<LogRecord> = {}): LogRecord {
  return { instance: 'acme', event: 'messages.upsert', rest: Buffer.from(`,"event":"messages.upsert","n":${n}}`), attachments: [], ...parts }
}

/** An event of about so many bytes. */
export const recordOf = (bytes: number): LogRecord => record(0, { rest: Buffer.from(`,"pad":"${'x'.repeat(bytes)}"}`) })

/** What an event is known by. */
export const textOf = ({ rest }: LogRecord): string => rest.toString()

/** An event as a test compares and prints it. */
export function shown ({ id, instance, event, rest, attachments }: LogEntry): object {
  return { id, instance, event, rest: brief(rest), attachments: attachments.map(brief) }
}

function brief (bytes: Buffer): string {
  assert.ok(Buffer.isBuffer(bytes), 'rest and attachments are Buffers')
  return bytes.length < 100 ? bytes.toString('latin1') : `${bytes.length} bytes, ${hash('sha256', bytes)}`
}

export const idsOf = (entries: readonly LogEntry[]): string[] => entries.map(({ id }) => id)

/** The same texts in the same order. There may be thousands, so only the first that differs is told. */
export function sameList (found: readonly string[], expected: readonly string[], what: string): void {
  const differs = expected.findIndex((id, at) => id !== found[at])
  const at = differs === -1 ? expected.length : differs
  assert.equal(found[at], expected[at], `${what}: the one at ${at}, of ${found.length} instead of ${expected.length}`)
}

export function isPending<T> (value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}

/** The events of a page that is there. */
export function entriesOf (page: LogPage): readonly LogEntry[] {
  assert.ok(page !== 'gap', 'there is no gap')
  return page
}

/** Who watches a stream, from when nothing more can be missed. */
export interface Follower {
  /** The head of the stream when it began. */
  readonly start: string
  readonly told: readonly LogEntry[]
  /** How many had been told when it was told of a gap last; `null`: of none. */
  readonly gap: number | null
  /** Every id that a client of this stream can have, in order. */
  ids (): [string, ...string[]]
  close (): void
}

export async function follow (log: EventLog, stream: StreamName): Promise<Follower> {
  const told: LogEntry[] = []
  let gap: number | null = null
  const watch = log.watch(stream, entry => { told.push(entry) }, () => { gap = told.length })
  await watch.ready
  const start = log.head(stream)
  return {
    start,
    told,
    get gap () { return gap },
    ids: () => [start, ...idsOf(told)],
    close: () => { watch.close() }
  }
}

/** Calls of `append` that nobody waits for yet. None that fails goes unnoticed, nor ends the process before its time. */
export class Appends {
  readonly #calls: Array<Promise<Array<PromiseSettledResult<string>>>> = []

  add (id: string | Promise<string>): void {
    this.#calls.push(Promise.allSettled([id]))
  }

  /** @returns their ids, in the order of the calls */
  async ids (): Promise<string[]> {
    const settled = (await Promise.all(this.#calls)).flat()
    return settled.map(result => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }
}

/** Appends one event after the other. */
export async function appendAll (log: EventLog, streams: readonly StreamName[], records: readonly LogRecord[]): Promise<string[]> {
  const appends = new Appends()
  for (const each of records) appends.add(log.append(streams, each))
  const ids = await appends.ids()
  await log.drained()
  return ids
}

/** So many events. */
export const records = (count: number): LogRecord[] => Array.from({ length: count }, (empty, n) => record(n))

/** Reads page by page until there is no more. */
export async function readAll (log: EventLog, stream: StreamName, after: string, maxBytes = 1024 * 1024): Promise<LogPage> {
  const all: LogEntry[] = []
  let last = after
  for (;;) {
    const page = await log.read(stream, last, maxBytes)
    if (page === 'gap') return 'gap'
    if (page.length === 0) return all
    for (const entry of page) {
      assert.ok(entry.id > last, `what comes after ${last} has a greater id, and not ${entry.id}`)
      last = entry.id
      all.push(entry)
    }
  }
}

/** These events come after an id, and nothing else. */
export async function assertRead (log: EventLog, stream: StreamName, after: string, ids: readonly string[], what: string): Promise<void> {
  const found = await readAll(log, stream, after)
  assert.ok(found !== 'gap', `${what}: after ${after} there is no gap`)
  sameList(idsOf(found), ids, what)
}

export async function assertGap (log: EventLog, stream: StreamName, after: string, what: string): Promise<void> {
  assert.equal(await log.read(stream, after, 1024), 'gap', what)
}

/**
 * Shows that no id of a stream leads to a hole. After the newest there is nothing, which is no gap; from older ones
 * everything is read that came after them, as far as the stream remembers; all that are older still are a gap.
 *
 * @param ids all of a stream, beginning with its first head
 * @returns how many events it remembers
 */
export async function remembered (log: EventLog, stream: StreamName, ids: readonly [string, ...string[]]): Promise<number> {
  // What is dropped while it is looked for makes another round.
  for (let rounds = 0; rounds < 50; rounds++) {
    const oldest = await oldestReadable(log, stream, ids)
    const found = await readAll(log, stream, ids[oldest] ?? ids[0])
    if (found !== 'gap') {
      sameList(idsOf(found), ids.slice(oldest + 1), 'what is remembered')
      return found.length
    }
    assert.ok(oldest < ids.length - 1, 'the newest id is no gap: nothing came after it')
    await turn()
  }
  assert.fail('from where a stream can be read, all of its pages can')
}

/** The place of the oldest id that is no gap, or of the newest of all. */
async function oldestReadable (log: EventLog, stream: StreamName, ids: readonly [string, ...string[]]): Promise<number> {
  let low = 0
  let high = ids.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (await log.read(stream, ids[middle] ?? ids[0], 1) === 'gap') low = middle + 1
    else high = middle
  }
  return low
}

/** As {@link remembered}, from each single id. */
export async function assertNoHole (log: EventLog, stream: StreamName, ids: readonly [string, ...string[]]): Promise<number> {
  const count = await remembered(log, stream, ids)
  const oldest = ids.length - 1 - count
  for (const [at, id] of ids.entries()) {
    if (at < oldest) await assertGap(log, stream, id, `the id at ${at} is older than what is remembered from ${oldest}`)
    else await assertRead(log, stream, id, ids.slice(at + 1), `after the id at ${at}`)
  }
  return count
}
