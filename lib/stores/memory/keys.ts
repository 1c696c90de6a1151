import type { KeyTable, OnceRequest, OnceResult } from '../../log/event-log.js'
import { type KeptKey, knownOutcome } from '../../log/once.js'

/** Idempotency keys that end with the process. */
export class MemoryKeys {
  readonly #now: () => number
  // Map(name of a table -> Map(key -> what is kept), the oldest first)
  readonly #tables = new Map<string, Map<string, KeptKey>>()

  constructor (now: () => number) {
    this.#now = now
  }

  /** What a request comes to without anything being done; `undefined` when it is to be done. */
  outcome (request: OnceRequest): OnceResult | undefined {
    const kept = this.#fresh(request.table)
    return knownOutcome(request, {
      find: key => kept.get(key),
      isFull: () => kept.size >= request.table.maxKeys
    })
  }

  /** Keeps the key of a request that was done. */
  keep ({ table, key, fingerprint, answer }: OnceRequest, ids: ReadonlyArray<string | null>): void {
    const kept = this.#fresh(table)
    // One that is replaced is the newest then.
    kept.delete(key)
    kept.set(key, { time: this.#now(), fingerprint, ids, answer })
  }

  /** The keys of a table without those that have aged. */
  #fresh ({ name, maxAge }: KeyTable): Map<string, KeptKey> {
    const kept = this.#tables.get(name) ?? new Map<string, KeptKey>()
    this.#tables.set(name, kept)
    const eldest = this.#now() - maxAge
    for (const [key, { time }] of kept) {
      if (time > eldest) break
      kept.delete(key)
    }
    return kept
  }

  clear (): void {
    this.#tables.clear()
  }
}
