import type { Catalogue } from '../../events/catalogue.js'
import type { Instances } from '../../instances/instances.js'
import type { EventLog, LogEntry, StreamName } from '../../log/event-log.js'
import { type Filter, passesFrom } from '../filter.js'
import { encodeMessage } from '../sse.js'

/** Bytes that are read from the log at a time. */
const READ_BYTES = 64 * 1024
/** Maximum bytes of history that are read for one page, including events that the filter drops. */
const MAX_BYTES = 1024 * 1024

/** The query of a caller. */
export interface PageQuery {
  /** The id after which to read. Empty: return only the current position. */
  readonly after: string
  /** Maximum number of events. */
  readonly limit: number
}

/** A page of history. Its events are in order. */
export interface Page {
  /** As in `ws.ready`: `true`, complete; `false`, a gap; `null`, no id was given. */
  readonly recovered: boolean | null
  /** The messages, each as JSON. */
  readonly events: readonly Buffer[]
  /** The id to pass as `after` for the next page. */
  readonly lastEventId: string
  /** Whether more events are available already. */
  readonly more: boolean
}

/** Reads pages of history for HTTP callers. */
export class Pages {
  readonly #log: EventLog
  readonly #catalogue: Catalogue
  readonly #instances: Pick<Instances, 'since'>

  constructor (log: EventLog, catalogue: Catalogue, instances: Pick<Instances, 'since'>) {
    this.#log = log
    this.#catalogue = catalogue
    this.#instances = instances
  }

  /** Reads the events after an id that pass a filter. The stream must be watched during the call. */
  async read (stream: StreamName, filter: Filter, { after, limit }: PageQuery): Promise<Page> {
    if (after === '') return this.#nothing(stream, null)
    const events: Buffer[] = []
    let lastEventId = after
    let bytes = 0
    for (;;) {
      const entries = await this.#log.read(stream, lastEventId, READ_BYTES)
      if (entries === 'gap') {
        // The events read so far are complete. The next page reports the gap.
        if (lastEventId === after) return this.#nothing(stream, false)
        return { recovered: true, events, lastEventId, more: true }
      }
      if (entries.length === 0) return { recovered: true, events, lastEventId, more: false }
      for (const entry of entries) {
        // A full page does not show whether another event follows; one further event does.
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
