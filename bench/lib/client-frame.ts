/** A text as a client must send it: in one masked frame. The mask of zeros is one, and changes nothing. */
export function clientFrame (text: string): Buffer {
  const payload = Buffer.from(text)
  const header = payload.length < 126 ? 2 : 4
  const frame = Buffer.alloc(header + 4 + payload.length)
  frame[0] = 0x81
  frame[1] = 0x80 | (header === 2 ? payload.length : 126)
  if (header === 4) frame.writeUInt16BE(payload.length, 2)
  payload.copy(frame, header + 4)
  return frame
}
