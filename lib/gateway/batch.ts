import type { EventType } from '../events/catalogue.js'
import { type Filter, passes } from './filter.js'
import type { Packet } from './packet.js'

/** An event on its way to the subscribers of a channel. */
export interface Outgoing {
  readonly event: EventType
  readonly instance: string
  readonly packet: Packet
}

/** Events that go to the same subscribers together. */
export class Parcel {
  readonly packets: readonly Packet[]
  // Map(namespace -> frames)
  readonly #frames = new Map<string, Buffer>()

  constructor (packets: readonly Packet[]) {
    this.packets = packets
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
}

/** The events of a channel that are written at once. */
export class Batch {
  readonly #events: readonly Outgoing[]
  readonly #all: Parcel
  // Map(which of the events -> parcel)
  readonly #some = new Map<string, Parcel>()

  constructor (events: readonly Outgoing[]) {
    this.#events = events
    this.#all = new Parcel(events.map(({ packet }) => packet))
  }

  /** What a filter lets through; the same parcel for all filters that let the same through, `null` for nothing. */
  through (filter: Filter): Parcel | null {
    if (filter.events === null && filter.instances === null) return this.#all
    const passing: number[] = []
    for (const [index, { event, instance }] of this.#events.entries()) {
      if (passes(filter, event, instance)) passing.push(index)
    }
    if (passing.length === this.#events.length) return this.#all
    if (passing.length === 0) return null
    const key = passing.join()
    const parcel = this.#some.get(key) ?? new Parcel(passing.map(index => this.#all.packets[index] as Packet))
    this.#some.set(key, parcel)
    return parcel
  }
}
