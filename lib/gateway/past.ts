import type { Catalogue } from '../events/catalogue.js'
import type { EventLog, LogEntry, LogPage, StreamName } from '../log/event-log.js'
import { Batch, Outgoing } from './batch.js'

/** Bytes of the past that are read and written at once. */
const PAGE_BYTES = 64 * 1024
/** Pages that are kept for others: some MB. */
const MAX_PAGES = 64
/** How long they are kept when nobody is brought the past any more, in ms. */
const MOMENT = 2000

/** Events of a stream that follow each other. */
export class Page {
  readonly stream: StreamName
  /** Everything after this id is in it, up to its last. */
  readonly after: string
  readonly #events: readonly Outgoing[]
  readonly #batch: Batch

  constructor (stream: StreamName, after: string, events: readonly Outgoing[]) {
    this.stream = stream
    this.after = after
    this.#events = events
    this.#batch = new Batch(events)
  }

  get isEmpty (): boolean {
    return this.#events.length === 0
  }

  /** The id of its last event; where it has none, the one that it comes after. */
  get last (): string {
    return this.#events.at(-1)?.entry.id ?? this.after
  }

  /** Whether it says what comes next after an id. */
  continues (stream: StreamName, after: string): boolean {
    return this.stream === stream && this.after <= after && after < this.last
  }

  /** Its events after an id, encoded once for all who get them. */
  eventsAfter (after: string): Batch {
    return after === this.after ? this.#batch : new Batch(this.#events.filter(({ entry }) => entry.id > after))
  }
}

/**
 * Reads the log for clients that come back. They mostly come together, after the same interruption, and miss the same:
 * so what one of them needed is kept for a while for the others, encoded.
 */
export class Past {
  readonly #log: EventLog
  readonly #catalogue: Catalogue
  /** Those that were used last at the end. */
  #pages: Page[] = []
  #timer: NodeJS.Timeout | undefined

  constructor (log: EventLog, catalogue: Catalogue) {
    this.#log = log
    this.#catalogue = catalogue
  }

  /** What came after an id, as a client gave it. */
  read (stream: StreamName, after: string): Page | 'gap' | Promise<Page | 'gap'> {
    const kept = this.#kept(stream, after)
    // Whether it is a gap, the log alone can say.
    const found = this.#log.read(stream, after, kept === undefined ? PAGE_BYTES : 1)
    const pageOf = (found: LogPage) => found === 'gap' ? 'gap' : kept ?? this.#keep(stream, after, found)
    return found instanceof Promise ? found.then(pageOf) : pageOf(found)
  }

  /** What came after an id that was the last of a page. */
  next (stream: StreamName, after: string): Page | 'gap' | Promise<Page | 'gap'> {
    return this.#kept(stream, after) ?? this.read(stream, after)
  }

  #kept (stream: StreamName, after: string): Page | undefined {
    const at = this.#pages.findLastIndex(page => page.continues(stream, after))
    const [page] = at === -1 ? [] : this.#pages.splice(at, 1)
    if (page !== undefined) this.#pages.push(page)
    return page
  }

  #keep (stream: StreamName, after: string, entries: readonly LogEntry[]): Page {
    const page = new Page(stream, after, entries.map(entry => new Outgoing(entry, this.#catalogue.find(entry.event))))
    if (!page.isEmpty) this.#pages.push(page)
    if (this.#pages.length > MAX_PAGES) this.#pages.shift()
    return page
  }

  /** Keeps nothing of a stream any more. */
  forget (stream: StreamName): void {
    this.#pages = this.#pages.filter(page => page.stream !== stream)
  }

  /** Keeps nothing any more, in a moment: who is interrupted together comes back one after the other. */
  forgetSoon (): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.#pages = [] }, MOMENT).unref()
  }
}
