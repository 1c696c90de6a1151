import { Decoder, Encoder, PacketType } from 'socket.io-parser'
import { errors } from '../errors.js'
import type { Message } from '../types.js'

/** Stock clients break off the connection at an event with more binary parts (socket.io-parser's `maxAttachments`). */
const MAX_ATTACHMENTS = 10

const encoder = new Encoder()

/** An event, encoded once for all namespaces: a packet of the Socket.IO protocol v5 without its namespace. */
export class Packet {
  /** The packet's type and, for binary events, `N-`. */
  readonly #head: string
  /** `["event",{…}]` */
  readonly #body: string
  /** The binary parts, in the order of their placeholders. */
  readonly attachments: readonly Buffer[]

  /**
   * Encodes an event as it is at this moment.
   *
   * @throws NOT_SERIALIZABLE
   */
  constructor (message: Message) {
    const [text, ...attachments] = encode(message)
    const start = text.indexOf('[')
    this.#head = text.slice(0, start)
    this.#body = text.slice(start)
    this.attachments = attachments
  }

  /** The packet for a namespace, given as the protocol writes it: `/acme,`, and nothing for the root. */
  textFor (namespace: string): string {
    return this.#head + namespace + this.#body
  }

  /** The arguments of `socket.emit`: the event's name and the message. */
  decoded (): [string, Message] {
    const decoder = new Decoder()
    let args: [string, Message] | undefined
    decoder.on('decoded', ({ data }) => { args = data as [string, Message] })
    for (const part of [this.textFor(''), ...this.attachments]) decoder.add(part)
    decoder.destroy()
    if (args === undefined) throw new Error('a packet of ours could not be decoded')
    return args
  }
}

function encode (message: Message): [string, ...Buffer[]] {
  const wrong = (why: string) => new errors.NOT_SERIALIZABLE(message.event, why)
  let parts: [string, ...ArrayBufferView[]]
  try {
    parts = encoder.encode({ type: PacketType.EVENT, nsp: '/', data: [message.event, message] }) as typeof parts
  } catch (cause) {
    throw Object.assign(wrong(reason(cause)), { cause })
  }
  const [text, ...binaries] = parts
  if (binaries.length > MAX_ATTACHMENTS) throw wrong(`it has ${binaries.length} binary parts, and clients take ${MAX_ATTACHMENTS}: put them into one`)
  // Copied, because the data is the caller's again after the call.
  return [text, ...binaries.map(copyOf)]
}

function reason (cause: unknown): string {
  if (cause instanceof RangeError) return 'it is circular or too deep'
  return cause instanceof Error ? cause.message.split('\n', 1)[0] ?? '' : String(cause)
}

function copyOf (binary: ArrayBufferView | ArrayBuffer): Buffer {
  return ArrayBuffer.isView(binary)
    ? Buffer.from(Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength))
    : Buffer.from(Buffer.from(binary))
}
