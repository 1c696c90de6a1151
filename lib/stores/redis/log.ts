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
import { errors } from '../../errors.js'
import { inTime } from '../../host/in-time.js'
import { epochOf, isId } from '../../log/ids.js'
import type { StreamSubscription } from './stream-subscription.js'
import type { StreamSubscriptions } from './stream-subscriptions.js'
import type { Keys, StreamKeys } from './keys.js'
import type { Producer } from './producer.js'
import type { Reader } from './reader.js'

/** How long a removal waits until what was appended before is stored, in ms. */
const DRAIN_TIMEOUT = 5000

interface Parts {
  readonly keys: Keys
  readonly producer: Producer
  readonly subscriptions: StreamSubscriptions
  readonly reader: Reader
  /** Resolves when everything that was published before has been received here. */
  readonly allReceived: () => Promise<void>
  /** Drops a stream's history. @returns its newest id; `undefined` if it had none */
  readonly remove: (stream: StreamKeys) => Promise<string | undefined>
}

/**
 * The log in Redis, which nodes share. Events are delivered as Redis publishes them, own events too: so the order is
 * the same on all nodes.
 */
export class RedisLog implements EventLog {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  head (stream: StreamName): string {
    return this.#subscriptionOf(stream)?.deliveredThrough ?? ''
  }

  wants (streams: readonly StreamName[]): boolean {
    return streams.length > 0
  }

  /** @throws PENDING_FULL, STORE_UNAVAILABLE */
  append (streams: readonly StreamName[], record: LogRecord): Promise<string> {
    return this.#parts.producer.push(streams.map(name => this.#parts.keys.stream(name)), record)
  }

  /** @throws PENDING_FULL, STORE_UNAVAILABLE */
  async appendOnce (request: OnceRequest, events: readonly LogAppend[]): Promise<OnceResult> {
    const { keys, producer } = this.#parts
    const wanted = events.map(({ streams }) => streams.length > 0)
    const keyed = { request, table: keys.table(request.table.name), wanted }
    return await producer.pushRequest(keyed, events.filter((event, at) => wanted[at]).map(({ streams, record }) =>
      ({ streams: streams.map(name => keys.stream(name)), record })))
  }

  read (name: StreamName, after: string, maxBytes: number): LogPage | Promise<LogPage> {
    if (!isId(after)) return 'gap'
    return this.#recent(this.#subscriptionOf(name), after, maxBytes) ?? this.#read(name, after, maxBytes)
  }

  #subscriptionOf (stream: StreamName): StreamSubscription | undefined {
    return this.#parts.subscriptions.find(this.#parts.keys.stream(stream).entries)
  }

  /**
   * Answers without Redis where it can: most clients that come back have missed little, and this node keeps the recent
   * events of the streams that it is subscribed to.
   */
  #recent (stream: StreamSubscription | undefined, after: string, maxBytes: number): LogPage | undefined {
    if (
      stream === undefined || stream.state === 'starting' || stream.isLagging ||
      epochOf(after) !== epochOf(stream.deliveredThrough)
    ) return undefined
    return stream.after(after, maxBytes)
  }

  async #read (name: StreamName, after: string, maxBytes: number): Promise<LogPage> {
    for (;;) {
      const { entries, newest, last } = await this.#parts.reader.read(this.#parts.keys.stream(name), after, maxBytes)
      const stream = this.#subscriptionOf(name)
      if (stream === undefined || stream.state === 'starting') return entries
      if (entries === 'gap') {
        // A client that joins now must do so in the new epoch, or it would be told of the gap twice.
        if (epochOf(stream.deliveredThrough) !== epochOf(last)) await stream.whenDelivered(last)
        return 'gap'
      }
      // What was read must not be delivered once more afterwards.
      await stream.whenDelivered(newest)
      if (entries.length > 0 || stream.newestDelivered <= last) return entries
      // Something was delivered meanwhile that Redis did not have when it was read.
      const page = this.#recent(stream, after, maxBytes)
      if (page !== undefined) return page
    }
  }

  watch (stream: StreamName, listener: LogListener, onGap?: GapListener): Watch {
    return this.#parts.subscriptions.subscribe(this.#parts.keys.stream(stream), listener, onGap)
  }

  /** @throws STORE_UNAVAILABLE, also when Redis takes none of what was appended before */
  async remove (stream: StreamName): Promise<void> {
    await inTime(this.#parts.producer.drained(), DRAIN_TIMEOUT).catch((cause: unknown) => {
      throw new errors.STORE_UNAVAILABLE('Redis has not taken what was emitted before', { cause })
    })
    const newest = await this.#parts.remove(this.#parts.keys.stream(stream))
    if (newest !== undefined) this.#subscriptionOf(stream)?.dropThrough(newest)
  }

  async drained (): Promise<void> {
    await this.#parts.producer.drained()
    await this.#parts.allReceived()
    await this.#parts.subscriptions.caughtUp()
  }

  /** Of the streams that this node is subscribed to. */
  stats (): LogStats {
    const stats = { streams: 0, records: 0, bytes: 0 }
    for (const { length, bytes } of this.#parts.subscriptions.streams) {
      stats.streams++
      stats.records += length
      stats.bytes += bytes
    }
    return stats
  }
}
