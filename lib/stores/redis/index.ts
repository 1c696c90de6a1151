import { errors } from '../../errors.js'
import type { Store } from '../store.js'
import type { Address } from './client.js'
import { openRedis } from './open.js'

/** `Redis` or `Cluster` of ioredis. Not by their types, because those who use another store need not have it. */
export interface IoredisClient {
  /** Makes another client with the same options. */
  duplicate(): unknown
}

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** Where Redis is: `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url?: string | undefined
  /** `RedisOptions` of ioredis, beside or instead of an address: Sentinels, certificates, … */
  readonly options?: object | undefined
  /**
   * A client of the application's: `Redis` or `Cluster` of ioredis. Two connections are made to where it
   * connects to; it is neither used nor closed.
   */
  readonly client?: IoredisClient | undefined
  /**
   * What every key begins with, in braces. Processes with the same one are nodes of one service; those of another one
   * have nothing to do with it.
   *
   * @default ws-events
   */
  readonly prefix?: string | undefined
}

const HOUR = 60 * 60 * 1000
const MIB = 1024 * 1024

/**
 * Keeps events and configs in Redis (6.2 or later) or Valkey, for any number of nodes. It needs the package `ioredis`.
 * Events are kept for 24 hours, at most 100,000 and 64 MiB of each stream, unless the option `retention` says
 * otherwise.
 *
 * @param options an address, or more
 */
export function redisStore (options: string | RedisStoreOptions): Store {
  const { prefix = 'ws-events', ...where } = typeof options === 'string' ? { url: options } : options
  const address = where as Address
  const name = nameOf(address)
  return {
    name,
    retention: { maxAge: 24 * HOUR, maxEvents: 100_000, maxBytes: 64 * MIB },
    async open (options) {
      try {
        if (!/^[\w.:-]{1,100}$/.test(prefix)) {
          throw new Error(`its prefix "${prefix}" must be 1 to 100 letters, digits or . : - _`)
        }
        return await openRedis(address, prefix, options)
      } catch (error) {
        throw new errors.STORE_OPEN(name, whyOf(error), { cause: error })
      }
    }
  }
}

/** What Redis has said itself, if it has. */
function whyOf (error: unknown): string {
  if (error instanceof errors.STORE_UNAVAILABLE && error.cause !== undefined) return whyOf(error.cause)
  return error instanceof Error ? error.message : String(error)
}

/** Without user and password. */
function nameOf ({ url, options, client }: Address): string {
  if (client !== undefined || url === undefined) {
    return options?.host === undefined ? 'redis:' : `redis://${options.host}`
  }
  if (!URL.canParse(url)) return 'redis:'
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
