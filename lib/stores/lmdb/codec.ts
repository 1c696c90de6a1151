import type { StreamName } from '../../log/event-log.js'

/** The stored state of a stream, without its records. */
export interface StreamState {
  readonly name: StreamName
  /** The id of the newest record that was dropped from the stream, or the log's first id. */
  readonly floor: string
  readonly count: number
  readonly bytes: number
}

// The first byte is the format's version, never zero, so that other versions and zeroed memory are recognized.
const VERSION = 1
// Sizes of the header fields: version, whether it is the root, count, bytes, length of the floor.
const STREAM_HEAD = 1 + 1 + 8 + 8 + 1

/**
 * The prefix of the keys of a stream's records: the stream's number, as four characters of one byte each; the id
 * follows. So the records of a stream are adjacent and ordered, and the length of the stream's name does not matter.
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

/** A stream name in UTF-8. LMDB accepts keys up to 1,978 bytes. */
export const nameKey = {
  writeKey (name: string, target: Buffer, start: number): number {
    return start + target.write(name, start)
  },

  readKey (source: Buffer, start: number, end: number): string {
    return source.toString('utf8', start, end)
  }
}

/**
 * A value from lmdb with its true length. lmdb copies small values into one Buffer of 16 MiB and overrides that
 * Buffer's `length`. Node 24.15 and later, and Bun, ignore the override and read to the real end. A large value is a
 * plain view of the file.
 */
export const bytesOf = (source: Uint8Array): Buffer => Buffer.from(source.buffer, source.byteOffset, source.length)

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

/** @throws when {@link encodeStream} did not make the value */
export function decodeStream (value: Buffer): StreamState {
  if (value[0] !== VERSION) {
    throw new Error(`a stream of layout ${value[0]} where ${VERSION} is known: the file is damaged`)
  }
  const nameAt = STREAM_HEAD + value.readUInt8(18)
  return {
    name: value.readUInt8(1) === 1 ? null : value.toString('utf8', nameAt),
    floor: value.toString('latin1', STREAM_HEAD, nameAt),
    count: value.readDoubleLE(2),
    bytes: value.readDoubleLE(10)
  }
}
