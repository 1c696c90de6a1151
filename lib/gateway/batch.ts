import type { EventType } from '../events/catalogue.js'
import type { LogEntry } from '../log/event-log.js'
import { type Filter, passes } from './filter.js'
import { encodeEvent } from './sse.js'
import { Packet } from './packet.js'

/** An event on its way to the sessions of a channel. */
export class Event {
  readonly entry: LogEntry
  /** `undefined`: the catalogue lacks it. */
  readonly event: EventType | undefined
  #packet: Packet | undefined

  constructor (entry: LogEntry, event: EventType | undefined) {
    this.entry = entry
    this.event = event
  }

  /** Encoded for the first client that gets it. */
  get packet (): Packet {
    this.#packet ??= new Packet(this.entry)
    return this.#packet
  }

  passes (filter: Filter): boolean {
    return passes(filter, this.event, this.entry.instance)
  }
}

/** Events that go to the same sessions together, encoded once for each way in which they are written. */
export class FrameBatch {
  readonly events: readonly Event[]
  readonly packets: readonly Packet[]
  // The namespace whose frames were made last, and they. Nearly all sessions of a channel spell it alike.
  #namespace: string | undefined
  #frames: Buffer = NO_FRAMES
  // Map(namespace -> frames), where several spell it differently
  #others: Map<string, Buffer> | undefined
  #eventStream: Buffer | undefined

  constructor (events: readonly Event[]) {
    this.events = events
    this.packets = events.map(({ packet }) => packet)
  }

  /** All of them as WebSocket frames for a namespace, made once. */
  framesFor (namespace: string): Buffer {
    if (this.#namespace === namespace) return this.#frames
    const frames = this.#others?.get(namespace) ?? this.#encode(namespace)
    if (this.#namespace !== undefined) (this.#others ??= new Map()).set(this.#namespace, this.#frames)
    this.#namespace = namespace
    this.#frames = frames
    return frames
  }

  #encode (namespace: string): Buffer {
    const frames = Buffer.allocUnsafe(this.packets.reduce((sum, packet) => sum + packet.framesLength(namespace), 0))
    this.packets.reduce((offset, packet) => packet.writeFrames(frames, offset, namespace), 0)
    return frames
  }

  /** All of them as a part of a stream of server-sent events, made once. */
  get eventStream (): Buffer {
    this.#eventStream ??= Buffer.concat(this.packets.map(({ entry }) => encodeEvent(entry)))
    return this.#eventStream
  }
}

const NO_FRAMES = Buffer.alloc(0)

/** The events of a channel that are delivered at once. */
export class EventBatch {
  readonly #events: readonly Event[]
  #all: FrameBatch | undefined
  // Map(which of the events -> frames)
  readonly #some = new Map<string, FrameBatch>()

  constructor (events: readonly Event[]) {
    this.#events = events
  }

  /** What a filter lets through; the same frames for all filters that let the same through, `null` for nothing. */
  through (filter: Filter): FrameBatch | null {
    if (filter.events === null && filter.instances === null) return this.#whole()
    const passing: number[] = []
    for (const [index, event] of this.#events.entries()) {
      if (event.passes(filter)) passing.push(index)
    }
    if (passing.length === this.#events.length) return this.#whole()
    if (passing.length === 0) return null
    const key = passing.join()
    const frames = this.#some.get(key) ?? new FrameBatch(passing.map(index => this.#events[index] as Event))
    this.#some.set(key, frames)
    return frames
  }

  #whole (): FrameBatch {
    this.#all ??= new FrameBatch(this.#events)
    return this.#all
  }
}
