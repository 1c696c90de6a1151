/** The oldest position from which a stream can still be read without a gap. */
export class Horizon {
  /**
   * The newest event that was dropped, or the beginning of the log. Clients with this id or a newer one miss no dropped
   * event.
   */
  #floor: string
  /** The newest id of the log when an event was not stored. Clients with this id or an older one miss that event. */
  #missedAfter = ''

  constructor (floor: string) {
    this.#floor = floor
  }

  /** @param id of an event that was dropped */
  dropped (id: string): void {
    if (id > this.#floor) this.#floor = id
  }

  /** @param last the newest id before an event that was not remembered */
  missed (last: string): void {
    if (last > this.#missedAfter) this.#missedAfter = last
  }

  /** Whether every event after an id is stored. */
  reaches (id: string): boolean {
    return id >= this.#floor && id > this.#missedAfter
  }

  /** Includes the gaps of another horizon. */
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
