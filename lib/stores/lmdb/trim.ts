import type { Database } from 'lmdb'
import type { Retention } from '../../log/event-log.js'
import { leastIdAt } from '../../log/ids.js'
import { waterLevel } from '../../log/water-level.js'
import type { StoreLogger } from '../store.js'
import { idOf, prefixOf } from './codec.js'
import type { Stream, Streams } from './streams.js'

/** How much of what all may have is kept when it was too much. Trimming to the brim would begin again at once. */
const KEPT_OF_TOTAL = 0.9
/** Records and bytes that are dropped in a step, beside twice as many as came: so it ends, however many come. */
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

/** What one step of trimming drops. */
export interface Step {
  /** Of records. */
  readonly keys: readonly string[]
  readonly streams: ReadonlySet<Stream>
  /** Streams that are within their bounds after it. */
  readonly finished: readonly Stream[]
  /** Streams that have had no record for longer than `maxAge`, and are to be forgotten. */
  readonly empty: readonly Stream[]
}

/**
 * Decides which records are dropped. Nothing is written here: a step goes into the next commit, so that records, counts
 * and floors change together.
 */
export class Trimmer {
  readonly #sizes: Database<number, string>
  readonly #streams: Streams
  readonly #bounds: Bounds
  readonly #now: () => number
  readonly #logger: StoreLogger
  // Streams that have more than they may, those that waited longest first.
  readonly #due = new Set<Stream>()
  // Streams without records that may be forgotten.
  #empty: Stream[] = []
  // Streams that must shrink because all have too much together.
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

  /**
   * How often records that are too old should be looked for, in ms: a tenth of their time,
   * once a second to once a minute.
   */
  get sweepEvery (): number {
    return Math.min(Math.max(this.#bounds.maxAge / 10, 1000), 60_000)
  }

  get isDue (): boolean {
    return this.#due.size > 0 || this.#empty.length > 0
  }

  /** Looks at streams that have grown. */
  check (streams: Iterable<Stream>): void {
    const { maxEvents, maxBytes, maxTotalBytes } = this.#bounds
    for (const stream of streams) {
      if (stream.count > maxEvents || (stream.count > 1 && stream.bytes > maxBytes)) this.#due.add(stream)
    }
    if (this.#streams.bytes > maxTotalBytes && this.#shrinking.size === 0) this.#shrink()
  }

  /** Looks at all streams, for records that are too old, and for those under a floor that were not dropped yet. */
  sweep (): void {
    const eldest = this.#eldest()
    const empty: Stream[] = []
    for (const stream of this.#streams.all()) {
      if (stream.count === 0 && stream.floor < eldest) empty.push(stream)
      if (stream.count > 0 && (stream.oldest < eldest || stream.oldest <= stream.floor)) this.#due.add(stream)
    }
    const many = empty.length - MAX_EMPTY
    this.#empty = many > 0 ? empty.sort((a, b) => a.floor < b.floor ? -1 : 1).slice(0, many) : []
    this.check(this.#streams.all())
  }

  /** Says that a stream has records up to its floor, which nobody can read any more. */
  floorRaised (stream: Stream): void {
    this.#due.add(stream)
  }

  /**
   * Chooses what to drop next, and takes it out of the counts. Floors are raised here and not when it is written: a
   * read between may find the records gone already, and must not take what is left for all.
   *
   * @param added what comes in the same transaction: records and bytes, in all streams
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
      // A look-up costs about as much as a record, and thousands of streams may have one record to drop.
      room -= step.keys.length - before.keys + 1
      bytes -= before.bytes - stream.bytes
      if (room <= 0 || bytes <= 0) break
    }
    for (const stream of unfinished) this.#due.add(stream)
    return step
  }

  /** Says that a step is written. */
  done ({ finished }: Step): void {
    for (const stream of finished) {
      this.#shrinking.delete(stream)
      stream.share = Infinity
    }
  }

  /** Gives up until the next check: what could not be written now would not be in the next moment either. */
  fail (): void {
    this.#due.clear()
    this.#empty = []
    for (const stream of this.#shrinking) stream.share = Infinity
    this.#shrinking.clear()
  }

  /** A stream that cannot be read is left as it is: the events that come must not fail for that. */
  #tryToTrim (stream: Stream, room: number, bytes: number, keys: string[]): boolean {
    try {
      return this.#trim(stream, room, bytes, keys)
    } catch (error) {
      this.#logger.error({ err: error, stream: stream.name }, UNREADABLE)
      return true
    }
  }

  /** @returns whether the stream is within its bounds then */
  #trim (stream: Stream, room: number, bytes: number, keys: string[]): boolean {
    const eldest = this.#eldest()
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
    // The newest event is kept, however large it is.
    return count > maxEvents || (count > 1 && bytes > Math.min(maxBytes, share)) || oldest < eldest || oldest <= floor
  }

  /** The least id that is not too old. */
  #eldest (): string {
    return leastIdAt(this.#now() - this.#bounds.maxAge)
  }

  /** Lets each stream keep as much as a level that all can have, so that only those pay who have more than that. */
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

  /** Drops the only event of streams, the oldest first, until all streams together have no more than they may. */
  #dropSingle (streams: readonly Stream[]): void {
    const { maxTotalBytes } = this.#bounds
    const single = streams
      .map(stream => ({ stream, id: this.#newestOf(stream) }))
      .filter(({ id }) => id !== '')
      .sort((a, b) => a.id < b.id ? -1 : 1)
    let { bytes } = this.#streams
    for (const { stream, id } of single) {
      // The newest of all goes only if it does not fit alone.
      if (bytes <= maxTotalBytes * (stream === single.at(-1)?.stream ? 1 : KEPT_OF_TOTAL)) return
      bytes -= stream.bytes
      stream.floor = id
      this.#shrinking.add(stream)
      this.#due.add(stream)
    }
  }

  /** The id of a stream's newest event; '' if it cannot be read. */
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
