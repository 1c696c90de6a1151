import { errors } from '../../errors.js'
import { encodedSize, encodeRecord, sizeOfEncoded } from '../../log/codec.js'
import {
  type EventLog,
  type LogAppend,
  type LogEntry,
  type LogListener,
  type LogPage,
  type LogRecord,
  type LogStats,
  type OnceRequest,
  type OnceResult,
  sizeOf,
  type StreamName,
  type Watch
} from '../../log/event-log.js'
import type { Ids } from '../../log/ids.js'
import { pendingFull } from '../../limits/limits.js'
import type { PendingLimits, StoreHealth, StoreLogger } from '../store.js'
import { LONG_WAIT, TickClock } from '../tick-clock.js'
import { idOf } from './codec.js'
import type { Commit, Committer } from './commit.js'
import type { Databases } from './database.js'
import type { AgedKeys, LmdbKeys, NewKey } from './keys.js'
import type { Presence } from './presence.js'
import type { Starts } from './starts.js'
import type { Stream, Streams } from './streams.js'
import type { Step, Trimmer } from './trim.js'

/** Maximum number of events in a transaction. They are published together once it is written. */
const MAX_BATCH = 4096
/** If an event has waited for this long, in ms, the disk counts as not responding. */
const DISK_TIMEOUT = 5000
/** Maximum bytes of events in a transaction; the last event may exceed it. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

interface PendingEvent {
  readonly entry: LogEntry
  /** The encoded record. It is encoded when it is appended, so that composing a transaction cannot fail. */
  readonly bytes: Buffer
  /** Size in bytes, as retention counts it. */
  readonly size: number
  /** When the event was appended, by `performance.now()`. */
  readonly since: number
  readonly streams: readonly StreamName[]
  /** Whether the event belongs to the same unit as the previous one, and must be in the same transaction. */
  readonly isJoined: boolean
  readonly resolve: (id: string) => void
  readonly reject: (error: Error) => void
}

/** A watcher gets the events after the id `after`. It may have read the events up to that id. */
interface Watcher {
  readonly after: string
  readonly listener: LogListener
}

/** A raised floor that is not written yet. */
interface RaisedFloor {
  readonly stream: Stream
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** An idempotency key to be stored in the transaction of its events. */
interface PendingKey {
  readonly key: NewKey
  /** The first event of the request; `undefined` if the request has none. */
  readonly first: PendingEvent | undefined
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** An encoded event. */
interface Encoded {
  readonly record: LogRecord
  readonly bytes: Buffer
  readonly size: number
  readonly streams: readonly StreamName[]
}

/** A record that a transaction writes. */
interface RecordWrite {
  readonly key: string
  readonly bytes: Buffer
}

/** The other changes of a transaction. */
interface Changes {
  /** The newest id; `undefined` for a transaction without events. */
  readonly head: string | undefined
  /** Database keys of the dropped records. */
  readonly dropped: readonly string[]
  readonly touched: ReadonlySet<Stream>
  readonly forgotten: readonly Stream[]
  readonly keys: readonly NewKey[]
  readonly aged: AgedKeys
}

interface Parts {
  readonly databases: Databases
  readonly ids: Ids
  /** The newest stored id. */
  readonly head: string
  readonly starts: Starts
  readonly streams: Streams
  readonly trimmer: Trimmer
  readonly keys: LmdbKeys
  readonly committer: Committer
  readonly file: Presence
  readonly limits: PendingLimits
  readonly logger: StoreLogger
  readonly now: () => number
}

/**
 * The event log in LMDB. One transaction is under way at a time. Events that are appended meanwhile go into the next
 * one, with their counts, floors and the newest id, so that after a SIGKILL a transaction is stored completely or not
 * at all.
 *
 * Trimming uses the same transactions, some hundred records at a time, after the events that made it necessary. So a
 * stream may exceed its bounds for a moment by the events of one or two transactions ({@link MAX_BATCH} each, plus the
 * rest of a unit); the same is true of all streams together. Expired records are trimmed periodically and can be read
 * until then.
 */
export class LmdbLog implements EventLog {
  readonly #databases: Databases
  readonly #ids: Ids
  readonly #starts: Starts
  readonly #streams: Streams
  readonly #trimmer: Trimmer
  readonly #keys: LmdbKeys
  readonly #committer: Committer
  readonly #file: Presence
  readonly #limits: PendingLimits
  readonly #logger: StoreLogger
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  // Map(stream name -> watchers)
  readonly #watchers = new Map<StreamName, Set<Watcher>>()
  #pending: PendingEvent[] = []
  /** Events that are not committed yet, including those of the transaction that is under way, and their bytes. */
  #pendingEvents = 0
  #pendingBytes = 0
  /** When the oldest of these events was appended, by `performance.now()`; `null` if there is none. */
  #pendingSince: number | null = null
  readonly #clock = new TickClock()
  #raised: RaisedFloor[] = []
  #pendingKeys: PendingKey[] = []
  /** The id of the newest event that was published. */
  #head: string
  /** Every event up to this id is published or has failed. */
  #settledUpTo: string
  #drainWaiters: Array<{ readonly through: string, readonly resolve: () => void }> = []
  #running: Promise<void> | null = null
  #nextSweep: number
  #isClosed = false

  constructor (parts: Parts) {
    const { databases, ids, head, starts, streams, trimmer, keys, committer, file, limits, logger, now } = parts
    this.#databases = databases
    this.#ids = ids
    this.#starts = starts
    this.#streams = streams
    this.#trimmer = trimmer
    this.#keys = keys
    this.#committer = committer
    this.#file = file
    this.#limits = limits
    this.#logger = logger
    this.#now = now
    this.#head = head
    this.#settledUpTo = ids.last
    this.#nextSweep = now() + trimmer.sweepEvery
    this.#timer = setInterval(() => { this.#sweep() }, trimmer.sweepEvery).unref()
    this.#sweep()
  }

  head (): string {
    return this.#head
  }

  wants (streams: readonly StreamName[]): boolean {
    return streams.length > 0
  }

  /**
   * @throws MESSAGE_TOO_LARGE for an event that is too large for a Buffer; PENDING_FULL while the disk is too slow;
   *   STORE_UNAVAILABLE, also when the log is closed or its file was deleted
   */
  append (streams: readonly StreamName[], record: LogRecord): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#checkOpen()
      const bytes = encoded(record)
      const size = sizeOfEncoded(bytes)
      const full = this.#full(size)
      if (full !== undefined) throw full
      this.#enqueue({ record, bytes, size, streams }, false, resolve, reject)
    })
  }

  /** @throws the errors of {@link append} */
  async appendOnce (request: OnceRequest, events: readonly LogAppend[]): Promise<OnceResult> {
    for (let before = this.#keys.underWay(request); before !== undefined; before = this.#keys.underWay(request)) {
      await before
    }
    this.#checkOpen()
    const known = this.#known(request)
    if (known !== undefined) return known
    const units = events.map(({ streams, record }): Encoded => {
      const bytes = encoded(record)
      return { record, bytes, size: sizeOfEncoded(bytes), streams }
    })
    const full = this.#full(units.reduce((sum, { size }) => sum + size, 0))
    if (full !== undefined) throw full
    return await this.#keep(request, units)
  }

  #known (request: OnceRequest): OnceResult | undefined {
    try {
      this.#databases.root.resetReadTxn()
      return this.#keys.outcome(request)
    } catch (error) {
      throw unavailable('the keys could not be read', error)
    }
  }

  async #keep (request: OnceRequest, events: readonly Encoded[]): Promise<OnceResult> {
    const appended: Array<Promise<string>> = []
    const own: PendingEvent[] = []
    const ids = events.map(event => {
      if (event.streams.length === 0) return null
      appended.push(new Promise((resolve, reject) => {
        own.push(this.#enqueue(event, appended.length > 0, resolve, reject))
      }))
      return own.at(-1)?.entry.id ?? null
    })
    const key = this.#keys.newKey(request, ids)
    const kept = new Promise<void>((resolve, reject) => {
      this.#pendingKeys.push({ key, first: own[0], resolve, reject })
      this.#run()
    })
    const stored = Promise.all([kept, ...appended])
    void this.#keys.storing(key, stored)
    await stored
    return { outcome: 'appended', ids, answer: request.answer }
  }

  /** Queues an event for the next transaction. */
  #enqueue (
    { record: { event, instance, rest, attachments }, bytes, size, streams }: Encoded,
    isJoined: boolean,
    resolve: (id: string) => void,
    reject: (error: Error) => void
  ): PendingEvent {
    const entry = { id: this.#ids.next(), event, instance, rest, attachments }
    const waiting = { entry, bytes, size, since: this.#clock.now(), streams, isJoined, resolve, reject }
    this.#pending.push(waiting)
    this.#pendingEvents++
    this.#pendingBytes += size
    this.#pendingSince ??= this.#clock.now()
    this.#run()
    return waiting
  }

  #checkOpen (): void {
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    this.#file.check()
  }

  /** The error for an event that may not be queued: the queue is full, and the disk has not responded for a while. */
  #full (bytes: number): Error | undefined {
    const full = pendingFull(this.#limits, this.#pendingEvents, this.#pendingBytes + bytes)
    return full !== undefined && this.#waitingTime > LONG_WAIT ? full : undefined
  }

  /** How long the oldest event has been queued, in ms. */
  get #waitingTime (): number {
    return this.#pendingSince === null ? 0 : this.#clock.now() - this.#pendingSince
  }

  health (): StoreHealth {
    return {
      available: this.#file.isThere && this.#waitingTime < DISK_TIMEOUT,
      pendingEvents: this.#pendingEvents,
      pendingBytes: this.#pendingBytes
    }
  }

  read (name: StreamName, after: string, maxBytes: number): LogPage {
    const floor = this.#streams.floor(name)
    if (!this.#ids.isOurs(after) || after > this.#head || after < floor || this.#starts.isUnknown(after)) return 'gap'
    const stream = this.#streams.find(name)
    if (stream === undefined || after === this.#head) return []
    const page: LogEntry[] = []
    let bytes = 0
    const range = {
      start: stream.prefix + after,
      end: stream.prefix + this.#head,
      exclusiveStart: true,
      inclusiveEnd: true
    }
    try {
      for (const { key, value } of this.#databases.records.getRange(range)) {
        const { event, instance, rest, attachments } = value
        bytes += sizeOf(value)
        if (bytes > maxBytes && page.length > 0) break
        page.push({ id: idOf(key), event, instance, rest, attachments })
      }
    } catch (error) {
      throw unavailable('the log could not be read', error)
    }
    return page
  }

  watch (stream: StreamName, listener: LogListener): Watch {
    const watcher = { after: this.#head, listener }
    const watchers = this.#watchers.get(stream) ?? new Set()
    this.#watchers.set(stream, watchers.add(watcher))
    return {
      ready: Promise.resolve(),
      close: () => {
        watchers.delete(watcher)
        if (watchers.size === 0 && this.#watchers.get(stream) === watchers) this.#watchers.delete(stream)
      }
    }
  }

  /**
   * Raises the floor first, in a small transaction of its own. From then on the old events cannot be read, even after a
   * SIGKILL. Their records are dropped later, in the background.
   */
  async remove (name: StreamName): Promise<void> {
    const last = this.#ids.last
    await this.drained()
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
    const stream = this.#streams.find(name)
    const newest = stream === undefined ? undefined : this.#newestUpTo(stream, last)
    if (stream === undefined || newest === undefined || newest <= stream.floor) return
    stream.floor = newest
    await new Promise<void>((resolve, reject) => {
      this.#raised.push({ stream, resolve, reject })
      this.#run()
    })
  }

  #newestUpTo ({ prefix, newest }: Stream, id: string): string | undefined {
    if (newest !== '' && newest <= id) return newest
    this.#databases.root.resetReadTxn()
    const [key] = this.#databases.records.getKeys({ start: prefix + id, end: prefix, reverse: true, limit: 1 })
    return key === undefined ? undefined : idOf(key)
  }

  async drained (): Promise<void> {
    const through = this.#ids.last
    if (through === this.#settledUpTo) return
    await new Promise<void>(resolve => { this.#drainWaiters.push({ through, resolve }) })
  }

  stats (): LogStats {
    return this.#streams.stats()
  }

  /** Rejects all later calls. Resolves when everything that was appended is written or has failed. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.drained()
    await this.#running
    this.#watchers.clear()
  }

  #run (): void {
    // Commit in a microtask, so that events appended synchronously share a transaction.
    this.#running ??= Promise.resolve().then(async () => {
      while (this.#isDue) await this.#commit()
      this.#running = null
    })
  }

  get #isDue (): boolean {
    return this.#pending.length > 0 || this.#raised.length > 0 || this.#pendingKeys.length > 0 ||
      (this.#trimmer.isDue && !this.#isClosed)
  }

  #sweep (): void {
    this.#nextSweep = this.#now() + this.#trimmer.sweepEvery
    this.#trimmer.sweep()
    if (this.#trimmer.isDue) this.#run()
  }

  async #commit (): Promise<void> {
    const batch = this.#takeBatch()
    const raised = this.#raised.splice(0)
    const keeping = this.#keysOfBatch(batch)
    const touched = new Set(raised.map(({ stream }) => stream))
    let step: Step | undefined
    let forgotten: readonly Stream[] = []
    let flushed: Promise<void> | undefined
    let aged: AgedKeys
    try {
      step = this.#trimmer.step(sumOf(batch))
      for (const stream of step.streams) touched.add(stream)
      const puts = this.#add(batch, touched)
      // Events may have been added to an empty stream since the trimmer selected it.
      forgotten = step.empty.filter(stream => stream.count === 0 && !touched.has(stream))
      const keys = keeping.map(({ key }) => key)
      aged = this.#keys.aged(keys)
      const head = batch.at(-1)?.entry.id
      const commit = this.#write(puts, { head, dropped: step.keys, touched, forgotten, keys, aged })
      flushed = commit.flushed
      await commit.kept
    } catch (error) {
      this.#fail([...batch, ...raised, ...keeping], touched, error)
      this.#settle(batch)
      // The disk reports the same failure again, or one with less information.
      await flushed?.catch(() => {})
      return
    }
    this.#trimmer.done(step)
    this.#streams.forget(forgotten)
    this.#keys.dropped(aged)
    this.#publish(batch)
    for (const { resolve } of keeping) resolve()
    for (const { stream, resolve } of raised) {
      this.#trimmer.floorRaised(stream)
      resolve()
    }
    this.#trimmer.check(touched)
    if (this.#now() >= this.#nextSweep) this.#sweep()
    await flushed.catch((error: unknown) => {
      this.#logger.error({ err: error }, 'the disk did not accept events: they are lost if the machine restarts')
    })
  }

  /** Takes the events of the next transaction from the queue. */
  #takeBatch (): PendingEvent[] {
    let count = 0
    let bytes = 0
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[count]) {
      if (!next.isJoined && (count >= MAX_BATCH || bytes >= MAX_BATCH_BYTES)) break
      bytes += next.size
      count++
    }
    return this.#pending.splice(0, count)
  }

  /** Takes the idempotency keys that belong to a batch. */
  #keysOfBatch (batch: readonly PendingEvent[]): PendingKey[] {
    if (this.#pendingKeys.length === 0) return []
    const taken = new Set(batch)
    const isNow = ({ first }: PendingKey): boolean => first === undefined || taken.has(first)
    const keeping = this.#pendingKeys.filter(isNow)
    this.#pendingKeys = this.#pendingKeys.filter(each => !isNow(each))
    return keeping
  }

  /** Adds a batch to the counts of its streams. @returns the records to write */
  #add (batch: readonly PendingEvent[], touched: Set<Stream>): RecordWrite[] {
    const puts: RecordWrite[] = []
    for (const { entry: { id }, bytes, size, streams } of batch) {
      for (const name of streams) {
        const stream = this.#streams.get(name)
        this.#streams.add(stream, id, size)
        touched.add(stream)
        puts.push({ key: stream.prefix + id, bytes })
      }
    }
    return puts
  }

  #write (puts: readonly RecordWrite[], { head, dropped, touched, forgotten, keys, aged }: Changes): Commit {
    const { meta, streams, records, putRecord } = this.#databases
    const isNothing = touched.size === 0 && forgotten.length === 0 && keys.length === 0 && head === undefined
    if (isNothing) return nothing()
    return this.#committer.commit(() => {
      for (const key of dropped) void records.remove(key)
      for (const { key, bytes } of puts) putRecord(key, bytes)
      for (const stream of touched) void streams.put(stream.number, stream)
      for (const { number } of forgotten) void streams.remove(number)
      if (forgotten.length > 0) void meta.put('birth', this.#streams.firstIdWithout(forgotten))
      if (head !== undefined) void meta.put('head', head)
      if (keys.length > 0) this.#keys.write(keys, aged)
    }, () => head !== undefined && meta.get('head') === head)
  }

  #publish (batch: readonly PendingEvent[]): void {
    for (const { entry, streams, resolve } of batch) {
      this.#head = entry.id
      for (const stream of streams) {
        for (const watcher of this.#watchers.get(stream) ?? []) {
          if (entry.id > watcher.after) this.#publishTo(watcher, entry)
        }
      }
      resolve(entry.id)
    }
    this.#settle(batch)
  }

  #publishTo ({ listener }: Watcher, entry: LogEntry): void {
    try {
      listener(entry)
    } catch (error) {
      this.#logger.error(
        { err: error, instance: entry.instance, id: entry.id },
        'a listener of the event log failed'
      )
    }
  }

  #fail (calls: ReadonlyArray<{ reject(error: Error): void }>, touched: ReadonlySet<Stream>, cause: unknown): void {
    const error = unavailable('the log could not be written', cause)
    try {
      for (const stream of touched) this.#streams.reload(stream)
    } catch (err) {
      this.#logger.error({ err }, 'the log could not be read after a failure: its counts may be wrong')
    }
    this.#trimmer.fail()
    for (const call of calls) call.reject(error)
    if (calls.length === 0) this.#logger.error({ err: error }, 'old events could not be dropped')
  }

  #settle (batch: readonly PendingEvent[]): void {
    this.#settledUpTo = batch.at(-1)?.entry.id ?? this.#settledUpTo
    this.#pendingEvents -= batch.length
    this.#pendingBytes -= batch.reduce((sum, { size }) => sum + size, 0)
    this.#pendingSince = this.#pending[0]?.since ?? null
    const done = this.#drainWaiters.filter(({ through }) => through <= this.#settledUpTo)
    this.#drainWaiters = this.#drainWaiters.filter(({ through }) => through > this.#settledUpTo)
    for (const { resolve } of done) resolve()
  }
}

/** Records and bytes that a batch adds to all streams together. */
function sumOf (batch: readonly PendingEvent[]): { records: number, bytes: number } {
  let records = 0
  let bytes = 0
  for (const { size, streams } of batch) {
    records += streams.length
    bytes += size * streams.length
  }
  return { records, bytes }
}

/** An empty commit for a step that only examined streams. It yields to the event loop. */
function nothing (): Commit {
  const turn = new Promise<void>(resolve => { setImmediate(resolve) })
  return { kept: turn, flushed: turn }
}

function encoded (record: LogRecord): Buffer {
  try {
    return encodeRecord(record)
  } catch (cause) {
    throw Object.assign(
      new errors.MESSAGE_TOO_LARGE(record.event, encodedSize(record), 'no Buffer of this Node can hold it'),
      { cause }
    )
  }
}

function unavailable (what: string, cause: unknown): Error {
  return new errors.STORE_UNAVAILABLE(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}
