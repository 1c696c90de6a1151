import type { Frame } from '../draw/sockets.js'
import { bytesOf, type Part } from '../parts.js'
import { inTime, Tcp } from './tcp.js'

const TEXT = 1
const CLOSE = 8
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])
const upgradeTo = (sid: string, headers: string): string => `GET /socket.io/?EIO=4&transport=websocket${sid === '' ? '' : `&sid=${sid}`} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`

/** The bytes of a frame, right or wrong. */
export function frameBytes ({ fin, reserved, opcode, masked, bits, says, payload }: Frame, newestId: string): Buffer {
  const data = bytesOf(payload, newestId)
  const length = says ?? data.length
  const form = says === null ? Math.max(bits, data.length > 65_535 ? 64 : data.length > 125 ? 16 : 7) : bits
  const header = Buffer.alloc(form === 7 ? 2 : form === 16 ? 4 : 10)
  header[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  header[1] = (masked ? 0x80 : 0) | (form === 7 ? length & 0x7f : form === 16 ? 126 : 127)
  if (form === 16) header.writeUInt16BE(length & 0xffff, 2)
  if (form === 64) header.writeBigUInt64BE(BigInt(length), 2)
  if (!masked) return Buffer.concat([header, data])
  return Buffer.concat([header, MASK, data.map((byte, at) => byte ^ (MASK[at % 4] as number))])
}

const text = (payload: readonly Part[]): Frame => ({ fin: true, reserved: 0, opcode: TEXT, masked: true, bits: 7, says: null, payload })

/** Hears what goes over a connection. */
export interface Listener {
  /** Told of what is sent, before it is. */
  readonly sent: (bytes: Buffer) => void
  /** Told of each text that comes, but for pings, which are answered. */
  readonly packet: (text: string) => void
}

/** A WebSocket whose frames are written by hand; what comes is read as packets of Engine.IO. */
export class RawWebSocket {
  readonly tcp: Tcp
  readonly #listener: Listener
  #received = Buffer.alloc(0)
  readonly #headers: string
  #isOpen = false
  #opened: () => void = () => {}

  /** @param from the address that it says it comes from; left out: none */
  constructor (port: number, listener: Listener, from?: string) {
    this.#listener = listener
    this.#headers = from === undefined ? '' : `X-Forwarded-For: ${from}\r\n`
    this.tcp = new Tcp(port, bytes => {
      this.#received = Buffer.concat([this.#received, bytes])
      if (!this.#isOpen) this.#readUpgrade()
      while (this.#isOpen && this.#readFrame());
    })
  }

  /**
   * Resolves when it is open, or has ended.
   *
   * @param sid of the polling connection that goes over to it; left out: none
   */
  async open (sid = ''): Promise<void> {
    const opened = new Promise<void>(resolve => { this.#opened = resolve })
    await this.tcp.opened()
    this.tcp.write(upgradeTo(sid, this.#headers))
    await inTime(Promise.race([opened, this.tcp.closed]), 'a WebSocket was not opened')
  }

  send (parts: readonly Part[], newestId: string): void {
    this.write(text(parts), newestId)
  }

  write (frame: Frame, newestId: string): void {
    this.#listener.sent(bytesOf(frame.payload, newestId))
    this.tcp.write(frameBytes(frame, newestId))
  }

  #readUpgrade (): void {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end === -1) return
    this.#isOpen = true
    this.#received = this.#received.subarray(end + 4)
    this.#opened()
  }

  #readFrame (): boolean {
    const frame = this.#received
    if (frame.length < 2) return false
    const short = (frame[1] as number) & 0x7f
    const start = short === 126 ? 4 : short === 127 ? 10 : 2
    if (frame.length < start) return false
    const length = short === 126 ? frame.readUInt16BE(2) : short === 127 ? Number(frame.readBigUInt64BE(2)) : short
    if (frame.length < start + length) return false
    this.#received = frame.subarray(start + length)
    const opcode = (frame[0] as number) & 0x0f
    if (opcode === TEXT) this.#read(frame.toString('utf8', start, start + length))
    else if (opcode === CLOSE) this.tcp.socket.end()
    return true
  }

  #read (packet: string): void {
    if (packet === '2') this.send(['3'], '')
    else this.#listener.packet(packet)
  }
}
