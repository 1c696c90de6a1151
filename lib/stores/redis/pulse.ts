import type { StoreLogger } from '../store.js'
import { isPassing } from './faults.js'
import type { Following } from './following.js'
import type { Link } from './link.js'
import { idAt } from './position.js'
import type { Subscriber } from './subscriber.js'

/** Between two beats, in ms. */
const PERIOD = 1000
/** Beats without an echo after which the subscriber's connection counts as dead. */
const MAX_UNHEARD = 15

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
  #waiters: Array<{ readonly number: number, readonly resolve: () => void }> = []
  #isBeating = false
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
    this.#timer = setInterval(() => { void this.#tick() }, PERIOD).unref()
  }

  async #tick (): Promise<void> {
    const { link, following, logger, subscriber } = this.#parts
    if (this.#isBeating) return
    this.#isBeating = true
    try {
      await following.unfollowIdle()
      if (link.life === null) return
      if (this.#sent - this.#heard > MAX_UNHEARD) {
        this.#heard = this.#sent
        subscriber.reconnect()
      }
      await this.#send()
      await following.look()
    } catch (error) {
      if (!isPassing(error) && link.isUp) logger.error({ err: error }, 'Redis could not be asked how it is')
    } finally {
      this.#isBeating = false
    }
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
    if (this.#parts.link.isCurrent(epoch, life)) this.#parts.following.passed(idAt(last, epoch))
    const waiters = this.#waiters
    this.#waiters = waiters.filter(waiter => waiter.number > this.#heard)
    for (const waiter of waiters) if (waiter.number <= this.#heard) waiter.resolve()
  }

  /** Resolves when everything that was published before has arrived, or will not any more because the store is closed. */
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
