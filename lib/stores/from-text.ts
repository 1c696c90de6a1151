import { lmdbStore } from './lmdb/index.js'
import { memoryStore } from './memory/index.js'
import { redisStore } from './redis/index.js'
import type { Store } from './store.js'

const LMDB = 'lmdb:'
const REDIS = /^rediss?:\/\/./

/** The store for a text such as `lmdb:./data`; `undefined` if the text names none. */
export function storeFrom (text: string): Store | undefined {
  if (text === 'memory:') return memoryStore()
  if (text.startsWith(LMDB) && text.length > LMDB.length) return lmdbStore(text.slice(LMDB.length))
  if (REDIS.test(text) && URL.canParse(text)) return redisFrom(new URL(text))
  return undefined
}

/** The URL may contain the prefix of the keys, as `?prefix=NAME`. */
function redisFrom (url: URL): Store {
  const prefix = url.searchParams.get('prefix') ?? undefined
  url.searchParams.delete('prefix')
  return redisStore({ url: url.href, prefix })
}
