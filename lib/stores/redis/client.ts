import type * as Ioredis from 'ioredis'
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { randomInt } from 'node:crypto'

export type RedisClient = Redis | Cluster

/** How to reach Redis: by an address, by options of ioredis (Sentinel, TLS, …), or as a client of the host's does. */
export interface Address {
  readonly url?: string | undefined
  readonly options?: RedisOptions | undefined
  readonly client?: RedisClient | undefined
}

const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2000

/** The ms before the next try, not the same for all who were cut off together. */
export function pauseBefore (attempt: number): number {
  const pause = Math.min(FIRST_PAUSE * 2 ** Math.min(attempt, 10), LONGEST_PAUSE)
  return pause / 2 + randomInt(pause / 2)
}

// What is sent again, and when, is decided here and not by ioredis: an append must not overtake another.
// Shared by a single connection and by each connection that a Cluster makes to its nodes.
const OWN_CONNECTION = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  // What was not answered fails when its connection closes. Else ioredis forgets it, and it never settles.
  maxRetriesPerRequest: 0,
  // A Cluster without a prefix of its own takes this one.
  keyPrefix: '',
  protocol: 2,
  replyMapping: 'legacy',
  stringNumbers: false,
  commandTimeout: undefined,
  // A server that does not say goodbye must not keep the process.
  disconnectTimeout: 500,
  connectionName: 'fastify-ws-events'
} satisfies RedisOptions

const OWN = {
  ...OWN_CONNECTION,
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  // Of a Sentinel: a replica takes no writes.
  role: 'master',
  retryStrategy: pauseBefore,
  // Where a master becomes a replica behind the same address, the connection must find the new one.
  reconnectOnError: (error: Error) => error.message.includes('READONLY')
} satisfies RedisOptions

const OWN_CLUSTER = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  keyPrefix: '',
  // What a replica answers may be old.
  scaleReads: 'master',
  clusterRetryStrategy: pauseBefore
} satisfies ClusterOptions

/** @throws Error that says what to install */
export async function loadIoredis (): Promise<Pick<typeof Ioredis, 'Redis'>> {
  try {
    return await import('ioredis')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    throw new Error(
      isMissing ? 'install it: npm install ioredis' : `ioredis cannot be loaded: ${String(error)}`,
      { cause: error }
    )
  }
}

/** ioredis takes options from the query of an address, too, and before all others. */
function withoutOwn (url: string): string {
  // What Node says of a bad address has its password in it.
  if (!URL.canParse(url)) {
    throw new Error(
      'its address is no URL: what is special in a URL must be percent-encoded in a user name or a password'
    )
  }
  const address = new URL(url)
  for (const option of Object.keys(OWN)) address.searchParams.delete(option)
  return address.href
}

/**
 * A connection of our own, not connected yet. What the host gave is neither used nor closed: it is only asked where to.
 */
export function makeClient ({ Redis }: Pick<typeof Ioredis, 'Redis'>, { url, options, client }: Address): RedisClient {
  if (client !== undefined) return isCluster(client) ? duplicateCluster(client) : client.duplicate(OWN)
  const all = { ...options, ...OWN }
  return url === undefined ? new Redis(all) : new Redis(withoutOwn(url), all)
}

/** ioredis 5 takes `redisOptions`, with password, user and TLS, whole from one side: so they are merged here. */
function duplicateCluster (client: Cluster): Cluster {
  return client.duplicate([], { ...OWN_CLUSTER, redisOptions: { ...client.options.redisOptions, ...OWN_CONNECTION } })
}

/** The number of the database that it uses. A Cluster has one. */
export const databaseOf = (client: RedisClient): number => isCluster(client) ? 0 : client.options.db ?? 0

/** Makes sure that it is the database: ioredis goes on without it. */
export async function selectDatabase (client: RedisClient): Promise<void> {
  if (!isCluster(client) && databaseOf(client) !== 0) await client.select(databaseOf(client))
}

const isCluster = (client: RedisClient): client is Cluster => 'nodes' in client

/** Has Redis know scripts; on a Cluster, each of its masters, because any may get our keys. */
export async function loadScripts (client: RedisClient, luas: readonly string[]): Promise<void> {
  const servers = isCluster(client) ? client.nodes('master') : [client]
  await Promise.all(servers.flatMap(server => luas.map(async lua => await server.script('LOAD', lua))))
}

/** Runs a script that Redis knows. What it answers comes as Buffers. */
export async function runScript (
  client: RedisClient,
  sha: string,
  keys: readonly string[],
  args: ReadonlyArray<string | Buffer>
): Promise<unknown> {
  return await client.callBuffer('evalsha', sha, keys.length, ...keys, ...args)
}
