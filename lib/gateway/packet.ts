import { Decoder, PacketType } from 'socket.io-parser'
import { errors, reasonOf } from '../errors.js'
import type { LogEntry, LogRecord } from '../log/event-log.js'
import type { MessageContent } from '../events/message.js'
import type { Message } from '../types.js'
import { type Extracted, extractBinary } from './attachments.js'
import { BINARY, frameLength, TEXT, writeHeader } from './frame.js'

/** Stock clients break off the connection at an event with more binary parts (socket.io-parser's `maxAttachments`). */
const MAX_ATTACHMENTS = 10

/** What Engine.IO v4 writes before a packet of Socket.IO: the type `message`. */
const ENGINE_MESSAGE = '4'

/** `,` */
const COMMA = 0x2c

/** What ends a packet, with its id as a second argument or without. */
const endOf = (id: string, withId: boolean): string => withId ? `,"${id}"]` : ']'

/** An event, encoded once for all namespaces: a packet of the Socket.IO protocol v5 without its namespace. */
export class Packet {
  readonly entry: LogEntry
  /** The packet's type and, for binary events, `N-`. */
  readonly #head: string
  /** `["event",{"id":"…"` */
  readonly #beginning: string
  #text: string | undefined
  #decoded: [string, Message] | undefined

  constructor (entry: LogEntry) {
    this.entry = entry
    this.#head = headOf(entry.attachments.length)
    this.#beginning = beginningOf(entry.event, entry.id)
  }

  /** The binary parts, in the order of their placeholders. */
  get attachments (): readonly Buffer[] {
    return this.entry.attachments
  }

  /** The rest of the message in UTF-8, up to its last brace. */
  get #rest (): Buffer {
    return this.entry.rest
  }

  /** About the bytes of its frames. */
  get size (): number {
    return this.attachments.reduce((sum, { length }) => sum + length, this.#beginning.length + this.#rest.length)
  }

  /**
   * The packet for a namespace, given as the protocol writes it: `/acme,`, and nothing for the root.
   *
   * @param withId whether its id is a second argument
   */
  textFor (namespace: string, withId = false): string {
    this.#text ??= this.#beginning + this.#rest.toString()
    return this.#head + namespace + this.#text + endOf(this.entry.id, withId)
  }

  /** Bytes of the packet's WebSocket frames for a namespace. */
  framesLength (namespace: string, withId = false): number {
    return this.attachments.reduce(
      (sum, { length }) => sum + frameLength(length),
      frameLength(this.#textLength(namespace, withId))
    )
  }

  #textLength (namespace: string, withId: boolean): number {
    return ENGINE_MESSAGE.length + this.#head.length + Buffer.byteLength(namespace) +
      Buffer.byteLength(this.#beginning) + this.#rest.length + endOf(this.entry.id, withId).length
  }

  /**
   * Writes the packet's WebSocket frames for a namespace.
   *
   * @returns where they end
   */
  writeFrames (target: Buffer, offset: number, namespace: string, withId = false): number {
    let at = writeHeader(target, offset, TEXT, this.#textLength(namespace, withId))
    at += target.write(ENGINE_MESSAGE + this.#head + namespace + this.#beginning, at)
    at += this.#rest.copy(target, at)
    at += target.write(endOf(this.entry.id, withId), at)
    for (const attachment of this.attachments) {
      at = writeHeader(target, at, BINARY, attachment.length)
      at += attachment.copy(target, at)
    }
    return at
  }

  /** The arguments of `socket.emit`: the event's name and the message. */
  decoded (): [string, Message] {
    this.#decoded ??= decode(this.textFor(''), this.attachments)
    return this.#decoded
  }
}

/** What JSON writes as it is: the names of every catalogue. */
const PLAIN = /^[\w.:-]*$/

const beginningOf = (event: string, id: string): string =>
  `[${PLAIN.test(event) ? `"${event}"` : JSON.stringify(event)},{"id":"${id}"`

/** The type of an event, and of one with binary parts. */
const headOf = (attachments: number): string =>
  attachments === 0 ? EVENT : `${PacketType.BINARY_EVENT}${attachments}-`

const EVENT = String(PacketType.EVENT)

/**
 * Encodes an event as it is at this moment, for the log and for clients.
 *
 * @throws NOT_SERIALIZABLE
 */
export function encodeRecord (message: MessageContent): LogRecord {
  const { event, instance } = message
  const { text, attachments } = encode(event, message)
  const rest = Buffer.from(text)
  // The id is written before all else. In the object it would come after keys such as `1`.
  rest[0] = COMMA
  return { instance, event, rest, attachments }
}

/**
 * What a client receives of some data: plain JSON values and Buffers.
 *
 * @param event that it belongs to, for the error
 * @throws NOT_SERIALIZABLE
 */
export function asReceived (event: string, data: unknown): unknown {
  const { text, attachments } = encode(event, { data })
  const [, received] = decode(`${headOf(attachments.length)}["",${text}]`, attachments)
  return received.data
}

/** @returns a JSON object with placeholders, and the binary parts that they stand for */
function encode (event: string, content: { readonly data: unknown }): { text: string, attachments: Buffer[] } {
  const wrong = (why: string) => new errors.NOT_SERIALIZABLE(event, why)
  let extracted: Extracted<typeof content>
  let text: string
  try {
    extracted = extractBinary(content, 'data')
    text = JSON.stringify(extracted.value)
  } catch (cause) {
    throw Object.assign(wrong(reasonOf(cause)), { cause })
  }
  const { value: { data }, attachments } = extracted
  if (data === undefined || typeof data === 'symbol') {
    throw wrong('it is nothing that JSON can say (a function, a symbol)')
  }
  if (attachments.length === 0) return { text, attachments: [] }
  if (attachments.length > MAX_ATTACHMENTS) {
    throw wrong(`it has ${attachments.length} binary parts, and clients take ${MAX_ATTACHMENTS}: put them into one`)
  }
  if (text.split(PLACEHOLDER).length - 1 !== attachments.length) {
    throw wrong('"_placeholder" stands for a binary part in Socket.IO: name that property otherwise')
  }
  // Copied, because the data is the caller's again after the call.
  return {
    text,
    attachments: attachments.map(binary => {
      if (binary instanceof Blob) throw wrong('a Blob cannot be read at once: give its bytes as a Buffer')
      return copyOf(binary)
    })
  }
}

/** How a binary part is written. A quote inside of a text would be escaped, so only a property looks like it. */
const PLACEHOLDER = '"_placeholder":true'

function copyOf (binary: ArrayBufferView | ArrayBuffer): Buffer {
  return ArrayBuffer.isView(binary)
    ? Buffer.from(Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength))
    : Buffer.from(Buffer.from(binary))
}

/** What the stock client makes of a packet. */
function decode (text: string, attachments: readonly Buffer[]): [string, Message] {
  const decoder = new Decoder()
  let args: [string, Message] | undefined
  decoder.on('decoded', ({ data }) => { args = data as [string, Message] })
  for (const part of [text, ...attachments]) decoder.add(part)
  decoder.destroy()
  if (args === undefined) throw new Error('a packet of ours could not be decoded')
  return args
}
