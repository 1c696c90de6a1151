/** How far back a stream reaches: from which ids on it has everything. */
export class Horizon {
  /** The newest event that was dropped, or the log's beginning. Whoever has it has missed nothing by that. */
  #floor: string
  /** The newest id that there was when an event was not remembered. Whoever has no newer one has missed the event. */
  #missedAfter = ''

  constructor (floor: string) {
    this.#floor = floor
  }

  /** @param id of an event that is remembered no more */
  dropped (id: string): void {
    if (id > this.#floor) this.#floor = id
  }

  /** @param last the newest id before an event that was not remembered */
  missed (last: string): void {
    if (last > this.#missedAfter) this.#missedAfter = last
  }

  /** Whether everything after an id is remembered. */
  reaches (id: string): boolean {
    return id >= this.#floor && id > this.#missedAfter
  }

  /** Takes over what another one does not reach. */
  add (other: Horizon): void {
    this.dropped(other.#floor)
    this.missed(other.#missedAfter)
  }

  copy (): Horizon {
    const copy = new Horizon(this.#floor)
    copy.#missedAfter = this.#missedAfter
    return copy
  }
}
