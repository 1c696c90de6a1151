import { randomUUID } from 'node:crypto'
import { inTime } from '../../host/in-time.js'
import { type OpenOptions, type OpenStore, type StoreHealth, type StoreLogger, UNLIMITED } from '../store.js'
import { append } from './append.js'
import { type Address, databaseOf, loadIoredis, makeClient } from './client.js'
import { RedisConfigStore } from './configs.js'
import { isPassing, isRefusal } from './faults.js'
import { boundsWithin } from './stream-subscription.js'
import { StreamSubscriptions } from './stream-subscriptions.js'
import { Keys } from './keys.js'
import { RedisConnection } from './connection.js'
import { RedisLog } from './log.js'
import { Producer } from './producer.js'
import { RedisPeers } from './peers.js'
import { idAt } from './position.js'
import { Heartbeat } from './heartbeat.js'
import { Reader } from './reader.js'
import { scripts } from './scripts.js'
import { Subscriber } from './subscriber.js'
import { Writes } from './writes.js'

/** How long the state of a stream without events is kept, in ms. A client that was away for longer gets a gap. */
const STATE_TTL = 30 * 24 * 60 * 60 * 1000
/** How long a node waits for Redis when it starts, in ms. */
const START_TIMEOUT = 2500
/** How long it waits when it ends. */
const DRAIN_TIMEOUT = 5000

/**
 * Connects to Redis. Resolves as well when Redis does not come within a moment.
 *
 * @throws what Redis rejects this server with
 */
export async function openRedis (address: Address, prefix: string, options: OpenOptions): Promise<OpenStore> {
  const parts = await partsOf(address, prefix, options)
  const store = new OpenRedis(parts, options.logger)
  await store.open()
  const { log, configs, peers } = parts
  return { log, configs, peers, health: () => store.health(), close: async () => { await store.close() } }
}

/** The parts of a store, each made of parts that are there already. */
async function partsOf (
  address: Address,
  prefix: string,
  { retention, limits = UNLIMITED, logger }: OpenOptions
) {
  const ioredis = await loadIoredis()
  const client = makeClient(ioredis, address)
  const keys = new Keys(prefix, databaseOf(client))
  const node = randomUUID()
  const echo = keys.echo(node)
  const stateTtl = Math.max(STATE_TTL, 2 * retention.maxAge)

  const connection = new RedisConnection({ client, keys, logger })
  const subscriber = new Subscriber(makeClient(ioredis, address))
  const reader = new Reader({ connection, keys, stateTtl, logger })
  const bounds = boundsWithin(retention)
  const subscriptions = new StreamSubscriptions({ connection, subscriber, reader, bounds, logger })
  const writes = new Writes(logger)
  const producer = new Producer({
    limits,
    writes,
    append: async batch => await append({ connection, keys, retention, stateTtl, node }, batch),
    attached: async () => { await connection.attached() },
    // While Redis can be asked it takes events, whether its publications are received or not.
    isUp: () => connection.isUp && (connection.incarnation !== null || subscriptions.isReceiving),
    appended: (streams, id) => { for (const { entries } of streams) subscriptions.find(entries)?.appended(id) }
  })
  const heartbeat = new Heartbeat({ connection, subscriber, subscriptions, producer, writes, channel: echo, logger })
  const log = new RedisLog({
    keys,
    producer,
    subscriptions,
    reader,
    allReceived: async () => { await heartbeat.allReceived() },
    remove: async ({ entries, state }) => {
      const newest = await connection.requestScript(scripts.remove, [entries, state], [String(stateTtl)])
      return newest === null ? undefined : idAt(String(newest), (await connection.current()).epoch)
    }
  })
  const configs = new RedisConfigStore(connection, keys, node, logger)
  const peers = new RedisPeers(producer, subscriptions, keys.nodes)
  return { keys, echo, connection, subscriber, subscriptions, heartbeat, writes, producer, log, configs, peers }
}

type Parts = Awaited<ReturnType<typeof partsOf>>

/** A store that is open. Passes on what its two connections receive. */
class OpenRedis {
  readonly #parts: Parts
  readonly #logger: StoreLogger
  #closing: Promise<void> | undefined
  #subscribed: () => void = () => {}

  constructor (parts: Parts, logger: StoreLogger) {
    this.#parts = parts
    this.#logger = logger
  }

  async open (): Promise<void> {
    const { connection, subscriber, subscriptions, configs, peers } = this.#parts
    const subscribed = new Promise<void>(resolve => { this.#subscribed = resolve })
    connection.whenAttached(incarnation => {
      subscriptions.logAttached(incarnation)
      // What was asked of it meanwhile has failed, and a log that was wiped has taken the configs along.
      configs.changesMissed()
    })
    connection.open()
    subscriber.open({
      connected: () => { void this.#subscribe() },
      lost: () => { subscriptions.lost() },
      message: (channel, content) => { this.#dispatch(channel, content) }
    })
    const isServing = Promise.all([connection.attached(), subscribed, peers.ready])
    await atMost(START_TIMEOUT, Promise.race([connection.refused, isServing]))
    if (connection.incarnation === null && isRefusal(connection.failure)) {
      await this.close()
      throw connection.failure
    }
    connection.started()
  }

  #dispatch (channel: string, content: Buffer): void {
    const { keys, echo, configs, heartbeat, subscriptions } = this.#parts
    if (channel === keys.configs) configs.changeReceived(content.toString())
    else if (channel === echo) heartbeat.echoReceived(content.toString())
    else subscriptions.receive(channel, content)
  }

  /** Subscribes on a new connection. Changes of configs that were published before are read again. */
  async #subscribe (): Promise<void> {
    const { keys, echo, connection, subscriber, subscriptions, configs } = this.#parts
    try {
      await subscriber.subscribe([keys.configs, echo])
      subscriptions.connected()
      this.#subscribed()
      await connection.attached()
      configs.changesMissed()
    } catch (error) {
      // When the connection was lost again, the next one subscribes.
      if (!isPassing(error) && this.#closing === undefined) {
        this.#logger.error(
          { err: error },
          'Redis does not allow SUBSCRIBE: this server receives no events. Allow its user the channels of the prefix'
        )
      }
    }
  }

  health (): StoreHealth {
    const { connection, subscriptions, producer, writes } = this.#parts
    const available = connection.isUp && subscriptions.isReceiving && !writes.isRefused
    return { available, pendingEvents: producer.count, pendingBytes: producer.bytes }
  }

  async close (): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  async #close (): Promise<void> {
    const { connection, subscriber, subscriptions, heartbeat, producer, writes } = this.#parts
    // While Redis is away, appends cannot finish. The service has waited for them already, with a limit of its own.
    if (connection.isUp && !writes.isRefused) await atMost(DRAIN_TIMEOUT, producer.drained())
    producer.close()
    heartbeat.close()
    subscriptions.close()
    connection.close()
    subscriber.close()
  }
}

/** Waits until a promise settles, at most so many ms. A rejection is kept by the connection, as its `failure`. */
async function atMost (ms: number, promise: Promise<unknown>): Promise<void> {
  await inTime(promise, ms).catch(() => {})
}
