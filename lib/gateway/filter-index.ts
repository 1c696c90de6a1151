import type { Filter } from './filter.js'
import type { Event } from './batch.js'

/**
 * Maximum number of index entries for one filter. A larger filter is indexed by its instances only, so it is a
 * candidate for more events.
 */
const MAX_ENTRIES = 1000

/** An entry of the index: an object that has a filter, such as a group of sessions. */
interface Filtered {
  readonly filter: Filter
}

/**
 * Entries for one instance, or for any instance: those that want all events, and those of each event by its index in
 * the catalogue.
 */
interface Bucket<Entry> {
  readonly allEvents: Set<Entry>
  readonly byEvent: Map<number, Set<Entry>>
}

/**
 * Finds the filters that may pass an event without comparing the event with all filters. There may be as many different
 * filters as clients.
 */
export class FilterIndex<Entry extends Filtered> {
  /** Entries whose filter passes every event. */
  readonly unfiltered = new Set<Entry>()
  readonly #anyInstance: Bucket<Entry> = { allEvents: this.unfiltered, byEvent: new Map() }
  // Map(instance -> entries whose filter names it)
  readonly #byInstance = new Map<string, Bucket<Entry>>()

  /** Whether every entry's filter passes every event. */
  get isPlain (): boolean {
    return this.#byInstance.size === 0 && this.#anyInstance.byEvent.size === 0
  }

  add (entry: Entry): void {
    const { events, instances } = entry.filter
    const enter = (bucket: Bucket<Entry>): void => {
      if (events === null || isLarge(entry.filter)) bucket.allEvents.add(entry)
      else for (const index of events.indexes()) put(bucket.byEvent, index, () => new Set<Entry>()).add(entry)
    }
    if (instances === null) enter(this.#anyInstance)
    else for (const name of instances) enter(put(this.#byInstance, name, newBucket<Entry>))
  }

  delete (entry: Entry): void {
    const { instances } = entry.filter
    if (instances === null) leave(this.#anyInstance, entry)
    else {
      for (const name of instances) {
        const bucket = this.#byInstance.get(name)
        if (bucket === undefined) continue
        leave(bucket, entry)
        if (bucket.allEvents.size === 0 && bucket.byEvent.size === 0) this.#byInstance.delete(name)
      }
    }
  }

  /** The entries whose filter may pass an event, each once. */
  * candidates ({ event, entry }: Event): Generator<Entry> {
    for (const bucket of [this.#anyInstance, this.#byInstance.get(entry.instance)]) {
      if (bucket === undefined) continue
      yield * bucket.allEvents
      // An event that this catalogue lacks passes only filters that name no events.
      if (event !== undefined) yield * bucket.byEvent.get(event.index) ?? []
    }
  }
}

const isLarge = ({ events, instances }: Filter): boolean =>
  events !== null && instances !== null && events.size * instances.size > MAX_ENTRIES

const newBucket = <Entry> (): Bucket<Entry> => ({ allEvents: new Set(), byEvent: new Map() })

function put<Key, Value> (map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

function leave<Entry extends Filtered> ({ allEvents, byEvent }: Bucket<Entry>, entry: Entry): void {
  if (allEvents.delete(entry) || entry.filter.events === null) return
  for (const index of entry.filter.events.indexes()) {
    const entries = byEvent.get(index)
    if (entries?.delete(entry) === true && entries.size === 0) byEvent.delete(index)
  }
}
