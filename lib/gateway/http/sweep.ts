import type { ResponseConnection } from './connection.js'

/** Visits each of its connections once in a period, using one timer for all. */
export class Sweep {
  readonly #period: number
  readonly #visit: (connection: ResponseConnection) => void
  readonly #connections = new Set<ResponseConnection>()
  #timer: NodeJS.Timeout | undefined

  /** @param period in ms */
  constructor (period: number, visit: (connection: ResponseConnection) => void) {
    this.#period = period
    this.#visit = visit
  }

  /** Adds a connection, which is visited until it closes. */
  add (connection: ResponseConnection): void {
    this.#connections.add(connection)
    this.#timer ??= setInterval(() => { this.#sweep() }, this.#period)
    connection.whenClosed(() => { this.#delete(connection) })
  }

  #sweep (): void {
    for (const connection of this.#connections) this.#visit(connection)
  }

  #delete (connection: ResponseConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
