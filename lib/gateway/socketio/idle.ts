import type { Socket } from 'socket.io'
import type { LimitCounters } from '../../limits/limits.js'
import { type EngineConnection, endConnection, namespaceCount, sentTooMuch } from './engine.js'

/** Node timers may fire early by this much, in ms. */
const TIMER_SLACK = 2

/** Ends connections that have joined no namespace. */
export class IdleConnections {
  readonly #ms: number
  readonly #limited: LimitCounters
  readonly #onClose: (this: EngineConnection, reason: string, cause?: unknown) => void
  // Map(connection that has left its last namespace -> function that stops watching it)
  readonly #left = new Map<EngineConnection, () => void>()
  // Map(connection that has joined no namespace yet -> when it was opened), the oldest first
  readonly #notJoined = new Map<EngineConnection, number>()
  #sweep: NodeJS.Timeout | undefined
  #stopped = false

  /** @param ms how long a connection may stay without a namespace; 0 is no limit */
  constructor (ms: number, limited: LimitCounters) {
    this.#ms = ms
    this.#limited = limited
    const closed = (connection: EngineConnection, reason: string, cause: unknown) => {
      this.#closed(connection, reason, cause)
    }
    // One function for all connections, because there may be many.
    this.#onClose = function (reason, cause) { closed(this, reason, cause) }
  }

  /**
   * Watches a new connection. Socket.IO closes it after `ms` if it joins no namespace. A stalled client does not answer
   * the close, so its connection is ended here.
   *
   * Must be called before Socket.IO sees the connection, so that Socket.IO's close is never earlier than the time
   * measured here.
   */
  opened (connection: EngineConnection): void {
    connection.once('close', this.#onClose)
    if (this.#ms === 0 || this.#stopped) return
    this.#notJoined.set(connection, performance.now())
    this.#sweep ??= setInterval(() => { this.#endStalled() }, this.#ms)
  }

  /** The connection has joined a namespace. */
  joined (connection: EngineConnection): void {
    this.#notJoined.delete(connection)
    connection.off('close', this.#onClose)
  }

  /** The connection has closed: by Socket.IO's timeout, or for another reason. */
  #closed (connection: EngineConnection, reason: string, cause: unknown): void {
    if (sentTooMuch(cause)) this.#limited.count('inboundBytes')
    const since = this.#notJoined.get(connection)
    if (since === undefined) return
    this.#notJoined.delete(connection)
    if (reason === 'forced close' && performance.now() - since >= this.#ms - TIMER_SLACK) this.#limited.count('idleMs')
  }

  #endStalled (): void {
    for (const [connection, since] of this.#notJoined) {
      if (performance.now() - since < 2 * this.#ms) break
      this.#notJoined.delete(connection)
      if (connection.readyState !== 'closing') continue
      this.#limited.count('idleMs')
      endConnection(connection)
    }
    if (this.#notJoined.size === 0) this.#stopSweep()
  }

  #stopSweep (): void {
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  /** Watches the connection of a client that has left its namespace. */
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
      if (namespaceCount(socket) > 0) return
      this.#limited.count('idleMs')
      endConnection(conn)
    }, this.#ms)
    conn.once('close', forget)
    this.#left.set(conn, forget)
  }

  close (): void {
    this.#stopped = true
    for (const forget of this.#left.values()) forget()
    this.#notJoined.clear()
    this.#stopSweep()
  }
}
