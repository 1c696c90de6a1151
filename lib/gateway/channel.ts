import { Batch, type Outgoing, type Parcel } from './batch.js'
import type { Filter } from './filter.js'
import type { Subscriber } from './subscriber.js'

/** The subscribers of a channel that have the same filter, by the namespace that they spelled. */
interface Group {
  readonly filter: Filter
  /** Whether they keep ids to resume from. */
  readonly resumes: boolean
  // Map(namespace as the protocol writes it -> subscribers)
  readonly byNamespace: Map<string, Set<Subscriber>>
  /** Whether something was brought to them since they were last told where they stand. */
  heard: boolean
}

/** Brings a parcel to subscribers that are in the same namespace. */
export type Deliver = (subscribers: Iterable<Subscriber>, namespace: string, parcel: Parcel) => void

const groupKey = (filter: Filter, resumes: boolean): string => resumes ? `+${filter.key}` : filter.key

/** The subscribers of one instance, or of the root, and what waits to be written to them. */
export class Channel {
  // Map(filter key, and whether they resume -> group)
  readonly #groups = new Map<string, Group>()
  /** Those that are still being brought the past. They belong to the channel, and get nothing from it. */
  readonly #late = new Set<Subscriber>()
  /** Events of its stream since its clients were told where they stand, whether for them or not. */
  passedEvents = 0
  passedBytes = 0
  #size = 0
  #waiting: Outgoing[] = []
  #waitingBytes = 0
  #isFlushing = false

  get isEmpty (): boolean {
    return this.#size === 0 && this.#late.size === 0
  }

  get waitingBytes (): number {
    return this.#waitingBytes
  }

  * subscribers (): Generator<Subscriber> {
    yield * this.#late
    for (const { byNamespace } of this.#groups.values()) {
      for (const subscribers of byNamespace.values()) yield * subscribers
    }
  }

  /** Those that keep ids and were brought nothing since this was last asked. */
  * unheard (): Generator<Subscriber> {
    for (const group of this.#groups.values()) {
      const { heard, resumes, byNamespace } = group
      group.heard = false
      if (heard || !resumes) continue
      for (const subscribers of byNamespace.values()) yield * subscribers
    }
  }

  /** Those that keep ids, and are brought what is told. */
  * resuming (): Generator<Subscriber> {
    for (const { resumes, byNamespace } of this.#groups.values()) {
      if (!resumes) continue
      for (const subscribers of byNamespace.values()) yield * subscribers
    }
  }

  /** Whether any subscriber lets this event through. */
  wants (outgoing: Outgoing): boolean {
    for (const { filter } of this.#groups.values()) {
      if (outgoing.passes(filter)) return true
    }
    return false
  }

  /** Whether a subscriber is brought what is told. */
  has (subscriber: Subscriber): boolean {
    const { filter, resumes, namespace } = subscriber
    return this.#groups.get(groupKey(filter, resumes))?.byNamespace.get(namespace)?.has(subscriber) === true
  }

  /** Takes a subscriber that is to be brought the past first. */
  await (subscriber: Subscriber): void {
    this.#late.add(subscriber)
  }

  isLate (subscriber: Subscriber): boolean {
    return this.#late.has(subscriber)
  }

  join (subscriber: Subscriber): void {
    const { filter, resumes, namespace } = subscriber
    this.#late.delete(subscriber)
    const key = groupKey(filter, resumes)
    const group = this.#groups.get(key) ?? { filter, resumes, byNamespace: new Map<string, Set<Subscriber>>(), heard: true }
    this.#groups.set(key, group)
    // One filter for all that have the same, because there may be many.
    subscriber.filter = group.filter
    const subscribers = group.byNamespace.get(namespace) ?? new Set()
    group.byNamespace.set(namespace, subscribers.add(subscriber))
    this.#size++
  }

  leave (subscriber: Subscriber): void {
    const { filter, resumes, namespace } = subscriber
    if (this.#late.delete(subscriber)) return
    const key = groupKey(filter, resumes)
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

  /**
   * Hands what waits to every subscriber that lets it through.
   *
   * @returns what was handed over; `undefined` for nothing
   */
  flush (deliver: Deliver): readonly Outgoing[] | undefined {
    // A listener of the host's may come to flush again: what is newer waits for the next turn, behind this.
    if (this.#isFlushing || this.#waiting.length === 0) return
    this.#isFlushing = true
    try {
      return this.#deliverWaiting(deliver)
    } finally {
      this.#isFlushing = false
    }
  }

  #deliverWaiting (deliver: Deliver): readonly Outgoing[] {
    const events = this.#waiting
    const batch = new Batch(events)
    this.#waiting = []
    this.#waitingBytes = 0
    for (const group of this.#groups.values()) {
      const parcel = batch.through(group.filter)
      if (parcel === null) continue
      group.heard = true
      for (const [namespace, subscribers] of group.byNamespace) deliver(subscribers, namespace, parcel)
    }
    return events
  }
}
