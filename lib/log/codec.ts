import type { LogRecord } from './event-log.js'

// A record in bytes, for stores that keep bytes. It starts with the version of its layout, so that a later one can be
// told, and zeroes are none at all.
const VERSION = 1
// version, bytes of the event, of the instance, of the rest, number of attachments.
const HEAD = 1 + 4 + 4 + 4 + 4

/** @throws RangeError when it is too large for a Buffer */
export function encodeRecord ({ event, instance, rest, attachments }: LogRecord): Buffer {
  const [eventBytes, instanceBytes] = [Buffer.byteLength(event), Buffer.byteLength(instance)]
  const head = HEAD + 4 * attachments.length
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
    bytes.writeUInt32LE(attachment.length, HEAD + 4 * number)
    at += attachment.copy(bytes, at)
  }
  return bytes
}

/**
 * @param source memory that is used again, or part of something larger: nothing of it is kept
 * @throws when it is not what {@link encodeRecord} makes
 */
export function decodeRecord (source: Uint8Array): LogRecord {
  const bytes = versioned(source)
  const attached = bytes.readUInt32LE(13)
  let at = HEAD + 4 * attached
  const event = bytes.toString('utf8', at, at += bytes.readUInt32LE(1))
  const instance = bytes.toString('utf8', at, at += bytes.readUInt32LE(5))
  const rest = Buffer.from(bytes.subarray(at, at += bytes.readUInt32LE(9)))
  const attachments: Buffer[] = []
  for (let number = 0; number < attached; number++) {
    attachments.push(Buffer.from(bytes.subarray(at, at += bytes.readUInt32LE(HEAD + 4 * number))))
  }
  return { event, instance, rest, attachments }
}

/** Bytes of a record, as retention counts them, without decoding it. */
export function sizeOfEncoded (source: Uint8Array): number {
  const bytes = versioned(source)
  let size = bytes.readUInt32LE(1) + bytes.readUInt32LE(5) + bytes.readUInt32LE(9)
  for (let left = bytes.readUInt32LE(13); left > 0; left--) size += bytes.readUInt32LE(HEAD + 4 * (left - 1))
  return size
}

function versioned (source: Uint8Array): Buffer {
  if (source[0] !== VERSION) throw new Error(`a record of layout ${source[0]} where ${VERSION} is known: it was written by another version, or is damaged`)
  // LMDB gives a large value as a plain view of its file.
  return Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength)
}
