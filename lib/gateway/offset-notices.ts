import type { FastifyBaseLogger } from 'fastify'
import { setImmediate as nextTick } from 'node:timers/promises'
import { type EventLog, type LogEntry, type Retention, sizeOf } from '../log/event-log.js'
import type { Channel } from './channel.js'
import type { Delivery } from './delivery.js'
import type { Notices } from './notices.js'
import type { LiveSession } from './session.js'
import type { Subscription, Subscriptions } from './subscriptions.js'

/** Maximum time between two rounds of notices, in ms. */
const MAX_PERIOD = 30_000
/** Minimum time between two rounds, in ms: Node timers have no finer resolution. */
const MIN_PERIOD = 1
/** Share of the retention after which a client without events gets a notice. */
const SHARE = 1 / 4
/** Number of clients that are notified in one tick of the event loop. */
const CLIENTS_A_TICK = 500

interface Parts {
  readonly log: EventLog
  readonly subscriptions: Subscriptions
  readonly delivery: Delivery
  readonly notices: Notices
  readonly retention: Retention
  readonly logger: FastifyBaseLogger
}

/**
 * Sends `ws.position` to clients that had no event for a while. Otherwise their last id would become older than the
 * history, by time or by number of events, and lead to a false gap at the next reconnect.
 */
export class OffsetNotices {
  readonly #parts: Parts
  readonly #timer: NodeJS.Timeout
  readonly #maxEvents: number
  readonly #maxBytes: number
  // Channels whose clients are being notified
  readonly #busy = new Set<Channel>()

  constructor (parts: Parts) {
    const { maxAge, maxEvents, maxBytes } = parts.retention
    this.#parts = parts
    this.#maxEvents = maxEvents * SHARE
    this.#maxBytes = maxBytes * SHARE
    const period = Math.max(MIN_PERIOD, Math.min(maxAge * SHARE, MAX_PERIOD))
    this.#timer = setInterval(() => { void this.#notifyAll() }, period).unref()
    parts.subscriptions.on('event', (subscription, entry) => { this.#passed(subscription, entry) })
  }

  async #notifyAll (): Promise<void> {
    for (const subscription of [...this.#parts.subscriptions.all()]) await this.#notify(subscription)
  }

  #passed (subscription: Subscription, entry: LogEntry): void {
    const { channel } = subscription
    channel.passedEvents++
    channel.passedBytes += sizeOf(entry)
    if (channel.passedEvents > this.#maxEvents || channel.passedBytes > this.#maxBytes) void this.#notify(subscription)
  }

  async #notify (subscription: Subscription): Promise<void> {
    const { channel } = subscription
    if (this.#busy.has(channel)) return
    this.#busy.add(channel)
    channel.passedEvents = 0
    channel.passedBytes = 0
    const quiet = [...channel.takeQuiet()]
    try {
      // Start in a later tick: this call may happen while an event is being published.
      for (let at = 0; at < quiet.length; at += CLIENTS_A_TICK) {
        await nextTick()
        this.#notifySome(subscription, quiet.slice(at, at + CLIENTS_A_TICK))
      }
    } catch (err) {
      this.#parts.logger.error({ err }, 'offset notices (ws.position) could not be sent')
    } finally {
      this.#busy.delete(channel)
    }
  }

  #notifySome ({ stream, channel }: Subscription, sessions: readonly LiveSession[]): void {
    const { delivery, log, notices } = this.#parts
    // Read the id before flushing, because a listener of the application may emit during the flush.
    const lastEventId = log.head(stream)
    delivery.flush(channel)
    for (const session of sessions) {
      if (channel.has(session)) notices.position(session, lastEventId)
    }
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
