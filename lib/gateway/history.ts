import type { Catalogue } from '../events/catalogue.js'
import type { Instances } from '../instances/instances.js'
import { type EventLog, type LogEntry, type LogPage, sizeOf, type StreamName } from '../log/event-log.js'
import { Event, EventBatch } from './batch.js'
import type { Subscriptions } from './subscriptions.js'

/** Bytes of history that are read and written at once. */
const PAGE_BYTES = 64 * 1024
/**
 * Bytes of events in the pages that are cached, or one page. Encoded for sockets and for streams they take up to three
 * times that.
 */
const MAX_CACHED = 8 * 1024 * 1024
/** How long they are cached when no session is recovering any more, in ms. */
const MAX_IDLE = 2000

interface Parts {
  readonly log: EventLog
  readonly catalogue: Catalogue
  readonly instances: Pick<Instances, 'since'>
  readonly subscriptions: Pick<Subscriptions, 'on'>
}

/** Events of a stream that follow each other. */
export class HistoryPage {
  readonly stream: StreamName
  /** Everything after this id is in it, up to its last. */
  readonly after: string
  readonly #events: readonly Event[]
  readonly #batch: EventBatch
  /** Of its events. */
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
  readonly #instances: Pick<Instances, 'since'>
  /** The one that was used last at the end. */
  #pages: HistoryPage[] = []
  #timer: NodeJS.Timeout | undefined

  constructor ({ log, catalogue, instances, subscriptions }: Parts) {
    this.#log = log
    this.#catalogue = catalogue
    this.#instances = instances
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
    const events = entries.map(entry => {
      const since = stream === null ? this.#instances.since(entry.instance) : ''
      return new Event(entry, this.#catalogue.find(entry.event), since)
    })
    const page = new HistoryPage(stream, after, events)
    if (page.isEmpty) return page
    this.#pages.push(page)
    let cached = this.#pages.reduce((sum, { bytes }) => sum + bytes, 0)
    // One that is larger stays alone, or each of many clients that missed the same large event would have a copy.
    while (cached > MAX_CACHED && this.#pages.length > 1) cached -= this.#pages.shift()?.bytes ?? 0
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
