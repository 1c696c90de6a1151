import { instanceOf } from '../lib/instances.js'

/** Who is who in a soak, and what is said. */

/** Instances that are there all the time. */
export const STEADY: readonly string[] = Array.from({ length: 100 }, (_, index) => instanceOf(index))
/** Instances that are set and removed again and again. */
export const PASSING: readonly string[] = Array.from({ length: 10 }, (_, index) => `passing-${index}`)
export const INSTANCES: readonly string[] = [...STEADY, ...PASSING]

export const KINDS = ['messages.upsert', 'messages.update', 'call'] as const
export type Kind = typeof KINDS[number]

/** What a client may ask for; the first is all. */
export const FILTERS: ReadonlyArray<readonly Kind[]> = [KINDS, ['messages.upsert', 'messages.update'], ['call', 'messages.upsert']]

/** What is remembered: at its bound long before minute two, and longer than anybody is away. */
export const RETENTION = { maxAge: 60_000, maxEvents: 100_000, maxBytes: 64 * 1024 * 1024 }
/** Less than by default, so that a client that has stopped reading is ended before what it misses is forgotten. In bytes. */
export const QUEUED_BYTES = 128 * 1024

export const ROOT_KEY = 'key-of-the-root'
export const WRONG_KEY = 'key-of-nobody'
/** The key of an instance, or (`null`) of the root. */
export const keyOf = (instance: string | null): string => instance === null ? ROOT_KEY : `key-of-${instance}`

/** How a client speaks: by hand, or as a stock client over one of the transports. */
export type Way = 'raw' | 'websocket' | 'polling'

export interface Profile {
  /** `null`: the root. */
  readonly instance: string | null
  readonly way: Way
  /** Whether its instance comes and goes. */
  readonly isPassing: boolean
}

/** Of each 100 clients one is at the root, two are on a passing instance; of each 21 one is a stock client on each transport. */
export function profileOf (index: number): Profile {
  const way = index % 21 === 3 ? 'websocket' : index % 21 === 7 ? 'polling' : 'raw'
  const place = index % 100
  if (place === 0) return { instance: null, way, isPassing: false }
  const turn = Math.floor(index / 100)
  if (place === 1 || place === 51) return { instance: PASSING[turn % PASSING.length] as string, way, isPassing: true }
  return { instance: STEADY[(index + turn) % STEADY.length] as string, way, isPassing: false }
}

/** What an event carries. */
export interface Numbered {
  /** Which one it is of its instance and its kind. */
  readonly n: number
  readonly text: string
}

/** How many events of each kind an instance has had: `[instance, counts in the order of KINDS]`. */
export type Emitted = ReadonlyArray<readonly [instance: string, counts: readonly number[]]>

export const between = (least: number, most: number): number => least + Math.random() * (most - least)
export const oneIn = (count: number): boolean => Math.random() * count < 1
export const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item
