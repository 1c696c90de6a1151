import type * as Lmdb from 'lmdb'
import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { errors } from '../../errors.js'
import { epochOf, Ids, newEpoch } from '../../log/ids.js'
import { type OpenOptions, type OpenStore, type Store, UNLIMITED } from '../store.js'
import { bootId } from './boot.js'
import { Committer } from './commit.js'
import { LmdbConfigStore } from './configs.js'
import { type Databases, openDatabases } from './database.js'
import { damaged } from './file.js'
import { LmdbKeys } from './keys.js'
import { LmdbLog } from './log.js'
import { acquireLock } from './lock.js'
import { Presence } from './presence.js'
import { Starts } from './starts.js'
import { Streams } from './streams.js'
import { Trimmer } from './trim.js'
import { upgrade } from './upgrade.js'

/** Options of `lmdbStore`. */
export interface LmdbStoreOptions {
  /**
   * A directory, relative to the working directory. It is created if it does not exist. Only one process at a time can
   * open it.
   */
  readonly path: string
  /**
   * Whether an event counts as stored only when the disk has it, so that it survives a loss of power. Otherwise events
   * survive the end of the process, including SIGKILL; after a loss of power the log begins a new epoch, and every
   * client that resumes gets a gap.
   *
   * @default false
   */
  readonly flush?: boolean
  /**
   * Bytes of all streams together. Above it, the largest streams are cut to a common size.
   *
   * @default 8 GiB
   */
  readonly maxTotalBytes?: number
  /** @internal The clock, in ms since 1970. */
  readonly now?: () => number
}

const HOUR = 60 * 60 * 1000
const MIB = 1024 * 1024

/**
 * Stores events and configs in an LMDB file, for one process at a time. It needs the package `lmdb`. By default events
 * are kept for 24 hours, at most 100,000 events and 64 MiB in each stream; the option `retention` changes that.
 *
 * @param options a directory, or options with `path`
 */
export function lmdbStore (options: string | LmdbStoreOptions): Store {
  const { path, flush = false, maxTotalBytes = 8192 * MIB, now = Date.now } =
    typeof options === 'string' ? { path: options } : options
  const name = `lmdb:${path}`
  return {
    name,
    retention: { maxAge: 24 * HOUR, maxEvents: 100_000, maxBytes: 64 * MIB },
    async open (options) {
      try {
        return await open({ path, flush, maxTotalBytes, now }, options)
      } catch (error) {
        throw new errors.STORE_OPEN(name, whyOf(error), { cause: error })
      }
    }
  }
}

async function open (settings: Required<LmdbStoreOptions>, options: OpenOptions): Promise<OpenStore> {
  const lmdb = await load()
  const directory = makeDirectory(settings.path)
  const letGo = await acquireLock(directory)
  let databases: Databases | undefined
  try {
    databases = openDatabases(lmdb, directory)
    upgrade(databases, options.logger)
    return start(databases, directory, letGo, settings, options)
  } catch (error) {
    await databases?.root.close()
    await letGo()
    throw error
  }
}

async function load (): Promise<typeof Lmdb> {
  try {
    return await import('lmdb')
  } catch (error) {
    const isMissing = error instanceof Error && codeOf(error) === 'ERR_MODULE_NOT_FOUND'
    throw new Error(
      isMissing ? 'install it: npm install lmdb' : `lmdb cannot be loaded: ${String(error)}`,
      { cause: error }
    )
  }
}

function makeDirectory (path: string): string {
  const directory = resolve(path)
  makeDirectories(directory)
  accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  return realpathSync(directory)
}

/** Like `mkdirSync` with `recursive`, which hangs in /proc on Node 20. */
function makeDirectories (path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const code = codeOf(error)
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeDirectories(dirname(path))
    mkdirSync(path)
  }
}

function start (
  databases: Databases,
  directory: string,
  letGo: () => Promise<void>,
  { flush, maxTotalBytes, now }: Required<LmdbStoreOptions>,
  { retention, limits = UNLIMITED, logger }: OpenOptions
): OpenStore {
  const boot = flush ? null : bootId()
  const { ids, birth, head, starts } = startLife(databases, boot, now)
  const streams = new Streams(databases.streams, birth)
  const trimmer = new Trimmer(databases.sizes, streams, { ...retention, maxTotalBytes }, now, logger)
  const committer = new Committer(databases.root, boot === null)
  const file = new Presence(join(directory, 'data.mdb'), logger)
  const keys = new LmdbKeys(databases.keys, databases.keyTimes, now)
  const log = new LmdbLog({
    databases, ids, head, starts, streams, trimmer, keys, committer, file, limits, logger, now
  })
  const configs = new LmdbConfigStore(databases.configs, committer, file)
  const close = async () => {
    await log.close()
    configs.close()
    file.close()
    try {
      databases.meta.transactionSync(() => { void databases.meta.put('boot', '') })
    } catch (error) {
      logger.error(
        { err: error },
        'the clean shutdown of the store could not be recorded: if the machine restarts before the store is opened again, the log begins a new epoch'
      )
    }
    await committer.settle()
    await databases.root.close()
    await letGo()
  }
  let closed: Promise<void> | undefined
  return { log, configs, health: () => log.health(), close: async () => { await (closed ??= close()) } }
}

/**
 * Continues the current epoch of the log, or begins a new one: if the log is new, or if the machine has restarted while
 * data may not have been flushed. That data may be lost, and only a new epoch makes clients that miss it get a gap.
 *
 * @param boot id of the machine's current boot; `null` if commits wait for flushes
 */
function startLife (
  { meta }: Databases,
  boot: string | null,
  now: () => number
): { ids: Ids, birth: string, head: string, starts: Starts } {
  const kept = { birth: meta.get('birth'), head: meta.get('head'), boot: meta.get('boot') ?? '' }
  const isSafe = kept.boot === '' || kept.boot === bootId()
  let birth = isSafe ? kept.birth : undefined
  const epoch = birth === undefined ? newEpoch() : epochOf(birth)
  const ids = new Ids({ epoch, now, ...(kept.head === undefined ? {} : { after: kept.head }) })
  if (birth === undefined) birth = kept.head === undefined ? ids.last : ids.next()
  const head = isSafe ? kept.head ?? birth : birth
  // Ids of another epoch need no boundary.
  const starts = Starts.parse(isSafe ? meta.get('starts') : undefined).with(head, ids.next())
  meta.transactionSync(() => {
    void meta.put('birth', birth)
    void meta.put('head', head)
    void meta.put('starts', String(starts))
    void meta.put('boot', boot ?? '')
  })
  return { ids, birth, head, starts }
}

function whyOf (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${error.message}: let the user of this process write there, or choose another path`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${error.message}: the path, or a part of it, is a file: choose a directory`
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EIO':
      return `${error.message}: is there room on the disk?`
    default:
      return error.message.startsWith('MDB_') ? damaged(error.message).message : error.message
  }
}

/** The system's name of an error, for which lmdb has only the number. */
function codeOf (error: Error): string | undefined {
  if (!('code' in error)) return undefined
  return typeof error.code === 'number' && error.code > 0 ? getSystemErrorName(-error.code) : String(error.code)
}
