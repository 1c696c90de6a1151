import type { Database } from 'lmdb'
import type { Retention } from '../../log/event-log.js'
import { leastIdAt } from '../../log/ids.js'
import { waterLevel } from '../../log/water-level.js'
import type { StoreLogger } from '../store.js'
import { idOf, prefixOf } from './codec.js'
import type { Stream, Streams } from './streams.js'

/**
 * Share of `maxTotalBytes` that is kept when it was exceeded. If all of it were kept, the next event would exceed it
 * again.
 */
const KEPT_OF_TOTAL = 0.9
/**
 * Records and bytes that one step drops, plus twice what was added meanwhile, so that trimming catches up under any
 * load.
 */
const STEP_RECORDS = 200
const STEP_BYTES = 1024 * 1024

/**
 * Empty streams whose row is kept for longer than `maxAge`. When a row is deleted, a client that resumes any quiet
 * stream from an id before that row's floor gets a gap.
 */
const MAX_EMPTY = 1000

const UNREADABLE = 'old events could not be read to be dropped'

export interface Bounds extends Retention {
  /** Bytes of all streams together. */
  readonly maxTotalBytes: number
}

/** The result of one step of trimming. */
export interface Step {
  /** Database keys of the records to drop. */
  readonly keys: readonly string[]
  readonly streams: ReadonlySet<Stream>
  /** Streams that are within their bounds after this step. */
  readonly finished: readonly Stream[]
  /** Streams that have had no record for longer than `maxAge` and can be forgotten. */
  readonly empty: readonly Stream[]
}

/**
 * Selects the records to drop. The trimmer writes nothing itself: a step is part of the next commit, so that records,
 * counts and floors change together.
 */
export class Trimmer {
  readonly #sizes: Database<number, string>
  readonly #streams: Streams
  readonly #bounds: Bounds
  readonly #now: () => number
  readonly #logger: StoreLogger
  // Streams that exceed their bounds, the longest waiting first.
  readonly #due = new Set<Stream>()
  // Streams without records that can be forgotten.
  #empty: Stream[] = []
  // Streams that are trimmed because all streams together exceed `maxTotalBytes`.
  readonly #shrinking = new Set<Stream>()

  constructor (
    sizes: Database<number, string>,
    streams: Streams,
    bounds: Bounds,
    now: () => number,
    logger: StoreLogger
  ) {
    this.#sizes = sizes
    this.#streams = streams
    this.#bounds = bounds
    this.#now = now
    this.#logger = logger
  }

  /** How often to check for expired records, in ms: a tenth of `maxAge`, at least a second and at most a minute. */
  get sweepEvery (): number {
    return Math.min(Math.max(this.#bounds.maxAge / 10, 1000), 60_000)
  }

  get isDue (): boolean {
    return this.#due.size > 0 || this.#empty.length > 0
  }

  /** Marks streams that exceed their bounds after events were added. */
  check (streams: Iterable<Stream>): void {
    const { maxEvents, maxBytes, maxTotalBytes } = this.#bounds
    for (const stream of streams) {
      if (stream.count > maxEvents || (stream.count > 1 && stream.bytes > maxBytes)) this.#due.add(stream)
    }
    if (this.#streams.bytes > maxTotalBytes && this.#shrinking.size === 0) this.#shrink()
  }

  /** Finds streams with expired records, with records below their floor, and without records for a long time. */
  sweep (): void {
    const eldest = this.#minId()
    const empty: Stream[] = []
    for (const stream of this.#streams.all()) {
      if (stream.count === 0 && stream.floor < eldest) empty.push(stream)
      if (stream.count > 0 && (stream.oldest < eldest || stream.oldest <= stream.floor)) this.#due.add(stream)
    }
    const many = empty.length - MAX_EMPTY
    this.#empty = many > 0 ? empty.sort((a, b) => a.floor < b.floor ? -1 : 1).slice(0, many) : []
    this.check(this.#streams.all())
  }

  /** Marks a stream whose floor was raised: its records up to the floor can be dropped. */
  floorRaised (stream: Stream): void {
    this.#due.add(stream)
  }

  /**
   * Selects the next records to drop, and removes them from the counts. Floors are raised here, before the step is
   * written: a read in between may already miss some records, and must report a gap.
   *
   * @param added records and bytes that the same transaction adds, in all streams
   */
  step (added: { readonly records: number, readonly bytes: number }): Step {
    const empty = this.#empty.splice(0, STEP_RECORDS)
    const step = { keys: [] as string[], streams: new Set<Stream>(), finished: [] as Stream[], empty }
    const unfinished: Stream[] = []
    let room = STEP_RECORDS + 2 * added.records
    let bytes = STEP_BYTES + 2 * added.bytes
    for (const stream of this.#due) {
      const before = { keys: step.keys.length, bytes: stream.bytes }
      this.#due.delete(stream)
      const isFinished = this.#tryToTrim(stream, room, bytes, step.keys)
      ;(isFinished ? step.finished : unfinished).push(stream)
      if (step.keys.length > before.keys) step.streams.add(stream)
      // A look-up costs about as much as a record, so it counts even where one record is dropped in each of many
      // streams.
      room -= step.keys.length - before.keys + 1
      bytes -= before.bytes - stream.bytes
      if (room <= 0 || bytes <= 0) break
    }
    for (const stream of unfinished) this.#due.add(stream)
    return step
  }

  /** Updates the state after a step was written. */
  done ({ finished }: Step): void {
    for (const stream of finished) {
      this.#shrinking.delete(stream)
      stream.share = Infinity
    }
  }

  /** Stops until the next check: an immediate retry would probably fail as well. */
  fail (): void {
    this.#due.clear()
    this.#empty = []
    for (const stream of this.#shrinking) stream.share = Infinity
    this.#shrinking.clear()
  }

  /** Skips a stream that cannot be read, so that new events can still be written. */
  #tryToTrim (stream: Stream, room: number, bytes: number, keys: string[]): boolean {
    try {
      return this.#trim(stream, room, bytes, keys)
    } catch (error) {
      this.#logger.error({ err: error, stream: stream.name }, UNREADABLE)
      return true
    }
  }

  /** @returns whether the stream is within its bounds afterwards */
  #trim (stream: Stream, room: number, bytes: number, keys: string[]): boolean {
    const eldest = this.#minId()
    const range = { start: stream.prefix + stream.dropped, end: prefixOf(stream.number + 1), exclusiveStart: true }
    for (const { key, value: size } of this.#sizes.getRange(range)) {
      const id = idOf(key)
      if (!this.#isOver(stream, id, eldest)) {
        stream.oldest = id
        return true
      }
      if (room-- <= 0 || bytes <= 0) return false
      bytes -= size
      keys.push(key)
      this.#streams.drop(stream, id, size)
    }
    return true
  }

  #isOver ({ count, bytes, share, floor }: Stream, oldest: string, eldest: string): boolean {
    const { maxEvents, maxBytes } = this.#bounds
    // The newest event is kept, regardless of its size.
    return count > maxEvents || (count > 1 && bytes > Math.min(maxBytes, share)) || oldest < eldest || oldest <= floor
  }

  /** The smallest id that has not expired. */
  #minId (): string {
    return leastIdAt(this.#now() - this.#bounds.maxAge)
  }

  /** Cuts the largest streams to a common size; smaller ones keep all of their records. */
  #shrink (): void {
    const streams = [...this.#streams.all()]
    const level = waterLevel(streams.map(({ bytes }) => bytes), this.#bounds.maxTotalBytes * KEPT_OF_TOTAL)
    const larger = streams.filter(({ bytes }) => bytes > level)
    const several = larger.filter(({ count }) => count > 1)
    for (const stream of several) {
      stream.share = level
      this.#shrinking.add(stream)
      this.#due.add(stream)
    }
    if (several.length === 0) this.#dropSingle(larger)
  }

  /** Drops streams with a single event, the oldest first, until all streams together are within their limit. */
  #dropSingle (streams: readonly Stream[]): void {
    const { maxTotalBytes } = this.#bounds
    const single = streams
      .map(stream => ({ stream, id: this.#newestOf(stream) }))
      .filter(({ id }) => id !== '')
      .sort((a, b) => a.id < b.id ? -1 : 1)
    let { bytes } = this.#streams
    for (const { stream, id } of single) {
      // The newest event of all is dropped only if it alone exceeds the limit.
      if (bytes <= maxTotalBytes * (stream === single.at(-1)?.stream ? 1 : KEPT_OF_TOTAL)) return
      bytes -= stream.bytes
      stream.floor = id
      this.#shrinking.add(stream)
      this.#due.add(stream)
    }
  }

  /** The id of a stream's newest event; '' if the stream cannot be read. */
  #newestOf ({ newest, prefix, number, name }: Stream): string {
    if (newest !== '') return newest
    try {
      const [key] = this.#sizes.getKeys({ start: prefixOf(number + 1), end: prefix, reverse: true, limit: 1 })
      return key === undefined ? '' : idOf(key)
    } catch (error) {
      this.#logger.error({ err: error, stream: name }, UNREADABLE)
      return ''
    }
  }
}
