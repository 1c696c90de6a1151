import { errorName } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { isId, timeOf } from '../log/ids.js'
import { Buckets } from './buckets.js'
import { histograms } from './histograms.js'

/** A published event; `event` is `undefined` if the catalogue does not have it. */
interface Published {
  readonly entry: { readonly id: string }
  readonly event: EventType | undefined
}

/**
 * Assumed maximum difference between the clocks of two machines, in ms. From an id that is further ahead no lag can be
 * calculated: after a restart of Redis, ids begin some seconds ahead, and a clock may have been set back.
 */
const MAX_AHEAD = 1000

/** The label for all names that are not in the catalogue: their number is not limited, and that of labels must be. */
const OTHER = 'other'

/** Counts events for the metrics, by event name. Exists only if the option `metrics` is set. */
export class Traffic {
  /** Histogram: events in a batch. */
  readonly batch = new Buckets(histograms.batch.buckets)
  /** Histogram: seconds between an event's id and the writing of the event. */
  readonly lag = new Buckets(histograms.lag.buckets)
  /** When a lag was last observed, in ms since 1970. */
  #now = 0
  readonly #events: readonly EventType[]
  // Counts by the event's index; the last one is for events of another catalogue on the same store
  readonly #emitted: Float64Array
  readonly #delivered: Float64Array
  // Map(error name -> rejected calls of `emit`)
  readonly #rejected = new Map<string, number>()

  constructor ({ events }: Catalogue) {
    this.#events = events
    this.#emitted = new Float64Array(events.length + 1)
    this.#delivered = new Float64Array(events.length + 1)
  }

  emitted ({ index }: EventType): void {
    this.#emitted[index] = (this.#emitted[index] ?? 0) + 1
  }

  /** @param error the rejection of an `emit` */
  rejected (error: unknown): void {
    const name = errorName(error) ?? OTHER
    this.#rejected.set(name, (this.#rejected.get(name) ?? 0) + 1)
  }

  /**
   * Counts events that were delivered to a number of clients. Called once for all of them, because there may be many.
   */
  delivered (events: readonly Published[], clients: number): void {
    for (const { event } of events) {
      const index = event?.index ?? this.#events.length
      this.#delivered[index] = (this.#delivered[index] ?? 0) + clients
    }
  }

  /** @param batch the events of one write, the oldest first, regardless of the number of clients */
  wrote (batch: readonly Published[]): void {
    this.batch.observe(batch.length)
    const now = Date.now()
    // Observe at most one lag in a millisecond: there may be a batch for each instance, and parsing an id is slow.
    if (now === this.#now) return
    this.#now = now
    const id = batch[0]?.entry.id
    // A store of the application may use other ids.
    if (id === undefined || !isId(id)) return
    const lag = now - timeOf(id)
    if (lag >= -MAX_AHEAD) this.lag.observe(Math.max(0, lag) / 1000)
  }

  /** Accepted `emit` calls by event. */
  get emittedByEvent (): ReadonlyMap<string, number> {
    return this.#byEvent(this.#emitted)
  }

  /** Messages written to clients' connections by event. */
  get deliveredByEvent (): ReadonlyMap<string, number> {
    return this.#byEvent(this.#delivered)
  }

  /** Rejected `emit` calls by the code without its prefix. */
  get rejectedByCode (): ReadonlyMap<string, number> {
    return this.#rejected
  }

  #byEvent (counts: Float64Array): Map<string, number> {
    const found = new Map(this.#events.map(({ name, index }) => [name, counts[index] ?? 0]))
    // Added up, because the catalogue may have an event with the name `other`.
    return found.set(OTHER, (found.get(OTHER) ?? 0) + (counts[this.#events.length] ?? 0))
  }
}
