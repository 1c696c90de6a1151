import type { Database } from 'lmdb'
import type { KeyTable, OnceRequest, OnceResult } from '../../log/event-log.js'
import { leastIdAt, timeOf } from '../../log/ids.js'
import { type KeptKey, knownOutcome } from '../../log/once.js'

/** Keys that are dropped in a transaction, so that none takes long. */
const STEP = 500

/** A key that is to be kept, by the transaction that has its events. */
export interface NewKey {
  readonly table: KeyTable
  /** Of its row. */
  readonly row: string
  readonly kept: KeptKey
}

/** What one transaction drops of the keys that have aged. */
export interface AgedKeys {
  /** Keys of the index by time. */
  readonly times: readonly string[]
  /** Keys of rows. */
  readonly rows: readonly string[]
  // Map(name of a table -> how many of its keys)
  readonly counts: ReadonlyMap<string, number>
}

/**
 * Idempotency keys beside the log: a row for each, and an index by time, of which the oldest are dropped as new ones
 * come.
 */
export class LmdbKeys {
  readonly #rows: Database<KeptKey, string>
  readonly #times: Database<string, string>
  readonly #now: () => number
  // Map(name of a table -> its keys, those that are being stored and those that have aged among them)
  readonly #counts = new Map<string, number>()
  // Map(key of a row -> settles when it is stored, or is not)
  readonly #underWay = new Map<string, Promise<void>>()

  constructor (rows: Database<KeptKey, string>, times: Database<string, string>, now: () => number) {
    this.#rows = rows
    this.#times = times
    this.#now = now
  }

  /** Settles when another request with the same key is stored, or has failed; `undefined`: there is none. */
  underWay ({ table, key }: OnceRequest): Promise<void> | undefined {
    return this.#underWay.get(rowOf(table, key))
  }

  /** What a request comes to without anything being done; `undefined` when it is to be done. */
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

  /** Where the index has the keys of a table that have aged. */
  #aged ({ name, maxAge }: KeyTable): { start: string, end: string } {
    return { start: `${name}/`, end: `${name}/${leastIdAt(this.#now() - maxAge + 1)}` }
  }

  /** A key for a request that is to be done. */
  newKey ({ table, key, fingerprint, answer }: OnceRequest, ids: ReadonlyArray<string | null>): NewKey {
    return { table, row: rowOf(table, key), kept: { time: this.#now(), fingerprint, ids, answer } }
  }

  /** Notes that a key is being stored. @returns the same, when it is stored */
  async storing (key: NewKey, stored: Promise<unknown>): Promise<void> {
    const { table, row } = key
    this.#counts.set(table.name, this.#count(table) + 1)
    const settled = stored.then(() => {}, () => { this.#subtract(table.name, 1) })
    this.#underWay.set(row, settled)
    await settled
    this.#underWay.delete(row)
  }

  /** What a transaction drops that keeps these keys: what has aged in their tables. */
  aged (keys: readonly NewKey[]): AgedKeys {
    const times: string[] = []
    const rows: string[] = []
    const counts = new Map<string, number>()
    for (const table of new Map(keys.map(({ table }) => [table.name, table])).values()) {
      const before = times.length
      for (const entry of this.#times.getKeys({ ...this.#aged(table), limit: STEP })) {
        times.push(entry)
        const row = rowIn(entry)
        // One that was replaced has another entry, and one that is kept anew by this transaction stays.
        if (this.#rows.get(row)?.time === timeIn(entry) && !keys.some(key => key.row === row)) rows.push(row)
      }
      counts.set(table.name, times.length - before)
    }
    return { times, rows, counts }
  }

  /** Puts and removes within a transaction. */
  write (keys: readonly NewKey[], aged: AgedKeys): void {
    for (const entry of aged.times) void this.#times.remove(entry)
    for (const row of aged.rows) void this.#rows.remove(row)
    for (const { table, row, kept } of keys) {
      void this.#rows.put(row, kept)
      void this.#times.put(`${table.name}/${leastIdAt(kept.time)}/${row}`, '')
    }
  }

  /** Says that a transaction is written. */
  dropped ({ counts }: AgedKeys): void {
    for (const [name, count] of counts) this.#subtract(name, count)
  }

  #subtract (name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) - count)
  }
}

const rowOf = ({ name }: KeyTable, key: string): string => `${name}/${key}`

/** Of an entry of the index, `table/time/row`, the time and the row. */
const timeIn = (entry: string): number => timeOf(entry.slice(entry.indexOf('/') + 1))
function rowIn (entry: string): string {
  const time = entry.indexOf('/') + 1
  return entry.slice(entry.indexOf('/', time) + 1)
}
