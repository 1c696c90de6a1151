import { errorName } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { isId, timeOf } from '../log/ids.js'
import { Buckets } from './buckets.js'
import { histograms } from './histograms.js'

/** An event on its way to clients; `event` is `undefined` for one that the catalogue does not have. */
interface Published {
  readonly entry: { readonly id: string }
  readonly event: EventType | undefined
}

/**
 * Clocks of two machines may differ so far, in ms. An id that is further ahead tells nothing of its age: after a
 * restart of Redis ids begin some seconds ahead, and a clock may have been set back.
 */
const MAX_AHEAD = 1000

/** Stands for all that has no name of ours: there may be any number of such names, and a label must be bounded. */
const OTHER = 'other'

/** What is counted while events are on their way, where metrics are asked for: nothing else keeps it by event. */
export class Traffic {
  /** Events that were written at once. */
  readonly batch = new Buckets(histograms.batch.buckets)
  /** Seconds from an event's id to its being written. */
  readonly lag = new Buckets(histograms.lag.buckets)
  /** When a lag was looked at last, in ms. */
  #now = 0
  readonly #events: readonly EventType[]
  // By the events' index. One more is for events of another version's catalogue, which shares the store
  readonly #emitted: Float64Array
  readonly #delivered: Float64Array
  // Map(error name -> `emit` calls)
  readonly #rejected = new Map<string, number>()

  constructor ({ events }: Catalogue) {
    this.#events = events
    this.#emitted = new Float64Array(events.length + 1)
    this.#delivered = new Float64Array(events.length + 1)
  }

  emitted ({ index }: EventType): void {
    this.#emitted[index] = (this.#emitted[index] ?? 0) + 1
  }

  /** @param error what an `emit` was rejected with */
  rejected (error: unknown): void {
    const name = errorName(error) ?? OTHER
    this.#rejected.set(name, (this.#rejected.get(name) ?? 0) + 1)
  }

  /** Once for all clients that are handed the same, because there may be many. */
  delivered (events: readonly Published[], clients: number): void {
    for (const { event } of events) {
      const index = event?.index ?? this.#events.length
      this.#delivered[index] = (this.#delivered[index] ?? 0) + clients
    }
  }

  /** @param batch what was written at once, to however many clients, the oldest first */
  wrote (batch: readonly Published[]): void {
    this.batch.observe(batch.length)
    const now = Date.now()
    // There may be very many in a millisecond, one for each instance, and to read an id costs more than all else here.
    if (now === this.#now) return
    this.#now = now
    const id = batch[0]?.entry.id
    // A store of the host's may have ids of its own making.
    if (id === undefined || !isId(id)) return
    const lag = now - timeOf(id)
    if (lag >= -MAX_AHEAD) this.lag.observe(Math.max(0, lag) / 1000)
  }

  /** Accepted `emit` calls by event. */
  get emittedByEvent (): ReadonlyMap<string, number> {
    return this.#byEvent(this.#emitted)
  }

  /** Messages handed to clients' connections by event. */
  get deliveredByEvent (): ReadonlyMap<string, number> {
    return this.#byEvent(this.#delivered)
  }

  /** Rejected `emit` calls by the code without its prefix. */
  get rejectedByCode (): ReadonlyMap<string, number> {
    return this.#rejected
  }

  #byEvent (counts: Float64Array): Map<string, number> {
    const found = new Map(this.#events.map(({ name, index }) => [name, counts[index] ?? 0]))
    // The host may have an event of that name.
    return found.set(OTHER, (found.get(OTHER) ?? 0) + (counts[this.#events.length] ?? 0))
  }
}
