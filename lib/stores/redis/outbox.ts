import { errors } from '../../errors.js'
import { pendingFull } from '../../limits/limits.js'
import { encodedSize } from '../../log/codec.js'
import type { LogRecord } from '../../log/event-log.js'
import type { PendingLimits } from '../store.js'
import { isPassing } from './faults.js'
import type { StreamKeys } from './keys.js'
import { idAt } from './position.js'

/** Events of a batch, and its bytes: Redis does nothing else while it takes one. */
const MAX_BATCH = 512
const MAX_BATCH_BYTES = 1024 * 1024
/** Bytes of one event. Redis takes 512 MB by default, and cuts the connection of who sends more. */
const MAX_EVENT_BYTES = 128 * 1024 * 1024
/** When an event has waited for so long, in ms, Redis does not keep up, and only so many more may wait. */
const LONG_WAIT = 1000

interface Waiting extends AppendedEvent {
  readonly since: number
  readonly resolve: (id: string) => void
  readonly reject: (error: Error) => void
}

/** An event, and where it goes. */
export interface AppendedEvent {
  readonly record: LogRecord
  /** Bytes of the record when it is encoded. */
  readonly size: number
  readonly streams: readonly StreamKeys[]
}

/** Events that are appended together. */
export interface AppendedBatch {
  /** Grows by one with each batch of a producer, whether it is answered or not. */
  readonly number: number
  readonly events: readonly AppendedEvent[]
}

/** The first id of a batch: its epoch and its position. */
export interface Appended {
  readonly epoch: string
  readonly first: string
}

interface Parts {
  readonly limits: PendingLimits
  /** @returns `null` when Redis must be joined first. @throws an error that passes, when it was not answered */
  readonly append: (batch: AppendedBatch) => Promise<Appended | null>
  /** Resolves when Redis can be asked; rejects when it never will be. */
  readonly joined: () => Promise<void>
  readonly isUp: () => boolean
  /** Told what id an event has got, before its caller is. */
  readonly appended: (streams: readonly StreamKeys[], id: string) => void
}

/**
 * What this node appends, in order. One batch is under way at a time, and what comes meanwhile goes into the next one:
 * so a batch that was not answered can be sent again, with the same number, and none overtakes it.
 */
export class Outbox {
  readonly #parts: Parts
  #waiting: Waiting[] = []
  #inFlight: readonly Waiting[] = []
  /** Events that were pushed, and those that are appended or have failed, since the beginning. */
  #pushed = 0
  #done = 0
  #bytes = 0
  #drains: Array<{ readonly through: number, readonly resolve: () => void }> = []
  #number = 0
  /** When the turn of the event loop began in which events come now, by `performance.now()`; 0 between turns. */
  #turn = 0
  #running: Promise<void> | null = null
  #closed: Error | null = null

  constructor (parts: Parts) {
    this.#parts = parts
  }

  get count (): number {
    return this.#pushed - this.#done
  }

  get bytes (): number {
    return this.#bytes
  }

  /**
   * @returns the event's id
   * @throws MESSAGE_TOO_LARGE, PENDING_FULL, STORE_UNAVAILABLE
   */
  push (streams: readonly StreamKeys[], record: LogRecord): Promise<string> {
    return new Promise((resolve, reject) => {
      const size = encodedSize(record)
      if (this.#closed !== null) throw this.#closed
      if (size > MAX_EVENT_BYTES) {
        throw new errors.MESSAGE_TOO_LARGE(record.event, size, `Redis takes ${MAX_EVENT_BYTES}`)
      }
      if (this.#turn === 0) this.#beginTurn()
      const full = this.#full(size)
      if (full !== undefined) throw full
      this.#waiting.push({ record, size, streams, since: this.#turn, resolve, reject })
      this.#pushed++
      this.#bytes += size
      // From the next microtask on: what is emitted in one go goes into one batch.
      this.#running ??= Promise.resolve().then(async () => { await this.#run() })
    })
  }

  /** What keeps an event from waiting: too much does already, and Redis is away. */
  #full (bytes: number): Error | undefined {
    const { limits, isUp } = this.#parts
    const full = pendingFull(limits, this.count, this.#bytes + bytes)
    return full !== undefined && (!isUp() || this.#waitedFor() > LONG_WAIT) ? full : undefined
  }

  #beginTurn (): void {
    this.#turn = performance.now()
    setImmediate(() => { this.#turn = 0 })
  }

  /** For how long the oldest event has waited, in ms, until this turn began: in it, Redis cannot have answered. */
  #waitedFor (): number {
    const oldest = this.#inFlight[0] ?? this.#waiting[0]
    return oldest === undefined ? 0 : this.#turn - oldest.since
  }

  async #run (): Promise<void> {
    while (this.#waiting.length > 0) {
      const events = this.#take()
      this.#inFlight = events
      this.#number++
      try {
        const { epoch, first } = await this.#appendAtLast({ number: this.#number, events })
        this.#settled(events)
        for (const [offset, { streams, resolve }] of events.entries()) {
          const id = idAt(first, epoch, offset)
          this.#parts.appended(streams, id)
          resolve(id)
        }
      } catch (error) {
        this.#settled(events)
        for (const { reject } of events) reject(error as Error)
      }
    }
    this.#running = null
  }

  #take (): Waiting[] {
    let count = 0
    let bytes = 0
    for (; count < this.#waiting.length && count < MAX_BATCH && bytes < MAX_BATCH_BYTES; count++) {
      bytes += this.#waiting[count]?.size ?? 0
    }
    return this.#waiting.splice(0, count)
  }

  #settled (events: readonly Waiting[]): void {
    this.#inFlight = []
    this.#done += events.length
    this.#bytes -= events.reduce((sum, { size }) => sum + size, 0)
    const drained = this.#drains.filter(({ through }) => through <= this.#done)
    this.#drains = this.#drains.filter(({ through }) => through > this.#done)
    for (const { resolve } of drained) resolve()
  }

  /** As often as it takes. */
  async #appendAtLast (batch: AppendedBatch): Promise<Appended> {
    for (;;) {
      if (this.#closed !== null) throw this.#closed
      try {
        const appended = await this.#parts.append(batch)
        if (appended !== null) return appended
      } catch (error) {
        if (!isPassing(error)) throw error
      }
      await this.#parts.joined()
    }
  }

  /** Resolves when everything that was pushed before is appended, or has failed. */
  async drained (): Promise<void> {
    const through = this.#pushed
    if (through === this.#done) return
    await new Promise<void>(resolve => { this.#drains.push({ through, resolve }) })
  }

  /** Takes nothing more, and rejects what still waits. */
  close (): void {
    const error = new errors.STORE_UNAVAILABLE('it is closed')
    this.#closed = error
    const waiting = this.#waiting.splice(0)
    this.#settled(waiting)
    for (const { reject } of waiting) reject(error)
  }
}
