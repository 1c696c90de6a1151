import type { Filter } from './filter.js'
import type { Event } from './batch.js'

/** Entries of one filter. One with more is entered under its instances alone, and so looked at for more events. */
const MAX_ENTRIES = 1000

/** An entry of the index: something that has a filter, such as a group of sessions. */
interface Filtered {
  readonly filter: Filter
}

/** Those that want some instance, or any: all its events, or some, by their index in the catalogue. */
interface Bucket<Entry> {
  readonly allEvents: Set<Entry>
  readonly byEvent: Map<number, Set<Entry>>
}

/**
 * Filters by what they let through, so that an event is compared with those alone that may let it through: there may
 * be as many different filters as clients.
 */
export class FilterIndex<Entry extends Filtered> {
  /** Those that let everything through. */
  readonly unfiltered = new Set<Entry>()
  readonly #anyInstance: Bucket<Entry> = { allEvents: this.unfiltered, byEvent: new Map() }
  // Map(instance -> those that name it)
  readonly #byInstance = new Map<string, Bucket<Entry>>()

  /** Whether there is none but those that let everything through. */
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

  /** Those that may let an event through, each once. */
  * candidates ({ event, entry }: Event): Generator<Entry> {
    for (const bucket of [this.#anyInstance, this.#byInstance.get(entry.instance)]) {
      if (bucket === undefined) continue
      yield * bucket.allEvents
      // One that this catalogue lacks passes where no event is named.
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
