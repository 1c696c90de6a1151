import type { LogRecord, StreamName } from '../../log/event-log.js'

/** What is kept of a stream beside its records. */
export interface StreamState {
  readonly name: StreamName
  /** The newest record that was dropped from it, or the birth of the log. */
  readonly floor: string
  readonly count: number
  readonly bytes: number
}

// Each value starts with the version of its own layout, so that a later one can be told, and zeroes are none at all.
const VERSION = 1
// version, bytes of the event, of the instance, of the rest, number of attachments.
const RECORD_HEAD = 1 + 4 + 4 + 4 + 4
// version, whether it is the root's, count, bytes, length of the floor.
const STREAM_HEAD = 1 + 1 + 8 + 8 + 1

/**
 * What the keys of a stream's records begin with, before the id: its number, as four characters of a byte each. So LMDB
 * has the records of a stream beside each other, in order, and their keys are short, however long its name.
 */
export const prefixOf = (stream: number): string =>
  String.fromCharCode(stream >>> 24, stream >>> 16 & 255, stream >>> 8 & 255, stream & 255)

export const idOf = (recordKey: string): string => recordKey.slice(4)

export const recordKey = {
  writeKey (key: string, target: Buffer, start: number): number {
    return start + target.write(key, start, 'latin1')
  },

  readKey (source: Buffer, start: number, end: number): string {
    return source.toString('latin1', start, end)
  }
}

/** A name in UTF-8. LMDB takes up to 1,978 bytes. */
export const nameKey = {
  writeKey (name: string, target: Buffer, start: number): number {
    return start + target.write(name, start)
  },

  readKey (source: Buffer, start: number, end: number): string {
    return source.toString('utf8', start, end)
  }
}

/** @throws RangeError when it is too large for a Buffer */
export function encodeRecord ({ event, instance, rest, attachments }: LogRecord): Buffer {
  const [eventBytes, instanceBytes] = [Buffer.byteLength(event), Buffer.byteLength(instance)]
  const head = RECORD_HEAD + 4 * attachments.length
  const binary = attachments.reduce((sum, { length }) => sum + length, 0)
  const bytes = Buffer.allocUnsafe(head + eventBytes + instanceBytes + rest.length + binary)
  bytes[0] = VERSION
  bytes.writeUInt32LE(eventBytes, 1)
  bytes.writeUInt32LE(instanceBytes, 5)
  bytes.writeUInt32LE(rest.length, 9)
  bytes.writeUInt32LE(attachments.length, 13)
  let at = head
  at += bytes.write(event, at)
  at += bytes.write(instance, at)
  at += rest.copy(bytes, at)
  for (const [number, attachment] of attachments.entries()) {
    bytes.writeUInt32LE(attachment.length, RECORD_HEAD + 4 * number)
    at += attachment.copy(bytes, at)
  }
  return bytes
}

/**
 * @param source memory that LMDB uses again: nothing of it is kept
 * @throws when it is not what {@link encodeRecord} makes
 */
export function decodeRecord (source: Uint8Array): LogRecord {
  const bytes = versioned(source)
  const attached = bytes.readUInt32LE(13)
  let at = RECORD_HEAD + 4 * attached
  const event = bytes.toString('utf8', at, at += bytes.readUInt32LE(1))
  const instance = bytes.toString('utf8', at, at += bytes.readUInt32LE(5))
  const rest = Buffer.from(bytes.subarray(at, at += bytes.readUInt32LE(9)))
  const attachments: Buffer[] = []
  for (let number = 0; number < attached; number++) {
    attachments.push(Buffer.from(bytes.subarray(at, at += bytes.readUInt32LE(RECORD_HEAD + 4 * number))))
  }
  return { event, instance, rest, attachments }
}

/** Bytes of a record, as retention counts them, without decoding it. */
export function sizeOfEncoded (source: Uint8Array): number {
  const bytes = versioned(source)
  let size = bytes.readUInt32LE(1) + bytes.readUInt32LE(5) + bytes.readUInt32LE(9)
  for (let left = bytes.readUInt32LE(13); left > 0; left--) size += bytes.readUInt32LE(RECORD_HEAD + 4 * (left - 1))
  return size
}

export function encodeStream ({ name, floor, count, bytes }: StreamState): Buffer {
  const value = Buffer.allocUnsafe(STREAM_HEAD + floor.length + (name === null ? 0 : Buffer.byteLength(name)))
  value[0] = VERSION
  value[1] = name === null ? 1 : 0
  value.writeDoubleLE(count, 2)
  value.writeDoubleLE(bytes, 10)
  value[18] = floor.length
  value.write(floor, STREAM_HEAD, 'latin1')
  if (name !== null) value.write(name, STREAM_HEAD + floor.length)
  return value
}

/** @throws when it is not what {@link encodeStream} makes */
export function decodeStream (source: Uint8Array): StreamState {
  const value = versioned(source)
  const nameAt = STREAM_HEAD + value.readUInt8(18)
  return {
    name: value.readUInt8(1) === 1 ? null : value.toString('utf8', nameAt),
    floor: value.toString('latin1', STREAM_HEAD, nameAt),
    count: value.readDoubleLE(2),
    bytes: value.readDoubleLE(10)
  }
}

function versioned (source: Uint8Array): Buffer {
  if (source[0] !== VERSION) throw new Error(`a value of layout ${source[0]} where ${VERSION} is known: the file is damaged`)
  // A large value comes as a plain view of the file.
  return Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength)
}
