import type { Socket } from 'socket.io'
import type { LimitCounters } from '../../limits/limits.js'
import { type EngineConnection, endConnection, namespaceCount, sentTooMuch } from './engine.js'

/** Timers of Node may be this early, in ms. */
const TIMER_SLACK = 2

/** Ends connections that are in no namespace. */
export class IdleConnections {
  readonly #ms: number
  readonly #limited: LimitCounters
  readonly #onClose: (this: EngineConnection, reason: string, cause?: unknown) => void
  // Map(connection that has left its last namespace -> what forgets it)
  readonly #left = new Map<EngineConnection, () => void>()
  // Map(connection that has joined none yet -> when it came), the oldest first
  readonly #fresh = new Map<EngineConnection, number>()
  #sweep: NodeJS.Timeout | undefined
  #stopped = false

  /** @param ms how long a connection may be in no namespace; 0 is for ever */
  constructor (ms: number, limited: LimitCounters) {
    this.#ms = ms
    this.#limited = limited
    const closed = (connection: EngineConnection, reason: string, cause: unknown) => {
      this.#closed(connection, reason, cause)
    }
    // One for all connections, because there may be many.
    this.#onClose = function (reason, cause) { closed(this, reason, cause) }
  }

  /**
   * Looks after a connection that has just come. Socket.IO closes it after `ms` if it joins no namespace; one that has
   * stalled never answers that, and is ended here.
   *
   * To be called before Socket.IO has heard of the connection: what it closes in time must not seem early.
   */
  came (connection: EngineConnection): void {
    connection.once('close', this.#onClose)
    if (this.#ms === 0 || this.#stopped) return
    this.#fresh.set(connection, performance.now())
    this.#sweep ??= setInterval(() => { this.#endStalled() }, this.#ms)
  }

  /** To be told when a connection has joined a namespace. */
  joined (connection: EngineConnection): void {
    this.#fresh.delete(connection)
    connection.off('close', this.#onClose)
  }

  /** Socket.IO has closed one in time, or it has gone by itself. */
  #closed (connection: EngineConnection, reason: string, cause: unknown): void {
    if (sentTooMuch(cause)) this.#limited.count('inboundBytes')
    const since = this.#fresh.get(connection)
    if (since === undefined) return
    this.#fresh.delete(connection)
    if (reason === 'forced close' && performance.now() - since >= this.#ms - TIMER_SLACK) this.#limited.count('idleMs')
  }

  #endStalled (): void {
    for (const [connection, since] of this.#fresh) {
      if (performance.now() - since < 2 * this.#ms) break
      this.#fresh.delete(connection)
      if (connection.readyState !== 'closing') continue
      this.#limited.count('idleMs')
      endConnection(connection)
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
    this.#fresh.clear()
    this.#stopSweep()
  }
}
