import type { EventType } from '../events/catalogue.js'
import { type Filter, passes } from './filter.js'
import type { Packet } from './packet.js'
import type { Subscriber } from './subscriber.js'

/** An event on its way to the subscribers of a channel. */
export interface Outgoing {
  readonly event: EventType
  readonly instance: string
  readonly packet: Packet
}

/** The subscribers of a channel that have the same filter. */
interface Group {
  readonly filter: Filter
  readonly subscribers: Set<Subscriber>
}

/** The subscribers of one instance, or of the root, and what waits to be written to them. */
export class Channel {
  // Map(filter key -> group)
  readonly #groups = new Map<string, Group>()
  #size = 0
  #waiting: Outgoing[] = []

  get size (): number {
    return this.#size
  }

  * subscribers (): Generator<Subscriber> {
    for (const { subscribers } of this.#groups.values()) yield * subscribers
  }

  /** Whether any subscriber lets this event through. */
  wants (event: EventType, instance: string): boolean {
    for (const { filter } of this.#groups.values()) {
      if (passes(filter, event, instance)) return true
    }
    return false
  }

  join (subscriber: Subscriber): void {
    const { filter } = subscriber
    const group = this.#groups.get(filter.key) ?? { filter, subscribers: new Set() }
    this.#groups.set(filter.key, group)
    group.subscribers.add(subscriber)
    this.#size++
  }

  leave (subscriber: Subscriber): void {
    const { key } = subscriber.filter
    const group = this.#groups.get(key)
    if (group?.subscribers.delete(subscriber) !== true) return
    if (group.subscribers.size === 0) this.#groups.delete(key)
    this.#size--
  }

  /** @returns whether it is the first one waiting */
  push (outgoing: Outgoing): boolean {
    return this.#waiting.push(outgoing) === 1
  }

  /** Hands what waits to every subscriber that lets it through, by `deliver`. */
  flush (deliver: (subscriber: Subscriber, packets: readonly Packet[]) => void): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const { filter, subscribers } of this.#groups.values()) {
      const packets = waiting.filter(({ event, instance }) => passes(filter, event, instance)).map(({ packet }) => packet)
      if (packets.length === 0) continue
      for (const subscriber of subscribers) deliver(subscriber, packets)
    }
  }
}
