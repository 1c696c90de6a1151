import type { Database } from 'lmdb'
import type { LogStats, StreamName } from '../../log/event-log.js'
import { prefixOf, type StreamState } from './codec.js'

/** What is known of a stream in memory. There may be very many: nothing here grows with its records. */
export class Stream implements StreamState {
  /** No record is older. Empty: not looked up yet. */
  oldest = ''
  /** The record that was added last. Empty: not looked up yet. */
  newest = ''
  /** The record that was dropped last since the store was opened. */
  dropped = ''
  /** Bytes that it may keep while all streams together have too many. */
  share = Infinity

  constructor (
    readonly number: number,
    readonly name: StreamName,
    public floor: string,
    public count: number,
    public bytes: number
  ) {}

  /** What the keys of its records begin with. */
  get prefix (): string {
    return prefixOf(this.number)
  }
}

/** All streams of a log, and what they have in sum. */
export class Streams {
  readonly #kept: Database<StreamState, number>
  #birth: string
  // Map(name -> stream)
  readonly #byName = new Map<StreamName, Stream>()
  #next = 1
  #records = 0
  #bytes = 0

  /** @param birth the floor of a stream of which nothing is known */
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

  /** The log knows nothing from before its birth, which may have been moved. */
  floor (name: StreamName): string {
    const floor = this.#byName.get(name)?.floor ?? ''
    return floor > this.#birth ? floor : this.#birth
  }

  /** The stream of a name, a new one if need be. */
  get (name: StreamName): Stream {
    let stream = this.#byName.get(name)
    if (stream === undefined) {
      stream = new Stream(this.#next++, name, this.#birth, 0, 0)
      this.#byName.set(name, stream)
    }
    return stream
  }

  /**
   * The birth that streams may be forgotten under. What is known of one without records is that nothing up to its floor
   * can be replayed; of one that is not known, that nothing up to the birth can.
   */
  birthWithout (streams: readonly Stream[]): string {
    return streams.reduce((birth, { floor }) => floor > birth ? floor : birth, this.#birth)
  }

  /** Forgets streams that have no record. */
  forget (streams: readonly Stream[]): void {
    this.#birth = this.birthWithout(streams)
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

  /** Says that a stream no longer has its oldest record. */
  drop (stream: Stream, id: string, bytes: number): void {
    stream.dropped = id
    if (id > stream.floor) stream.floor = id
    this.#change(stream, stream.count - 1, stream.bytes - bytes)
  }

  /** Takes what the disk has, where what was to be written was not. */
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
