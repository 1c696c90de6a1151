import { countedAs } from '../access/addresses.js'
import { type LimitName, limitReached } from './limits.js'

const LIMIT: LimitName = 'refusalsPerMinute'
const MINUTE = 60_000
/** Maximum number of addresses that are counted in a minute. It bounds memory to some MB. */
const MAX_ADDRESSES = 100_000

/** All clients without an address (on a Unix socket) share one count. */
const keyOf = (address: string | null): string => address === null ? '' : countedAs(address)

/** Counts refusals by address for `limits.refusalsPerMinute`, for sockets, streams, pages, routes and the monitor. */
export class RefusedAddresses {
  readonly #limit: number
  readonly #now: () => number
  // Map(address -> refusals since #minute began)
  readonly #refusals = new Map<string, number>()
  #minute = 0

  /** @param limit refusals in a minute; 0 is no limit */
  constructor (limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit
    this.#now = now
  }

  /** Counts a refusal. */
  add (address: string | null): void {
    if (this.#limit === 0) return
    this.#turnMinute()
    const refusals = this.#refusals
    // Evict only the oldest address. If all were evicted, an attacker with many addresses could unlock the blocked
    // ones.
    const key = keyOf(address)
    if (refusals.size >= MAX_ADDRESSES && !refusals.has(key)) {
      const [oldest = ''] = refusals.keys()
      refusals.delete(oldest)
    }
    refusals.set(key, (refusals.get(key) ?? 0) + 1)
  }

  /**
   * Refuses an address that has reached the limit in this minute.
   *
   * @throws LIMIT_REACHED
   */
  check (address: string | null): void {
    if (this.#limit === 0) return
    this.#turnMinute()
    if ((this.#refusals.get(keyOf(address)) ?? 0) < this.#limit) return
    const left = this.#minute + MINUTE - this.#now()
    // At most a minute, even if the clock has been set back.
    throw limitReached(LIMIT, Math.ceil(Math.min(Math.max(left, 1000), MINUTE) / 1000))
  }

  #turnMinute (): void {
    const now = this.#now()
    if (now - this.#minute < MINUTE) return
    this.#minute = now
    this.#refusals.clear()
  }
}
