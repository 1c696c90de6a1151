import type { EventType } from '../events/catalogue.js'
import type { LogEntry } from '../log/event-log.js'
import { type Filter, passes } from './filter.js'
import { encodeEvent } from './http/encoding.js'
import { Packet } from './packet.js'

/** An event on its way to the subscribers of a channel. */
export class Outgoing {
  readonly entry: LogEntry
  /** `undefined`: the catalogue does not have it. */
  readonly event: EventType | undefined
  #packet: Packet | undefined

  constructor (entry: LogEntry, event: EventType | undefined) {
    this.entry = entry
    this.event = event
  }

  /** Made for the first client that gets it. */
  get packet (): Packet {
    this.#packet ??= new Packet(this.entry)
    return this.#packet
  }

  passes (filter: Filter): boolean {
    return passes(filter, this.event, this.entry.instance)
  }
}

/** Packets that go to the same subscribers together. */
export class Parcel {
  readonly events: readonly Outgoing[]
  readonly packets: readonly Packet[]
  // Map(namespace -> frames)
  readonly #frames = new Map<string, Buffer>()
  #eventStream: Buffer | undefined

  constructor (events: readonly Outgoing[]) {
    this.events = events
    this.packets = events.map(({ packet }) => packet)
  }

  /** All of them as WebSocket frames for a namespace, made once. */
  framesFor (namespace: string): Buffer {
    const made = this.#frames.get(namespace)
    if (made !== undefined) return made
    const frames = Buffer.allocUnsafe(this.packets.reduce((sum, packet) => sum + packet.framesLength(namespace), 0))
    this.packets.reduce((offset, packet) => packet.writeFrames(frames, offset, namespace), 0)
    this.#frames.set(namespace, frames)
    return frames
  }

  /** All of them as a part of a stream of server-sent events, made once. */
  get eventStream (): Buffer {
    this.#eventStream ??= Buffer.concat(this.packets.map(({ entry }) => encodeEvent(entry)))
    return this.#eventStream
  }
}

/** The events of a channel that are written at once. */
export class Batch {
  readonly #events: readonly Outgoing[]
  #all: Parcel | undefined
  // Map(which of the events -> parcel)
  readonly #some = new Map<string, Parcel>()

  constructor (events: readonly Outgoing[]) {
    this.#events = events
  }

  /** What a filter lets through; the same parcel for all filters that let the same through, `null` for nothing. */
  through (filter: Filter): Parcel | null {
    if (filter.events === null && filter.instances === null) return this.#whole()
    const passing: number[] = []
    for (const [index, event] of this.#events.entries()) {
      if (event.passes(filter)) passing.push(index)
    }
    if (passing.length === this.#events.length) return this.#whole()
    if (passing.length === 0) return null
    const key = passing.join()
    const parcel = this.#some.get(key) ?? new Parcel(passing.map(index => this.#events[index] as Outgoing))
    this.#some.set(key, parcel)
    return parcel
  }

  #whole (): Parcel {
    this.#all ??= new Parcel(this.#events)
    return this.#all
  }
}
