import { connect, type Socket } from 'node:net'
import { clientFrame } from './client-frame.js'

/** One buffer for what all sockets read: a buffer for each read would cost more than reading it. */
const shared = Buffer.allocUnsafeSlow(256 * 1024)

const PACKET = 0x34 // '4', Engine.IO's message
const PING = 0x32 // '2', Engine.IO's ping
const EVENT = 0x32 // '2', Socket.IO's event
/** Bytes that are read of what comes before the client is in. */
const TEXT_LENGTH = 1024

export interface ClientOptions {
  readonly port: number
  /** As the protocol writes it; `null` for a plain WebSocket without Socket.IO. */
  readonly namespace: string | null
  readonly auth?: object
  /** Whether it says that it is a browser, with a page of the server's own. */
  readonly browser?: true | undefined
  /** Bytes of each event that `onEvent` is to see; 0: it only counts. */
  readonly look: number
  /** Told of each event when its last byte is there. `head` is good during the call only. */
  readonly onEvent: (client: RawClient, head: Buffer | null) => void
}

/**
 * A client that does no more than a client must: it joins by hand, answers pings, and counts the frames of events by
 * their headers. A client of Socket.IO would cost many times what its server costs, and measure itself.
 */
export class RawClient {
  readonly options: ClientOptions
  /** Resolves when it is in its namespace. */
  readonly joined: Promise<void>
  readonly closed: Promise<void>
  isClosed = false
  received = 0
  readonly #socket: Socket
  #join: () => void = () => {}
  #fail: (error: Error) => void = () => {}
  /** The answer to the upgrade, until it is complete. */
  #http: string | null = ''
  /** The first bytes of a header that came in two reads. */
  readonly #kept = Buffer.allocUnsafe(16)
  #keptLength = 0
  /** Bytes of the payload that are still to come, and its first ones if they are wanted. */
  #left = 0
  #isEvent = false
  #head: Buffer | null = null
  #headLength = 0
  #headWanted = 0
  #isJoined = false

  constructor (options: ClientOptions) {
    this.options = options
    this.joined = new Promise<void>((resolve, reject) => {
      this.#join = () => {
        this.#isJoined = true
        resolve()
      }
      this.#fail = reject
    })
    this.#socket = connect({ host: '127.0.0.1', port: options.port, onread: { buffer: shared, callback: (length, buffer) => this.#read(buffer as Buffer, length) } })
    this.#socket.setNoDelay(true)
    this.#socket.on('connect', () => { this.#upgrade() })
    this.#socket.on('error', error => { this.#fail(error) })
    this.closed = new Promise<void>(resolve => {
      this.#socket.once('close', () => {
        this.isClosed = true
        this.#fail(new Error('the server closed the connection'))
        resolve()
      })
    })
  }

  pause (): void {
    this.#socket.pause()
  }

  resume (): void {
    this.#socket.resume()
  }

  leave (): void {
    this.#socket.destroy()
  }

  #upgrade (): void {
    const path = this.options.namespace === null ? '/' : '/socket.io/?EIO=4&transport=websocket'
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${this.options.browser === true ? 'Sec-Fetch-Site: same-origin\r\n' : ''}\r\n`)
  }

  #read (buffer: Buffer, length: number): boolean {
    const at = this.#http === null ? 0 : this.#readUpgrade(buffer, length)
    if (at < length) this.#readFrames(buffer, at, length)
    return true
  }

  /** @returns where the frames begin */
  #readUpgrade (buffer: Buffer, length: number): number {
    const before = this.#http?.length ?? 0
    const answer = (this.#http ?? '') + buffer.toString('latin1', 0, length)
    const end = answer.indexOf('\r\n\r\n')
    this.#http = end === -1 ? answer : null
    if (end === -1) return length
    if (!answer.startsWith('HTTP/1.1 101')) {
      this.#fail(new Error(`no upgrade: ${answer.slice(0, 200)}`))
      this.leave()
      return length
    }
    if (this.options.namespace === null) this.#join()
    return end + 4 - before
  }

  #readFrames (buffer: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, end - at)
        if (this.#headLength < this.#headWanted) this.#keepHead(buffer, at, part)
        this.#left -= part
        at += part
        if (this.#left === 0) this.#complete()
        continue
      }
      at = this.#keptLength === 0 && end - at >= 16 ? this.#begin(buffer, at, at) : this.#beginSlowly(buffer, at, end)
    }
  }

  /** Collects a header that is cut by the end of a read, byte by byte. */
  #beginSlowly (buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end) {
      this.#kept[this.#keptLength++] = buffer[at++] as number
      if (this.#keptLength < 2) continue
      const short = this.#kept[1] as number
      if (this.#keptLength < (short < 126 ? 2 : short === 126 ? 4 : 10)) continue
      this.#keptLength = 0
      this.#begin(this.#kept, 0, 0)
      return at
    }
    return at
  }

  /**
   * Reads a frame's header, which is complete in the buffer.
   *
   * @returns where its payload begins
   */
  #begin (buffer: Buffer, offset: number, at: number): number {
    const short = buffer[offset + 1] as number
    let payload = at + 2
    this.#left = short
    if (short === 126) {
      this.#left = buffer.readUInt16BE(offset + 2)
      payload = at + 4
    } else if (short === 127) {
      this.#left = Number(buffer.readBigUInt64BE(offset + 2))
      payload = at + 10
    }
    const isText = buffer[offset] === 0x81
    this.#isEvent = isText && this.#isJoined
    this.#headLength = 0
    this.#headWanted = isText ? Math.min(this.#left, this.#isJoined ? Math.max(2, this.options.look) : TEXT_LENGTH) : 0
    return payload
  }

  #keepHead (buffer: Buffer, at: number, part: number): void {
    this.#head ??= Buffer.allocUnsafe(Math.max(this.options.look, TEXT_LENGTH))
    const length = Math.min(part, this.#headWanted - this.#headLength)
    if (length > 8) buffer.copy(this.#head, this.#headLength, at, at + length)
    // A call out of JavaScript would be dear for the two bytes that tell an event.
    else for (let i = 0; i < length; i++) this.#head[this.#headLength + i] = buffer[at + i] as number
    this.#headLength += length
  }

  #complete (): void {
    if (this.#headWanted === 0) return
    const head = this.#head as Buffer
    if (this.#isEvent && head[0] === PACKET && head[1] === EVENT) {
      this.received++
      this.options.onEvent(this, this.options.look === 0 ? null : head.subarray(0, this.#headLength))
      return
    }
    if (head[0] === PING) this.#socket.write(clientFrame('3'))
    else if (!this.#isJoined) this.#receiveBeforeJoined(head.toString('latin1', 0, this.#headLength))
  }

  #receiveBeforeJoined (text: string): void {
    const { namespace, auth } = this.options
    if (text.startsWith('0')) this.#socket.write(clientFrame(`40${namespace}${auth === undefined ? '' : JSON.stringify(auth)}`))
    else if (text.startsWith('40')) this.#join()
    else if (text.startsWith('44')) this.#fail(new Error(`refused: ${text}`))
  }
}
