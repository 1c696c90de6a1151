import type { StoreLogger } from '../store.js'
import { isPassing, isWriteRefusal } from './faults.js'
import type { StreamSubscriptions } from './stream-subscriptions.js'
import type { RedisConnection } from './connection.js'
import { idAt } from './position.js'
import type { Producer } from './producer.js'
import type { Subscriber } from './subscriber.js'
import type { Writes } from './writes.js'

/** Between two heartbeats, in ms. */
const PERIOD = 1000
/** After so long without an echo the subscriber's connection counts as dead, in ms. */
const MAX_SILENCE = 15_000

interface Parts {
  readonly connection: RedisConnection
  readonly subscriber: Subscriber
  readonly subscriptions: StreamSubscriptions
  readonly producer: Pick<Producer, 'count'>
  readonly writes: Writes
  /** Where this node gets its own echoes. */
  readonly channel: string
  readonly logger: StoreLogger
}

/**
 * Checks once a second that the log is the one that is known, and that publications arrive: each heartbeat has Redis
 * publish an *echo*. An echo that arrives proves that everything published before it has arrived. The promise that
 * needs it: no event is missed in silence, also where a connection is dead without a word, or a publication is lost.
 */
export class Heartbeat {
  readonly #parts: Parts
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #received = 0
  #receivedAt = performance.now()
  #waiters: Array<{ readonly number: number, readonly resolve: () => void }> = []
  #isRunning = false
  #isClosed = false

  constructor (parts: Parts) {
    this.#parts = parts
    this.#timer = setInterval(() => { void this.#tick() }, PERIOD).unref()
  }

  async #tick (): Promise<void> {
    const { connection, subscriptions, logger } = this.#parts
    this.#checkDead()
    subscriptions.closeIdle()
    if (this.#isRunning || connection.incarnation === null) return
    this.#isRunning = true
    try {
      await this.#send()
      await this.#probeWrites()
      await subscriptions.checkForMissed()
    } catch (error) {
      if (!isPassing(error) && connection.isUp) {
        logger.error({ err: error }, 'the heartbeat of Redis has failed: lost publications are found later')
      }
    } finally {
      this.#isRunning = false
    }
  }

  /** Called before anything that waits for an answer of Redis, since such a wait may not end. */
  #checkDead (): void {
    const { connection, subscriber } = this.#parts
    connection.checkDead()
    if (this.#sent === this.#received) this.#receivedAt = performance.now()
    if (performance.now() - this.#receivedAt < MAX_SILENCE) return
    this.#receivedAt = performance.now()
    subscriber.reconnect()
  }

  /** The producer tries events that wait. Where none do, nothing else would find that Redis writes again. */
  async #probeWrites (): Promise<void> {
    const { connection, producer, writes } = this.#parts
    if (!writes.isRefused || producer.count > 0) return
    try {
      await connection.probeWrites()
      writes.accepted()
    } catch (error) {
      if (!isWriteRefusal(error)) throw error
    }
  }

  async #send (): Promise<number> {
    const number = ++this.#sent
    await this.#parts.connection.heartbeat(this.#parts.channel, String(number))
    return number
  }

  /** An echo has arrived: everything published before it has, too. */
  echoReceived (message: string): void {
    const [number = '', epoch = '', incarnation = '', last = ''] = message.split(' ')
    this.#received = Math.max(this.#received, Number(number))
    this.#receivedAt = performance.now()
    const { connection, subscriptions } = this.#parts
    if (connection.isCurrent(epoch, incarnation)) subscriptions.advanceWatermark(idAt(last, epoch))
    const waiters = this.#waiters
    this.#waiters = waiters.filter(waiter => waiter.number > this.#received)
    for (const waiter of waiters) if (waiter.number <= this.#received) waiter.resolve()
  }

  /**
   * Resolves when everything that was published before has been received, or when the store is closed.
   */
  async allReceived (): Promise<void> {
    while (!this.#isClosed) {
      try {
        const number = await this.#send()
        if (number > this.#received) await new Promise<void>(resolve => { this.#waiters.push({ number, resolve }) })
        return
      } catch (error) {
        if (!isPassing(error)) throw error
        await this.#parts.connection.attached().catch(() => { this.#isClosed = true })
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
