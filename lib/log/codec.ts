import type { LogRecord } from './event-log.js'

// The binary format of a record, for stores that keep bytes. The first byte is the format's version, never zero, so
// that other versions and zeroed memory are recognized.
const VERSION = 1
// Sizes of the header fields: version, then the lengths of event, instance and rest, and the number of attachments.
const HEAD = 1 + 4 + 4 + 4 + 4

/** Size of an encoded record in bytes. */
export function encodedSize ({ event, instance, rest, attachments }: LogRecord): number {
  let size = HEAD + 4 * attachments.length + Buffer.byteLength(event) + Buffer.byteLength(instance) + rest.length
  for (const { length } of attachments) size += length
  return size
}

/** @throws RangeError when the record is too large for a Buffer */
export function encodeRecord (record: LogRecord): Buffer {
  const bytes = Buffer.allocUnsafe(encodedSize(record))
  encodeInto(bytes, 0, record)
  return bytes
}

/** @returns the offset after the record */
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
 * @param bytes exactly one record
 * @param isShared whether the memory of `bytes` is reused or part of a larger buffer; if so, the result has copies
 * @throws when {@link encodeRecord} did not make the bytes
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

/** Size of a record, as retention counts it, without decoding the record. */
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
