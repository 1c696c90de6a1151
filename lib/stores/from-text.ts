import { lmdbStore } from './lmdb/index.js'
import { memoryStore } from './memory/index.js'
import type { Store } from './store.js'

const LMDB = 'lmdb:'

/** The store that a text such as `lmdb:./data` names; `undefined` if it names none. */
export function storeFrom (text: string): Store | undefined {
  if (text === 'memory:') return memoryStore()
  if (text.startsWith(LMDB) && text.length > LMDB.length) return lmdbStore(text.slice(LMDB.length))
  return undefined
}
