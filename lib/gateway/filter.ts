import { errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { type EventSet, includes, intersectEvents, listEvents, parseEventPatterns } from '../events/event-set.js'
import type { LogEntry } from '../log/event-log.js'
import { withoutEpoch } from '../log/ids.js'
import { excerpt, instanceName } from '../instances/names.js'
import type { Grant } from '../access/access.js'

/** More instances than any filter of sense names. */
const MAX_INSTANCES = 10_000

/** What a client gets of its namespace's events. */
export interface Filter {
  readonly events: EventSet
  /** `null`: of all instances. Always so in an instance's own namespace. */
  readonly instances: ReadonlySet<string> | null
  /** Whether its key is limited to some instances, and so is given nothing of former ones of their names. */
  readonly isLimited: boolean
  /** The same text for filters that let the same through. */
  readonly key: string
}

/** A filter that lets everything through. */
export const UNFILTERED: Filter = { events: null, instances: null, isLimited: false, key: '/,/' }

/** What a client asked for, as it came. */
export interface AskedFilter {
  readonly events?: unknown
  readonly instances?: unknown
}

/**
 * @param event left out: this catalogue lacks it, and another version of the application that shares the store has it
 */
export const passes = (filter: Filter, event: EventType | undefined, instance: string): boolean =>
  includes(filter.events, event) && (filter.instances === null || filter.instances.has(instance))

/**
 * The same for an event of history.
 *
 * @param since up to which id events of its instance are those of a former one
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
 * The filter of a client: what it asked for, within what its key may see.
 *
 * @param instance whose namespace it is in; `null` at the root
 * @throws INVALID_FILTER naming what is wrong
 */
export function makeFilter (catalogue: Catalogue, asked: AskedFilter, grant: Grant, instance: string | null): Filter {
  // Each event in both spellings, and some patterns.
  const patterns = readNames('events', asked.events, catalogue.events.length * 2 + 100)
  const wanted = parseEventPatterns(catalogue, patterns, pattern =>
    new errors.INVALID_FILTER(`names an unknown event: ${catalogue.unknown(pattern).message}`))
  const events = intersectEvents(catalogue, wanted, grant.events)
  const instances = instance === null ? intersectNames(readInstances(asked.instances), grant.instances) : null
  const isLimited = instance === null && grant.instances !== null
  return { events, instances, isLimited, key: keyOf(events, instances) + (isLimited ? '!' : '') }
}

function keyOf (events: EventSet, instances: ReadonlySet<string> | null): string {
  // Neither a set of events nor a name has a slash in it, so one alone stands for all.
  return `${events === null ? '/' : events.key},${instances === null ? '/' : [...instances].sort().join()}`
}

function readInstances (value: unknown): ReadonlySet<string> | null {
  const names = readNames('instances', value, MAX_INSTANCES)
  if (names.length === 0) return null
  try {
    return new Set(names.map(instanceName))
  } catch (cause) {
    throw Object.assign(new errors.INVALID_FILTER(`names no instance: ${(cause as Error).message}`), { cause })
  }
}

function intersectNames (a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null {
  if (a === null || b === null) return a ?? b
  return new Set([...a].filter(name => b.has(name)))
}

/** A list of names, as an array or with commas. */
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

/** The dotted names of the events that a filter lets through. */
export function eventNames (catalogue: Catalogue, { events }: Filter): string[] {
  return listEvents(catalogue, events).map(({ name }) => name)
}
