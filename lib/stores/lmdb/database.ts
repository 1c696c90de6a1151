import type * as Lmdb from 'lmdb'
import type { Database, RootDatabase, RootDatabaseOptions } from 'lmdb'
import { decodeRecord, encodeRecord, sizeOfEncoded } from '../../log/codec.js'
import type { LogRecord } from '../../log/event-log.js'
import type { KeptKey } from '../../log/once.js'
import type { StoredConfig } from '../store.js'
import { bytesOf, decodeStream, encodeStream, nameKey, recordKey, type StreamState } from './codec.js'
import { checkFile, damaged } from './file.js'

/**
 * The version of the file's format. An older file is converted when it is opened (see upgrade.ts); a newer one is
 * refused. Format 2 has the same layout as format 1, but no damaged stream names.
 */
export const FORMAT = 2

// lmdb's types allow codecs only for the root database; lmdb accepts them for each database.
const STREAMS: RootDatabaseOptions = { keyEncoding: 'uint32', encoder: codec(encodeStream, decodeStream) }
const RECORDS: RootDatabaseOptions = { keyEncoder: recordKey, encoder: codec(encodeRecord, decodeRecord) }
const SIZES: RootDatabaseOptions = { keyEncoder: recordKey, encoder: codec(neverEncoded, sizeOfEncoded) }
const CONFIGS: RootDatabaseOptions = { keyEncoder: nameKey, encoding: 'json' }
const KEY_TIMES: RootDatabaseOptions = { keyEncoder: nameKey, encoding: 'string' }

function codec<Value> (encode: (value: Value) => Buffer, decode: (bytes: Buffer) => unknown) {
  return { encode, decode: (source: Uint8Array) => decode(bytesOf(source)) }
}

function neverEncoded (): never {
  throw new Error('sizes are read only')
}

/** The names of values about the whole log. */
export type Meta =
  /** The version of the format, in decimal digits. */
  | 'format'
  /**
   * The first id of the current epoch, or a later id after which no event is missing. All ids after it have the same
   * epoch.
   */
  | 'birth'
  /** The newest id that was assigned to an event. */
  | 'head'
  /** The boundaries between the runs of the log, as text of `Starts`. A file of an earlier version has none. */
  | 'starts'
  /** The machine's boot id when the file was opened, while written data may not be flushed; otherwise empty. */
  | 'boot'

export interface Databases {
  readonly root: RootDatabase<never, string>
  readonly meta: Database<string, Meta>
  readonly streams: Database<StreamState, number>
  readonly records: Database<LogRecord, string>
  /** The sizes of the same records, in bytes. For reading only. */
  readonly sizes: Database<number, string>
  readonly configs: Database<StoredConfig, string>
  /** Idempotency keys, and an index of them by time. */
  readonly keys: Database<KeptKey, string>
  readonly keyTimes: Database<string, string>
  /** Stores a record that is already encoded. */
  readonly putRecord: (key: string, bytes: Buffer) => void
}

/**
 * Opens the databases of a directory, and creates them if there are none.
 *
 * @throws an error with a clear message if the files are not this store's, damaged or of a later version
 */
export function openDatabases ({ open, asBinary }: typeof Lmdb, directory: string): Databases {
  checkFile(directory)
  // Without lmdb's special treatment of a path with a dot, and without batching by ticks, so that a commit starts at
  // once.
  const root = open<never, string>({
    path: directory,
    noSubdir: false,
    eventTurnBatching: false,
    separateFlushed: true
  })
  try {
    const names = [...root.getKeys()]
    if (names.length > 0 && !names.includes('meta')) throw damaged(`it has ${names.slice(0, 3).join(', ')}`)
    const meta = root.openDB<string, Meta>('meta', { encoding: 'string' })
    checkFormat(meta, names)
    const records = root.openDB<LogRecord, string>('records', RECORDS)
    return {
      root,
      meta,
      streams: root.openDB<StreamState, number>('streams', STREAMS),
      records,
      sizes: root.openDB<number, string>('records', SIZES),
      putRecord: (key, bytes) => { void records.put(key, asBinary(bytes) as LogRecord) },
      configs: root.openDB<StoredConfig, string>('configs', CONFIGS),
      keys: root.openDB<KeptKey, string>('keys', CONFIGS),
      keyTimes: root.openDB<string, string>('keyTimes', KEY_TIMES)
    }
  } catch (error) {
    void root.close()
    throw error
  }
}

/** @param names of the databases that were there before */
function checkFormat (meta: Database<string, Meta>, names: readonly string[]): void {
  // A process that was killed while it created the file leaves an empty database `meta`.
  const isNew = names.every(name => name === 'meta') && meta.getKeysCount() === 0
  if (isNew) meta.transactionSync(() => { void meta.put('format', String(FORMAT)) })
  const found = meta.get('format') ?? ''
  if (!/^[1-9]\d{0,8}$/.test(found)) throw damaged('it has no format of ours')
  if (Number(found) > FORMAT) {
    throw new Error(
      `a newer version of fastify-ws-events wrote it (format ${found}, and this one knows ${FORMAT}): update, or choose another path`
    )
  }
}
