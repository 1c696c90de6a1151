import type { Message } from '../../../types.js'
import { compact, restore } from './compact.js'
import { DIRECTIONS, type Direction, type Kind, KINDS, summarize, type Summary } from './summary.js'

/** Rows that are kept decoded: a screen of 4K. They are most of what the heap has of the events. */
const MAX_DECODED = 100

/** An event as the page shows it. */
export interface Row {
  readonly seq: number
  readonly summary: Pick<Summary, 'chat' | 'who' | 'word' | 'text'>
  readonly kind: Kind
  readonly direction: Direction
  readonly message: Message
}

/** How an event was received. */
export interface Arrival {
  /** From its being emitted to its arrival, in ms; `null`: not live. */
  readonly delay: number | null
}

/** Numbers for names, so that they fit into columns. */
class Names {
  readonly #names: string[] = []
  readonly #numbers = new Map<string, number>()

  numberOf (name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    this.#numbers.set(name, this.#names.length)
    return this.#names.push(name) - 1
  }

  /** -1: there is none. */
  find (name: string): number {
    return this.#numbers.get(name) ?? -1
  }

  get (number: number): string {
    return this.#names[number] ?? ''
  }

  get all (): readonly string[] {
    return this.#names
  }
}

function hashOf (text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash, 31) + text.charCodeAt(at) | 0
  return hash
}

/**
 * The newest events, in columns and one buffer of bytes that are allocated once: however long the page is open, its
 * heap does not grow with what has come. Each event has a number that counts up. Events go when there are too many, or
 * when the buffer is full: the oldest first.
 */
export class Ring {
  /** The number of the oldest event that is kept, and the one that the next will have. */
  first = 0
  next = 0
  readonly instances = new Names()
  readonly events = new Names()
  readonly #capacity: number
  readonly #bytes: Uint8Array
  readonly #columns
  #written = 0
  readonly #encoder = new TextEncoder()
  readonly #decoder = new TextDecoder()
  // Map(number -> decoded event), the one that was read last at the end
  readonly #decoded = new Map<number, Row>()

  constructor (capacity: number, bytes: number) {
    this.#capacity = capacity
    this.#bytes = new Uint8Array(bytes)
    this.#columns = {
      time: new Float64Array(capacity),
      instance: new Uint32Array(capacity),
      event: new Uint32Array(capacity),
      kind: new Uint8Array(capacity),
      direction: new Uint8Array(capacity),
      delay: new Int32Array(capacity),
      size: new Uint32Array(capacity),
      chat: new Int32Array(capacity),
      offset: new Uint32Array(capacity),
      length: new Uint32Array(capacity)
    }
  }

  get size (): number {
    return this.next - this.first
  }

  /** @returns the number of the event; `null`: it is larger than all that can be kept */
  add (message: Message, { delay }: Arrival): number | null {
    const { kind, direction, chat, who, word, text } = summarize(message.event, message.data)
    const { json, blobs, size } = compact(message)
    const bytes = this.#encoder.encode([JSON.stringify([chat, who, word, text]), json, ...blobs].join('\n'))
    if (bytes.length > this.#bytes.length) return null
    const offset = this.#makeRoom(bytes.length)
    this.#bytes.set(bytes, offset)
    this.#written = offset + bytes.length
    const seq = this.next++
    const at = seq % this.#capacity
    const columns = this.#columns
    columns.time[at] = Date.parse(message.date_time)
    columns.instance[at] = this.instances.numberOf(message.instance)
    columns.event[at] = this.events.numberOf(message.event)
    columns.kind[at] = KINDS.indexOf(kind)
    columns.direction[at] = DIRECTIONS.indexOf(direction)
    columns.delay[at] = delay ?? -1
    columns.size[at] = size
    columns.chat[at] = chat === '' ? 0 : hashOf(`${message.instance} ${chat}`)
    columns.offset[at] = offset
    columns.length[at] = bytes.length
    return seq
  }

  /** Drops what is in the way of the next event. @returns where it goes */
  #makeRoom (length: number): number {
    const offset = this.#written + length > this.#bytes.length ? 0 : this.#written
    if (this.size >= this.#capacity) this.#drop()
    // Events lie in the buffer in their order, so the oldest are what the next one meets. At its end some room is left.
    while (this.size > 0 && this.#isInWay(this.first % this.#capacity, offset, length)) this.#drop()
    return offset
  }

  #isInWay (at: number, offset: number, length: number): boolean {
    const start = this.#columns.offset[at] ?? 0
    if (offset === 0 && this.#written > 0 && start >= this.#written) return true
    return start < offset + length && offset < start + (this.#columns.length[at] ?? 0)
  }

  #drop (): void {
    this.#decoded.delete(this.first++)
  }

  clear (): void {
    this.first = this.next
    this.#written = 0
    this.#decoded.clear()
  }

  has (seq: number): boolean {
    return seq >= this.first && seq < this.next
  }

  timeOf (seq: number): number { return this.#columns.time[seq % this.#capacity] ?? 0 }
  instanceOf (seq: number): number { return this.#columns.instance[seq % this.#capacity] ?? 0 }
  eventOf (seq: number): number { return this.#columns.event[seq % this.#capacity] ?? 0 }
  kindOf (seq: number): number { return this.#columns.kind[seq % this.#capacity] ?? 0 }
  directionOf (seq: number): number { return this.#columns.direction[seq % this.#capacity] ?? 0 }
  sizeOf (seq: number): number { return this.#columns.size[seq % this.#capacity] ?? 0 }
  /** 0: it belongs to no chat. */
  chatOf (seq: number): number { return this.#columns.chat[seq % this.#capacity] ?? 0 }
  /** In ms; -1: it is not known. */
  delayOf (seq: number): number { return this.#columns.delay[seq % this.#capacity] ?? -1 }

  #textOf (seq: number): string {
    const at = seq % this.#capacity
    const offset = this.#columns.offset[at] ?? 0
    return this.#decoder.decode(this.#bytes.subarray(offset, offset + (this.#columns.length[at] ?? 0)))
  }

  /** What is searched, in small letters: the event's line and its JSON without base64. */
  searchText (seq: number): string {
    const text = this.#textOf(seq)
    const end = text.indexOf('\n', text.indexOf('\n') + 1)
    return (end < 0 ? text : text.slice(0, end)).toLowerCase()
  }

  read (seq: number): Row {
    const known = this.#decoded.get(seq)
    if (known !== undefined) return known
    const [line = '[]', json = 'null', ...blobs] = this.#textOf(seq).split('\n')
    const [chat = '', who = '', word = '', text = ''] = JSON.parse(line) as string[]
    const row: Row = {
      seq,
      summary: { chat, who, word, text },
      kind: KINDS[this.kindOf(seq)] ?? 'other',
      direction: DIRECTIONS[this.directionOf(seq)] ?? '',
      message: restore(json, blobs) as Message
    }
    this.#decoded.set(seq, row)
    for (const oldest of this.#decoded.keys()) {
      if (this.#decoded.size <= MAX_DECODED) break
      this.#decoded.delete(oldest)
    }
    return row
  }
}
