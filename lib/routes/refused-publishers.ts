import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { countedAs } from '../access/addresses.js'
import { CODE_PREFIX, errorName } from '../errors.js'

const MINUTE = 60_000
/** Addresses that are logged within a minute: somebody with many of them must not flood the log. */
const MAX_ADDRESSES = 1000

/**
 * Logs publishers and webhooks whose key is refused: once a minute for an address, and never with the key. Evolution
 * gives up after 401 and 403, and the programs that publish may log nothing.
 */
export class RefusedPublishers {
  readonly #log: FastifyBaseLogger
  readonly #now: () => number
  /** Logged since #minute began. */
  readonly #addresses = new Set<string>()
  #minute = 0

  constructor (log: FastifyBaseLogger, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /**
   * Logs a refusal, if it is one of a key.
   *
   * @param instance that it is for; `null`: not known
   */
  add (error: unknown, { routeOptions }: FastifyRequest, instance: string | null, address: string | null): void {
    const name = errorName(error)
    if ((name !== 'UNAUTHORIZED' && name !== 'FORBIDDEN') || !this.#isNew(address)) return
    this.#log.warn(
      { code: `${CODE_PREFIX}${name}`, route: routeOptions.url, instance, address },
      'publishing refused: no key came, or the key may not publish'
    )
  }

  #isNew (address: string | null): boolean {
    const now = this.#now()
    if (now - this.#minute >= MINUTE) {
      this.#minute = now
      this.#addresses.clear()
    }
    const key = address === null ? '' : countedAs(address)
    if (this.#addresses.has(key) || this.#addresses.size >= MAX_ADDRESSES) return false
    this.#addresses.add(key)
    return true
  }
}
