/**
 * WebSocket frames as a server writes them: whole messages, unmasked, uncompressed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */

/** The first byte: the only fragment (FIN) of a text, or of a binary message. */
export const TEXT = 0x81
export const BINARY = 0x82

/** Bytes of the frame of a message of so many bytes. */
export function frameLength (payload: number): number {
  return payload + (payload < 126 ? 2 : payload < 65_536 ? 4 : 10)
}

/**
 * Writes the header of a frame.
 *
 * @returns where its payload begins
 */
export function writeHeader (
  target: Buffer,
  offset: number,
  first: typeof TEXT | typeof BINARY,
  payload: number
): number {
  target[offset] = first
  if (payload < 126) {
    target[offset + 1] = payload
    return offset + 2
  }
  if (payload < 65_536) {
    target[offset + 1] = 126
    return target.writeUInt16BE(payload, offset + 2)
  }
  target[offset + 1] = 127
  return target.writeBigUInt64BE(BigInt(payload), offset + 2)
}
