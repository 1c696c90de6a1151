import type { KeyTable, OnceRequest, OnceResult } from '../../log/event-log.js'
import { type KeptKey, knownOutcome } from '../../log/once.js'

/** Stores idempotency keys in memory. They are lost when the process ends. */
export class MemoryKeys {
  readonly #now: () => number
  // Map(name of a table -> Map(key -> its row), the oldest first)
  readonly #tables = new Map<string, Map<string, KeptKey>>()

  constructor (now: () => number) {
    this.#now = now
  }

  /** The result of a request that must not be executed, such as a repeated one; `undefined` if it must be. */
  outcome (request: OnceRequest): OnceResult | undefined {
    const kept = this.#fresh(request.table)
    return knownOutcome(request, {
      find: key => kept.get(key),
      isFull: () => kept.size >= request.table.maxKeys
    })
  }

  /** Stores the key of an executed request. */
  keep ({ table, key, fingerprint, answer }: OnceRequest, ids: ReadonlyArray<string | null>): void {
    const kept = this.#fresh(table)
    // Deleting first moves a replaced row to the end, as the newest.
    kept.delete(key)
    kept.set(key, { time: this.#now(), fingerprint, ids, answer })
  }

  /** The keys of a table, after dropping the expired ones. */
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
