import { errors } from '../../errors.js'
import { pendingFull } from '../../limits/limits.js'
import { encodedSize } from '../../log/codec.js'
import type { LogRecord } from '../../log/event-log.js'
import type { PendingLimits } from '../store.js'
import { LONG_WAIT, TickClock } from '../tick-clock.js'
import { pauseBefore } from './client.js'
import { isPassing } from './faults.js'
import type { KeyedRequest, RequestResult } from './keyed.js'
import type { StreamKeys } from './keys.js'
import { Pause } from './pause.js'
import { idAt } from './position.js'
import type { Writes } from './writes.js'

/** Events of a batch, and its bytes, at most one unit more: Redis does nothing else while it takes one. */
const MAX_BATCH = 512
const MAX_BATCH_BYTES = 1024 * 1024
/** Bytes of one event. Redis takes 512 MB by default, and cuts the connection of who sends more. */
const MAX_EVENT_BYTES = 128 * 1024 * 1024

/** An event, and where it goes. */
export interface AppendedEvent {
  readonly record: LogRecord
  /** Bytes of the record when it is encoded. */
  readonly size: number
  readonly streams: readonly StreamKeys[]
}

/** Events that go into one batch: one, or all of a request with a key. */
export interface AppendedUnit {
  readonly events: readonly AppendedEvent[]
  /** `null` for a single event without a key. */
  readonly request: KeyedRequest | null
}

interface PendingUnit extends AppendedUnit {
  /** Bytes of its events. */
  readonly size: number
  readonly since: number
  readonly resolve: (appended: UnitResult) => void
  readonly reject: (error: Error) => void
}

/** Units that are appended together. */
export interface AppendedBatch {
  /** Grows by one with each batch of a producer, whether it is answered or not. */
  readonly number: number
  readonly units: readonly AppendedUnit[]
}

/** The first id of a batch, its epoch and its position, and what became of its requests with a key. */
export interface Appended {
  readonly epoch: string
  readonly first: string
  /** In their order. */
  readonly requests: readonly RequestResult[]
}

/** What became of a unit. */
export interface UnitResult {
  /** Of its first event. */
  readonly id: string
  /** `null` for a single event without a key. */
  readonly request: RequestResult | null
}

interface Parts {
  readonly limits: PendingLimits
  /** @returns `null` when Redis must be attached first. @throws an error that passes, when it was not answered */
  readonly append: (batch: AppendedBatch) => Promise<Appended | null>
  /** Resolves when Redis can be asked; rejects when it never will be. */
  readonly attached: () => Promise<void>
  readonly isUp: () => boolean
  readonly writes: Pick<Writes, 'isRefused' | 'accepted' | 'failed'>
  /** Told what id an event has got, before its caller is. */
  readonly appended: (streams: readonly StreamKeys[], id: string) => void
}

/**
 * Appends what this node emits, in order and once. One batch is in flight at a time, and what comes meanwhile goes into
 * the next one: so a batch that was not answered can be sent again with the same number, and none overtakes it.
 */
export class Producer {
  readonly #parts: Parts
  #pending: PendingUnit[] = []
  #inFlight: readonly PendingUnit[] = []
  /** Events that were pushed, and those that are appended or have failed, since the beginning. */
  #pushed = 0
  #done = 0
  #bytes = 0
  #drains: Array<{ readonly through: number, readonly resolve: () => void }> = []
  #number = 0
  readonly #clock = new TickClock()
  #running: Promise<void> | null = null
  #closed: Error | null = null
  /** Ends a pause before its time. */
  readonly #pause = new Pause()

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
  async push (streams: readonly StreamKeys[], record: LogRecord): Promise<string> {
    return (await this.#push([eventOf(streams, record)], null)).id
  }

  /**
   * Pushes what a request with a key appends.
   *
   * @throws as {@link push}
   */
  async pushRequest (
    request: KeyedRequest,
    events: ReadonlyArray<{ readonly streams: readonly StreamKeys[], readonly record: LogRecord }>
  ): Promise<RequestResult> {
    const { request: result } = await this.#push(events.map(({ streams, record }) => eventOf(streams, record)), request)
    if (result === null) throw new errors.STORE_UNAVAILABLE('Redis has not said what became of a request')
    return result
  }

  #push (events: readonly AppendedEvent[], request: KeyedRequest | null): Promise<UnitResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) throw this.#closed
      const size = events.reduce((sum, { size }) => sum + size, 0)
      const full = this.#full(size)
      if (full !== undefined) throw full
      this.#pending.push({ events, request, size, since: this.#clock.now(), resolve, reject })
      this.#pushed += weightOf({ events })
      this.#bytes += size
      // From the next microtask on: what is emitted in one go goes into one batch.
      this.#running ??= Promise.resolve().then(async () => { await this.#run() })
    })
  }

  /** What keeps an event from waiting: too much does already, and Redis is away or refuses writes. */
  #full (bytes: number): Error | undefined {
    const { limits, isUp, writes } = this.#parts
    const full = pendingFull(limits, this.count, this.#bytes + bytes)
    return full !== undefined && (!isUp() || writes.isRefused || this.#oldestAge() > LONG_WAIT) ? full : undefined
  }

  /** For how long the oldest event has waited, in ms. */
  #oldestAge (): number {
    const oldest = this.#inFlight[0] ?? this.#pending[0]
    return oldest === undefined ? 0 : this.#clock.now() - oldest.since
  }

  async #run (): Promise<void> {
    while (this.#pending.length > 0) {
      const units = this.#take()
      this.#inFlight = units
      this.#number++
      try {
        const appended = await this.#appendWithRetries({ number: this.#number, units })
        this.#release(units)
        this.#resolve(units, appended)
      } catch (error) {
        this.#release(units)
        for (const { reject } of units) reject(error as Error)
      }
    }
    this.#running = null
  }

  #resolve (units: readonly PendingUnit[], { epoch, first, requests }: Appended): void {
    let offset = 0
    let requested = 0
    for (const { events, request, resolve } of units) {
      const result = request === null ? null : requests[requested++] ?? null
      const id = idAt(first, epoch, offset)
      if (result === null || result.outcome === 'appended') {
        for (const [at, { streams }] of events.entries()) this.#parts.appended(streams, idAt(first, epoch, offset + at))
      }
      offset += events.length
      resolve({ id, request: result })
    }
  }

  #take (): PendingUnit[] {
    let count = 0
    let events = 0
    let bytes = 0
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[count]) {
      if (events >= MAX_BATCH || bytes >= MAX_BATCH_BYTES) break
      events += weightOf(next)
      bytes += next.size
      count++
    }
    return this.#pending.splice(0, count)
  }

  #release (units: readonly PendingUnit[]): void {
    this.#inFlight = []
    this.#done += units.reduce((sum, unit) => sum + weightOf(unit), 0)
    this.#bytes -= units.reduce((sum, { size }) => sum + size, 0)
    const drained = this.#drains.filter(({ through }) => through <= this.#done)
    this.#drains = this.#drains.filter(({ through }) => through > this.#done)
    for (const { resolve } of drained) resolve()
  }

  /**
   * As often as it takes. The second time at once, because mostly a connection was lost, and then less and less often.
   */
  async #appendWithRetries (batch: AppendedBatch): Promise<Appended> {
    const { append, attached, writes } = this.#parts
    for (let failures = 0; ; failures++) {
      if (failures > 1) await this.#pause.wait(pauseBefore(failures - 2))
      if (this.#closed !== null) throw this.#closed
      try {
        const appended = await append(batch)
        if (appended !== null) {
          writes.accepted()
          return appended
        }
      } catch (error) {
        writes.failed(error)
        if (!isPassing(error)) throw error
      }
      await attached()
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
    const waiting = this.#pending.splice(0)
    this.#release(waiting)
    for (const { reject } of waiting) reject(error)
    this.#pause.end()
  }
}

/** What a unit counts for: its events, and one where it has none. */
const weightOf = ({ events }: Pick<AppendedUnit, 'events'>): number => Math.max(events.length, 1)

/** @throws MESSAGE_TOO_LARGE */
function eventOf (streams: readonly StreamKeys[], record: LogRecord): AppendedEvent {
  const size = encodedSize(record)
  if (size <= MAX_EVENT_BYTES) return { record, size, streams }
  throw new errors.MESSAGE_TOO_LARGE(record.event, size, `Redis takes ${MAX_EVENT_BYTES}`)
}
