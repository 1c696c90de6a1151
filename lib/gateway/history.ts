import type { Catalogue } from '../events/catalogue.js'
import type { Instances } from '../instances/instances.js'
import { type EventLog, type LogEntry, type LogPage, sizeOf, type StreamName } from '../log/event-log.js'
import { Event, EventBatch } from './batch.js'
import type { Subscriptions } from './subscriptions.js'

/** Bytes of history that are read and written at a time. */
const PAGE_BYTES = 64 * 1024
/**
 * Maximum bytes of events in the cached pages; a single page may exceed it. Encoded for both sockets and streams, a
 * page takes up to three times as much.
 */
const MAX_CACHED = 8 * 1024 * 1024
/** How long pages stay cached after the last session has recovered, in ms. */
const MAX_IDLE = 2000

interface Parts {
  readonly log: EventLog
  readonly catalogue: Catalogue
  readonly instances: Pick<Instances, 'since'>
  readonly subscriptions: Pick<Subscriptions, 'on'>
}

/** A page of history: consecutive events of a stream. */
export class HistoryPage {
  readonly stream: StreamName
  /** The page has all events of the stream after this id, up to its last event. */
  readonly after: string
  readonly #events: readonly Event[]
  readonly #batch: EventBatch
  /** Bytes of the events. */
  readonly bytes: number

  constructor (stream: StreamName, after: string, events: readonly Event[]) {
    this.stream = stream
    this.after = after
    this.#events = events
    this.#batch = new EventBatch(events)
    this.bytes = events.reduce((sum, { entry }) => sum + sizeOf(entry), 0)
  }

  get isEmpty (): boolean {
    return this.#events.length === 0
  }

  /** The id of the last event; for an empty page the id in `after`. */
  get last (): string {
    return this.#events.at(-1)?.entry.id ?? this.after
  }

  /** Whether the page has the next events after an id. */
  continues (stream: StreamName, after: string): boolean {
    return this.stream === stream && this.after <= after && after < this.last
  }

  /** The events after an id, encoded once for all sessions. */
  eventsAfter (after: string): EventBatch {
    return after === this.after ? this.#batch : new EventBatch(this.#events.filter(({ entry }) => entry.id > after))
  }
}

/**
 * Reads the log for recovering sessions, and caches the pages. After an interruption most clients reconnect at the same
 * time and miss the same events, so a page is kept, encoded, for the next session.
 */
export class HistoryCache {
  readonly #log: EventLog
  readonly #catalogue: Catalogue
  readonly #instances: Pick<Instances, 'since'>
  /** The cached pages, the most recently used last. */
  #pages: HistoryPage[] = []
  #timer: NodeJS.Timeout | undefined

  constructor ({ log, catalogue, instances, subscriptions }: Parts) {
    this.#log = log
    this.#catalogue = catalogue
    this.#instances = instances
    subscriptions.on('gap', ({ stream }) => { this.forget(stream) })
  }

  /** Reads the events after an id that a client gave. */
  read (stream: StreamName, after: string): HistoryPage | 'gap' | Promise<HistoryPage | 'gap'> {
    const cached = this.#cached(stream, after)
    // Only the log can decide whether there is a gap.
    const found = this.#log.read(stream, after, cached === undefined ? PAGE_BYTES : 1)
    const pageOf = (found: LogPage) => found === 'gap' ? 'gap' : cached ?? this.#cache(stream, after, found)
    return found instanceof Promise ? found.then(pageOf) : pageOf(found)
  }

  /** Reads the events after the last id of a page. */
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
    const events = entries.map(entry => {
      const since = stream === null ? this.#instances.since(entry.instance) : ''
      return new Event(entry, this.#catalogue.find(entry.event), since)
    })
    const page = new HistoryPage(stream, after, events)
    if (page.isEmpty) return page
    this.#pages.push(page)
    let cached = this.#pages.reduce((sum, { bytes }) => sum + bytes, 0)
    // Keep at least one page, even one that is too large. Otherwise each client that missed the same large event would
    // get its own copy.
    while (cached > MAX_CACHED && this.#pages.length > 1) cached -= this.#pages.shift()?.bytes ?? 0
    return page
  }

  /** Drops the cached pages of a stream. */
  forget (stream: StreamName): void {
    this.#pages = this.#pages.filter(page => page.stream !== stream)
  }

  /** Drops all pages after two seconds: clients that were interrupted together reconnect one after the other. */
  forgetSoon (): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.#pages = [] }, MAX_IDLE).unref()
  }
}
