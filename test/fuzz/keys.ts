/** What `verify` of the attacked server does with a key, by the word at the key's end. */
export const KEY_WORDS = [
  // The host's own global key, and keys that are good for something
  'global', 'yes', 'one', 'none', 'calls', 'short', 'renewed', 'late', 'publishes', 'slow',
  // Keys that are good for nothing
  'no', 'unknown',
  // A check that fails
  'throws', 'rejects', 'tells', 'nothing',
  // A check that answers what it may not
  'undefined', 'null', 'number', 'text', 'response', 'map', 'bad-names', 'bad-events', 'bad-lists', 'bad-ttl', 'getter', 'proxy', 'thenable', 'extra'
] as const
export type KeyWord = typeof KEY_WORDS[number]

/** What every key of a run has in it, and nothing else. */
export const markerOf = (seed: number): string => `key-f${(seed >>> 0).toString(16).padStart(8, '0')}f`

export const keyOf = (marker: string, word: KeyWord | 'healthy'): string => `${marker}-${word}`

/** What a key may open at most, see `oddVerify`. */
export interface Opened {
  readonly instances: readonly string[] | null
  readonly events: RegExp | null
}

const ALL: Opened = { instances: null, events: null }
export const OPENS: Partial<Record<KeyWord, Opened>> = {
  global: ALL,
  yes: ALL,
  late: ALL,
  slow: ALL,
  short: ALL,
  renewed: ALL,
  // Of its times, one is good.
  'bad-ttl': ALL,
  one: { instances: ['fuzz-a'], events: /^messages\./ },
  publishes: { instances: ['fuzz-a'], events: null },
  calls: { instances: null, events: /^call$/ }
}

/** Whether there is a key in it that opens anything at all. */
export function opensAnything (bytes: Buffer, marker: string): boolean {
  return Object.keys(OPENS).some(word => bytes.includes(keyOf(marker, word as KeyWord)))
}
