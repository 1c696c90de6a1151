import type { ReasonName } from './reasons.js'
import type { Session } from './session.js'
import type { Telemetry } from './telemetry.js'

const NONE: readonly Session[] = []

/** The tick of a connection that was ended. */
const ENDED = -1

/**
 * What carries sessions: an Engine.IO connection, which may carry many, or an HTTP response, which carries one. There
 * is one for each client, so every field counts.
 */
export abstract class Connection {
  /** The client's, as far as trusted proxies tell; `null` where there is none (a Unix socket). */
  readonly address: string | null
  /** Its sessions in every state but closed. Nearly always one: a new list for each change has no room to spare. */
  sessions: readonly Session[] = NONE
  /** The tick of delivery in which it was last checked for backpressure. */
  tick = 0
  protected readonly telemetry: Telemetry

  constructor (address: string | null, telemetry: Telemetry) {
    this.address = address
    this.telemetry = telemetry
  }

  /** Bytes that wait for the client, in all buffers between us and the kernel. */
  abstract get queuedBytes (): number

  /** The same with what waits for other connections of its transport, which comes before. */
  get transportBytes (): number {
    return this.queuedBytes
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

  add (session: Session): void {
    this.sessions = this.sessions.length === 0 ? [session] : [...this.sessions, session]
  }

  delete (session: Session): void {
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
