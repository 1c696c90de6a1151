import type { Socket } from 'socket.io'
import { type Connection, endConnection, namespaceCount } from './internals.js'

/** Ends connections that are in no namespace. */
export class IdleConnections {
  readonly #ms: number
  // Map(connection that has left its last namespace -> what forgets it)
  readonly #left = new Map<Connection, () => void>()
  // Map(connection that has joined none yet -> when it came), the oldest first
  readonly #fresh = new Map<Connection, number>()
  #sweep: NodeJS.Timeout | undefined

  /** @param ms how long a connection may be in no namespace; 0 is for ever */
  constructor (ms: number) {
    this.#ms = ms
  }

  /**
   * Looks after a connection that has just come. Socket.IO closes it after `ms` if it joins no namespace; one that has
   * stalled never answers that, and is ended here.
   */
  came (connection: Connection): void {
    if (this.#ms === 0) return
    this.#fresh.set(connection, Date.now())
    this.#sweep ??= setInterval(() => { this.#endStalled() }, this.#ms)
  }

  /** To be told when a connection has joined a namespace. */
  joined (connection: Connection): void {
    this.#fresh.delete(connection)
  }

  #endStalled (): void {
    for (const [connection, since] of this.#fresh) {
      if (Date.now() - since < 2 * this.#ms) break
      this.#fresh.delete(connection)
      if (connection.readyState === 'closing') endConnection(connection)
    }
    if (this.#fresh.size === 0) this.#stopSweep()
  }

  #stopSweep (): void {
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  /** Looks after the connection of a client that has left its namespace. */
  watch (socket: Socket): void {
    const { conn } = socket
    if (this.#ms === 0 || conn.readyState !== 'open') return
    this.#left.get(conn)?.()
    const forget = () => {
      clearTimeout(timer)
      conn.off('close', forget)
      this.#left.delete(conn)
    }
    const timer = setTimeout(() => {
      forget()
      if (namespaceCount(socket) === 0) endConnection(conn)
    }, this.#ms)
    conn.once('close', forget)
    this.#left.set(conn, forget)
  }

  close (): void {
    for (const forget of this.#left.values()) forget()
    this.#fresh.clear()
    this.#stopSweep()
  }
}
