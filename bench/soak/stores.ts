import { withLog } from '../lib/log-stores.js'
import { withRedis } from '../lib/own-redis.js'

export const storeNames = ['memory', 'lmdb', 'redis'] as const
export type StoreName = typeof storeNames[number]

type UseStore = <Result>(use: (store: string) => Promise<Result>) => Promise<Result>

/** Has a store used that is new, by its text as in the option `store`; its file or its server is gone afterwards. */
export const withStore: Readonly<Record<StoreName, UseStore>> = {
  memory: async use => await use('memory:'),
  lmdb: async use => await withLog('lmdb', {}, async ({ directory }) => await use(`lmdb:${directory}`)),
  redis: async use => await withRedis(async ({ url }) => await use(url))
}
