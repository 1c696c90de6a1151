import type { Catalogue, EventType } from './catalogue.js'

/** A set of events of one catalogue; `null` is the set of all events, including those of a later catalogue. */
export type EventSet = EventBits | null

/** A set of events, stored as a bit for each index of the catalogue. */
export class EventBits {
  readonly #bits: Uint8Array
  readonly size: number

  constructor (catalogue: Catalogue, events: Iterable<EventType>) {
    this.#bits = new Uint8Array(catalogue.events.length)
    for (const { index } of events) this.#bits[index] = 1
    this.size = this.#bits.reduce((sum, bit) => sum + bit, 0)
  }

  has (event: EventType): boolean {
    return this.#bits[event.index] === 1
  }

  /** The catalogue indexes of the events in the set. */
  * indexes (): Generator<number> {
    for (const [index, bit] of this.#bits.entries()) if (bit === 1) yield index
  }

  /** A text that is equal for equal sets, regardless of the order in which events were given. */
  get key (): string {
    return this.#bits.join('')
  }
}

/** @param event `undefined`: an event that this catalogue does not have */
export const includes = (set: EventSet, event: EventType | undefined): boolean =>
  set === null || (event !== undefined && set.has(event))

/** The events of a set, in catalogue order. */
export function listEvents (catalogue: Catalogue, set: EventSet): readonly EventType[] {
  return set === null ? catalogue.events : catalogue.events.filter(event => set.has(event))
}

/** The events that are in both sets. */
export function intersectEvents (catalogue: Catalogue, a: EventSet, b: EventSet): EventSet {
  if (a === null || b === null) return a ?? b
  return new EventBits(catalogue, listEvents(catalogue, a).filter(event => b.has(event)))
}

/**
 * Parses a list of event names in either spelling. `messages.*` selects every event whose dotted name starts with
 * `messages.`; `*` selects all.
 *
 * @returns `null` (all) for an empty list and for one that selects the whole catalogue
 * @throws the error that `onUnknown` makes for the first name that matches no event
 */
export function parseEventPatterns (
  catalogue: Catalogue,
  patterns: readonly string[],
  onUnknown: (pattern: string) => Error
): EventSet {
  const found = new Set<EventType>()
  for (const pattern of new Set(patterns)) {
    const matches = eventsMatching(catalogue, pattern)
    if (matches.length === 0) throw onUnknown(pattern)
    for (const event of matches) found.add(event)
  }
  return eventSet(catalogue, [...found])
}

function eventsMatching (catalogue: Catalogue, pattern: string): readonly EventType[] {
  if (pattern === '*') return catalogue.events
  if (pattern.endsWith('.*')) {
    const start = pattern.slice(0, -1)
    return catalogue.events.filter(({ name }) => name.startsWith(start))
  }
  const event = catalogue.find(pattern)
  return event === undefined ? [] : [event]
}

/** Makes a set of events; `null` (all) for an empty list and for the whole catalogue. */
export function eventSet (catalogue: Catalogue, events: readonly EventType[]): EventSet {
  if (events.length === 0) return null
  const set = new EventBits(catalogue, events)
  return set.size === catalogue.events.length ? null : set
}
