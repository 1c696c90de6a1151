import type { FastifyBaseLogger } from 'fastify'
import type { EventType } from '../events/catalogue.js'
import type { Route } from '../router.js'
import type { Outgoing, Parcel } from './batch.js'
import { Channel, type Deliver } from './channel.js'
import type { Filter } from './filter.js'
import type { DirectSocket, Link } from './link.js'
import type { Subscriber } from './subscriber.js'
import { directSocket, queuedBytes, writeByEngine } from './wire.js'

/** A batch is not let grow beyond this, in bytes, whatever is emitted in one turn of the event loop. */
const MAX_BATCH = 256 * 1024

/** The longest that an event waits so as to be written with others, in ms. */
const MAX_PAUSE = 4
/** Timers of Node are no finer, in ms. */
const MIN_PAUSE = 1

interface Settings {
  /** Bytes that may wait for one client; 0 is no limit. */
  readonly queuedBytes: number
  /** `false`: by `socket.emit` alone, as Socket.IO's outgoing listeners and its admin UI, and other parsers, need it. */
  readonly direct: boolean
}

export interface DeliveryCounters {
  delivered: number
  slow: number
}

/**
 * Brings events to their subscribers, each client once in a turn of the event loop.
 *
 * Under load, turns are drawn together: after writing to many clients, it lets as much time pass as that took, so that
 * at least half of the event loop is left to all else, and more events share a write the more there are. Nothing
 * waits while there is little to do.
 *
 * Whoever changes who gets what (a join, a leave, a new filter) first has what waits flushed: it was emitted before.
 */
export class Delivery {
  readonly counters: DeliveryCounters = { delivered: 0, slow: 0 }
  readonly #settings: Settings
  readonly #log: FastifyBaseLogger
  // Map(instance, or null for the root -> channel)
  readonly #channels = new Map<string | null, Channel>()
  readonly #deliver: Deliver
  #due: Channel[] = []
  /** Not to write before, by `performance.now()`. */
  #pauseUntil = 0
  #turn = 0

  constructor (settings: Settings, log: FastifyBaseLogger) {
    this.#settings = settings
    this.#log = log
    this.#deliver = settings.direct
      ? (subscribers, namespace, parcel) => { this.#write(subscribers, namespace, parcel) }
      : (subscribers, namespace, parcel) => { this.#emit(subscribers, parcel) }
  }

  /** The clients in the namespace of an instance, or at the root. */
  subscribersOf (instance: string | null): Subscriber[] {
    return [...this.#channels.get(instance)?.subscribers() ?? []]
  }

  join (subscriber: Subscriber): void {
    const channel = this.#channels.get(subscriber.instance) ?? new Channel()
    this.#channels.set(subscriber.instance, channel)
    this.#flush(channel)
    channel.join(subscriber)
  }

  leave (subscriber: Subscriber): void {
    const channel = this.#channels.get(subscriber.instance)
    if (channel === undefined) return
    channel.leave(subscriber)
    if (channel.size === 0) this.#channels.delete(subscriber.instance)
  }

  /** Gives a subscriber another filter, for what is emitted from now on. */
  setFilter (subscriber: Subscriber, filter: Filter): void {
    const channel = this.#channels.get(subscriber.instance)
    if (channel === undefined || filter.key === subscriber.filter.key) return
    this.#flush(channel)
    channel.leave(subscriber)
    subscriber.filter = filter
    channel.join(subscriber)
  }

  /** The channels that have somebody for an event. */
  listening (route: Route, instance: string, event: EventType): Channel[] {
    const channels: Channel[] = []
    if (this.#channels.size === 0) return channels
    const root = route.root ? this.#channels.get(null) : undefined
    if (root?.wants(event, instance) === true) channels.push(root)
    const own = route.instance === 'served' ? this.#channels.get(instance) : undefined
    if (own?.wants(event, instance) === true) channels.push(own)
    return channels
  }

  /** Sends an event to channels, with all others of this turn. */
  publish (channels: readonly Channel[], outgoing: Outgoing): void {
    for (const channel of channels) {
      if (channel.push(outgoing) && this.#due.push(channel) === 1) this.#beginTurn()
      if (channel.waitingBytes >= MAX_BATCH) this.#flush(channel)
    }
  }

  #beginTurn (): void {
    this.#turn++
    const pause = this.#pauseUntil - performance.now()
    const end = () => { this.#endTurn() }
    if (pause < MIN_PAUSE) setImmediate(end)
    else setTimeout(end, pause)
  }

  #endTurn (): void {
    const due = this.#due
    this.#due = []
    const started = performance.now()
    for (const channel of due) this.#flush(channel)
    const ended = performance.now()
    this.#pauseUntil = ended + Math.min(ended - started, MAX_PAUSE)
  }

  /** Writes what was emitted for an instance, to its own clients and to those of the root. */
  flushInstance (instance: string): void {
    for (const channel of [this.#channels.get(null), this.#channels.get(instance)]) {
      if (channel !== undefined) this.#flush(channel)
    }
  }

  flushAll (): void {
    for (const channel of this.#channels.values()) this.#flush(channel)
  }

  #flush (channel: Channel): void {
    channel.flush(this.#deliver)
  }

  /** Straight to the sockets, where that can be, and otherwise by Engine.IO's own way. */
  #write (subscribers: Iterable<Subscriber>, namespace: string, parcel: Parcel): void {
    let frames: Buffer | undefined
    let written = 0
    for (const { link } of subscribers) {
      if (link.ended) continue
      const socket = directSocket(link)
      if (this.#isTooSlow(link, socket)) continue
      written++
      if (socket === undefined) this.#guarded(link, () => { writeByEngine(link, namespace, parcel) })
      else socket.write(frames ??= parcel.framesFor(namespace))
    }
    this.counters.delivered += written * parcel.packets.length
  }

  #emit (subscribers: Iterable<Subscriber>, parcel: Parcel): void {
    for (const { link, socket } of subscribers) {
      if (link.ended || this.#isTooSlow(link, undefined)) continue
      this.counters.delivered += parcel.packets.length
      this.#guarded(link, () => { for (const packet of parcel.packets) socket.emit(...packet.decoded()) })
    }
  }

  /**
   * Runs what listeners of the host's may hear. One of them that throws must not keep the event from the other
   * clients; its own client is ended, because it may have got a part of it.
   */
  #guarded (link: Link, write: () => void): void {
    try {
      write()
    } catch (err) {
      this.#log.error({ err, address: link.address }, 'a client could not be written to: its connection is ended, and it will come back')
      this.#end(link)
    }
  }

  /**
   * Ends the connection of a client for which too much waits from turns before. What is written in this turn does
   * not count yet: the client has had no time to read it, and the bytes are shared with all others.
   *
   * @param socket where all that waits is, if it can be written to directly
   */
  #isTooSlow (link: Link, socket: DirectSocket | undefined): boolean {
    if (link.turn === this.#turn) return false
    link.turn = this.#turn
    const { queuedBytes: limit } = this.#settings
    if (limit === 0) return false
    const queued = socket === undefined ? queuedBytes(link) : socket.writableLength
    if (queued <= limit) return false
    this.#endSlow(link, queued)
    return true
  }

  /** Ends the connection of a client that does not read the answers to what it sends. */
  checkAnswers (link: Link): void {
    const { queuedBytes: limit } = this.#settings
    if (limit === 0 || link.ended) return
    const queued = queuedBytes(link)
    if (queued > limit) this.#endSlow(link, queued)
  }

  #endSlow (link: Link, queued: number): void {
    this.counters.slow++
    this.#log.warn({ address: link.address, queued }, 'a client reads too slowly: its connection is ended, and it will come back')
    this.#end(link)
  }

  /** A listener of the host's may hear of the end, and throw. */
  #end (link: Link): void {
    try {
      link.end()
    } catch (err) {
      this.#log.error({ err, address: link.address }, 'a listener of the application has failed')
    }
  }
}
