import { type Backlog, type LargeWaiting, NO_LARGE } from './backlog.js'
import type { CloseDetail, ReasonName } from './reasons.js'

/** What a connection knows of a session that it carries. */
export interface CarriedSession {
  readonly instance: string | null
  readonly isOpen: boolean
  readonly shared: Shared | null
  /** Its lease of its stream. */
  readonly subscription: object | null
  close(reason: ReasonName, detail?: CloseDetail): void
}

/** Where a connection says that a listener of the application has failed. */
export interface ConnectionTelemetry {
  listenerFailed(err: unknown, instance: string | null | undefined, address: string | null): void
}

const NONE: readonly CarriedSession[] = []

/** The tick of a connection that was ended. */
const ENDED = -1

/** Connections with the same of both are written the same bytes, held once. */
export interface Shared {
  readonly stream: object
  readonly filter: string
}

/**
 * What carries sessions: an Engine.IO connection, which may carry many, or an HTTP response, which carries one. There
 * is one for each client, so every field counts.
 */
export abstract class Connection {
  /** The client's, as far as trusted proxies tell; `null` where there is none (a Unix socket). */
  readonly address: string | null
  /** Its sessions in every state but closed. Nearly always one: a new list for each change has no room to spare. */
  sessions: readonly CarriedSession[] = NONE
  /** The tick of delivery in which it was last checked for backpressure. */
  tick = 0
  /** What waits for the client; `null` when nothing did at the last look. */
  backlog: Backlog | null = null
  protected readonly telemetry: ConnectionTelemetry

  constructor (address: string | null, telemetry: ConnectionTelemetry) {
    this.address = address
    this.telemetry = telemetry
  }

  /** Bytes that wait for the client, in all buffers between us and the kernel. */
  abstract get queuedBytes (): number

  /** The same with what waits for other connections of its transport, which comes before. */
  get transportBytes (): number {
    return this.queuedBytes
  }

  /**
   * Bytes of what was written that the kernel has taken, of its transport. Only differences mean something. `null`: the
   * kernel has every answer to the client's polls, so that its progress is not known until the next poll.
   */
  abstract get takenBytes (): number | null

  /** Large messages that wait for its transport. */
  get largeWaiting (): LargeWaiting {
    return this.backlog?.large(this.queuedBytes) ?? NO_LARGE
  }

  /** With whom it shares the bytes that wait for it; `null`: with nobody. */
  get shared (): Shared | null {
    const [session] = this.sessions
    return this.sessions.length === 1 && session !== undefined ? session.shared : null
  }

  /** Resolves when something that waits was written, when the connection has ended, or after 100 ms. */
  abstract drained (): Promise<void>

  /** Drops the connection with what waits for it. A listener of the application may hear of it, and throw. */
  protected abstract terminate (): void

  /** Whether it was ended by the server. Its close event comes later, and nothing is written until then. */
  get ended (): boolean {
    return this.tick === ENDED
  }

  /** Whether a session of it is open: recovering, live or muted. */
  get isServed (): boolean {
    return this.sessions.some(({ isOpen }) => isOpen)
  }

  add (session: CarriedSession): void {
    this.sessions = this.sessions.length === 0 ? [session] : [...this.sessions, session]
  }

  delete (session: CarriedSession): void {
    const others = this.sessions.filter(other => other !== session)
    this.sessions = others.length === 0 ? NONE : others
  }

  /** Nothing more is to be written to it. */
  protected markEnded (): void {
    this.tick = ENDED
  }

  /** Ends the connection at once, and its sessions with it, so that a stock client comes back by itself. */
  end (reason: ReasonName): void {
    if (this.ended) return
    this.markEnded()
    const [first] = this.sessions
    for (const session of this.sessions) session.close(reason)
    try {
      this.terminate()
    } catch (err) {
      this.telemetry.listenerFailed(err, first?.instance, this.address)
    }
  }
}
