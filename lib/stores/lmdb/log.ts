import { errors } from '../../errors.js'
import { encodedSize, encodeRecord, sizeOfEncoded } from '../../log/codec.js'
import {
  type EventLog,
  type LogEntry,
  type LogListener,
  type LogPage,
  type LogRecord,
  type LogStats,
  sizeOf,
  type StreamName,
  type Watch
} from '../../log/event-log.js'
import type { Ids } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import { idOf } from './codec.js'
import type { Commit, Committer } from './commit.js'
import type { Databases } from './database.js'
import type { Stream, Streams } from './streams.js'
import type { Step, Trimmer } from './trim.js'

/** Events of a transaction: what is told in one go when it is written. */
const MAX_BATCH = 4096
/** Bytes of a transaction, at most one event more. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

interface Waiting {
  readonly entry: LogEntry
  /** As it is written. Encoded when it comes, because nothing may fail while a transaction is put together. */
  readonly bytes: Buffer
  /** As retention counts it. */
  readonly size: number
  readonly streams: readonly StreamName[]
  readonly resolve: (id: string) => void
  readonly reject: (error: Error) => void
}

/** A watch told of what comes after an id: what was there before, its maker may have read. */
interface Watcher {
  readonly after: string
  readonly listener: LogListener
}

/** A floor that was raised, and is to be written. */
interface Raised {
  readonly stream: Stream
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Parts {
  readonly databases: Databases
  readonly ids: Ids
  /** The newest id that is kept. */
  readonly head: string
  readonly streams: Streams
  readonly trimmer: Trimmer
  readonly committer: Committer
  readonly logger: StoreLogger
  readonly now: () => number
}

/**
 * The log in LMDB. One transaction is under way at a time, and what is appended meanwhile goes into the next one,
 * together: records, counts, floors and the newest id, so that a SIGKILL leaves all of it or nothing.
 *
 * Trimming goes along in the same transactions, some hundred records at a time, after what made it due. So a
 * stream may have more than its bounds say for a moment: by what one or two transactions have added
 * ({@link MAX_BATCH} events each), and all together by that much. Records that are too old are looked for at times, and
 * may be read until then.
 */
export class LmdbLog implements EventLog {
  readonly #databases: Databases
  readonly #ids: Ids
  readonly #streams: Streams
  readonly #trimmer: Trimmer
  readonly #committer: Committer
  readonly #logger: StoreLogger
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  // Map(stream name -> watchers)
  readonly #watchers = new Map<StreamName, Set<Watcher>>()
  #waiting: Waiting[] = []
  #raised: Raised[] = []
  /** The newest id that was told. */
  #head: string
  /** Everything up to this id is told, or has failed. */
  #through: string
  #drains: Array<{ readonly through: string, readonly resolve: () => void }> = []
  #running: Promise<void> | null = null
  #nextSweep: number
  #isClosed = false

  constructor ({ databases, ids, head, streams, trimmer, committer, logger, now }: Parts) {
    this.#databases = databases
    this.#ids = ids
    this.#streams = streams
    this.#trimmer = trimmer
    this.#committer = committer
    this.#logger = logger
    this.#now = now
    this.#head = head
    this.#through = ids.last
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

  /** @throws MESSAGE_TOO_LARGE for an event that no Buffer can hold; STORE_UNAVAILABLE, also when the log is closed */
  append (streams: readonly StreamName[], record: LogRecord): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
      const bytes = encoded(record)
      const { event, instance, rest, attachments } = record
      const entry = { id: this.#ids.next(), event, instance, rest, attachments }
      this.#waiting.push({ entry, bytes, size: sizeOfEncoded(bytes), streams, resolve, reject })
      this.#run()
    })
  }

  read (name: StreamName, after: string, maxBytes: number): LogPage {
    const floor = this.#streams.floor(name)
    if (!this.#ids.isOurs(after) || after > this.#head || after < floor) return 'gap'
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
   * The floor is raised first, in a small transaction of its own: from then on nobody can read what was there, also
   * after a SIGKILL. The records are dropped later, in the background.
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
    if (through === this.#through) return
    await new Promise<void>(resolve => { this.#drains.push({ through, resolve }) })
  }

  stats (): LogStats {
    return this.#streams.stats()
  }

  /** Takes nothing more, and resolves when all that was appended is written, or has failed. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.drained()
    await this.#running
    this.#watchers.clear()
  }

  #run (): void {
    // From the next microtask on: what is appended in one go goes into one transaction.
    this.#running ??= Promise.resolve().then(async () => {
      while (this.#waiting.length > 0 || this.#raised.length > 0 || (this.#trimmer.isDue && !this.#isClosed)) {
        await this.#commit()
      }
      this.#running = null
    })
  }

  #sweep (): void {
    this.#nextSweep = this.#now() + this.#trimmer.sweepEvery
    this.#trimmer.sweep()
    if (this.#trimmer.isDue) this.#run()
  }

  async #commit (): Promise<void> {
    const batch = this.#take()
    const raised = this.#raised.splice(0)
    const touched = new Set(raised.map(({ stream }) => stream))
    let step: Step | undefined
    let flushed: Promise<void> | undefined
    try {
      step = this.#trimmer.step(sumOf(batch))
      for (const stream of step.streams) touched.add(stream)
      const commit = this.#write(batch, step, touched)
      flushed = commit.flushed
      await commit.kept
    } catch (error) {
      this.#fail([...batch, ...raised], touched, error)
      this.#settle(batch)
      // It is the same failure, or one that cannot tell more.
      await flushed?.catch(() => {})
      return
    }
    this.#trimmer.done(step)
    this.#tell(batch)
    for (const { stream, resolve } of raised) {
      this.#trimmer.floorRaised(stream)
      resolve()
    }
    this.#trimmer.check(touched)
    if (this.#now() >= this.#nextSweep) this.#sweep()
    await flushed.catch((error: unknown) => {
      this.#logger.error({ err: error }, 'the disk did not take what was written: it is lost if the machine goes down')
    })
  }

  /** What goes into one transaction. */
  #take (): Waiting[] {
    let count = 0
    let bytes = 0
    for (; count < this.#waiting.length && count < MAX_BATCH && bytes < MAX_BATCH_BYTES; count++) {
      bytes += this.#waiting[count]?.size ?? 0
    }
    return this.#waiting.splice(0, count)
  }

  #write (batch: readonly Waiting[], step: Step, touched: Set<Stream>): Commit {
    const { meta, streams, records, putRecord } = this.#databases
    const head = batch.at(-1)?.entry.id
    const puts: Array<{ readonly key: string, readonly bytes: Buffer }> = []
    for (const { entry: { id }, bytes, size, streams } of batch) {
      for (const name of streams) {
        const stream = this.#streams.get(name)
        this.#streams.add(stream, id, size)
        touched.add(stream)
        puts.push({ key: stream.prefix + id, bytes })
      }
    }
    if (touched.size === 0 && head === undefined) return nothing()
    return this.#committer.commit(() => {
      for (const key of step.keys) void records.remove(key)
      for (const { key, bytes } of puts) putRecord(key, bytes)
      for (const stream of touched) void streams.put(stream.number, stream)
      if (head !== undefined) void meta.put('head', head)
    }, () => head !== undefined && meta.get('head') === head)
  }

  #tell (batch: readonly Waiting[]): void {
    for (const { entry, streams, resolve } of batch) {
      this.#head = entry.id
      for (const stream of streams) {
        for (const watcher of this.#watchers.get(stream) ?? []) {
          if (entry.id > watcher.after) this.#tellOne(watcher, entry)
        }
      }
      resolve(entry.id)
    }
    this.#settle(batch)
  }

  #tellOne ({ listener }: Watcher, entry: LogEntry): void {
    try {
      listener(entry)
    } catch (error) {
      this.#logger.error(
        { err: error, instance: entry.instance, id: entry.id },
        'who watches a stream failed at an event'
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

  #settle (batch: readonly Waiting[]): void {
    this.#through = batch.at(-1)?.entry.id ?? this.#through
    const done = this.#drains.filter(({ through }) => through <= this.#through)
    this.#drains = this.#drains.filter(({ through }) => through > this.#through)
    for (const { resolve } of done) resolve()
  }
}

/** What a batch adds to all streams together. */
function sumOf (batch: readonly Waiting[]): { records: number, bytes: number } {
  let records = 0
  let bytes = 0
  for (const { size, streams } of batch) {
    records += streams.length
    bytes += size * streams.length
  }
  return { records, bytes }
}

/** A commit of nothing: where streams were only looked at, the event loop has its turn. */
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
