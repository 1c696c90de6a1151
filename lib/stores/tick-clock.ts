/**
 * Tells when the current tick of the event loop began. For how long something has waited is measured until then: while
 * a tick lasts, nothing that was waited for can have been heard.
 */
export class TickClock {
  /** By `performance.now()`; `null` between ticks. */
  #tick: number | null = null

  /** @returns the beginning of this tick, as far as earlier calls in it have seen, by `performance.now()` */
  now (): number {
    if (this.#tick === null) {
      this.#tick = performance.now()
      setImmediate(() => { this.#tick = null })
    }
    return this.#tick
  }
}

/** When an event has waited for so long, in ms, the store does not keep up, and only so many more may wait. */
export const LONG_WAIT = 1000
