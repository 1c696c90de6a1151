import type { ResponseConnection } from './connection.js'

/** Period in ms. Twice as much may pass without a byte, and nginx waits for 60 s. */
const PERIOD = 15_000

/** Keeps proxies from ending streams that have nothing to say. */
export class Heartbeats {
  readonly #period: number
  readonly #connections = new Set<ResponseConnection>()
  #timer: NodeJS.Timeout | undefined

  constructor (period = PERIOD) {
    this.#period = period
  }

  add (connection: ResponseConnection): void {
    this.#connections.add(connection)
    this.#timer ??= setInterval(() => { for (const quiet of this.#connections) quiet.beat() }, this.#period)
  }

  delete (connection: ResponseConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#stop()
  }

  #stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
