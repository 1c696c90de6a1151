import { lmdbStore, memoryStore, type Retention, type Store } from 'fastify-ws-events/stores'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { noLog } from './no-log.js'

export type LogName = 'none' | 'memory' | 'lmdb' | 'lmdb-flush'

/** As the tables call them. */
export const logTitles: Readonly<Record<LogName, string>> = {
  none: 'no log',
  memory: 'memory',
  lmdb: 'LMDB',
  'lmdb-flush': 'LMDB with flush'
}

export interface LogChoice {
  readonly name: LogName
  /** For LMDB. */
  readonly directory: string
  /** What is not said is as the store has it. */
  readonly retention: Partial<Retention>
}

/** More than any section wants, so that only what it says of a stream counts. In bytes. */
const MAX_TOTAL = 2 * 1024 ** 3

/** @param choice left out: what the plugin has by itself */
export function storeOf (choice: LogChoice | undefined): Store {
  if (choice === undefined) return memoryStore()
  const { name, directory } = choice
  if (name === 'none') return noLog()
  if (name === 'memory') return memoryStore({ maxTotalBytes: MAX_TOTAL })
  return lmdbStore({ path: directory, flush: name === 'lmdb-flush' })
}

const directories = new Set<string>()

function removeAll (): void {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
}

process.on('exit', removeAll)

/** Has a log used that is new. LMDB's file is beside the results: on a disk, where a temporary directory may have none. */
export async function withLog<Result> (name: LogName, retention: Partial<Retention>, use: (log: LogChoice) => Promise<Result>): Promise<Result> {
  const results = fileURLToPath(new URL('../results/', import.meta.url))
  mkdirSync(results, { recursive: true })
  const directory = mkdtempSync(`${results}lmdb-`)
  directories.add(directory)
  try {
    return await use({ name, directory, retention })
  } finally {
    rmSync(directory, { recursive: true, force: true })
    directories.delete(directory)
  }
}
