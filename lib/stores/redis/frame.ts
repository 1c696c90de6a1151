import { decodeRecord } from '../../log/codec.js'
import type { LogEntry } from '../../log/event-log.js'
import { idAt } from './position.js'

/** Events of a stream that were appended together, as they are published. */
export interface Frame {
  readonly epoch: string
  readonly incarnation: string
  /** The event before them; '' if there was none. */
  readonly before: string
  /** What the stream has now. */
  readonly length: number
  readonly bytes: number
  readonly entries: readonly LogEntry[]
}

const NEW_LINE = 0x0a
/** How far an event is behind the first of its batch, and the bytes of its record. */
const HEAD = 2 + 4

/** What is published of a stream: events, or the newest position of those that were removed. */
export function decodeMessage (message: Buffer): Frame | { readonly removed: string } {
  if (message[0] === 0x72 /* r */) return { removed: message.toString('latin1', 2) }
  const headEnd = message.indexOf(NEW_LINE)
  const [, epoch = '', incarnation = '', before = '', first = '', length = '', bytes = ''] =
    message.toString('latin1', 0, headEnd).split(' ')
  const entries: LogEntry[] = []
  for (let at = headEnd + 1; at < message.length;) {
    const start = at + HEAD
    const end = start + message.readUInt32BE(at + 2)
    // Events of a frame live and die together, so they may share its memory.
    const { instance, event, rest, attachments } = decodeRecord(message.subarray(start, end), false)
    entries.push({ id: idAt(first, epoch, message.readUInt16BE(at)), instance, event, rest, attachments })
    at = end
  }
  return {
    epoch,
    incarnation,
    before: before === '' ? '' : idAt(before, epoch),
    length: Number(length),
    bytes: Number(bytes),
    entries
  }
}
