import type { EventType } from '../events/catalogue.js'
import type { LogEntry } from '../log/event-log.js'
import { type Filter, passesFrom } from './filter.js'
import { encodeEvent } from './sse.js'
import { Packet } from './packet.js'

/** An event on its way to the sessions of a channel. */
export class Event {
  readonly entry: LogEntry
  /** `undefined`: the catalogue lacks it. */
  readonly event: EventType | undefined
  /** Events of its instance up to this id are of a former one; empty for one that was just published. */
  readonly #since: string
  #packet: Packet | undefined

  constructor (entry: LogEntry, event: EventType | undefined, since = '') {
    this.entry = entry
    this.event = event
    this.#since = since
  }

  /** Encoded for the first client that gets it. */
  get packet (): Packet {
    this.#packet ??= new Packet(this.entry)
    return this.#packet
  }

  passes (filter: Filter): boolean {
    return passesFrom(filter, this.event, this.entry, this.#since)
  }
}

/** Messages up to this size, in bytes, are small. Larger ones are counted apart by `Backpressure`. */
const MAX_SMALL = 64 * 1024

export const isLarge = (bytes: number): boolean => bytes > MAX_SMALL

/** A large message in a batch. */
interface LargeMessage {
  readonly size: number
  /** Bytes of the batch up to its end. */
  readonly end: number
}

const NONE: readonly LargeMessage[] = []

/** Events that go to the same sessions together, encoded once for each way in which they are written. */
export class FrameBatch {
  readonly events: readonly Event[]
  readonly packets: readonly Packet[]
  /** About the bytes of its frames. */
  readonly size: number
  readonly large: readonly LargeMessage[]
  // The namespace whose frames were made last, whether with ids, and they. Nearly all sessions of a channel spell it
  // alike, and those with ids follow each other.
  #namespace: string | undefined
  #withId = false
  #frames: Buffer = NO_FRAMES
  // Map(namespace and whether with ids -> frames), where there are several
  #others: Map<string, Buffer> | undefined
  #eventStream: Buffer | undefined

  constructor (events: readonly Event[]) {
    this.events = events
    this.packets = events.map(({ packet }) => packet)
    let end = 0
    let large = NONE
    for (const { size } of this.packets) {
      end += size
      if (isLarge(size)) large = [...large, { size, end }]
    }
    this.size = end
    this.large = large
  }

  /**
   * All of them as WebSocket frames for a namespace, made once.
   *
   * @param withId whether each has its id as a second argument
   */
  framesFor (namespace: string, withId = false): Buffer {
    if (this.#namespace === namespace && this.#withId === withId) return this.#frames
    const frames = this.#others?.get(variantOf(namespace, withId)) ?? this.#encode(namespace, withId)
    if (this.#namespace !== undefined) {
      (this.#others ??= new Map()).set(variantOf(this.#namespace, this.#withId), this.#frames)
    }
    this.#namespace = namespace
    this.#withId = withId
    this.#frames = frames
    return frames
  }

  #encode (namespace: string, withId: boolean): Buffer {
    const length = this.packets.reduce((sum, packet) => sum + packet.framesLength(namespace, withId), 0)
    const frames = Buffer.allocUnsafe(length)
    this.packets.reduce((offset, packet) => packet.writeFrames(frames, offset, namespace, withId), 0)
    return frames
  }

  /** All of them as a part of a stream of server-sent events, made once. */
  get eventStream (): Buffer {
    this.#eventStream ??= Buffer.concat(this.packets.map(({ entry }) => encodeEvent(entry)))
    return this.#eventStream
  }
}

const NO_FRAMES = Buffer.alloc(0)

const variantOf = (namespace: string, withId: boolean): string => withId ? `+${namespace}` : namespace

/** The events of a channel that are delivered at once. */
export class EventBatch {
  readonly #events: readonly Event[]
  #all: FrameBatch | undefined
  // Map(which of the events -> frames), where a filter lets only some through
  #some: Map<string, FrameBatch> | undefined

  constructor (events: readonly Event[]) {
    this.#events = events
  }

  /** What a filter lets through; the same frames for all filters that let the same through, `null` for nothing. */
  through (filter: Filter): FrameBatch | null {
    if (filter.events === null && filter.instances === null) return this.whole()
    const passing: number[] = []
    for (const [index, event] of this.#events.entries()) {
      if (event.passes(filter)) passing.push(index)
    }
    return passing.length === 0 ? null : this.only(passing)
  }

  /** Some of them, by their positions; the same frames for the same. */
  only (positions: readonly number[]): FrameBatch {
    if (positions.length === this.#events.length) return this.whole()
    const key = positions.join()
    const some = this.#some ??= new Map<string, FrameBatch>()
    const frames = some.get(key) ?? new FrameBatch(positions.map(at => this.#events[at] as Event))
    some.set(key, frames)
    return frames
  }

  whole (): FrameBatch {
    this.#all ??= new FrameBatch(this.#events)
    return this.#all
  }
}
