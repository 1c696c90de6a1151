import type { StreamLink } from './stream-link.js'

/** Between two looks for streams that were quiet, in ms. Twice as much may pass without a byte, and nginx waits for 60 s. */
const PERIOD = 15_000

/** Keeps proxies from ending streams that have nothing to say. */
export class Heartbeats {
  readonly #period: number
  readonly #links = new Set<StreamLink>()
  #timer: NodeJS.Timeout | undefined

  constructor (period = PERIOD) {
    this.#period = period
  }

  add (link: StreamLink): void {
    this.#links.add(link)
    this.#timer ??= setInterval(() => { for (const quiet of this.#links) quiet.beat() }, this.#period)
  }

  delete (link: StreamLink): void {
    this.#links.delete(link)
    if (this.#links.size === 0) this.#stop()
  }

  #stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
