import { randomUUID } from 'node:crypto'
import { errors } from '../../errors.js'
import { inTime } from '../../in-time.js'
import type { OpenOptions, OpenStore, Store } from '../store.js'
import { append } from './append.js'
import { type Address, databaseOf, loadIoredis, makeClient } from './client.js'
import { RedisConfigStore } from './configs.js'
import { isPassing, isRefusal } from './faults.js'
import { boundsWithin } from './followed.js'
import { Following } from './following.js'
import { Keys } from './keys.js'
import { type Life, Link } from './link.js'
import { RedisLog } from './log.js'
import { Outbox } from './outbox.js'
import { RedisPeers } from './peers.js'
import { idAt } from './position.js'
import { Pulse } from './pulse.js'
import { Reader } from './reader.js'
import { scripts } from './scripts.js'
import { Subscriber } from './subscriber.js'

/** `Redis` or `Cluster` of ioredis. Not by their types, because those who use another store need not have it. */
export interface IoredisClient {
  duplicate(): unknown
}

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
/** How long the state of a stream without events is kept, in ms: whoever has been away for longer has a gap. */
const KEPT_FOR = 30 * 24 * HOUR
/** How long a node waits for Redis when it starts, in ms. */
const START = 2500
/** How long it waits when it ends. */
const END = 5000

/**
 * Remembers events and configs in Redis (6.2 or later) or Valkey, for any number of nodes. Needs the package `ioredis`.
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
        return await open(address, prefix, options)
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

async function open (
  address: Address,
  prefix: string,
  { retention, limits = { pendingEvents: 0, pendingBytes: 0 }, logger }: OpenOptions
): Promise<OpenStore> {
  const ioredis = await loadIoredis()
  const client = makeClient(ioredis, address)
  const keys = new Keys(prefix, databaseOf(client))
  const node = randomUUID()
  const keptFor = Math.max(KEPT_FOR, 2 * retention.maxAge)

  const link = new Link({ client, keys, logger, joined: life => { joined(life) } })
  const subscriber = new Subscriber({
    client: makeClient(ioredis, address),
    connected: () => { void subscribe() },
    lost: () => { following.lost() },
    message: (channel, content) => {
      if (channel === keys.configs) configs.told(content.toString())
      else if (channel === echo) pulse.heard(content.toString())
      else following.published(channel, content)
    }
  })
  const reader = new Reader({ link, keys, keptFor, logger })
  const following = new Following({ link, subscriber, reader, bounds: boundsWithin(retention), logger })
  const echo = keys.echo(node)
  const pulse = new Pulse({ link, subscriber, following, channel: echo, logger })
  const outbox = new Outbox({
    limits,
    append: async batch => await append({ link, keys, retention, keptFor, node }, batch),
    joined: async () => { await link.joined() },
    // While Redis can be asked, it takes events, whether its publications are heard or not.
    isUp: () => link.life === null ? available() : link.isUp,
    appended: (streams, id) => { for (const { entries } of streams) following.find(entries)?.knows(id) }
  })
  const configs = new RedisConfigStore(link, keys.configs, node, logger)
  const peers = new RedisPeers(outbox, following, keys.nodes)

  function available (): boolean {
    return link.isUp && following.isHearing
  }

  let heard = () => {}
  const hearing = new Promise<void>(resolve => { heard = resolve })

  /** What was asked of it meanwhile has failed, and a log that was wiped has taken the configs along. */
  function joined (life: Life): void {
    following.joined(life)
    configs.missed()
  }

  /** What was told while there was no connection, nobody has heard. */
  async function subscribe (): Promise<void> {
    try {
      await subscriber.subscribe([keys.configs, echo])
      following.connected()
      heard()
      await link.joined()
      configs.missed()
    } catch (error) {
      // A connection that was lost again is told of when it is back.
      if (!isPassing(error) && closed === undefined) {
        logger.error({ err: error }, 'Redis does not let us subscribe: nothing that it publishes is heard')
      }
    }
  }

  const log = new RedisLog({
    keys,
    outbox,
    following,
    reader,
    arrived: async () => { await pulse.arrived() },
    remove: async ({ entries, state }) => {
      const newest = await link.askScript(scripts.remove, [entries, state], [String(keptFor)])
      return newest === null ? undefined : idAt(String(newest), (await link.current()).epoch)
    }
  })

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => { await (closed ??= end()) }

  async function end (): Promise<void> {
    // While Redis is away, whoever wanted to wait for it has done so.
    if (link.isUp) await atMost(END, outbox.drained())
    outbox.close()
    pulse.close()
    following.close()
    link.close()
    subscriber.close()
  }

  link.open()
  subscriber.open()
  await atMost(START, Promise.race([link.refused, Promise.all([link.joined(), hearing, peers.ready])]))
  if (link.life === null && isRefusal(link.failure)) {
    await close()
    throw link.failure
  }
  link.started()
  return {
    log,
    configs,
    peers,
    health: () => ({ available: available(), pendingEvents: outbox.count, pendingBytes: outbox.bytes }),
    close
  }
}

/** Waits for what may not come, and not for long. Why it has not come, the connection knows. */
async function atMost (ms: number, promise: Promise<unknown>): Promise<void> {
  await inTime(promise, ms).catch(() => {})
}
