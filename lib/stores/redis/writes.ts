import type { StoreLogger } from '../store.js'
import { isPassing, isWriteRefusal } from './faults.js'

/**
 * Whether Redis takes writes, by what it has answered to the newest one. It may refuse them and go on reading: with too
 * few replicas (`min-replicas-to-write`), without memory, after a snapshot that failed, or as a replica.
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

  /** Redis has written something. */
  accepted (): void {
    if (this.#isRefused) this.#logger.warn({}, 'Redis takes writes again')
    this.#isRefused = false
  }

  /** A write has failed. If that was refused, it is logged, once until Redis writes again. */
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
