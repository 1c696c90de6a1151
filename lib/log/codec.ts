import type { LogRecord } from './event-log.js'

// A record in bytes, for stores that keep bytes. It starts with the version of its layout, so that a later one can be
// told, and zeroes are none at all.
const VERSION = 1
// version, bytes of the event, of the instance, of the rest, number of attachments.
const HEAD = 1 + 4 + 4 + 4 + 4

/** Bytes of a record when it is encoded. */
export function encodedSize ({ event, instance, rest, attachments }: LogRecord): number {
  let size = HEAD + 4 * attachments.length + Buffer.byteLength(event) + Buffer.byteLength(instance) + rest.length
  for (const { length } of attachments) size += length
  return size
}

/** @throws RangeError when it is too large for a Buffer */
export function encodeRecord (record: LogRecord): Buffer {
  const bytes = Buffer.allocUnsafe(encodedSize(record))
  encodeInto(bytes, 0, record)
  return bytes
}

/** @returns where it ends */
export function encodeInto (bytes: Buffer, start: number, { event, instance, rest, attachments }: LogRecord): number {
  let at = start + HEAD + 4 * attachments.length
  bytes[start] = VERSION
  const eventBytes = bytes.write(event, at)
  const instanceBytes = bytes.write(instance, at + eventBytes)
  at += eventBytes + instanceBytes
  bytes.writeUInt32LE(eventBytes, start + 1)
  bytes.writeUInt32LE(instanceBytes, start + 5)
  bytes.writeUInt32LE(rest.length, start + 9)
  bytes.writeUInt32LE(attachments.length, start + 13)
  at += rest.copy(bytes, at)
  for (const [number, attachment] of attachments.entries()) {
    bytes.writeUInt32LE(attachment.length, start + HEAD + 4 * number)
    at += attachment.copy(bytes, at)
  }
  return at
}

/**
 * @param bytes of the record and no more
 * @param isShared whether their memory is used again, or part of something larger: then nothing of it is kept
 * @throws when it is not what {@link encodeRecord} makes
 */
export function decodeRecord (bytes: Buffer, isShared = true): LogRecord {
  checkVersion(bytes)
  const attached = bytes.readUInt32LE(13)
  const part = (from: number, to: number): Buffer =>
    isShared ? Buffer.from(bytes.subarray(from, to)) : bytes.subarray(from, to)
  let at = HEAD + 4 * attached
  const event = bytes.toString('utf8', at, at += bytes.readUInt32LE(1))
  const instance = bytes.toString('utf8', at, at += bytes.readUInt32LE(5))
  const rest = part(at, at += bytes.readUInt32LE(9))
  const attachments: Buffer[] = []
  for (let number = 0; number < attached; number++) {
    attachments.push(part(at, at += bytes.readUInt32LE(HEAD + 4 * number)))
  }
  return { event, instance, rest, attachments }
}

/** Bytes of a record, as retention counts them, without decoding it. */
export function sizeOfEncoded (bytes: Buffer): number {
  checkVersion(bytes)
  let size = bytes.readUInt32LE(1) + bytes.readUInt32LE(5) + bytes.readUInt32LE(9)
  for (let left = bytes.readUInt32LE(13); left > 0; left--) size += bytes.readUInt32LE(HEAD + 4 * (left - 1))
  return size
}

function checkVersion (bytes: Buffer): void {
  if (bytes[0] !== VERSION) {
    throw new Error(
      `a record of layout ${bytes[0]} where ${VERSION} is known: it was written by another version, or is damaged`
    )
  }
}
