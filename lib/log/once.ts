import type { OnceRequest, OnceResult } from './event-log.js'

/** What is kept under an idempotency key. */
export interface KeptKey {
  /** When it was kept, in ms since 1970. */
  readonly time: number
  readonly fingerprint: string
  /** Of each event of the request; `null` for one that no stream wanted. */
  readonly ids: ReadonlyArray<string | null>
  readonly answer: string
}

/** What a log looks up for {@link knownOutcome}. */
export interface KeyLookup {
  /** What is kept under a key of the request's table, and has not aged. */
  readonly find: (key: string) => KeptKey | undefined
  readonly isFull: () => boolean
}

/** What a request comes to without anything being done; `undefined` when it is to be done. */
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
