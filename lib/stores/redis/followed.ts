import { errors } from '../../errors.js'
import { inTime } from '../../host/in-time.js'
import type { GapListener, LogEntry, LogListener } from '../../log/event-log.js'
import { Horizon } from '../../log/horizon.js'
import { epochOf, leastIdAt, timeOf } from '../../log/ids.js'
import { RecentEvents } from '../../log/recent.js'
import type { Frame } from './frame.js'
import type { StreamKeys } from './keys.js'

const NOTHING: readonly never[] = []
/** What is kept of a busy stream, so that who joins it need not ask Redis: events, bytes, ms. */
const MAX_RECENT = 4096
const MAX_RECENT_BYTES = 1024 * 1024
const RECENT = 2000
/** How long who reads waits for what it has read to be told, in ms. */
const PATIENCE = 5000
/** Bytes that are held back while what came before is read. */
const MAX_HELD = 1024 * 1024

interface Listener {
  readonly told: LogListener
  readonly gap: GapListener
}

/** Somebody who waits until an event is told. */
interface Waiter {
  readonly through: string
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Up to where nothing that was published is still on its way to this node. */
export interface Passed {
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

/** What somebody waits for who has come first. */
interface Start {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function newStart (): Start {
  let start: Pick<Start, 'resolve' | 'reject'> | undefined
  const promise = new Promise<void>((resolve, reject) => { start = { resolve, reject } })
  // Whoever watches is told of it; there may be nobody any more.
  promise.catch(() => {})
  return { promise, ...start as Pick<Start, 'resolve' | 'reject'> }
}

/**
 * A stream that this node is subscribed to. It is *starting* until it is known from where on everything is told; and
 * *behind* while something may have been missed: what is published then is held back until it has been read.
 */
export class Followed {
  readonly keys: StreamKeys
  readonly #bounds: Bounds
  readonly #passed: Passed
  #state: 'starting' | 'told' | 'behind' = 'starting'
  // Made anew at each change, so that who comes while an event is told is not told of it.
  #listeners: readonly Listener[] = []
  /** The newest id that is told, or from which on everything will be. Only what Redis has said moves it. */
  #told = ''
  /** The last event that was told, or the id from which on it is: nothing came between it and {@link told}. */
  #last = ''
  /** The newest event that this node knows to be there. */
  #known = ''
  /** Left out while there is nothing recent: there may be very many streams, so every field counts. */
  #recent: RecentEvents | undefined
  #held: Frame[] | undefined
  #heldBytes = 0
  /** The newest event that was held back and is not any more, because it was too much. */
  #dropped = ''
  #waiters: readonly Waiter[] = NOTHING
  #start: Start | undefined = newStart()
  /** Since when nobody listens, by `performance.now()`; `null` while somebody does. */
  idleSince: number | null = null
  /** What Redis has of it, as far as it was told. */
  length = 0
  bytes = 0

  constructor (keys: StreamKeys, bounds: Bounds, passed: Passed) {
    this.keys = keys
    this.#passed = passed
    this.#bounds = bounds
  }

  /** Whether Redis had more than was told, when it was asked last. */
  isSuspect = false

  get state (): 'starting' | 'told' | 'behind' {
    return this.#state
  }

  /** Resolves when everything from {@link told} on will be told; nothing where that is so already. */
  get ready (): Promise<void> | undefined {
    return this.#start?.promise
  }

  /** Up to where everything is told, as far as is known. */
  get told (): string {
    return this.#state === 'told' && this.#passed.id > this.#told ? this.#passed.id : this.#told
  }

  /** The newest that was told, or was seen to be told. What the network has lost came after it. */
  get verified (): string {
    return this.#told
  }

  /** Nothing came between what was told and an id: Redis has said so. */
  verify (id: string): void {
    if (id > this.#told) this.#told = id
  }

  /** Whether an event is there that was not told yet. */
  get isLate (): boolean {
    return this.#known > this.told
  }

  /** This node knows that an event is there. */
  knows (id: string): void {
    if (id > this.#known) this.#known = id
  }

  listen (told: LogListener, gap: GapListener | undefined): () => void {
    // It may be closed while an event is told.
    let isOpen = true
    const listener: Listener = { told: entry => { if (isOpen) told(entry) }, gap: head => { if (isOpen) gap?.(head) } }
    this.#listeners = [...this.#listeners, listener]
    this.idleSince = null
    return () => {
      isOpen = false
      this.#listeners = this.#listeners.filter(other => other !== listener)
      if (this.#listeners.length === 0) this.idleSince ??= performance.now()
    }
  }

  /** From an id on everything is told. */
  startAt (id: string): void {
    this.#told = id
    this.#last = id
    this.#known = id
    // What was published since Redis has said so is held back, or there was too much of it.
    this.#state = 'behind'
    if (!this.caughtUp(epochOf(id))) this.#held = undefined
    this.#start?.resolve()
    this.#start = undefined
  }

  /** Something may have been missed. */
  fallBehind (): void {
    if (this.#state === 'told') this.#state = 'behind'
  }

  /** Events were published. @returns whether something before them was missed */
  publish (frame: Frame, size: number): boolean {
    if (this.#state === 'starting') {
      this.#hold(frame, size)
      return false
    }
    if (frame.before > this.#told) this.fallBehind()
    if (this.#state === 'behind') {
      this.#hold(frame, size)
      return true
    }
    this.#show(frame)
    return false
  }

  #hold (frame: Frame, size: number): void {
    this.#held ??= []
    this.#held.push(frame)
    this.#heldBytes += size
    if (this.#heldBytes <= MAX_HELD) return
    this.#dropped = frame.entries.at(-1)?.id ?? this.#dropped
    this.#held = undefined
    this.#heldBytes = 0
  }

  #show ({ length, bytes, entries }: Frame): void {
    this.length = length
    this.bytes = bytes
    this.tell(entries)
  }

  /** Tells of those events that were not told before. Not between a read that resolves and who has asked for it. */
  tell (entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.id <= this.#told) continue
      this.#recent ??= new RecentEvents(new Horizon(this.#last))
      this.#recent.push(entry)
      this.#told = entry.id
      // Of another life of the log, Redis alone can tell what is left: see forgetUpTo.
      if (entry.id > this.#last) this.#last = entry.id
      for (const { told } of this.#listeners) told(entry)
    }
    this.#recent?.trim(this.#bounds.maxEvents, this.#bounds.maxBytes)
    this.#settle()
  }

  #settle (): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ through }) => through > this.#told)
    for (const { through, resolve } of waiters) if (through <= this.#told) resolve()
  }

  /**
   * What was missed has been read and told, up to what was held back.
   *
   * @param epoch that of the log: what was published in another one does not belong to it
   * @returns whether it is caught up; if not, more has to be read
   */
  caughtUp (epoch: string): boolean {
    if (this.#dropped > this.#told) return false
    this.#dropped = ''
    const held = this.#held
    this.#held = undefined
    this.#heldBytes = 0
    this.#state = 'told'
    for (const frame of held ?? []) if (frame.epoch === epoch) this.#show(frame)
    return true
  }

  /** What was missed will never come. From an id on, everything is told. */
  skipTo (id: string): void {
    this.#held = this.#held?.filter(({ entries }) => (entries.at(-1)?.id ?? '') > id)
    this.#dropped = ''
    this.#told = id
    this.#last = id
    this.#known = id
    this.#recent = undefined
    for (const { gap } of this.#listeners) gap(id)
    this.#settle()
  }

  /** @returns what came after an id, if that is known here */
  after (id: string, maxBytes: number): readonly LogEntry[] | undefined {
    if (id > this.told) return undefined
    if (this.#recent === undefined) return id >= this.#last ? NOTHING : undefined
    return this.#recent.horizon.reaches(id) ? this.#recent.after(id, maxBytes) : undefined
  }

  /** Resolves when everything up to an id is told. @throws STORE_UNAVAILABLE when that takes too long */
  async toldThrough (id: string): Promise<void> {
    if (id <= this.told) return
    const told = new Promise<void>((resolve, reject) => {
      this.#waiters = [...this.#waiters, { through: id, resolve, reject }]
    })
    await inTime(told, PATIENCE).catch((cause: unknown) => {
      throw new errors.STORE_UNAVAILABLE('what Redis has published has not arrived', { cause })
    })
  }

  /** Everything up to an id was removed. */
  removed (id: string): void {
    this.#recent?.dropThrough(id)
    this.#recent?.horizon.dropped(id)
    if (this.#told > id) return
    this.length = 0
    this.bytes = 0
  }

  /** The log is in another life from an id on. Of what came before, Redis alone can tell what is left. */
  forgetUpTo (start: string): void {
    this.#recent = undefined
    this.#last = start
  }

  /** Lets go of what is not recent any more. */
  forgetOld (newest: string): void {
    this.#recent?.dropBefore(leastIdAt(timeOf(newest) - RECENT))
    if (this.#recent?.size === 0) this.#recent = undefined
  }

  /** Whoever waits is rejected. */
  close (): void {
    const error = new errors.STORE_UNAVAILABLE('it is closed')
    this.#listeners = []
    this.#start?.reject(error)
    for (const { reject } of this.#waiters) reject(error)
    this.#waiters = NOTHING
  }
}
