/** The opcodes of RFC 6455, section 5.2. */
export const CONTINUATION = 0x0
export const TEXT = 0x1
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

const FIN = 0x80
const MASKED = 0x80
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])

interface Shape {
  /** Left out: the last fragment. */
  readonly fin?: boolean
  /** The reserved bits, as in the first byte. */
  readonly rsv?: number
  /** Left out: as a client must. */
  readonly masked?: boolean
}

/** A frame as a client writes it, or as it must not. */
export function frameOf (opcode: number, payload: Buffer | string = '', { fin = true, rsv = 0, masked = true }: Shape = {}): Buffer {
  const data = Buffer.from(payload)
  const first = (fin ? FIN : 0) | rsv | opcode
  const header = headerOf(first, data.length, masked)
  return masked ? Buffer.concat([header, MASK, data.map((byte, at) => byte ^ (MASK[at % 4] ?? 0))]) : Buffer.concat([header, data])
}

/** The header of a frame of so many bytes, without its mask. */
export function headerOf (first: number, length: number, masked: boolean): Buffer {
  const bit = masked ? MASKED : 0
  if (length < 126) return Buffer.from([first, bit | length])
  if (length < 65_536) return Buffer.from([first, bit | 126, length >> 8, length & 0xff])
  const header = Buffer.alloc(10)
  header.set([first, bit | 127])
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

/** A frame of a server. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  /** What is not as servers write whole messages: a fragment, a reserved bit, a mask, a length longer than it need be. */
  readonly oddity: string | undefined
  readonly bytes: Buffer
}

/** Takes a server's first frame off a buffer. When it is not all there: how many bytes must be. */
export function readFrame (data: Buffer): { frame: Frame, rest: Buffer } | number {
  if (data.length < 2) return 2
  const [first = 0, second = 0] = data
  const short = second & 0x7f
  const begin = short < 126 ? 2 : short === 126 ? 4 : 10
  if (data.length < begin) return begin
  const length = short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2))
  const end = begin + length
  if (data.length < end) return end
  const oddity = data.subarray(0, begin).equals(headerOf(FIN | (first & 0x0f), length, false)) ? undefined : data.subarray(0, begin).toString('hex')
  return { frame: { opcode: first & 0x0f, payload: data.subarray(begin, end), oddity, bytes: data.subarray(0, end) }, rest: data.subarray(end) }
}
