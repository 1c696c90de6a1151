import type { Catalogue } from '../../events/catalogue.js'
import type { Instances } from '../../instances/instances.js'
import type { EventLog, LogEntry, StreamName } from '../../log/event-log.js'
import { type Filter, passesFrom } from '../filter.js'
import { encodeMessage } from '../sse.js'

/** Bytes that are read from the log at once. */
const READ_BYTES = 64 * 1024
/** Bytes of history that are read for one page, whether for the caller or not. */
const MAX_BYTES = 1024 * 1024

/** What a caller asks for. */
export interface AskedPage {
  /** The id to read after; an empty one for where the stream is now. */
  readonly after: string
  /** Events at most. */
  readonly limit: number
}

/** A page of history, in the order of the events. */
export interface Page {
  /** As in `ws.ready`: `false` is a gap. */
  readonly recovered: boolean | null
  /** Each message as JSON. */
  readonly events: readonly Buffer[]
  /** Where the next page begins. */
  readonly lastEventId: string
  /** Whether there is more already. */
  readonly more: boolean
}

/** Reads the log for callers that come for a page at a time. */
export class Pages {
  readonly #log: EventLog
  readonly #catalogue: Catalogue
  readonly #instances: Pick<Instances, 'since'>

  constructor (log: EventLog, catalogue: Catalogue, instances: Pick<Instances, 'since'>) {
    this.#log = log
    this.#catalogue = catalogue
    this.#instances = instances
  }

  /** Reads what came after an id and passes a filter. The stream has to be watched meanwhile. */
  async read (stream: StreamName, filter: Filter, { after, limit }: AskedPage): Promise<Page> {
    if (after === '') return this.#nothing(stream, null)
    const events: Buffer[] = []
    let lastEventId = after
    let bytes = 0
    for (;;) {
      const entries = await this.#log.read(stream, lastEventId, READ_BYTES)
      if (entries === 'gap') {
        // What has been read is whole, and the next page says it.
        if (lastEventId === after) return this.#nothing(stream, false)
        return { recovered: true, events, lastEventId, more: true }
      }
      if (entries.length === 0) return { recovered: true, events, lastEventId, more: false }
      for (const entry of entries) {
        // Whether anything comes after a full page is known by what comes next.
        if (events.length === limit || bytes > MAX_BYTES) return { recovered: true, events, lastEventId, more: true }
        lastEventId = entry.id
        bytes += entry.rest.length
        if (this.#passes(stream, filter, entry)) {
          const message = encodeMessage(entry)
          events.push(message)
          bytes += message.length - entry.rest.length
        }
      }
    }
  }

  #passes (stream: StreamName, filter: Filter, entry: LogEntry): boolean {
    const since = stream === null ? this.#instances.since(entry.instance) : ''
    return passesFrom(filter, this.#catalogue.find(entry.event), entry, since)
  }

  #nothing (stream: StreamName, recovered: null | false): Page {
    return { recovered, events: [], lastEventId: this.#log.head(stream), more: false }
  }
}
