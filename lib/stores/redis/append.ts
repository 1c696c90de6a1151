import { encodeInto } from '../../log/codec.js'
import type { Retention } from '../../log/event-log.js'
import type { Keys, StreamKeys } from './keys.js'
import type { Link } from './link.js'
import type { Appended, AppendedBatch, AppendedEvent } from './outbox.js'
import { idAt } from './position.js'
import { scripts } from './scripts.js'

/** In how many streams an event is, and the bytes of its record. */
const HEAD = 2 + 4

interface Parts {
  readonly link: Link
  readonly keys: Keys
  readonly retention: Retention
  readonly keptFor: number
  /** Of this process, for as long as it lives. */
  readonly node: string
}

/**
 * Has Redis append a batch.
 *
 * @returns `null` when it must be joined first
 * @throws as {@link Link.run}
 */
export async function append (
  { link, keys, retention: { maxEvents, maxBytes, maxAge }, keptFor, node }: Parts,
  { number, events }: AppendedBatch
): Promise<Appended | null> {
  const { life } = link
  if (life === null) return null
  const { streamKeys, bytes } = encodeBatch(events)
  const answer = await link.run(scripts.append, [keys.log, keys.producer(node), ...streamKeys],
    [life.epoch, life.name, ...[number, maxEvents, maxBytes, maxAge, keptFor].map(String), bytes])
  if (answer === null) {
    link.rejoin()
    return null
  }
  const [epoch = '', first = ''] = (answer as [Buffer, Buffer]).map(String)
  link.saw(idAt(first, epoch, events.length - 1), epoch, life.name)
  return { epoch, first }
}

/** What the script takes: see there. */
function encodeBatch (events: readonly AppendedEvent[]): { streamKeys: string[], bytes: Buffer } {
  // Map(key of a stream's entries -> its number)
  const numbers = new Map<string, number>()
  const streamKeys: string[] = []
  const numberOf = ({ entries, state }: StreamKeys): number => {
    const known = numbers.get(entries)
    if (known !== undefined) return known
    numbers.set(entries, numbers.size + 1)
    streamKeys.push(entries, state)
    return numbers.size
  }
  const bytes = Buffer.allocUnsafe(events.reduce((sum, { size, streams }) => sum + HEAD + 2 * streams.length + size, 0))
  let at = 0
  for (const { record, size, streams } of events) {
    at = bytes.writeUInt16BE(streams.length, at)
    at = bytes.writeUInt32BE(size, at)
    for (const stream of streams) at = bytes.writeUInt16BE(numberOf(stream), at)
    at = encodeInto(bytes, at, record)
  }
  return { streamKeys, bytes }
}
