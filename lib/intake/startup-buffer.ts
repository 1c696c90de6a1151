import type { EventType } from '../events/catalogue.js'
import { pendingFull } from '../limits/limits.js'
import { type LogRecord, sizeOf } from '../log/event-log.js'
import type { PendingLimits } from '../stores/store.js'
import type { EmitResult } from '../types.js'

/** An event that is buffered because its routes are not known yet. */
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
 * Buffers events that are emitted before the configs are loaded, because the store is unavailable at the start. It
 * keeps the order of the calls, and its size is limited.
 */
export class StartupBuffer {
  readonly #limits: PendingLimits
  readonly #send: (held: Held) => EmitResult | Promise<EmitResult>
  #waiting: Waiting[] = []
  #bytes = 0
  #isHolding: boolean

  /**
   * @param isHolding whether events have to be buffered
   * @param send sends an event to its streams
   */
  constructor (limits: PendingLimits, isHolding: boolean, send: (held: Held) => EmitResult | Promise<EmitResult>) {
    this.#limits = limits
    this.#isHolding = isHolding
    this.#send = send
  }

  /** Whether new events are buffered. */
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
   * Buffers an event.
   *
   * @returns the result of the event
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
   * Sends all buffered events, and buffers no more. Events that a listener of the application emits meanwhile are sent
   * after them.
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

  /** Rejects all buffered events, each with the error that `why` returns. */
  reject (why: (held: Held) => Error): void {
    for (const { held, reject } of this.#waiting.splice(0)) reject(why(held))
    this.#bytes = 0
  }
}
