import { limitReached } from './limits.js'

const SECOND = 1000
/** Number of keys from which accounts with nothing owed are removed. */
const MANY_KEYS = 1000

interface Account {
  /** Events that still count against the limit. */
  readonly owed: number
  /** When `owed` was calculated, by the clock `now`. */
  readonly at: number
}

/**
 * Counts events by key for `limits.publishPerSecond`. The number of events in a request is known only after its body is
 * read. So a request is accepted while its key is below the limit, and events above the limit delay the next request.
 */
export class PublishRate {
  readonly #limit: number
  readonly #now: () => number
  // Map(key -> the events that still count against its limit)
  readonly #accounts = new Map<string, Account>()

  /** @param limit events in a second; 0 is no limit */
  constructor (limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit
    this.#now = now
  }

  /**
   * Counts a request as one event.
   *
   * @throws LIMIT_REACHED
   */
  take (key: string): void {
    if (this.#limit === 0) return
    const over = this.#owed(key) + 1 - this.#limit
    if (over > 0) throw limitReached('publishPerSecond', Math.ceil(over / this.#limit))
    this.add(key, 1)
  }

  /** Counts the further events of an accepted request. */
  add (key: string, events: number): void {
    if (this.#limit === 0) return
    if (this.#accounts.size >= MANY_KEYS) this.#dropIdle()
    this.#accounts.set(key, { owed: this.#owed(key) + events, at: this.#now() })
  }

  #owed (key: string): number {
    const account = this.#accounts.get(key)
    if (account === undefined) return 0
    return Math.max(0, account.owed - (this.#now() - account.at) * this.#limit / SECOND)
  }

  #dropIdle (): void {
    for (const key of this.#accounts.keys()) if (this.#owed(key) === 0) this.#accounts.delete(key)
  }
}
