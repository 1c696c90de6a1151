import type { EventType } from '../events/catalogue.js'
import { pendingFull } from '../limits/limits.js'
import { type LogRecord, sizeOf } from '../log/event-log.js'
import type { PendingLimits } from '../stores/store.js'
import type { EmitResult } from '../types.js'

/** An event of which nobody can tell yet where it goes. */
export interface Held {
  readonly name: string
  readonly event: EventType
  readonly record: LogRecord
  /** True if the emitter logs a rejection; false if its caller does. */
  readonly isLogged: boolean
}

interface Waiting {
  readonly held: Held
  readonly bytes: number
  readonly resolve: (result: EmitResult | Promise<EmitResult>) => void
  readonly reject: (error: Error) => void
}

/**
 * What is emitted before the configs are known, because the store has been away since the start. It waits in the order
 * of the calls, within bounds.
 */
export class StartupBuffer {
  readonly #limits: PendingLimits
  readonly #send: (held: Held) => EmitResult | Promise<EmitResult>
  #waiting: Waiting[] = []
  #bytes = 0
  #isHolding: boolean

  /**
   * @param isHolding whether events have to wait
   * @param send takes an event where it goes
   */
  constructor (limits: PendingLimits, isHolding: boolean, send: (held: Held) => EmitResult | Promise<EmitResult>) {
    this.#limits = limits
    this.#isHolding = isHolding
    this.#send = send
  }

  /** Whether what comes now has to wait. */
  get isHolding (): boolean {
    return this.#isHolding
  }

  get events (): number {
    return this.#waiting.length
  }

  get bytes (): number {
    return this.#bytes
  }

  /**
   * Lets an event wait.
   *
   * @returns what becomes of it
   * @throws PENDING_FULL
   */
  hold (held: Held): Promise<EmitResult> {
    const bytes = sizeOf(held.record)
    const full = pendingFull(this.#limits, this.#waiting.length, this.#bytes + bytes)
    if (full !== undefined) throw full
    this.#bytes += bytes
    return new Promise((resolve, reject) => { this.#waiting.push({ held, bytes, resolve, reject }) })
  }

  /**
   * Sends all that waits, and holds nothing any more. What is emitted meanwhile, by a listener
   * of the host's, is behind it.
   */
  release (): void {
    for (const waiting of this.#waiting) {
      this.#bytes -= waiting.bytes
      try {
        waiting.resolve(this.#send(waiting.held))
      } catch (err) {
        waiting.reject(err as Error)
      }
    }
    this.#waiting = []
    this.#isHolding = false
  }

  /** Rejects all that waits, each with what `why` says. */
  reject (why: (held: Held) => Error): void {
    for (const { held, reject } of this.#waiting.splice(0)) reject(why(held))
    this.#bytes = 0
  }
}
