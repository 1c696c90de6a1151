import type { StoreLogger } from '../store.js'
import { isPassing } from './faults.js'
import type { Following } from './following.js'
import type { Link } from './link.js'
import { idAt } from './position.js'
import type { Subscriber } from './subscriber.js'

/** Between two beats, in ms. */
const PERIOD = 1000
/** After so long without an echo the subscriber's connection counts as dead, in ms. */
const MAX_UNHEARD = 15_000

interface Parts {
  readonly link: Link
  readonly subscriber: Subscriber
  readonly following: Following
  /** Where this node hears itself. */
  readonly channel: string
  readonly logger: StoreLogger
}

/**
 * Asks Redis once a second whether all is well: whether the log is the one that is known, and whether what is published
 * arrives. An *echo* that arrives says that everything has arrived that was published before it.
 */
export class Pulse {
  readonly #parts: Parts
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #heard = 0
  #heardAt = performance.now()
  #waiters: Array<{ readonly number: number, readonly resolve: () => void }> = []
  #isBeating = false
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
    this.#timer = setInterval(() => { void this.#tick() }, PERIOD).unref()
  }

  async #tick (): Promise<void> {
    const { link, following, logger } = this.#parts
    this.#checkDead()
    following.unfollowIdle()
    if (this.#isBeating || link.life === null) return
    this.#isBeating = true
    try {
      await this.#send()
      await following.look()
    } catch (error) {
      if (!isPassing(error) && link.isUp) logger.error({ err: error }, 'Redis could not be asked how it is')
    } finally {
      this.#isBeating = false
    }
  }

  /** Nothing that may wait for an answer stands before it. */
  #checkDead (): void {
    const { link, subscriber } = this.#parts
    link.checkDead()
    if (this.#sent === this.#heard) this.#heardAt = performance.now()
    if (performance.now() - this.#heardAt < MAX_UNHEARD) return
    this.#heardAt = performance.now()
    subscriber.reconnect()
  }

  async #send (): Promise<number> {
    const number = ++this.#sent
    await this.#parts.link.beat(this.#parts.channel, String(number))
    return number
  }

  /** An echo has arrived. */
  heard (message: string): void {
    const [number = '', epoch = '', life = '', last = ''] = message.split(' ')
    this.#heard = Math.max(this.#heard, Number(number))
    this.#heardAt = performance.now()
    if (this.#parts.link.isCurrent(epoch, life)) this.#parts.following.passed(idAt(last, epoch))
    const waiters = this.#waiters
    this.#waiters = waiters.filter(waiter => waiter.number > this.#heard)
    for (const waiter of waiters) if (waiter.number <= this.#heard) waiter.resolve()
  }

  /**
   * Resolves when everything that was published before has arrived, or will not any more because the store is closed.
   */
  async arrived (): Promise<void> {
    while (!this.#isClosed) {
      try {
        const number = await this.#send()
        if (number > this.#heard) await new Promise<void>(resolve => { this.#waiters.push({ number, resolve }) })
        return
      } catch (error) {
        if (!isPassing(error)) throw error
        await this.#parts.link.joined().catch(() => { this.#isClosed = true })
      }
    }
  }

  /** Nobody waits any more. */
  close (): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }
}
