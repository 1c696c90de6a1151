import { errors } from '../../errors.js'
import { inTime } from '../../host/in-time.js'
import type { GapListener, LogEntry, LogListener } from '../../log/event-log.js'
import { Horizon } from '../../log/horizon.js'
import { epochOf, leastIdAt, timeOf } from '../../log/ids.js'
import { RecentEvents } from '../../log/recent.js'
import type { Frame } from './frame.js'
import type { StreamKeys } from './keys.js'

const NOTHING: readonly never[] = []
/** How much of a busy stream is kept, so that a client that joins it need not ask Redis: events, bytes, ms. */
const MAX_RECENT = 4096
const MAX_RECENT_BYTES = 1024 * 1024
const MAX_RECENT_AGE = 2000
/** How long a read waits until the events that it has found are delivered, in ms. */
const DELIVERY_TIMEOUT = 5000
/** Bytes that are buffered while what came before them is read. */
const MAX_BUFFERED = 1024 * 1024

interface Listener {
  readonly deliver: LogListener
  readonly gap: GapListener
}

/** A read that waits until an event is delivered. */
interface Waiter {
  readonly through: string
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Up to its id, nothing that was published is still on its way to this node. */
export interface Watermark {
  id: string
}

/** How much of a stream is kept here. */
export interface Bounds {
  readonly maxEvents: number
  readonly maxBytes: number
}

/** No more than Redis remembers, and far less where that is much. */
export const boundsWithin = ({ maxEvents, maxBytes }: Bounds): Bounds =>
  ({ maxEvents: Math.min(maxEvents, MAX_RECENT), maxBytes: Math.min(maxBytes, MAX_RECENT_BYTES) })

/** What the first client of a stream waits for. */
interface Start {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function newStart (): Start {
  let start: Pick<Start, 'resolve' | 'reject'> | undefined
  const promise = new Promise<void>((resolve, reject) => { start = { resolve, reject } })
  // Its clients are told of it; there may be none any more.
  promise.catch(() => {})
  return { promise, ...start as Pick<Start, 'resolve' | 'reject'> }
}

/**
 * A stream that this node is subscribed to, and its recent events. It is *starting* until it is known from which id on
 * every event is delivered; *behind* while something may have been missed, when what is received is buffered until the
 * missing part has been read from Redis; else *live*. So listeners get every event once and in the order of the log,
 * whatever the network loses.
 */
export class StreamSubscription {
  readonly keys: StreamKeys
  readonly #bounds: Bounds
  readonly #watermark: Watermark
  #state: 'starting' | 'live' | 'behind' = 'starting'
  // A new list at each change, so that a listener that is added during a delivery does not get that event.
  #listeners: readonly Listener[] = []
  /** The newest id up to which nothing was missed. Only what Redis has said moves it. */
  #confirmed = ''
  /** The newest event that was delivered, or where delivery began. */
  #newestDelivered = ''
  /** The newest event that this node has appended or delivered. */
  #newest = ''
  /** Left out while there is nothing recent: there may be very many streams, so every field counts. */
  #recent: RecentEvents | undefined
  #buffered: Frame[] | undefined
  #bufferedBytes = 0
  /** The newest event that was dropped from the buffer, because there was too much; '' for none. */
  #dropped = ''
  #waiters: readonly Waiter[] = NOTHING
  #start: Start | undefined = newStart()
  /** Since when nobody listens, by `performance.now()`; `null` while somebody does. */
  idleSince: number | null = null
  /** Events and bytes that Redis has of it, as of the last delivery. */
  length = 0
  bytes = 0

  constructor (keys: StreamKeys, bounds: Bounds, watermark: Watermark) {
    this.keys = keys
    this.#watermark = watermark
    this.#bounds = bounds
  }

  /** Whether Redis had more than was delivered, or may have had, when it was asked last. */
  isSuspect = false

  get state (): 'starting' | 'live' | 'behind' {
    return this.#state
  }

  /** Resolves when every event from {@link deliveredThrough} on will be delivered; `undefined` where that is so. */
  get ready (): Promise<void> | undefined {
    return this.#start?.promise
  }

  /** The id up to which every event is delivered, as far as is known. */
  get deliveredThrough (): string {
    return this.#state === 'live' && this.#watermark.id > this.#confirmed ? this.#watermark.id : this.#confirmed
  }

  /** The newest id that was delivered or confirmed by Redis. What the network has lost came after it. */
  get confirmed (): string {
    return this.#confirmed
  }

  /** The newest event that was delivered, or where delivery began. */
  get newestDelivered (): string {
    return this.#newestDelivered
  }

  /** Redis has said that there is no event between what was delivered and an id. */
  confirm (id: string): void {
    if (id <= this.#confirmed) return
    this.#confirmed = id
    this.#settle()
  }

  /** Whether there is an event that was not delivered yet. */
  get isLagging (): boolean {
    return this.#newest > this.deliveredThrough
  }

  /** This node has appended an event. */
  appended (id: string): void {
    if (id > this.#newest) this.#newest = id
  }

  listen (deliver: LogListener, gap: GapListener | undefined): () => void {
    // It may be closed during a delivery.
    let isOpen = true
    const listener: Listener = {
      deliver: entry => { if (isOpen) deliver(entry) },
      gap: head => { if (isOpen) gap?.(head) }
    }
    this.#listeners = [...this.#listeners, listener]
    this.idleSince = null
    return () => {
      isOpen = false
      this.#listeners = this.#listeners.filter(other => other !== listener)
      if (this.#listeners.length === 0) this.idleSince ??= performance.now()
    }
  }

  /** From an id on every event is delivered. */
  goLive (id: string): void {
    this.#confirmed = id
    this.#newestDelivered = id
    this.#newest = id
    // What was received since Redis has said so is buffered, or there was too much of it.
    this.#state = 'behind'
    if (!this.caughtUp(epochOf(id))) this.#buffered = undefined
    this.#start?.resolve()
    this.#start = undefined
  }

  /** Something may have been missed. */
  fallBehind (): void {
    if (this.#state === 'live') this.#state = 'behind'
  }

  /** Events were received. @returns whether something before them was missed */
  receive (frame: Frame, size: number): boolean {
    if (this.#state === 'starting') {
      this.#buffer(frame, size)
      return false
    }
    if (frame.before > this.#confirmed) this.fallBehind()
    if (this.#state === 'behind') {
      this.#buffer(frame, size)
      return true
    }
    this.#deliverFrame(frame)
    return false
  }

  #buffer (frame: Frame, size: number): void {
    this.#buffered ??= []
    this.#buffered.push(frame)
    this.#bufferedBytes += size
    if (this.#bufferedBytes <= MAX_BUFFERED) return
    this.#dropped = frame.entries.at(-1)?.id ?? this.#dropped
    this.#buffered = undefined
    this.#bufferedBytes = 0
  }

  #deliverFrame ({ length, bytes, entries }: Frame): void {
    this.length = length
    this.bytes = bytes
    this.deliver(entries)
  }

  /** Delivers those that were not delivered before. Not in the tick in which a read resolves: see `#readMissed`. */
  deliver (entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.id <= this.#confirmed) continue
      this.#recent ??= new RecentEvents(new Horizon(this.#newestDelivered))
      this.#recent.push(entry)
      this.#confirmed = entry.id
      // Of another incarnation of the log, Redis alone knows what is left: see resetRecent.
      if (entry.id > this.#newestDelivered) this.#newestDelivered = entry.id
      for (const { deliver } of this.#listeners) deliver(entry)
    }
    this.#recent?.trim(this.#bounds.maxEvents, this.#bounds.maxBytes)
    this.#settle()
  }

  #settle (): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    const delivered = this.deliveredThrough
    this.#waiters = waiters.filter(({ through }) => through > delivered)
    for (const { through, resolve } of waiters) if (through <= delivered) resolve()
  }

  /**
   * Whether what is buffered goes on from what was delivered, without a hole: each publication names the event before
   * it. Then nothing more has to be read. In a busy stream there would be something new after every read.
   *
   * @param epoch that of the log
   */
  isBufferNext (epoch: string): boolean {
    const buffered = this.#buffered?.filter(frame => frame.epoch === epoch) ?? NOTHING
    let through = this.#confirmed
    for (const { before, entries } of buffered) {
      // Without a name it is not known what was before.
      if (before === '' || before > through) return false
      const newest = entries.at(-1)?.id ?? ''
      if (newest > through) through = newest
    }
    return buffered.length > 0
  }

  /**
   * What was missed has been read and delivered, up to what is buffered.
   *
   * @param epoch that of the log: what was published in another one does not belong to it
   * @returns whether it is caught up; if not, more has to be read
   */
  caughtUp (epoch: string): boolean {
    if (this.#dropped > this.#confirmed) return false
    this.#dropped = ''
    const buffered = this.#buffered
    this.#buffered = undefined
    this.#bufferedBytes = 0
    this.#state = 'live'
    for (const frame of buffered ?? []) if (frame.epoch === epoch) this.#deliverFrame(frame)
    this.#settle()
    return true
  }

  /** What was missed is gone. Listeners are told of a gap, and get every event from an id on. */
  skipTo (id: string): void {
    this.#buffered = this.#buffered?.filter(({ entries }) => (entries.at(-1)?.id ?? '') > id)
    this.#dropped = ''
    this.#confirmed = id
    this.#newestDelivered = id
    this.#newest = id
    this.#recent = undefined
    for (const { gap } of this.#listeners) gap(id)
    this.#settle()
  }

  /** @returns the events after an id; `undefined` where they are not all kept here */
  after (id: string, maxBytes: number): readonly LogEntry[] | undefined {
    if (id > this.deliveredThrough) return undefined
    if (this.#recent === undefined) return id >= this.#newestDelivered ? NOTHING : undefined
    return this.#recent.horizon.reaches(id) ? this.#recent.after(id, maxBytes) : undefined
  }

  /** Resolves when every event up to an id is delivered. @throws STORE_UNAVAILABLE when that takes too long */
  async whenDelivered (id: string): Promise<void> {
    if (id <= this.deliveredThrough) return
    const delivered = new Promise<void>((resolve, reject) => {
      this.#waiters = [...this.#waiters, { through: id, resolve, reject }]
    })
    await inTime(delivered, DELIVERY_TIMEOUT).catch((cause: unknown) => {
      throw new errors.STORE_UNAVAILABLE('what Redis has published has not arrived', { cause })
    })
  }

  /** The history up to an id was removed. */
  dropThrough (id: string): void {
    this.#recent?.dropThrough(id)
    this.#recent?.horizon.dropped(id)
    if (this.#confirmed > id) return
    this.length = 0
    this.bytes = 0
  }

  /** The log is in another incarnation from an id on. Of what came before, Redis alone knows what is left. */
  resetRecent (start: string): void {
    this.#recent = undefined
    // Events of that incarnation may have been received before this node has attached to it.
    const isOfIt = epochOf(this.#newestDelivered) === epochOf(start)
    if (!isOfIt || start > this.#newestDelivered) this.#newestDelivered = start
  }

  /** Everything that was published up to an id has been received. Drops events that are not recent any more. */
  watermarkMoved (newest: string): void {
    this.#settle()
    this.#recent?.dropBefore(leastIdAt(timeOf(newest) - MAX_RECENT_AGE))
    if (this.#recent?.size === 0) this.#recent = undefined
  }

  /** Rejects everything that waits. */
  close (): void {
    const error = new errors.STORE_UNAVAILABLE('it is closed')
    this.#listeners = []
    this.#start?.reject(error)
    for (const { reject } of this.#waiters) reject(error)
    this.#waiters = NOTHING
  }
}
