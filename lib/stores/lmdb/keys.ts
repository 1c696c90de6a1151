import type { Database } from 'lmdb'
import type { KeyTable, OnceRequest, OnceResult } from '../../log/event-log.js'
import { leastIdAt, timeOf } from '../../log/ids.js'
import { type KeptKey, knownOutcome } from '../../log/once.js'

/** Maximum number of keys that one transaction drops, so that none takes long. */
const STEP = 500

/** A new key, stored in the same transaction as the events of its request. */
export interface NewKey {
  readonly table: KeyTable
  /** The database key of its row. */
  readonly row: string
  readonly kept: KeptKey
}

/** The expired keys that one transaction drops. */
export interface AgedKeys {
  /** Their database keys in the index by time. */
  readonly times: readonly string[]
  /** The database keys of their rows. */
  readonly rows: readonly string[]
  // Map(name of a table -> number of its expired keys)
  readonly counts: ReadonlyMap<string, number>
}

/**
 * Idempotency keys, stored in the same file as the log: a row for each key, and an index by time. New keys drop the
 * oldest expired ones.
 */
export class LmdbKeys {
  readonly #rows: Database<KeptKey, string>
  readonly #times: Database<string, string>
  readonly #now: () => number
  // Map(name of a table -> number of its keys, including keys that are being stored and expired ones)
  readonly #counts = new Map<string, number>()
  // Map(database key of a row -> settles when the row is stored or has failed)
  readonly #underWay = new Map<string, Promise<void>>()

  constructor (rows: Database<KeptKey, string>, times: Database<string, string>, now: () => number) {
    this.#rows = rows
    this.#times = times
    this.#now = now
  }

  /** Settles when another request with the same key is stored or has failed; `undefined` if there is none. */
  underWay ({ table, key }: OnceRequest): Promise<void> | undefined {
    return this.#underWay.get(rowOf(table, key))
  }

  /** The result of a request that must not be executed, such as a repeated one; `undefined` if it must be. */
  outcome (request: OnceRequest): OnceResult | undefined {
    const { table } = request
    return knownOutcome(request, { find: key => this.#find(table, key), isFull: () => this.#isFull(table) })
  }

  #find (table: KeyTable, key: string): KeptKey | undefined {
    const kept = this.#rows.get(rowOf(table, key))
    return kept === undefined || kept.time <= this.#now() - table.maxAge ? undefined : kept
  }

  #isFull (table: KeyTable): boolean {
    const count = this.#count(table)
    return count >= table.maxKeys && count - this.#times.getKeysCount(this.#aged(table)) >= table.maxKeys
  }

  #count ({ name }: KeyTable): number {
    const known = this.#counts.get(name)
    if (known !== undefined) return known
    const count = this.#times.getKeysCount({ start: `${name}/`, end: `${name}0` })
    this.#counts.set(name, count)
    return count
  }

  /** The range of a table's expired keys in the index. */
  #aged ({ name, maxAge }: KeyTable): { start: string, end: string } {
    return { start: `${name}/`, end: `${name}/${leastIdAt(this.#now() - maxAge + 1)}` }
  }

  /** Makes the key for a request that is to be executed. */
  newKey ({ table, key, fingerprint, answer }: OnceRequest, ids: ReadonlyArray<string | null>): NewKey {
    return { table, row: rowOf(table, key), kept: { time: this.#now(), fingerprint, ids, answer } }
  }

  /** Registers a key that is being stored. Resolves when it is stored. */
  async storing (key: NewKey, stored: Promise<unknown>): Promise<void> {
    const { table, row } = key
    this.#counts.set(table.name, this.#count(table) + 1)
    const settled = stored.then(() => {}, () => { this.#subtract(table.name, 1) })
    this.#underWay.set(row, settled)
    await settled
    this.#underWay.delete(row)
  }

  /** The expired keys that a transaction with these new keys drops, from the same tables. */
  aged (keys: readonly NewKey[]): AgedKeys {
    const times: string[] = []
    const rows: string[] = []
    const counts = new Map<string, number>()
    for (const table of new Map(keys.map(({ table }) => [table.name, table])).values()) {
      const before = times.length
      for (const entry of this.#times.getKeys({ ...this.#aged(table), limit: STEP })) {
        times.push(entry)
        const row = rowIn(entry)
        // The row stays if it was replaced, and so has a newer entry, or if this transaction stores it again.
        if (this.#rows.get(row)?.time === timeIn(entry) && !keys.some(key => key.row === row)) rows.push(row)
      }
      counts.set(table.name, times.length - before)
    }
    return { times, rows, counts }
  }

  /** Stores the new keys and deletes the expired ones. Must run within a transaction. */
  write (keys: readonly NewKey[], aged: AgedKeys): void {
    for (const entry of aged.times) void this.#times.remove(entry)
    for (const row of aged.rows) void this.#rows.remove(row)
    for (const { table, row, kept } of keys) {
      void this.#rows.put(row, kept)
      void this.#times.put(`${table.name}/${leastIdAt(kept.time)}/${row}`, '')
    }
  }

  /** Updates the counts after a transaction was written. */
  dropped ({ counts }: AgedKeys): void {
    for (const [name, count] of counts) this.#subtract(name, count)
  }

  #subtract (name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) - count)
  }
}

const rowOf = ({ name }: KeyTable, key: string): string => `${name}/${key}`

/** Index entries are `table/time/row`. These functions return the time and the row. */
const timeIn = (entry: string): number => timeOf(entry.slice(entry.indexOf('/') + 1))
function rowIn (entry: string): string {
  const time = entry.indexOf('/') + 1
  return entry.slice(entry.indexOf('/', time) + 1)
}
