import type { StoreLogger } from '../store.js'
import { isPassing, isWriteRefusal } from './faults.js'

/**
 * Whether Redis accepts writes, according to its answer to the newest write. Redis may refuse writes and still answer
 * reads: with too few replicas (`min-replicas-to-write`), without memory, after a failed snapshot, or as a replica.
 */
export class Writes {
  readonly #logger: StoreLogger
  #isRefused = false

  constructor (logger: StoreLogger) {
    this.#logger = logger
  }

  get isRefused (): boolean {
    return this.#isRefused
  }

  /** Redis has accepted a write. */
  accepted (): void {
    if (this.#isRefused) this.#logger.warn({}, 'Redis takes writes again')
    this.#isRefused = false
  }

  /** A write has failed. A refusal is logged once, until Redis accepts a write again. */
  failed (error: unknown): void {
    if (this.#isRefused || !isWriteRefusal(error)) return
    this.#isRefused = true
    const events = isPassing(error)
      ? 'events wait, up to limits.pendingEvents and limits.pendingBytes'
      : 'emit rejects with STORE_UNAVAILABLE'
    this.#logger.error(
      { err: error },
      `Redis refuses writes: ${events}, until it takes them again. Clients stay connected`
    )
  }
}
