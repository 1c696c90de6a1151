import type { Retention } from '../../log/event-log.js'
import type { Keys, StreamKeys } from './keys.js'
import type { Link } from './link.js'
import type { Appended, AppendedBatch } from './outbox.js'
import { idAt } from './position.js'
import { scripts } from './scripts.js'

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
export async function append ({ link, keys, retention: { maxEvents, maxBytes, maxAge }, keptFor, node }: Parts, { number, events }: AppendedBatch): Promise<Appended | null> {
  const { life } = link
  if (life === null) return null
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
  const records = events.flatMap(({ record, streams }) => [record, streams.map(numberOf).join(' ')])
  const answer = await link.run(scripts.append, [keys.log, keys.producer(node), ...streamKeys],
    [life.epoch, life.number, ...[number, maxEvents, maxBytes, maxAge, keptFor].map(String), ...records])
  if (answer === null) {
    link.rejoin()
    return null
  }
  const [epoch = '', first = ''] = (answer as [Buffer, Buffer]).map(String)
  link.saw(idAt(first, epoch, events.length - 1), epoch, life.number)
  return { epoch, first }
}
