import { type LogEntry, sizeOf } from './event-log.js'
import type { Horizon } from './horizon.js'

/** Places of dropped events before they are given back. */
const MAX_HOLES = 1024

/** The newest events of a stream, in memory. */
export class RecentEvents {
  /** From which ids on everything is here. */
  readonly horizon: Horizon
  /** The oldest first, after `#holes` places of dropped ones. */
  #entries: Array<LogEntry | undefined> = []
  #holes = 0
  #bytes = 0

  constructor (horizon: Horizon) {
    this.horizon = horizon
  }

  get bytes (): number {
    return this.#bytes
  }

  get size (): number {
    return this.#entries.length - this.#holes
  }

  push (entry: LogEntry): void {
    this.#entries.push(entry)
    this.#bytes += sizeOf(entry)
  }

  get #oldest (): LogEntry | undefined {
    return this.#entries[this.#holes]
  }

  /** Drops the oldest. */
  #drop (entry: LogEntry): void {
    this.#entries[this.#holes++] = undefined
    this.#bytes -= sizeOf(entry)
    this.horizon.dropped(entry.id)
    if (this.#holes < MAX_HOLES || this.#holes < this.size) return
    this.#entries = this.#entries.slice(this.#holes)
    this.#holes = 0
  }

  get newest (): LogEntry | undefined {
    return this.#entries.at(-1)
  }

  /**
   * Drops what is over a bound, the oldest first.
   *
   * @param kept how many events stay, even if they have more than `maxBytes`
   */
  trim (maxEvents: number, maxBytes: number, kept = 0): void {
    while (this.size > maxEvents || (this.size > kept && this.#bytes > maxBytes)) {
      const oldest = this.#oldest
      if (oldest === undefined) return
      this.#drop(oldest)
    }
  }

  /** Drops what is older than an id. */
  dropBefore (id: string): void {
    for (let oldest = this.#oldest; oldest !== undefined && oldest.id < id; oldest = this.#oldest) this.#drop(oldest)
  }

  /** Drops an event and all that are older. */
  dropThrough (id: string): void {
    for (let oldest = this.#oldest; oldest !== undefined && oldest.id <= id; oldest = this.#oldest) this.#drop(oldest)
  }

  clear (): void {
    this.trim(0, 0)
  }

  /** What came after an id: as much as `maxBytes` allow, and at least one. */
  after (id: string, maxBytes: number): LogEntry[] {
    const page: LogEntry[] = []
    let bytes = 0
    for (let at = this.#indexAfter(id); at < this.#entries.length && (page.length === 0 || bytes < maxBytes); at++) {
      const entry = this.#entries[at] as LogEntry
      page.push(entry)
      bytes += sizeOf(entry)
    }
    return page
  }

  #indexAfter (id: string): number {
    let low = this.#holes
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle] as LogEntry).id > id) high = middle
      else low = middle + 1
    }
    return low
  }
}
