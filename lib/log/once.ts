import type { OnceRequest, OnceResult } from './event-log.js'

/** The row that is stored for an idempotency key. */
export interface KeptKey {
  /** When the row was stored, in ms since 1970. */
  readonly time: number
  readonly fingerprint: string
  /** The id of each event of the request; `null` for an event that no stream stored. */
  readonly ids: ReadonlyArray<string | null>
  readonly answer: string
}

/** How {@link knownOutcome} finds stored rows. */
export interface KeyLookup {
  /** Returns the row of a key in the request's table, unless it has expired. */
  readonly find: (key: string) => KeptKey | undefined
  readonly isFull: () => boolean
}

/** The result of a request that must not be executed, such as a repeated one; `undefined` if it must be. */
export function knownOutcome (
  { key, fingerprint, replaces, fence }: OnceRequest,
  { find, isFull }: KeyLookup
): OnceResult | undefined {
  const kept = find(key)
  if (kept !== undefined && replaces !== true) {
    if (kept.fingerprint !== fingerprint) return { outcome: 'conflict' }
    return { outcome: 'repeated', ids: kept.ids, answer: kept.answer }
  }
  if (fence !== undefined && (find(fence.key)?.answer ?? '') > fence.after) return { outcome: 'fenced' }
  if (kept === undefined && isFull()) return { outcome: 'full' }
}
