import type * as Lmdb from 'lmdb'
import type { Database, RootDatabase, RootDatabaseOptions } from 'lmdb'
import { decodeRecord, encodeRecord, sizeOfEncoded } from '../../log/codec.js'
import type { LogRecord } from '../../log/event-log.js'
import type { StoredConfig } from '../store.js'
import { decodeStream, encodeStream, nameKey, recordKey, type StreamState } from './codec.js'
import { checkFile, damaged } from './file.js'

/** What is written in this layout. One that is greater is refused. */
const FORMAT = 1

// By its types lmdb has codecs for the root only; it takes them for each database.
const STREAMS: RootDatabaseOptions = { keyEncoding: 'uint32', encoder: { encode: encodeStream, decode: decodeStream } }
const RECORDS: RootDatabaseOptions = { keyEncoder: recordKey, encoder: { encode: encodeRecord, decode: decodeRecord } }
const SIZES: RootDatabaseOptions = { keyEncoder: recordKey, encoder: { encode: neverEncoded, decode: sizeOfEncoded } }
const CONFIGS: RootDatabaseOptions = { keyEncoder: nameKey, encoding: 'json' }

function neverEncoded (): never {
  throw new Error('sizes are read only')
}

/** What is known of the whole log. */
export type Meta =
  /** The layout. */
  | 'format'
  /** The first id of this life of the log. Everything that it gave has the same epoch. */
  | 'birth'
  /** The newest id that was given to an event. */
  | 'head'
  /** The machine's life in which the file was opened, while what is written may not be flushed; else empty. */
  | 'boot'

export interface Databases {
  readonly root: RootDatabase<never, string>
  readonly meta: Database<string, Meta>
  readonly streams: Database<StreamState, number>
  readonly records: Database<LogRecord, string>
  /** Of the same records, the bytes: to read only. */
  readonly sizes: Database<number, string>
  readonly configs: Database<StoredConfig, string>
  /** Puts a record that is encoded already. */
  readonly putRecord: (key: string, bytes: Buffer) => void
}

/**
 * Opens the databases of a directory, and makes them where there are none.
 *
 * @throws what to tell about a directory that is not ours, damaged or of a later version
 */
export function openDatabases ({ open, asBinary }: typeof Lmdb, directory: string): Databases {
  checkFile(directory)
  // A path with a dot is a directory like any other. Without batching by turns a commit begins at once.
  const root = open<never, string>({ path: directory, noSubdir: false, eventTurnBatching: false, separateFlushed: true })
  try {
    const names = [...root.getKeys()]
    if (names.length > 0 && !names.includes('meta')) throw damaged(`it has ${names.slice(0, 3).join(', ')}`)
    const meta = root.openDB<string, Meta>('meta', { encoding: 'string' })
    checkFormat(meta, names.length === 0)
    const records = root.openDB<LogRecord, string>('records', RECORDS)
    return {
      root,
      meta,
      streams: root.openDB<StreamState, number>('streams', STREAMS),
      records,
      sizes: root.openDB<number, string>('records', SIZES),
      putRecord: (key, bytes) => { void records.put(key, asBinary(bytes) as LogRecord) },
      configs: root.openDB<StoredConfig, string>('configs', CONFIGS)
    }
  } catch (error) {
    void root.close()
    throw error
  }
}

function checkFormat (meta: Database<string, Meta>, isNew: boolean): void {
  if (isNew) meta.transactionSync(() => { void meta.put('format', String(FORMAT)) })
  const format = Number(meta.get('format'))
  if (format > FORMAT) throw new Error(`a newer version of fastify-ws-events wrote it (format ${format}, and this one knows ${FORMAT}): update, or choose another path`)
  if (format !== FORMAT) throw damaged('it has no format of ours')
}
