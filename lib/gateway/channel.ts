import type { EventType } from '../events/catalogue.js'
import { Batch, type Outgoing, type Parcel } from './batch.js'
import { type Filter, passes } from './filter.js'
import type { Subscriber } from './subscriber.js'

/** The subscribers of a channel that have the same filter, by the namespace that they spelled. */
interface Group {
  readonly filter: Filter
  // Map(namespace as the protocol writes it -> subscribers)
  readonly byNamespace: Map<string, Set<Subscriber>>
}

/** Brings a parcel to subscribers that are in the same namespace. */
export type Deliver = (subscribers: Iterable<Subscriber>, namespace: string, parcel: Parcel) => void

/** The subscribers of one instance, or of the root, and what waits to be written to them. */
export class Channel {
  // Map(filter key -> group)
  readonly #groups = new Map<string, Group>()
  #size = 0
  #waiting: Outgoing[] = []
  #waitingBytes = 0

  /** Subscribers. */
  get size (): number {
    return this.#size
  }

  get waitingBytes (): number {
    return this.#waitingBytes
  }

  * subscribers (): Generator<Subscriber> {
    for (const { byNamespace } of this.#groups.values()) {
      for (const subscribers of byNamespace.values()) yield * subscribers
    }
  }

  /** Whether any subscriber lets this event through. */
  wants (event: EventType, instance: string): boolean {
    for (const { filter } of this.#groups.values()) {
      if (passes(filter, event, instance)) return true
    }
    return false
  }

  join (subscriber: Subscriber): void {
    const { filter, namespace } = subscriber
    const group = this.#groups.get(filter.key) ?? { filter, byNamespace: new Map<string, Set<Subscriber>>() }
    this.#groups.set(filter.key, group)
    // One filter for all that have the same, because there may be many.
    subscriber.filter = group.filter
    const subscribers = group.byNamespace.get(namespace) ?? new Set()
    group.byNamespace.set(namespace, subscribers.add(subscriber))
    this.#size++
  }

  leave (subscriber: Subscriber): void {
    const { filter: { key }, namespace } = subscriber
    const group = this.#groups.get(key)
    const subscribers = group?.byNamespace.get(namespace)
    if (group === undefined || subscribers?.delete(subscriber) !== true) return
    if (subscribers.size === 0) group.byNamespace.delete(namespace)
    if (group.byNamespace.size === 0) this.#groups.delete(key)
    this.#size--
  }

  /** @returns whether it is the first one waiting */
  push (outgoing: Outgoing): boolean {
    this.#waitingBytes += outgoing.packet.size
    return this.#waiting.push(outgoing) === 1
  }

  /** Hands what waits to every subscriber that lets it through. */
  flush (deliver: Deliver): void {
    if (this.#waiting.length === 0) return
    const batch = new Batch(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { filter, byNamespace } of this.#groups.values()) {
      const parcel = batch.through(filter)
      if (parcel === null) continue
      for (const [namespace, subscribers] of byNamespace) deliver(subscribers, namespace, parcel)
    }
  }
}
