import type { FastifyBaseLogger } from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EventLog, Retention, StreamName } from '../log/event-log.js'
import type { Channel } from './channel.js'
import type { Delivery } from './delivery.js'
import type { Subscriber } from './subscriber.js'

/** Between two looks for who has had nothing, in ms. */
const MAX_PERIOD = 30_000
/** Timers of Node are no finer, in ms. */
const MIN_PERIOD = 1
/** What is remembered must not be used up by more than this while a client hears nothing. */
const SHARE = 1 / 4
/** Clients that are told in one turn of the event loop. */
const CLIENTS_A_TURN = 500

/** Tells a client up to where it has everything that is meant for it. */
export type TellPosition = (subscriber: Subscriber, lastEventId: string) => void

interface Parts {
  readonly log: EventLog
  readonly delivery: Delivery
  readonly retention: Retention
  readonly tell: TellPosition
  readonly logger: FastifyBaseLogger
}

/**
 * Tells clients that have had no event for a while where they stand, so that what they remember does not grow old
 * because nothing was for them: neither by time nor, in a busy stream, by number.
 */
export class Positions {
  readonly #parts: Parts
  readonly #timer: NodeJS.Timeout
  readonly #maxEvents: number
  readonly #maxBytes: number
  // Channels whose clients are being told
  readonly #telling = new Set<Channel>()

  constructor (parts: Parts) {
    const { maxAge, maxEvents, maxBytes } = parts.retention
    this.#parts = parts
    this.#maxEvents = maxEvents * SHARE
    this.#maxBytes = maxBytes * SHARE
    this.#timer = setInterval(() => { void this.#tellAll() }, Math.max(MIN_PERIOD, Math.min(maxAge * SHARE, MAX_PERIOD))).unref()
  }

  async #tellAll (): Promise<void> {
    for (const [stream, channel] of [...this.#parts.delivery.channels()]) await this.#tell(stream, channel)
  }

  /** To be told of every event of a channel's stream. */
  passed (stream: StreamName, channel: Channel, bytes: number): void {
    channel.passedEvents++
    channel.passedBytes += bytes
    if (channel.passedEvents > this.#maxEvents || channel.passedBytes > this.#maxBytes) void this.#tell(stream, channel)
  }

  async #tell (stream: StreamName, channel: Channel): Promise<void> {
    if (this.#telling.has(channel)) return
    this.#telling.add(channel)
    channel.passedEvents = 0
    channel.passedBytes = 0
    const quiet = [...channel.unheard()]
    try {
      // Not at once: we may be in the middle of the event that made it many.
      for (let at = 0; at < quiet.length; at += CLIENTS_A_TURN) {
        await nextTurn()
        this.#tellSome(stream, channel, quiet.slice(at, at + CLIENTS_A_TURN))
      }
    } catch (err) {
      this.#parts.logger.error({ err }, 'clients could not be told where they stand')
    } finally {
      this.#telling.delete(channel)
    }
  }

  #tellSome (stream: StreamName, channel: Channel, subscribers: readonly Subscriber[]): void {
    const { delivery, log, tell } = this.#parts
    // First, because a listener of the host's may emit while what waits is flushed.
    const lastEventId = log.head(stream)
    delivery.flush(channel)
    for (const subscriber of subscribers) {
      if (channel.has(subscriber)) tell(subscriber, lastEventId)
    }
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
