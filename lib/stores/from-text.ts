import { lmdbStore } from './lmdb/index.js'
import { memoryStore } from './memory/index.js'
import { redisStore } from './redis/index.js'
import type { Store } from './store.js'

const LMDB = 'lmdb:'
const REDIS = /^rediss?:\/\/./

/** The store that a text such as `lmdb:./data` names; `undefined` if it names none. */
export function storeFrom (text: string): Store | undefined {
  if (text === 'memory:') return memoryStore()
  if (text.startsWith(LMDB) && text.length > LMDB.length) return lmdbStore(text.slice(LMDB.length))
  if (REDIS.test(text) && URL.canParse(text)) return redisFrom(new URL(text))
  return undefined
}

/** The prefix of the keys may be said in the address, as `?prefix=NAME`. */
function redisFrom (url: URL): Store {
  const prefix = url.searchParams.get('prefix') ?? undefined
  url.searchParams.delete('prefix')
  return redisStore({ url: url.href, prefix })
}
