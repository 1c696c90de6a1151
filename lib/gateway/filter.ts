import { errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { type EventSet, includes, intersectEvents, listEvents, parseEventPatterns } from '../events/event-set.js'
import type { LogEntry } from '../log/event-log.js'
import { withoutEpoch } from '../log/ids.js'
import { excerpt, instanceName } from '../instances/names.js'
import type { Grant } from '../access/access.js'

/** Maximum number of instances in a filter. */
const MAX_INSTANCES = 10_000

/** Selects the events of its namespace that a client gets. */
export interface Filter {
  readonly events: EventSet
  /** `null`: events of all instances. Always `null` in an instance's own namespace. */
  readonly instances: ReadonlySet<string> | null
  /**
   * True if the client's key is limited to some instances. The client then gets no events of former instances of the
   * same names.
   */
  readonly isLimited: boolean
  /** A text that is equal for filters that pass the same events. */
  readonly key: string
}

/** A filter that passes every event. */
export const UNFILTERED: Filter = { events: null, instances: null, isLimited: false, key: '/,/' }

/** The filter that a client requests, not validated yet. */
export interface AskedFilter {
  readonly events?: unknown
  readonly instances?: unknown
}

/**
 * @param event `undefined`: an event that this catalogue lacks; another version of the application on the same store
 *   has it
 */
export const passes = (filter: Filter, event: EventType | undefined, instance: string): boolean =>
  includes(filter.events, event) && (filter.instances === null || filter.instances.has(instance))

/**
 * Like `passes`, for an event of history.
 *
 * @param since in the root's stream, events of the instance's name with an id up to this one belong to a former
 *   instance
 */
export function passesFrom (
  filter: Filter,
  event: EventType | undefined,
  { id, instance }: LogEntry,
  since: string
): boolean {
  return passes(filter, event, instance) && !(filter.isLimited && withoutEpoch(id) <= withoutEpoch(since))
}

/**
 * Makes the filter of a client: the requested filter, limited to what its key grants access to.
 *
 * @param instance of the client's namespace; `null` at the root
 * @throws INVALID_FILTER naming what is wrong
 */
export function makeFilter (catalogue: Catalogue, asked: AskedFilter, grant: Grant, instance: string | null): Filter {
  // Enough for each event in both spellings, and some patterns.
  const patterns = readNames('events', asked.events, catalogue.events.length * 2 + 100)
  const wanted = parseEventPatterns(catalogue, patterns, pattern =>
    new errors.INVALID_FILTER(`names an unknown event: ${catalogue.unknown(pattern).message}`))
  const events = intersectEvents(catalogue, wanted, grant.events)
  const instances = instance === null ? intersectNames(readInstances(asked.instances), grant.instances) : null
  const isLimited = instance === null && grant.instances !== null
  return { events, instances, isLimited, key: keyOf(events, instances) + (isLimited ? '!' : '') }
}

function keyOf (events: EventSet, instances: ReadonlySet<string> | null): string {
  // A slash stands for all: neither the key of an event set nor an instance's name contains one.
  return `${events === null ? '/' : events.key},${instances === null ? '/' : [...instances].sort().join()}`
}

function readInstances (value: unknown): ReadonlySet<string> | null {
  const names = readNames('instances', value, MAX_INSTANCES)
  if (names.length === 0) return null
  try {
    return new Set(names.map(instanceName))
  } catch (cause) {
    throw Object.assign(new errors.INVALID_FILTER(`has a wrong instance name: ${(cause as Error).message}`), { cause })
  }
}

function intersectNames (a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null {
  if (a === null || b === null) return a ?? b
  return new Set([...a].filter(name => b.has(name)))
}

/** Reads a list of names, given as an array or as a text with commas. */
function readNames (key: string, value: unknown, most: number): string[] {
  if (value === undefined || value === null) return []
  const names: unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value]
  if (names.length > most) throw new errors.INVALID_FILTER(`has ${names.length} names in "${key}", ${most} are allowed`)
  return names.map(name => {
    if (typeof name !== 'string') {
      throw new errors.INVALID_FILTER(`"${key}" must be a list of names, or names with commas between them`)
    }
    return name.trim()
  }).filter(name => name !== '' || typeof value !== 'string').map(name => {
    if (name === '') throw new errors.INVALID_FILTER(`has an empty name in "${key}"`)
    if (name.length > 200) {
      throw new errors.INVALID_FILTER(`has a name of ${name.length} characters in "${key}": ${excerpt(name)}`)
    }
    return name
  })
}

/** The dotted names of the events that a filter passes. */
export function eventNames (catalogue: Catalogue, { events }: Filter): string[] {
  return listEvents(catalogue, events).map(({ name }) => name)
}
