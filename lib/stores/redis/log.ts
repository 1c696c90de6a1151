import type {
  EventLog,
  GapListener,
  LogAppend,
  LogListener,
  LogPage,
  LogRecord,
  LogStats,
  OnceRequest,
  OnceResult,
  StreamName,
  Watch
} from '../../log/event-log.js'
import { epochOf, isId } from '../../log/ids.js'
import type { Followed } from './followed.js'
import type { Following } from './following.js'
import type { Keys, StreamKeys } from './keys.js'
import type { Outbox } from './outbox.js'
import type { Reader } from './reader.js'

interface Parts {
  readonly keys: Keys
  readonly outbox: Outbox
  readonly following: Following
  readonly reader: Reader
  /** Resolves when everything that was published before has arrived here. */
  readonly arrived: () => Promise<void>
  /** Drops a stream's past. @returns the newest id of it; `undefined` if it had none */
  readonly remove: (stream: StreamKeys) => Promise<string | undefined>
}

/**
 * The log in Redis, which nodes share. What it tells comes from there, own events too: so the order is the same on
 * all nodes.
 */
export class RedisLog implements EventLog {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  head (stream: StreamName): string {
    return this.#followed(stream)?.told ?? ''
  }

  wants (streams: readonly StreamName[]): boolean {
    return streams.length > 0
  }

  /** @throws PENDING_FULL, STORE_UNAVAILABLE */
  append (streams: readonly StreamName[], record: LogRecord): Promise<string> {
    return this.#parts.outbox.push(streams.map(name => this.#parts.keys.stream(name)), record)
  }

  /** @throws PENDING_FULL, STORE_UNAVAILABLE */
  async appendOnce (request: OnceRequest, events: readonly LogAppend[]): Promise<OnceResult> {
    const { keys, outbox } = this.#parts
    const wanted = events.map(({ streams }) => streams.length > 0)
    const keyed = { request, table: keys.table(request.table.name), wanted }
    return await outbox.pushRequest(keyed, events.filter((event, at) => wanted[at]).map(({ streams, record }) =>
      ({ streams: streams.map(name => keys.stream(name)), record })))
  }

  read (name: StreamName, after: string, maxBytes: number): LogPage | Promise<LogPage> {
    if (!isId(after)) return 'gap'
    return this.#recent(this.#followed(name), after, maxBytes) ?? this.#read(name, after, maxBytes)
  }

  #followed (stream: StreamName): Followed | undefined {
    return this.#parts.following.find(this.#parts.keys.stream(stream).entries)
  }

  /**
   * Answers without Redis, where that can be done: for a stream that is followed, most who
   * come back have missed little.
   */
  #recent (stream: Followed | undefined, after: string, maxBytes: number): LogPage | undefined {
    if (
      stream === undefined || stream.state === 'starting' || stream.isLate ||
      epochOf(after) !== epochOf(stream.told)
    ) return undefined
    return stream.after(after, maxBytes)
  }

  async #read (name: StreamName, after: string, maxBytes: number): Promise<LogPage> {
    for (;;) {
      const { entries, newest, last } = await this.#parts.reader.read(this.#parts.keys.stream(name), after, maxBytes)
      const stream = this.#followed(name)
      if (stream === undefined || stream.state === 'starting') return entries
      if (entries === 'gap') {
        // Whoever joins now must do so in the new epoch, or would be told of the gap twice.
        if (epochOf(stream.told) !== epochOf(last)) await stream.toldThrough(last)
        return 'gap'
      }
      // Whoever has read it must not be told of it afterwards.
      await stream.toldThrough(newest)
      if (entries.length > 0 || stream.told <= after) return entries
      // Something was told meanwhile.
      const page = this.#recent(stream, after, maxBytes)
      if (page !== undefined) return page
    }
  }

  watch (stream: StreamName, listener: LogListener, onGap?: GapListener): Watch {
    return this.#parts.following.follow(this.#parts.keys.stream(stream), listener, onGap)
  }

  async remove (stream: StreamName): Promise<void> {
    await this.#parts.outbox.drained()
    const newest = await this.#parts.remove(this.#parts.keys.stream(stream))
    if (newest !== undefined) this.#followed(stream)?.removed(newest)
  }

  async drained (): Promise<void> {
    await this.#parts.outbox.drained()
    await this.#parts.arrived()
    await this.#parts.following.settled()
  }

  /** Of the streams that this node follows. */
  stats (): LogStats {
    const stats = { streams: 0, records: 0, bytes: 0 }
    for (const { length, bytes } of this.#parts.following.streams) {
      stats.streams++
      stats.records += length
      stats.bytes += bytes
    }
    return stats
  }
}
