import { type FrameBatch, isLarge } from './batch.js'

/** A client counts as reading if at least this many of its queued bytes leave the process... */
const MIN_READ = 64 * 1024
/** ...within this time, in ms. */
const READ_WITHIN = 10_000

/** A large message that was written to the connection. */
interface Large {
  readonly size: number
  /** Bytes written to the connection so far, including this message. */
  readonly end: number
}

/** Large messages that are still queued for a client, at least in part. */
export interface LargeWaiting {
  readonly count: number
  readonly bytes: number
}

export const NO_LARGE: LargeWaiting = { count: 0, bytes: 0 }

/** The queue of one connection. It exists only while bytes are queued, so few connections have one. */
export class Backlog {
  /** Queued bytes at the last check. */
  bytes = 0
  /** Whether some of the bytes are for this connection only: a page, an acknowledgement, a refusal. */
  isOwn = false
  /** The batch that was replayed last. Other connections may have the same bytes in their queues. */
  replay: FrameBatch | null = null
  /** When the client was last seen to have read something, by `performance.now()`. */
  movedAt: number
  #taken: number | null
  /** The current time window in which the client must read enough: its start, and the bytes read until then. */
  #window: { readonly from: number, readonly taken: number } | null = null
  /** Bytes that were written to the connection while this queue exists. */
  #written = 0
  // Large messages in the queue, the oldest first.
  #large: Large[] = []

  constructor (now: number, taken: number | null) {
    this.movedAt = now
    this.#taken = taken
  }

  /** Records a batch that was written to the connection. */
  wrote (batch: FrameBatch): void {
    for (const { size, end } of batch.large) this.#large.push({ size, end: this.#written + end })
    this.#written += batch.size
  }

  /** Records one written message of `size` bytes. */
  wroteOne (size: number): void {
    this.#written += size
    if (isLarge(size)) this.#large.push({ size, end: this.#written })
  }

  /**
   * Large messages that are still queued. Bytes that others wrote to the connection count as queued before them.
   *
   * @param queued bytes in the queue
   */
  large (queued: number): LargeWaiting {
    const left = this.#written - queued
    const gone = this.#large.findIndex(({ end }) => end > left)
    this.#large = gone === -1 ? [] : this.#large.slice(gone)
    const bytes = this.#large.reduce((sum, { size, end }) => sum + Math.min(size, end - left), 0)
    return { count: this.#large.length, bytes }
  }

  /** Records how many bytes the client has read so far. */
  see (now: number, taken: number | null): void {
    if (taken === null || taken === this.#taken) return
    this.#taken = taken
    this.movedAt = now
  }

  /** Whether the client reads at least 64 KiB in ten seconds. @param taken bytes that the kernel has accepted so far */
  keepsReading (now: number, taken: number): boolean {
    this.#window ??= { from: now, taken }
    const read = taken - this.#window.taken
    // A negative count means that the connection has changed its transport.
    if (read >= MIN_READ || read < 0) this.#window = { from: now, taken }
    return now - this.#window.from <= READ_WITHIN
  }
}
