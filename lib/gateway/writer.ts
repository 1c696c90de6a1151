import type { LimitCounters, LimitName } from '../limits/limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { Backpressure } from './backpressure.js'
import type { FrameBatch } from './batch.js'
import type { Connection } from './connection.js'
import type { LiveSession } from './session.js'
import type { Telemetry } from './telemetry.js'

interface Parts {
  readonly backpressure: Backpressure
  readonly limited: LimitCounters
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  readonly telemetry: Telemetry
}

export interface WriterCounters {
  /** Messages handed to clients' connections. */
  delivered: number
  /** Connections ended because too much waited for them. */
  slowConsumers: number
}

/** Writes to sessions, and ends the connections of slow consumers. */
export class Writer {
  readonly counters: WriterCounters = { delivered: 0, slowConsumers: 0 }
  /**
   * Whether frames may go straight to sockets. `false`: by `socket.emit` alone, as Socket.IO's outgoing listeners, its
   * admin UI and other parsers need it.
   */
  readonly direct: boolean
  /** The tick of delivery. A client has had time to read what was written in earlier ones. */
  tick = 0
  readonly #parts: Parts

  constructor (direct: boolean, parts: Parts) {
    this.direct = direct
    this.#parts = parts
  }

  /** Writes to sessions, and ends the connections for which too much waits. */
  readonly toAll = (sessions: Iterable<LiveSession>, batch: FrameBatch): void => {
    const { backpressure } = this.#parts
    let written = 0
    for (const session of sessions) {
      if (!session.deliver(batch, this)) continue
      written++
      backpressure.wrote(session.connection, batch)
    }
    this.#endOverTotal()
    this.counters.delivered += written * batch.events.length
    this.#parts.traffic?.delivered(batch.events, written)
  }

  /** Writes to one, however much waits for it: the caller paces itself by that. */
  toOne (session: LiveSession, batch: FrameBatch): void {
    const { connection } = session
    // As if checked in this tick.
    if (!connection.ended) connection.tick = this.tick
    this.toAll([session], batch)
    if (connection.ended) return
    this.#parts.backpressure.replayed(connection, batch)
    this.#endOverTotal()
  }

  /**
   * Runs what listeners of the application may hear. One that throws must not keep the event from other clients; its
   * own client is ended, because it may have got a part of the event.
   */
  guarded (connection: Connection, write: () => void): void {
    try {
      write()
    } catch (err) {
      this.#parts.telemetry.writeFailed(err, connection)
      connection.end('writeFailed')
    }
  }

  /**
   * Ends a connection if more waits for its transport from earlier ticks than may. What is written in this tick does
   * not count yet: the client has had no time to read it, and the bytes are shared with all others.
   *
   * @param own bytes that wait for the connection
   * @param waiting those that wait for its transport, where that carries others
   * @returns whether it has ended, now or before
   */
  endIfSlow (connection: Connection, own = connection.queuedBytes, waiting = own): boolean {
    if (connection.tick === this.tick) return false
    if (connection.ended) return true
    connection.tick = this.tick
    // So it is nearly always.
    if (own === 0 && connection.backlog === null) return false
    return this.#check(connection, own, waiting)
  }

  /** Ends the connection of a client that does not read refusals and acknowledgements. */
  checkAnswers (connection: Connection): void {
    if (connection.ended) return
    const { queuedBytes, transportBytes } = connection
    if (queuedBytes === 0) return
    this.#parts.backpressure.wroteOwn(connection)
    this.#check(connection, queuedBytes, transportBytes)
    this.#endOverTotal()
  }

  /** Notes that a page waits for a client. */
  wrotePage (connection: Connection): void {
    this.#parts.backpressure.wroteOwn(connection)
    this.#endOverTotal()
  }

  /** A connection has closed. */
  closed (connection: Connection): void {
    this.#parts.backpressure.forget(connection)
  }

  /** Writes an answer to a client, and ends its connection if it does not read them. */
  answer (connection: Connection, write: () => void): void {
    const before = connection.queuedBytes
    write()
    this.#parts.backpressure.answered(connection, before)
    this.checkAnswers(connection)
  }

  #check (connection: Connection, own: number, waiting: number): boolean {
    const limit = this.#parts.backpressure.check(connection, own, waiting)
    if (limit === null) return false
    this.#endSlow(connection, waiting, limit)
    return true
  }

  #endOverTotal (): void {
    for (const connection of this.#parts.backpressure.overTotal()) {
      this.#endSlow(connection, connection.queuedBytes, 'queuedBytesTotal')
    }
  }

  #endSlow (connection: Connection, queued: number, limit: LimitName): void {
    this.#parts.limited.count(limit)
    this.endStalled(connection, queued)
  }

  /** Ends the connection of a client that does not take what waits for it. */
  endStalled (connection: Connection, queued: number): void {
    this.counters.slowConsumers++
    this.#parts.telemetry.slow(connection, queued)
    connection.end('slow')
    this.#parts.backpressure.forget(connection)
  }
}
