import type { Catalogue } from '../events/catalogue.js'
import { type EventLog, type LogEntry, sizeOf, type StreamName, type Watch } from '../log/event-log.js'
import type { Traffic } from '../metrics/traffic.js'
import { type Batch, Outgoing } from './batch.js'
import { Channel } from './channel.js'
import type { Filter } from './filter.js'
import { Gaps, type TellGap } from './gaps.js'
import type { Subscriber } from './subscriber.js'
import type { Writer } from './writer.js'

/** A batch is not let grow beyond this, in bytes, whatever is emitted in one turn of the event loop. */
const MAX_BATCH = 256 * 1024

/** The longest that an event waits so as to be written with others, in ms. */
const MAX_PAUSE = 4
/** Timers of Node are no finer, in ms. */
const MIN_PAUSE = 1

interface Parts {
  readonly log: EventLog
  readonly catalogue: Catalogue
  readonly writer: Writer
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  /** To be told of every event, whether anybody is brought it or not. */
  readonly passed: (stream: StreamName, channel: Channel, bytes: number) => void
  /** To be told when events of a stream may be missing for good. */
  readonly broken: (stream: StreamName) => void
  readonly tellGap: TellGap
}

/** A channel, and what brings it the events of its stream. */
interface Open {
  readonly channel: Channel
  readonly watch: Watch
  /** Until nothing can be missed any more. */
  ready: Promise<void> | undefined
  /** The id of the last event that was told, since the last gap. */
  newest: string | undefined
  /** How often events may have been missed. */
  gaps: number
}

/**
 * Brings events from the log to their subscribers, each client once in a turn of the event loop.
 *
 * Under load, turns are drawn together: after writing to many clients, it lets as much time pass as that took, so that
 * at least half of the event loop is left to all else, and more events share a write the more there are. Nothing
 * waits while there is little to do.
 *
 * Whoever changes who gets what (a join, a leave, a new filter) first has what waits flushed: it was emitted before.
 */
export class Delivery {
  readonly #parts: Parts
  // Map(instance, or null for the root -> channel)
  readonly #open = new Map<StreamName, Open>()
  readonly #gaps: Gaps
  #due: Channel[] = []
  /** Not to write before, by `performance.now()`. */
  #pauseUntil = 0
  /** The event that is being told: to the root, and to its instance. */
  #told: Outgoing | undefined

  constructor (parts: Parts) {
    this.#parts = parts
    this.#gaps = new Gaps(parts.tellGap)
  }

  /** The clients in the namespace of an instance, or at the root. */
  subscribersOf (stream: StreamName): Subscriber[] {
    return [...this.#open.get(stream)?.channel.subscribers() ?? []]
  }

  /** Every channel that has somebody, by its stream. */
  * channels (): Generator<readonly [StreamName, Channel]> {
    for (const [stream, { channel }] of this.#open) yield [stream, channel]
  }

  /**
   * Takes a subscriber that is not to join yet. From here on its stream is remembered.
   *
   * @returns what has to be waited for before it can be brought anything, if there is something
   */
  await (subscriber: Subscriber): Promise<void> | undefined {
    const open = this.#openOf(subscriber.instance)
    open.channel.await(subscriber)
    return open.ready
  }

  /** Whether a subscriber is still awaited. */
  isAwaited (subscriber: Subscriber): boolean {
    return this.#open.get(subscriber.instance)?.channel.isLate(subscriber) === true
  }

  /** The id of the last event that was told of a stream, since somebody is there and since a gap; before the first, `undefined`. */
  newest (stream: StreamName): string | undefined {
    return this.#open.get(stream)?.newest
  }

  /** How often events of a stream may have been missed, since somebody is there. */
  gapsOf (stream: StreamName): number {
    return this.#open.get(stream)?.gaps ?? 0
  }

  /** Brings a subscriber all that is told from now on. */
  join (subscriber: Subscriber): void {
    const { channel } = this.#openOf(subscriber.instance)
    this.flush(channel)
    channel.join(subscriber)
  }

  leave (subscriber: Subscriber): void {
    const open = this.#open.get(subscriber.instance)
    if (open === undefined) return
    open.channel.leave(subscriber)
    if (!open.channel.isEmpty) return
    open.watch.close()
    this.#open.delete(subscriber.instance)
  }

  #openOf (stream: StreamName): Open {
    const known = this.#open.get(stream)
    if (known !== undefined) return known
    const channel = new Channel()
    const watch = this.#parts.log.watch(stream, entry => { this.#tell(stream, open, entry) }, head => { this.#break(stream, open, head) })
    const open: Open = { channel, watch, newest: undefined, gaps: 0, ready: watch.ready?.then(() => { open.ready = undefined }) }
    this.#open.set(stream, open)
    return open
  }

  /** Gives a subscriber another filter, for what is told from now on, and for what it is still to be brought of the past. */
  setFilter (subscriber: Subscriber, filter: Filter): void {
    const channel = this.#open.get(subscriber.instance)?.channel
    if (channel === undefined || filter.key === subscriber.filter.key) return
    if (channel.isLate(subscriber)) {
      subscriber.filter = filter
      return
    }
    this.flush(channel)
    channel.leave(subscriber)
    subscriber.filter = filter
    channel.join(subscriber)
  }

  /** Takes an event to a channel, to be written with all others of this turn. */
  #tell (stream: StreamName, open: Open, entry: LogEntry): void {
    const { channel } = open
    open.newest = entry.id
    const outgoing = this.#outgoingOf(entry)
    this.#parts.passed(stream, channel, sizeOf(entry))
    if (!channel.wants(outgoing)) return
    if (channel.push(outgoing)) this.#isDue(channel)
    if (channel.waitingBytes >= MAX_BATCH) this.flush(channel)
  }

  /**
   * What is told from now on comes after `head`, and something before it may be missing. Those who are being brought
   * the past are not told: they see it at their next read.
   */
  #break (stream: StreamName, open: Open, head: string): void {
    this.flush(open.channel)
    open.gaps++
    // It may be of another life of the log, and greater than what comes.
    open.newest = undefined
    this.#parts.broken(stream)
    this.#gaps.begin(open.channel, head)
  }

  /** One for all channels that an event goes to, so that it is encoded once. */
  #outgoingOf (entry: LogEntry): Outgoing {
    if (this.#told?.entry !== entry) this.#told = new Outgoing(entry, this.#parts.catalogue.find(entry.event))
    return this.#told
  }

  /**
   * Brings one subscriber what it lets through of a batch, and no others.
   *
   * @returns how many that were
   */
  bring (subscriber: Subscriber, batch: Batch): number {
    const parcel = batch.through(subscriber.filter)
    if (parcel === null) return 0
    this.#parts.writer.toOne(subscriber, parcel)
    return parcel.packets.length
  }

  #isDue (channel: Channel): void {
    if (this.#due.push(channel) === 1) this.#beginTurn()
  }

  #beginTurn (): void {
    this.#parts.writer.turn++
    const pause = this.#pauseUntil - performance.now()
    const end = () => { this.#endTurn() }
    if (pause < MIN_PAUSE) setImmediate(end)
    else setTimeout(end, pause)
  }

  #endTurn (): void {
    const due = this.#due
    this.#due = []
    this.#told = undefined
    const started = performance.now()
    for (const channel of due) {
      if (this.#gaps.isTelling(channel)) this.#isDue(channel)
      else this.flush(channel)
    }
    const ended = performance.now()
    this.#pauseUntil = ended + Math.min(ended - started, MAX_PAUSE)
  }

  /** Writes what was emitted for an instance, to its own clients and to those of the root. */
  flushInstance (instance: string): void {
    for (const open of [this.#open.get(null), this.#open.get(instance)]) {
      if (open !== undefined) this.flush(open.channel)
    }
  }

  flushAll (): void {
    for (const { channel } of this.#open.values()) this.flush(channel)
  }

  /** Writes what waits in a channel. Nobody gets it who has not been told of a gap before it. */
  flush (channel: Channel): void {
    if (!this.#gaps.finish(channel)) return
    const events = channel.flush(this.#parts.writer.toAll)
    if (events !== undefined) this.#parts.traffic?.wrote(events)
  }
}
