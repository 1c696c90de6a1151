/**
 * Gives the time at which the current tick of the event loop began. Waiting times are measured up to that moment,
 * because no answer of a store can be processed during a tick.
 */
export class TickClock {
  /** When the current tick began, by `performance.now()`; `null` between ticks. */
  #tick: number | null = null

  /** @returns the time of the first call in this tick, by `performance.now()` */
  now (): number {
    if (this.#tick === null) {
      this.#tick = performance.now()
      setImmediate(() => { this.#tick = null })
    }
    return this.#tick
  }
}

/** If an event has been queued for this long, in ms, the store counts as too slow, and the queue is limited. */
export const LONG_WAIT = 1000
