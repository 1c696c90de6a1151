import type { Catalogue } from '../events/catalogue.js'
import type { LogEntry } from '../log/event-log.js'
import type { Traffic } from '../metrics/traffic.js'
import { Event, type EventBatch } from './batch.js'
import type { Channel } from './channel.js'
import type { Filter } from './filter.js'
import type { GapNotices } from './gap-notices.js'
import type { LiveSession } from './session.js'
import { Subscription, type Subscriptions } from './subscriptions.js'
import type { Writer } from './writer.js'

/** A batch is not let grow beyond this, in bytes, whatever is published in one tick of the event loop. */
const MAX_BATCH = 256 * 1024

/** The longest that an event waits so as to be written with others, in ms. */
const MAX_PAUSE = 4
/** Timers of Node are no finer, in ms. */
const MIN_PAUSE = 1

interface Parts {
  readonly subscriptions: Subscriptions
  readonly catalogue: Catalogue
  readonly writer: Writer
  readonly gaps: GapNotices
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
}

/** The channel of a session that holds a lease. */
function channelOf ({ subscription }: LiveSession): Channel | undefined {
  return subscription instanceof Subscription ? subscription.channel : undefined
}

/**
 * Delivers published events to live sessions, to each client once in a tick of the event loop.
 *
 * Under load, ticks are drawn together: after writing to many clients, it lets as much time pass as that took, so that
 * at least half of the event loop is left to all else, and more events share a write the more there are. Nothing
 * waits while there is little to do.
 *
 * Whatever changes who gets what (a join, a leave, a new filter) first has what waits flushed: it was published before.
 */
export class Delivery {
  readonly #parts: Parts
  #due: Channel[] = []
  /** Not to write before, by `performance.now()`. */
  #pauseUntil = 0
  /** The event that was published last: to the root, and to its instance. */
  #latest: Event | undefined

  constructor (parts: Parts) {
    this.#parts = parts
    parts.subscriptions.on('event', (subscription, entry) => { this.#publish(subscription, entry) })
    parts.subscriptions.on('gap', ({ channel }, head) => {
      this.flush(channel)
      // Sessions that are recovering see it at their next read.
      parts.gaps.begin(channel, head)
    })
  }

  /** Delivers to a session all that is published from now on. It must hold a lease of its stream. */
  join (session: LiveSession): void {
    const channel = channelOf(session)
    if (channel === undefined) return
    this.flush(channel)
    channel.join(session)
  }

  leave (session: LiveSession): void {
    channelOf(session)?.leave(session)
  }

  /** Gives a session another filter, for what is published from now on, and for what is still to be replayed. */
  setFilter (session: LiveSession, filter: Filter): void {
    const channel = channelOf(session)
    if (filter.key === session.filter.key) return
    if (channel?.has(session) !== true) {
      session.filter = filter
      return
    }
    this.flush(channel)
    channel.leave(session)
    session.filter = filter
    channel.join(session)
  }

  /** Takes an event to a channel, to be written with all others of this tick. */
  #publish ({ channel }: Subscription, entry: LogEntry): void {
    const event = this.#eventOf(entry)
    if (!channel.wants(event)) return
    if (channel.push(event)) this.#schedule(channel)
    if (channel.waitingBytes >= MAX_BATCH) this.flush(channel)
  }

  /** One for all channels that an event goes to, so that it is encoded once. */
  #eventOf (entry: LogEntry): Event {
    if (this.#latest?.entry !== entry) this.#latest = new Event(entry, this.#parts.catalogue.find(entry.event))
    return this.#latest
  }

  /**
   * Delivers to one session what its filter lets through of a batch.
   *
   * @returns how many events that were
   */
  deliverTo (session: LiveSession, batch: EventBatch): number {
    const frames = batch.through(session.filter)
    if (frames === null) return 0
    this.#parts.writer.toOne(session, frames)
    return frames.packets.length
  }

  #schedule (channel: Channel): void {
    if (this.#due.push(channel) === 1) this.#beginTick()
  }

  #beginTick (): void {
    this.#parts.writer.tick++
    const pause = this.#pauseUntil - performance.now()
    const end = () => { this.#endTick() }
    if (pause < MIN_PAUSE) setImmediate(end)
    else setTimeout(end, pause)
  }

  #endTick (): void {
    const due = this.#due
    this.#due = []
    this.#latest = undefined
    const started = performance.now()
    for (const channel of due) {
      if (this.#parts.gaps.isUnderWay(channel)) this.#schedule(channel)
      else this.flush(channel)
    }
    const ended = performance.now()
    this.#pauseUntil = ended + Math.min(ended - started, MAX_PAUSE)
  }

  /** Writes what was published for an instance, to its own clients and to those of the root. */
  flushInstance (instance: string): void {
    const { subscriptions } = this.#parts
    for (const subscription of [subscriptions.of(null), subscriptions.of(instance)]) {
      if (subscription !== undefined) this.flush(subscription.channel)
    }
  }

  flushAll (): void {
    for (const { channel } of this.#parts.subscriptions.all()) this.flush(channel)
  }

  /** Writes what waits in a channel. Nobody gets it who was not notified of a gap before it. */
  flush (channel: Channel): void {
    if (!this.#parts.gaps.finish(channel)) return
    const events = channel.flush(this.#parts.writer.toAll)
    if (events !== undefined) this.#parts.traffic?.wrote(events)
  }
}
