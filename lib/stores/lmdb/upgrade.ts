import type { StreamName } from '../../log/event-log.js'
import type { StoreLogger } from '../store.js'
import { idOf, prefixOf, type StreamState } from './codec.js'
import { type Databases, FORMAT } from './database.js'

/** No valid stream name has more characters (an instance's name has at most 100). A damaged one has some 16 million. */
const MAX_NAME = 65_536

/** The result of a repair. */
interface Repair {
  /** Number of streams whose events were restored. */
  restored: number
  /** Number of streams whose name could not be determined. */
  lost: number
}

/**
 * Converts a file of format 1, written by version 0.1.0. On Node 24.15 and later, that version damaged the file: it
 * read the name of an instance's stream together with the memory behind it. So it did not find the stream, created a
 * second one with the same name, and stored the wrong, long name when it trimmed the first one.
 *
 * Streams with the same name are merged. Each step is one transaction and leaves a file that can be converted, so that
 * the process can be killed at any time.
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

/** The real name of a stream. A damaged name begins with it, and each record of the stream contains it. */
function nameOf ({ records }: Databases, number: number, { name }: StreamState): StreamName | undefined {
  if (name === null || name.length <= MAX_NAME) return name
  for (const { value: { instance } } of records.getRange({ ...rangeOf(number), limit: 1 })) {
    if (name.startsWith(instance)) return instance
  }
  return undefined
}

/** Moves the records of a stream to another stream of the same name. Each id is in only one of them. */
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

/**
 * Drops a stream whose name is unknown, and raises the log's first id: every client that may have missed its events
 * gets a gap.
 */
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
