import type { StreamName } from '../../log/event-log.js'
import type { StoreLogger } from '../store.js'
import { idOf, prefixOf, type StreamState } from './codec.js'
import { type Databases, FORMAT } from './database.js'

/** No name has more characters (an instance's has 100 at most). A damaged one has some 16 million. */
const MAX_NAME = 65_536

/** What the repair of a file came to. */
interface Repair {
  /** Streams whose events were put back. */
  restored: number
  /** Streams whose name could not be found. */
  lost: number
}

/**
 * Converts a file of format 1. Version 0.1.0 wrote that, and damaged it on Node 24.15 and later: it read the name of an
 * instance's stream with what lay behind it in memory. So it did not find the stream, began a second one under the same
 * name, and wrote the long name to the first one when it trimmed that.
 *
 * Streams of one name become one. Each step is one transaction and leaves a file that can be converted, so that a
 * process that is killed meanwhile does no harm.
 */
export function upgrade (databases: Databases, logger: StoreLogger): void {
  const { root, meta, streams } = databases
  if (meta.get('format') === String(FORMAT)) return
  // Map(name -> number of its first stream)
  const numbers = new Map<StreamName, number>()
  const repair: Repair = { restored: 0, lost: 0 }
  for (const number of [...streams.getKeys({ start: 0 })]) {
    const state = streams.get(number)
    if (state !== undefined) root.transactionSync(() => { repairStream(databases, number, state, numbers, repair) })
  }
  meta.transactionSync(() => { void meta.put('format', String(FORMAT)) })
  if (repair.restored + repair.lost === 0) return
  const message = 'an older version damaged the file on Node 24.15 or later: streams were restored'
  logger.warn(
    repair,
    repair.lost === 0 ? message : `${message}, and some were lost: clients that may miss events are told of a gap`
  )
}

function repairStream (
  databases: Databases, number: number, state: StreamState, numbers: Map<StreamName, number>, repair: Repair
): void {
  const name = nameOf(databases, number, state)
  if (name === undefined) {
    drop(databases, number, state)
    repair.lost++
    return
  }
  const first = numbers.get(name)
  if (first !== undefined) {
    merge(databases, number, state, first)
  } else {
    numbers.set(name, number)
    if (name === state.name) return
    void databases.streams.put(number, { ...state, name })
  }
  repair.restored++
}

/** The name of a stream. A damaged one begins with it, and each of its records has it. */
function nameOf ({ records }: Databases, number: number, { name }: StreamState): StreamName | undefined {
  if (name === null || name.length <= MAX_NAME) return name
  for (const { value: { instance } } of records.getRange({ ...rangeOf(number), limit: 1 })) {
    if (name.startsWith(instance)) return instance
  }
  return undefined
}

/** Adds a stream to another one of the same name. Each id is in one of them. */
function merge ({ streams, records, putRecord }: Databases, number: number, state: StreamState, into: number): void {
  const other = streams.get(into)
  if (other === undefined) throw new Error(`stream ${into} is missing`)
  for (const key of [...records.getKeys(rangeOf(number))]) {
    const bytes = records.getBinary(key)
    if (bytes !== undefined) putRecord(prefixOf(into) + idOf(key), bytes)
    void records.remove(key)
  }
  void streams.remove(number)
  void streams.put(into, {
    name: other.name,
    floor: other.floor > state.floor ? other.floor : state.floor,
    count: other.count + state.count,
    bytes: other.bytes + state.bytes
  })
}

/** Drops a stream of which nobody knows whose it was: whoever may have missed something of it is told of a gap. */
function drop ({ meta, streams, records }: Databases, number: number, { floor }: StreamState): void {
  const keys = [...records.getKeys(rangeOf(number))]
  const newest = keys.length > 0 ? idOf(keys.at(-1) ?? '') : floor
  for (const key of keys) void records.remove(key)
  void streams.remove(number)
  if (newest > (meta.get('birth') ?? '')) void meta.put('birth', newest)
}

function rangeOf (number: number): { start: string, end: string } {
  return { start: prefixOf(number), end: prefixOf(number + 1) }
}
