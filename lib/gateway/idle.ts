import type { Socket } from 'socket.io'
import { type Connection, endConnection, namespaceCount } from './internals.js'

/** Ends connections whose last namespace was left, after a while, as Socket.IO ends those that never joined any. */
export class IdleConnections {
  readonly #ms: number
  // Map(connection -> what forgets it)
  readonly #watched = new Map<Connection, () => void>()

  /** @param ms how long a connection may be in no namespace; 0 is for ever */
  constructor (ms: number) {
    this.#ms = ms
  }

  /** Looks after the connection of a client that has left its namespace. */
  watch (socket: Socket): void {
    const { conn } = socket
    if (this.#ms === 0 || conn.readyState !== 'open' || this.#watched.has(conn)) return
    const forget = () => {
      clearTimeout(timer)
      conn.off('close', forget)
      this.#watched.delete(conn)
    }
    const timer = setTimeout(() => {
      forget()
      if (namespaceCount(socket) === 0) endConnection(conn)
    }, this.#ms)
    conn.once('close', forget)
    this.#watched.set(conn, forget)
  }

  close (): void {
    for (const forget of this.#watched.values()) forget()
  }
}
