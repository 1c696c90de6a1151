import { randomUUID } from 'node:crypto'
import type { WsEventsOptions } from '../../../lib/index.js'
import { type RedisServer, startRedis } from '../../helpers/redis.js'
import { type Scope, startServer, type TestServer } from '../../helpers/server.js'

/** The option `store` for nodes that share what is under a prefix. */
export const storeAt = (url: string, prefix: string): string => `${url}?prefix=${prefix}`

export const newPrefix = (): string => `test-${randomUUID().slice(0, 8)}`

/** Two nodes in this process that share a Redis of their own. They serve every instance, unless `options` say otherwise. */
export async function startNodes (t: Scope, options: WsEventsOptions = {}): Promise<{ a: TestServer, b: TestServer, redis: RedisServer, prefix: string }> {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const start = async (): Promise<TestServer> => await startServer(t, { store: storeAt(redis.url, prefix), defaultConfig: { enabled: true }, ...options })
  return { a: await start(), b: await start(), redis, prefix }
}
