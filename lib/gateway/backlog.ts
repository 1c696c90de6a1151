import { type FrameBatch, isLarge } from './batch.js'

/** A client keeps reading while so many bytes of what waits for it leave the process... */
const MIN_READ = 64 * 1024
/** ...in this time, in ms. */
const READ_WITHIN = 10_000

/** A large message that was written to a connection. */
interface Large {
  readonly size: number
  /** Bytes written to the connection up to its end. */
  readonly end: number
}

/** Large messages that wait for a client, as far as they have not left. */
export interface LargeWaiting {
  readonly count: number
  readonly bytes: number
}

export const NO_LARGE: LargeWaiting = { count: 0, bytes: 0 }

/** What waits for one connection, from when something does until nothing does. Few connections have one. */
export class Backlog {
  /** Bytes, when it was looked at last. */
  bytes = 0
  /** Whether some of it is for this connection alone: a page, an acknowledgement, a refusal. */
  isOwn = false
  /** What was replayed last. Other connections may wait for the same bytes. */
  replay: FrameBatch | null = null
  /** When it was last seen that the client had taken something, by `performance.now()`. */
  movedAt: number
  #taken: number | null
  /** The time in which the client has to read enough, from a moment and from what it had taken then. */
  #window: { readonly from: number, readonly taken: number } | null = null
  /** Bytes that were written while it lasts. */
  #written = 0
  // Oldest first.
  #large: Large[] = []

  constructor (now: number, taken: number | null) {
    this.movedAt = now
    this.#taken = taken
  }

  /** Notes what was written to the connection. */
  wrote (batch: FrameBatch): void {
    for (const { size, end } of batch.large) this.#large.push({ size, end: this.#written + end })
    this.#written += batch.size
  }

  /** Notes one message, in bytes. */
  wroteOne (size: number): void {
    this.#written += size
    if (isLarge(size)) this.#large.push({ size, end: this.#written })
  }

  /**
   * Large messages that have not left. What others wrote to the connection counts as if it waited before them.
   *
   * @param queued bytes that wait
   */
  large (queued: number): LargeWaiting {
    const left = this.#written - queued
    const gone = this.#large.findIndex(({ end }) => end > left)
    this.#large = gone === -1 ? [] : this.#large.slice(gone)
    const bytes = this.#large.reduce((sum, { size, end }) => sum + Math.min(size, end - left), 0)
    return { count: this.#large.length, bytes }
  }

  /** Notes what the client has taken by now, in bytes. */
  see (now: number, taken: number | null): void {
    if (taken === null || taken === this.#taken) return
    this.#taken = taken
    this.movedAt = now
  }

  /** Whether the client reads at least 64 KiB in ten seconds. @param taken bytes that the kernel has taken until now */
  keepsReading (now: number, taken: number): boolean {
    this.#window ??= { from: now, taken }
    const read = taken - this.#window.taken
    // It is less than before when the connection has another transport now.
    if (read >= MIN_READ || read < 0) this.#window = { from: now, taken }
    return now - this.#window.from <= READ_WITHIN
  }
}
