import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the event loop is looked at, in ms. */
const RESOLUTION = 10

/** By how much the event loop of this process is late. */
export class Lateness {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION })

  constructor () {
    this.#delays.enable()
  }

  /** In ms: 99 of 100 times since it was taken last, by no more. */
  take (): number {
    const late = Math.max(0, this.#delays.percentile(99) / 1e6 - RESOLUTION)
    this.#delays.reset()
    return late
  }
}
