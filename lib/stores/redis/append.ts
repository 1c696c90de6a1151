import { encodeInto } from '../../log/codec.js'
import type { Retention } from '../../log/event-log.js'
import { argumentsOf, type KeyedRequest, resultOf } from './keyed.js'
import type { Keys, StreamKeys } from './keys.js'
import type { RedisConnection } from './connection.js'
import type { Appended, AppendedBatch, AppendedUnit } from './producer.js'
import { idAt } from './position.js'
import { scripts } from './scripts.js'

/** In how many streams an event is, the number of its request with a key, and the bytes of its record. */
const HEAD = 2 + 2 + 4

interface Parts {
  readonly connection: RedisConnection
  readonly keys: Keys
  readonly retention: Retention
  readonly stateTtl: number
  /** Of this process, for as long as it lives. */
  readonly node: string
}

/**
 * Has Redis append a batch.
 *
 * @returns `null` when it must be attached first
 * @throws as {@link RedisConnection.run}
 */
export async function append (
  { connection, keys, retention: { maxEvents, maxBytes, maxAge }, stateTtl, node }: Parts,
  { number, units }: AppendedBatch
): Promise<Appended | null> {
  const { incarnation } = connection
  if (incarnation === null) return null
  const { count, streamKeys, bytes } = encodeUnits(units)
  const requests = units.map(({ request }) => request).filter(request => request !== null)
  const scriptKeys = [keys.log, keys.producer(node), ...streamKeys]
  const numbers = [number, maxEvents, maxBytes, maxAge, stateTtl].map(String)
  const keyed = addRequests(requests, scriptKeys)
  const args = [incarnation.epoch, incarnation.name, ...numbers, bytes, ...keyed]
  const answer = await connection.run(scripts.append, scriptKeys, args)
  if (answer === null) {
    connection.reattach()
    return null
  }
  const [epoch = '', first = '', ...outcomes] = (answer as Buffer[]).map(String)
  connection.observe(idAt(first, epoch, Math.max(count - 1, 0)), epoch, incarnation.name)
  return {
    epoch,
    first,
    requests: requests.map((request, at) => resultOf(request, outcomes[2 * at] ?? '', outcomes[2 * at + 1] ?? ''))
  }
}

/** Adds the tables of requests to the keys of the script. @returns the arguments of the requests */
function addRequests (requests: readonly KeyedRequest[], scriptKeys: string[]): string[] {
  // Map(key of a table's rows -> the number of that key)
  const numbers = new Map<string, number>()
  return requests.flatMap(request => {
    const { rows, times } = request.table
    let number = numbers.get(rows)
    if (number === undefined) {
      number = scriptKeys.push(rows)
      scriptKeys.push(times)
      numbers.set(rows, number)
    }
    return [String(number), ...argumentsOf(request)]
  })
}

/** What the script takes: see there. */
function encodeUnits (units: readonly AppendedUnit[]): { count: number, streamKeys: string[], bytes: Buffer } {
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
  let total = 0
  for (const { events } of units) for (const { size, streams } of events) total += HEAD + 2 * streams.length + size
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  let count = 0
  let requests = 0
  for (const { events, request } of units) {
    if (request !== null) requests++
    for (const { record, size, streams } of events) {
      at = bytes.writeUInt16BE(streams.length, at)
      at = bytes.writeUInt16BE(request === null ? 0 : requests, at)
      at = bytes.writeUInt32BE(size, at)
      for (const stream of streams) at = bytes.writeUInt16BE(numberOf(stream), at)
      at = encodeInto(bytes, at, record)
    }
    count += events.length
  }
  return { count, streamKeys, bytes }
}
