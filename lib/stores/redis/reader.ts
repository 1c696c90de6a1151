import { decodeRecord } from '../../log/codec.js'
import type { LogEntry } from '../../log/event-log.js'
import { epochOf } from '../../log/ids.js'
import type { StoreLogger } from '../store.js'
import type { Keys, StreamKeys } from './keys.js'
import type { Incarnation, RedisConnection } from './connection.js'
import { idAt, positionOf } from './position.js'
import { scripts } from './scripts.js'

/** What Redis says of a stream after an id. */
export interface Found {
  /** What came after it, as much as was asked for. */
  readonly entries: readonly LogEntry[] | 'gap'
  /** The newest event of the stream; '' if it has had none. */
  readonly newest: string
  /** The newest id of the log. */
  readonly last: string
}

/** A stream that may have events after an id. */
export interface Position {
  readonly keys: StreamKeys
  readonly after: string
}

export interface Behind {
  /** The newest id of the log. */
  readonly last: string
  /** Of each stream, whether it has more, or may have. */
  readonly behind: readonly boolean[]
}

interface Parts {
  readonly connection: RedisConnection
  readonly keys: Keys
  /** How long the state of a quiet stream is kept, in ms. */
  readonly stateTtl: number
  readonly logger: StoreLogger
}

/** Reads streams. */
export class Reader {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** @throws STORE_UNAVAILABLE */
  async read (stream: StreamKeys, after: string, maxBytes: number): Promise<Found> {
    const { connection, keys, stateTtl } = this.#parts
    for (;;) {
      const answer = await connection.requestScript(
        scripts.read,
        [keys.log, stream.entries, stream.state],
        [epochOf(after), positionOf(after), String(maxBytes), String(stateTtl)]
      )
      const [epoch, incarnation, last, newest, found] = answer as [Buffer, Buffer, Buffer, Buffer, Buffer | Buffer[]]
      const log: Incarnation = { epoch: String(epoch), name: String(incarnation), last: String(last) }
      if (connection.isCurrent(log.epoch, log.name)) {
        return {
          entries: Array.isArray(found) ? this.#decoded(stream, found, log.epoch) : 'gap',
          newest: newest.length === 0 ? '' : idAt(String(newest), log.epoch),
          last: idAt(log.last, log.epoch)
        }
      }
      // It is in another incarnation, and has to be attached first: what was delivered belongs to the one before.
      connection.reattach()
    }
  }

  /**
   * What cannot be decoded (a later version has written it, say) is a gap: it can neither be delivered here nor waited
   * for.
   */
  #decoded (stream: StreamKeys, found: readonly Buffer[], epoch: string): readonly LogEntry[] | 'gap' {
    try {
      return decodeAll(found, epoch)
    } catch (error) {
      this.#parts.logger.error(
        { err: error, stream: stream.entries },
        'an event in Redis cannot be decoded: clients of its stream are told of a gap'
      )
      return 'gap'
    }
  }

  /** @throws STORE_UNAVAILABLE */
  async behind (streams: readonly Position[]): Promise<Behind> {
    const { connection, keys } = this.#parts
    for (;;) {
      const { epoch, name } = await connection.current()
      const answer = await connection.requestScript(
        scripts.behind,
        [keys.log, ...streams.flatMap(({ keys: { entries, state } }) => [entries, state])],
        [epoch, name, ...streams.map(({ after }) => positionOf(after))]
      )
      if (Array.isArray(answer)) {
        const [last, ...numbers] = answer as [Buffer, ...number[]]
        // A position has no epoch: after an id of another one, the stream has to be read to be sure.
        const behind = streams.map(({ after }, at) => epochOf(after) !== epoch || numbers.includes(at + 1))
        return { last: idAt(String(last), epoch), behind }
      }
      connection.reattach()
    }
  }
}

function decodeAll (found: readonly Buffer[], epoch: string): LogEntry[] {
  const entries: LogEntry[] = []
  for (let at = 0; at + 1 < found.length; at += 2) {
    entries.push({ id: idAt(String(found[at]), epoch), ...decodeRecord(found[at + 1] as Buffer) })
  }
  return entries
}
