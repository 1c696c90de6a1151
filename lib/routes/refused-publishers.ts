import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { countedAs } from '../access/addresses.js'
import { CODE_PREFIX, errorName } from '../errors.js'

const MINUTE = 60_000
/** Maximum number of addresses that are logged in a minute, so that many addresses do not flood the log. */
const MAX_ADDRESSES = 1000

/**
 * Logs publishers and webhooks with a refused key: once a minute for each address, and never the key. Evolution gives
 * up after 401 and 403, and a publishing program may log nothing itself.
 */
export class RefusedPublishers {
  readonly #log: FastifyBaseLogger
  readonly #now: () => number
  /** Addresses that were logged since #minute began. */
  readonly #addresses = new Set<string>()
  #minute = 0

  constructor (log: FastifyBaseLogger, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /**
   * Logs a refusal if the key is the reason.
   *
   * @param instance the instance to publish for; `null`: not known
   */
  add (error: unknown, { routeOptions }: FastifyRequest, instance: string | null, address: string | null): void {
    const name = errorName(error)
    if ((name !== 'UNAUTHORIZED' && name !== 'FORBIDDEN') || !this.#isNew(address)) return
    this.#log.warn(
      { code: `${CODE_PREFIX}${name}`, route: routeOptions.url, instance, address },
      'publishing refused: there is no key, or the key may not publish'
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
