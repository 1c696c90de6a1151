import type {
  EventLog,
  LogAppend,
  LogEntry,
  LogListener,
  LogPage,
  LogRecord,
  LogStats,
  OnceRequest,
  OnceResult,
  Retention,
  StreamName,
  Watch
} from '../../log/event-log.js'
import { Horizon } from '../../log/horizon.js'
import { Ids, leastIdAt } from '../../log/ids.js'
import { waterLevel } from '../../log/water-level.js'
import { MemoryKeys } from './keys.js'
import { MemoryStream } from './stream.js'

/** Streams without clients of which it is known how far back they reach: some 10 MB. */
const MAX_HORIZONS = 100_000
/** What is left of all bytes when they had grown too many. */
const KEPT_SHARE = 0.9
/** Between two looks for what is too old, in ms. */
const MIN_PAUSE = 1000
const MAX_PAUSE = 30_000

interface Settings {
  readonly retention: Retention
  /** Of all streams, in bytes. */
  readonly maxTotalBytes: number
  readonly now: () => number
}

const byNewest = (a: MemoryStream, b: MemoryStream): number => (a.newest?.id ?? '') < (b.newest?.id ?? '') ? -1 : 1

interface Telling {
  readonly entry: LogEntry
  readonly streams: readonly MemoryStream[]
}

/**
 * An event log that ends with the process. It remembers only streams that somebody watches, or has watched within
 * `maxAge`: of the others there is nobody who could want to know, and to emit for nobody must cost next to nothing.
 */
export class MemoryLog implements EventLog {
  readonly #settings: Settings
  readonly #ids: Ids
  readonly #keys: MemoryKeys
  // Map(name -> stream that is remembered)
  readonly #streams = new Map<StreamName, MemoryStream>()
  // Map(name -> how far back a stream reaches that is not remembered now), those that were remembered last at the end
  readonly #horizons = new Map<StreamName, Horizon>()
  /** Of all other streams. */
  readonly #others: Horizon
  readonly #sweep: NodeJS.Timeout
  #bytes = 0
  /** The newest id up to which everything is told. */
  #head: string
  #isTelling = false
  /** What is appended while an event is told. */
  readonly #next: Telling[] = []

  constructor (settings: Settings) {
    this.#settings = settings
    this.#ids = new Ids({ now: settings.now })
    this.#keys = new MemoryKeys(settings.now)
    this.#head = this.#ids.last
    this.#others = new Horizon(this.#head)
    this.#sweep = setInterval(
      () => { this.#dropOld() },
      Math.min(Math.max(settings.retention.maxAge / 4, MIN_PAUSE), MAX_PAUSE)
    ).unref()
  }

  head (): string {
    return this.#head
  }

  wants (streams: readonly StreamName[]): boolean {
    if (streams.some(name => this.#kept(name) !== undefined)) return true
    for (const name of streams) this.#horizonOf(name).missed(this.#ids.last)
    return false
  }

  append (streams: readonly StreamName[], { instance, event, rest, attachments }: LogRecord): string {
    const last = this.#ids.last
    const entry: LogEntry = { id: this.#ids.next(), instance, event, rest, attachments }
    const keeping: MemoryStream[] = []
    for (const name of streams) {
      const stream = this.#kept(name)
      if (stream === undefined) this.#horizonOf(name).missed(last)
      else keeping.push(stream)
    }
    this.#take(entry, keeping)
    return entry.id
  }

  appendOnce (request: OnceRequest, events: readonly LogAppend[]): OnceResult {
    const known = this.#keys.outcome(request)
    if (known !== undefined) return known
    const ids = events.map(({ streams, record }) => this.wants(streams) ? this.append(streams, record) : null)
    this.#keys.keep(request, ids)
    return { outcome: 'appended', ids, answer: request.answer }
  }

  /** A listener may come to append, by way of the application: that is remembered and told after this one. */
  #take (entry: LogEntry, streams: readonly MemoryStream[]): void {
    if (this.#isTelling) {
      this.#next.push({ entry, streams })
      return
    }
    this.#isTelling = true
    try {
      this.#tell(entry, streams)
      for (const next of this.#next) this.#tell(next.entry, next.streams)
    } finally {
      this.#next.length = 0
      this.#isTelling = false
    }
  }

  #tell (entry: LogEntry, streams: readonly MemoryStream[]): void {
    for (const stream of streams) this.#push(stream, entry)
    if (this.#bytes > this.#settings.maxTotalBytes) this.#shorten()
    if (entry.id > this.#head) this.#head = entry.id
    for (const { listeners } of streams) for (const listener of listeners) listener(entry)
  }

  #push (stream: MemoryStream, entry: LogEntry): void {
    const { maxEvents, maxBytes } = this.#settings.retention
    const before = stream.bytes
    stream.push(entry)
    stream.trim(maxEvents, maxBytes, 1)
    this.#bytes += stream.bytes - before
  }

  #counting (stream: MemoryStream, change: () => void): void {
    const before = stream.bytes
    change()
    this.#bytes += stream.bytes - before
  }

  read (name: StreamName, after: string, maxBytes: number): LogPage {
    const stream = this.#streams.get(name)
    const horizon = stream?.horizon ?? this.#horizonOf(name)
    if (!this.#ids.isOurs(after) || !horizon.reaches(after)) return 'gap'
    return stream?.after(after, maxBytes) ?? []
  }

  watch (name: StreamName, listener: LogListener): Watch {
    const stream = this.#kept(name) ?? this.#keep(name)
    // One of its own for each watch, because one may watch twice, and may end it while an event is told.
    let isOpen = true
    const own: LogListener = entry => { if (isOpen) listener(entry) }
    stream.listeners = [...stream.listeners, own]
    return {
      close: () => {
        if (!isOpen) return
        isOpen = false
        stream.listeners = stream.listeners.filter(listener => listener !== own)
        stream.keptUntil = this.#settings.now() + this.#settings.retention.maxAge
      }
    }
  }

  async remove (name: StreamName): Promise<void> {
    const stream = this.#streams.get(name)
    if (stream !== undefined) this.#counting(stream, () => { stream.clear() })
  }

  async drained (): Promise<void> {}

  stats (): LogStats {
    let records = 0
    for (const { size } of this.#streams.values()) records += size
    return { streams: this.#streams.size, records, bytes: this.#bytes }
  }

  close (): void {
    clearInterval(this.#sweep)
    this.#streams.clear()
    this.#keys.clear()
  }

  /** The stream of a name, if it is to be remembered. */
  #kept (name: StreamName): MemoryStream | undefined {
    const stream = this.#streams.get(name)
    if (stream === undefined || stream.listeners.length > 0 || stream.isKept(this.#settings.now())) return stream
    this.#forget(name, stream)
    return undefined
  }

  #keep (name: StreamName): MemoryStream {
    const stream = new MemoryStream(this.#horizons.get(name) ?? this.#others.copy())
    this.#horizons.delete(name)
    this.#streams.set(name, stream)
    // Who comes now has missed nothing; it must not get an id from before something was not remembered.
    if (!stream.horizon.reaches(this.#head)) this.#head = this.#ids.next()
    return stream
  }

  #forget (name: StreamName, stream: MemoryStream): void {
    this.#counting(stream, () => { stream.clear() })
    this.#streams.delete(name)
    this.#horizons.set(name, stream.horizon)
    if (this.#horizons.size <= MAX_HORIZONS) return
    const [oldest] = this.#horizons
    if (oldest === undefined) return
    this.#others.add(oldest[1])
    this.#horizons.delete(oldest[0])
  }

  #horizonOf (name: StreamName): Horizon {
    return this.#horizons.get(name) ?? this.#others
  }

  #dropOld (): void {
    const now = this.#settings.now()
    const least = leastIdAt(now - this.#settings.retention.maxAge)
    for (const [name, stream] of this.#streams) {
      if (stream.isKept(now)) this.#counting(stream, () => { stream.dropBefore(least) })
      else this.#forget(name, stream)
    }
  }

  /**
   * Shortens those that hold the most, to their newest event at least; then those of one large event, the oldest first.
   */
  #shorten (): void {
    const level = waterLevel(
      [...this.#streams.values()].map(({ bytes }) => bytes),
      this.#settings.maxTotalBytes * KEPT_SHARE
    )
    const larger = [...this.#streams.values()].filter(({ bytes }) => bytes > level)
    for (const stream of larger) this.#counting(stream, () => { stream.trim(Infinity, level, 1) })
    const single = larger.filter(({ bytes }) => bytes > level).sort(byNewest)
    for (const stream of single) {
      // The newest of all goes only if it does not fit alone.
      if (this.#bytes <= this.#settings.maxTotalBytes * (stream === single.at(-1) ? 1 : KEPT_SHARE)) break
      this.#counting(stream, () => { stream.clear() })
    }
  }
}
