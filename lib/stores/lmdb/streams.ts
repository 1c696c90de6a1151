import type { Database } from 'lmdb'
import type { LogStats, StreamName } from '../../log/event-log.js'
import { prefixOf, type StreamState } from './codec.js'

/**
 * The state of a stream in memory. There may be very many streams, so nothing here grows with the number of records.
 */
export class Stream implements StreamState {
  /** A lower bound for the id of the oldest record. Empty: not looked up yet. */
  oldest = ''
  /** The id of the newest record. Empty: not looked up yet. */
  newest = ''
  /** The id of the last record that was dropped since the store was opened. */
  dropped = ''
  /** Bytes that the stream may keep while all streams together exceed their limit. */
  share = Infinity

  constructor (
    readonly number: number,
    readonly name: StreamName,
    public floor: string,
    public count: number,
    public bytes: number
  ) {}

  /** The prefix of the database keys of its records. */
  get prefix (): string {
    return prefixOf(this.number)
  }
}

/** All streams of a log, and their total count and bytes. */
export class Streams {
  readonly #kept: Database<StreamState, number>
  #birth: string
  // Map(name -> stream)
  readonly #byName = new Map<StreamName, Stream>()
  #next = 1
  #records = 0
  #bytes = 0

  /** @param birth the floor of every stream that is not stored: the log's first id */
  constructor (kept: Database<StreamState, number>, birth: string) {
    this.#kept = kept
    this.#birth = birth
    for (const { key, value: { name, floor, count, bytes } } of kept.getRange({ start: 0 })) {
      this.#byName.set(name, new Stream(key, name, floor, count, bytes))
      this.#next = key + 1
      this.#records += count
      this.#bytes += bytes
    }
  }

  get bytes (): number {
    return this.#bytes
  }

  find (name: StreamName): Stream | undefined {
    return this.#byName.get(name)
  }

  /**
   * The id up to which events of a stream cannot be read. It is at least the log's first id, which `forget` may raise.
   */
  floor (name: StreamName): string {
    const floor = this.#byName.get(name)?.floor ?? ''
    return floor > this.#birth ? floor : this.#birth
  }

  /** The stream with this name. It is created if it does not exist. */
  get (name: StreamName): Stream {
    let stream = this.#byName.get(name)
    if (stream === undefined) {
      stream = new Stream(this.#next++, name, this.#birth, 0, 0)
      this.#byName.set(name, stream)
    }
    return stream
  }

  /**
   * The first id that the log must have if these empty streams are forgotten. A forgotten stream's floor is lost, so
   * the log's first id must be at least as high as each floor.
   */
  firstIdWithout (streams: readonly Stream[]): string {
    return streams.reduce((birth, { floor }) => floor > birth ? floor : birth, this.#birth)
  }

  /** Forgets streams without records. */
  forget (streams: readonly Stream[]): void {
    this.#birth = this.firstIdWithout(streams)
    for (const { name } of streams) this.#byName.delete(name)
  }

  all (): Iterable<Stream> {
    return this.#byName.values()
  }

  add (stream: Stream, id: string, bytes: number): void {
    if (stream.count === 0) stream.oldest = id
    stream.newest = id
    this.#change(stream, stream.count + 1, stream.bytes + bytes)
  }

  /** Removes a stream's oldest record from the counts. */
  drop (stream: Stream, id: string, bytes: number): void {
    stream.dropped = id
    if (id > stream.floor) stream.floor = id
    this.#change(stream, stream.count - 1, stream.bytes - bytes)
  }

  /** Restores the stored state of a stream after a failed write. */
  reload (stream: Stream): void {
    const { floor, count, bytes } = this.#kept.get(stream.number) ?? { floor: this.#birth, count: 0, bytes: 0 }
    stream.floor = floor
    stream.oldest = ''
    stream.newest = ''
    stream.dropped = ''
    this.#change(stream, count, bytes)
  }

  stats (): LogStats {
    let streams = 0
    for (const { count } of this.#byName.values()) if (count > 0) streams++
    return { streams, records: this.#records, bytes: this.#bytes }
  }

  #change (stream: Stream, count: number, bytes: number): void {
    this.#records += count - stream.count
    this.#bytes += bytes - stream.bytes
    stream.count = count
    stream.bytes = bytes
  }
}
