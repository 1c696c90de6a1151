import { execFileSync } from 'node:child_process'
import type { Redis } from 'ioredis'
import { startRedis } from '../../test/helpers/redis.js'

/** A Redis that is the bench's alone, and keeps nothing on the disk. */
export interface OwnRedis {
  readonly port: number
  readonly url: string
  /** For the bench's own questions. */
  readonly admin: Redis
}

type Teardown = () => unknown

/** Starts a Redis, has it used, and ends it. */
export async function withRedis<Result> (use: (redis: OwnRedis) => Promise<Result>): Promise<Result> {
  const teardowns: Teardown[] = []
  const endAll = (): unknown[] => teardowns.splice(0).reverse().map(teardown => teardown())
  process.once('exit', endAll)
  try {
    const server = await startRedis({ teardown: teardown => { teardowns.push(teardown) } })
    return await use({ port: server.port, url: server.url, admin: server.connect() })
  } finally {
    await Promise.all(endAll())
    process.off('exit', endAll)
  }
}

export const redisVersion = (): string => /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown'

/** A figure of `INFO`, such as `used_memory:`, which ends where the number begins; 0 if it is not there. */
export async function infoOf ({ admin }: OwnRedis, section: string, figure: string): Promise<number> {
  return Number(new RegExp(`^${figure}([\\d.]+)`, 'm').exec(await admin.info(section))?.[1] ?? 0)
}

/** Of all its threads, in µs. */
export async function redisCpu (redis: OwnRedis): Promise<number> {
  return (await infoOf(redis, 'cpu', 'used_cpu_user:') + await infoOf(redis, 'cpu', 'used_cpu_sys:')) * 1e6
}

/** How many scripts it has run. */
export async function scriptCalls (redis: OwnRedis): Promise<number> {
  const calls = await Promise.all(['eval', 'evalsha', 'fcall'].map(async name => await infoOf(redis, 'commandstats', `cmdstat_${name}:calls=`)))
  return calls.reduce((sum, count) => sum + count)
}
