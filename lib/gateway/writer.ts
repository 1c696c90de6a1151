import type { LimitCounters } from '../limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { Parcel } from './batch.js'
import type { Deliver } from './channel.js'
import { EVENT_STREAM, type StreamSubscriber } from './http/stream-subscriber.js'
import type { Link } from './link.js'
import type { Reports } from './reports.js'
import type { DirectSocket, SocketLink } from './socket-link.js'
import type { SocketSubscriber } from './socket-subscriber.js'
import type { Subscriber } from './subscriber.js'
import { directSocket, whyNotDirect, writeByEngine } from './wire.js'

interface Settings {
  /** Bytes that may wait for one client; 0 is no limit. */
  readonly queuedBytes: number
  /** `false`: by `socket.emit` alone, as Socket.IO's outgoing listeners and its admin UI, and other parsers, need it. */
  readonly direct: boolean
}

interface Parts {
  readonly limited: LimitCounters
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  readonly reports: Reports
}

export interface WriterCounters {
  /** Messages handed to clients' connections. */
  delivered: number
  /** Connections ended because too much waited for them. */
  slowConsumers: number
}

/** Writes to clients, and ends the connections of those that do not read. */
export class Writer {
  readonly counters: WriterCounters = { delivered: 0, slowConsumers: 0 }
  /** The turn of the event loop in which it writes. A client has had time to read what was written in earlier ones. */
  turn = 0
  readonly #settings: Settings
  readonly #limited: LimitCounters
  readonly #traffic: Traffic | null
  readonly #reports: Reports
  /** Writes to all that are in a namespace, and ends those for which too much waits. */
  readonly toAll: Deliver

  constructor (settings: Settings, { limited, traffic, reports }: Parts) {
    this.#settings = settings
    this.#limited = limited
    this.#traffic = traffic
    this.#reports = reports
    // Who is in a namespace of Socket.IO is one of its clients, and who is in none has a stream.
    this.toAll = (subscribers, namespace, parcel) => {
      if (namespace === EVENT_STREAM) this.#stream(subscribers as Iterable<StreamSubscriber>, parcel)
      else if (settings.direct) this.#write(subscribers as Iterable<SocketSubscriber>, namespace, parcel)
      else this.#emit(subscribers as Iterable<SocketSubscriber>, parcel)
    }
  }

  /** Writes to one, however much waits for it: whoever calls this waits for it too. */
  toOne (subscriber: Subscriber, parcel: Parcel): void {
    // As if looked at in this turn.
    if (!subscriber.link.ended) subscriber.link.turn = this.turn
    this.toAll([subscriber], subscriber.namespace, parcel)
  }

  /** Straight to the sockets, where that can be, and otherwise by Engine.IO's own way. */
  #write (subscribers: Iterable<SocketSubscriber>, namespace: string, parcel: Parcel): void {
    let frames: Buffer | undefined
    let written = 0
    for (const { link } of subscribers) {
      if (link.ended) continue
      const socket = directSocket(link)
      if (socket === undefined && !this.#reports.isFastPathOff) this.#reportSlowWay(link)
      if (this.#isTooSlow(link, socket)) continue
      written++
      if (socket === undefined) this.#guarded(link, () => { writeByEngine(link, namespace, parcel) })
      else socket.write(frames ??= parcel.framesFor(namespace))
    }
    this.#count(parcel, written)
  }

  #reportSlowWay (link: SocketLink): void {
    const why = whyNotDirect(link)
    if (why !== undefined) this.#reports.fastPathOff(why)
  }

  #stream (subscribers: Iterable<StreamSubscriber>, parcel: Parcel): void {
    let written = 0
    for (const { link } of subscribers) {
      if (link.ended || this.#isTooSlow(link, undefined)) continue
      written++
      link.write(parcel.eventStream)
    }
    this.#count(parcel, written)
  }

  #emit (subscribers: Iterable<SocketSubscriber>, parcel: Parcel): void {
    let written = 0
    for (const { link, socket } of subscribers) {
      if (link.ended || this.#isTooSlow(link, undefined)) continue
      written++
      this.#guarded(link, () => { for (const packet of parcel.packets) socket.emit(...packet.decoded()) })
    }
    this.#count(parcel, written)
  }

  #count ({ events }: Parcel, written: number): void {
    this.counters.delivered += written * events.length
    this.#traffic?.delivered(events, written)
  }

  /**
   * Runs what listeners of the host's may hear. One of them that throws must not keep the event from the other
   * clients; its own client is ended, because it may have got a part of it.
   */
  #guarded (link: Link, write: () => void): void {
    try {
      write()
    } catch (err) {
      this.#reports.unwritable(err, link)
      this.end(link)
    }
  }

  /**
   * Ends the connection of a client for which too much waits from turns before. What is written in this turn does
   * not count yet: the client has had no time to read it, and the bytes are shared with all others.
   *
   * @param socket where all that waits is, if it can be written to directly
   */
  #isTooSlow (link: Link, socket: DirectSocket | undefined): boolean {
    if (link.turn === this.turn) return false
    link.turn = this.turn
    const { queuedBytes: limit } = this.#settings
    if (limit === 0) return false
    const queued = socket === undefined ? link.queuedBytes : socket.writableLength
    if (queued <= limit) return false
    this.#endSlow(link, queued)
    return true
  }

  /** Ends the connection of a client that does not read the answers to what it sends. */
  checkAnswers (link: Link): void {
    const { queuedBytes: limit } = this.#settings
    if (limit === 0 || link.ended) return
    const queued = link.queuedBytes
    if (queued > limit) this.#endSlow(link, queued)
  }

  #endSlow (link: Link, queued: number): void {
    this.counters.slowConsumers++
    this.#limited.count('queuedBytes')
    this.#reports.slow(link, queued)
    this.end(link)
  }

  /** Ends a connection so that its client comes back. A listener of the host's may hear of it, and throw. */
  end (link: Link): void {
    const [first] = link.subscribers
    try {
      link.end()
    } catch (err) {
      this.#reports.listenerFailed(err, { instance: first?.instance, link })
    }
  }
}
