import type { LimitCounters } from '../limits/limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { FrameBatch } from './batch.js'
import type { Connection } from './connection.js'
import type { LiveSession } from './session.js'
import type { Telemetry } from './telemetry.js'

interface Settings {
  /** Bytes that may wait for one client; 0 is no limit. */
  readonly queuedBytes: number
  /** `false`: by `socket.emit` alone, as Socket.IO's outgoing listeners, its admin UI and other parsers need it. */
  readonly direct: boolean
}

interface Parts {
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
  /** Whether frames may go straight to sockets. */
  readonly direct: boolean
  /** The tick of delivery. A client has had time to read what was written in earlier ones. */
  tick = 0
  readonly #queuedBytes: number
  readonly #parts: Parts

  constructor ({ queuedBytes, direct }: Settings, parts: Parts) {
    this.direct = direct
    this.#queuedBytes = queuedBytes
    this.#parts = parts
  }

  /** Writes to sessions, and ends the connections for which too much waits. */
  readonly toAll = (sessions: Iterable<LiveSession>, batch: FrameBatch): void => {
    let written = 0
    for (const session of sessions) {
      if (session.deliver(batch, this)) written++
    }
    this.counters.delivered += written * batch.events.length
    this.#parts.traffic?.delivered(batch.events, written)
  }

  /** Writes to one, however much waits for it: the caller paces itself by that. */
  toOne (session: LiveSession, batch: FrameBatch): void {
    const { connection } = session
    // As if checked in this tick.
    if (!connection.ended) connection.tick = this.tick
    this.toAll([session], batch)
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
   * Ends a connection if more waits for it from earlier ticks than may. What is written in this tick does not count
   * yet: the client has had no time to read it, and the bytes are shared with all others.
   *
   * @param queued bytes that wait for its transport, where the caller knows them
   * @returns whether it has ended, now or before
   */
  endIfSlow (connection: Connection, queued?: number): boolean {
    if (connection.tick === this.tick) return false
    if (connection.ended) return true
    connection.tick = this.tick
    if (this.#queuedBytes === 0) return false
    const waiting = queued ?? connection.transportBytes
    if (waiting <= this.#queuedBytes) return false
    this.#endSlow(connection, waiting)
    return true
  }

  /** Ends the connection of a client that does not read refusals and acknowledgements. */
  checkAnswers (connection: Connection): void {
    if (this.#queuedBytes === 0 || connection.ended) return
    const queued = connection.transportBytes
    if (queued > this.#queuedBytes) this.#endSlow(connection, queued)
  }

  #endSlow (connection: Connection, queued: number): void {
    this.#parts.limited.count('queuedBytes')
    this.endStalled(connection, queued)
  }

  /** Ends the connection of a client that does not take what waits for it. */
  endStalled (connection: Connection, queued: number): void {
    this.counters.slowConsumers++
    this.#parts.telemetry.slow(connection, queued)
    connection.end('slow')
  }
}
