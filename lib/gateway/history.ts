import type { Catalogue } from '../events/catalogue.js'
import type { EventLog, LogEntry, LogPage, StreamName } from '../log/event-log.js'
import { Event, EventBatch } from './batch.js'
import type { Subscriptions } from './subscriptions.js'

/** Bytes of history that are read and written at once. */
const PAGE_BYTES = 64 * 1024
/** Pages that are cached: some MB. */
const MAX_PAGES = 64
/** How long they are cached when no session is recovering any more, in ms. */
const MAX_IDLE = 2000

/** Events of a stream that follow each other. */
export class HistoryPage {
  readonly stream: StreamName
  /** Everything after this id is in it, up to its last. */
  readonly after: string
  readonly #events: readonly Event[]
  readonly #batch: EventBatch

  constructor (stream: StreamName, after: string, events: readonly Event[]) {
    this.stream = stream
    this.after = after
    this.#events = events
    this.#batch = new EventBatch(events)
  }

  get isEmpty (): boolean {
    return this.#events.length === 0
  }

  /** The id of its last event; where it has none, the one that it comes after. */
  get last (): string {
    return this.#events.at(-1)?.entry.id ?? this.after
  }

  /** Whether the next events after an id are in it. */
  continues (stream: StreamName, after: string): boolean {
    return this.stream === stream && this.after <= after && after < this.last
  }

  /** Its events after an id, encoded once for all sessions. */
  eventsAfter (after: string): EventBatch {
    return after === this.after ? this.#batch : new EventBatch(this.#events.filter(({ entry }) => entry.id > after))
  }
}

/**
 * Reads the log for sessions that recover, and caches what it read. Clients mostly come back together, after the same
 * interruption, and miss the same: so a page that one of them needed is kept, encoded, for the others.
 */
export class HistoryCache {
  readonly #log: EventLog
  readonly #catalogue: Catalogue
  /** The one that was used last at the end. */
  #pages: HistoryPage[] = []
  #timer: NodeJS.Timeout | undefined

  constructor (log: EventLog, catalogue: Catalogue, subscriptions: Subscriptions) {
    this.#log = log
    this.#catalogue = catalogue
    subscriptions.on('gap', ({ stream }) => { this.forget(stream) })
  }

  /** What came after an id, as a client gave it. */
  read (stream: StreamName, after: string): HistoryPage | 'gap' | Promise<HistoryPage | 'gap'> {
    const cached = this.#cached(stream, after)
    // Whether it is a gap, the log alone can say.
    const found = this.#log.read(stream, after, cached === undefined ? PAGE_BYTES : 1)
    const pageOf = (found: LogPage) => found === 'gap' ? 'gap' : cached ?? this.#cache(stream, after, found)
    return found instanceof Promise ? found.then(pageOf) : pageOf(found)
  }

  /** What came after an id that was the last of a page. */
  next (stream: StreamName, after: string): HistoryPage | 'gap' | Promise<HistoryPage | 'gap'> {
    return this.#cached(stream, after) ?? this.read(stream, after)
  }

  #cached (stream: StreamName, after: string): HistoryPage | undefined {
    const at = this.#pages.findLastIndex(page => page.continues(stream, after))
    const [page] = at === -1 ? [] : this.#pages.splice(at, 1)
    if (page !== undefined) this.#pages.push(page)
    return page
  }

  #cache (stream: StreamName, after: string, entries: readonly LogEntry[]): HistoryPage {
    const events = entries.map(entry => new Event(entry, this.#catalogue.find(entry.event)))
    const page = new HistoryPage(stream, after, events)
    if (!page.isEmpty) this.#pages.push(page)
    if (this.#pages.length > MAX_PAGES) this.#pages.shift()
    return page
  }

  /** Drops what is cached of a stream. */
  forget (stream: StreamName): void {
    this.#pages = this.#pages.filter(page => page.stream !== stream)
  }

  /** Drops everything in two seconds: clients that are interrupted together come back one after the other. */
  forgetSoon (): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.#pages = [] }, MAX_IDLE).unref()
  }
}
