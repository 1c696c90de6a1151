import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { OpenStore } from '../../lib/stores/store.js'
import { eventLogSuite } from '../contracts/index.js'
import { redisStore } from '../../lib/stores/redis/index.js'
import { type RedisServer, startCluster, startRedis, startReplica, startSentinel, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { AMPLE, appendMany, assertServe, idsAfter, Load, newPrefix, openNode, quiet, sameList, watchersOf } from './redis/nodes.js'

const HOST = '127.0.0.1'
const withRedis = { skip: withoutRedis }

interface HostOptions {
  readonly keyPrefix?: string
  readonly stringNumbers?: boolean
  readonly db?: number
  readonly commandTimeout?: number
  readonly lazyConnect?: boolean
}

/** A client of a host's, and how often it is used. */
function hostClient (t: Test, { port }: RedisServer, options: HostOptions = {}): { client: Redis, uses: () => number } {
  const client = new Redis(port, HOST, options)
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  let count = 0
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    count++
    return send(command, stream)
  }
  return { client, uses: () => count }
}

t.test('where a host gives its client, it is asked only where it connects to', withRedis, async t => {
  const redis = await startRedis(t)
  const own = redis.connect()

  t.test('also when it has a prefix for its keys, and other ways to give numbers', async t => {
    const prefix = newPrefix()
    const { client, uses } = hostClient(t, redis, { keyPrefix: 'host:', stringNumbers: true, db: 3, commandTimeout: 5000 })
    await client.set('key', 'value')
    const before = uses()
    const listeners = client.eventNames().length
    const [a, b] = [await openNode(t, { client, prefix }), await openNode(t, { client, prefix })]
    t.equal(a.health?.().available, true)
    await assertServe(a, b)
    t.equal(uses(), before, 'it was not used')
    t.equal(client.eventNames().length, listeners, 'nobody listens to it')
    t.strictSame(await own.keys('*'), [], 'it is the database of the client')
    const inThree = hostClient(t, redis, { db: 3 }).client
    const keys = await inThree.keys('*')
    t.ok(keys.length > 4)
    for (const key of keys) t.ok(key === 'host:key' || key.startsWith(`{${prefix}@3}:`), key)
    await a.close()
    await b.close()
    t.equal(client.status, 'ready', 'it is not closed')
    t.equal(await client.get('key'), 'value')
    await answered(async () => !String(await own.client('LIST')).includes('name=fastify-ws-events'))
  })

  t.test('what was missed is read, also where the client gives numbers as texts', async t => {
    const prefix = newPrefix()
    const { client } = hostClient(t, redis, { stringNumbers: true })
    const nodes = [await openNode(t, { client, prefix }), await openNode(t, { client, prefix })]
    const watchers = await watchersOf(nodes, 'acme')
    const ids: string[] = []
    for (let time = 0; time < 5; time++) {
      ids.push(...await appendMany((nodes[0] as OpenStore).log, ['acme'], 5))
      await own.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      ids.push(...await appendMany((nodes[1] as OpenStore).log, ['acme'], 5))
    }
    for (const watcher of watchers) {
      await watcher.untilCount(ids.length)
      sameList(watcher.ids, ids, 'told')
    }
  })

  t.test('also when it subscribes itself, or has not connected yet', async t => {
    const prefix = newPrefix()
    const { client: subscribed, uses } = hostClient(t, redis)
    await subscribed.subscribe('host')
    const { client: lazy } = hostClient(t, redis, { lazyConnect: true })
    const before = uses()
    const [a, b] = [await openNode(t, { client: subscribed, prefix }), await openNode(t, { client: lazy, prefix })]
    await assertServe(a, b)
    const heard = new Promise(resolve => { subscribed.on('message', (channel, message) => { resolve([channel, message]) }) })
    await own.publish('host', 'message')
    t.strictSame(await heard, ['host', 'message'])
    await a.close()
    await b.close()
    t.equal(uses(), before)
    t.equal(lazy.status, 'wait')
    t.equal(subscribed.status, 'ready')
    await own.publish('host', 'again')
  })

  t.test('options in the query of an address do not change what is ours', async t => {
    const prefix = newPrefix()
    const [a, b] = [await openNode(t, { url: `${redis.url}?keyPrefix=x:&enableOfflineQueue=true&maxRetriesPerRequest=3&stringNumbers=true&family=4`, prefix }), await openNode(t, { url: redis.url, prefix })]
    await assertServe(a, b)
    t.equal((await own.keys('x:*')).length, 0)
  })

  t.test('options of ioredis are taken beside an address', async t => {
    const prefix = newPrefix()
    const [a, b] = [await openNode(t, { options: { host: HOST, port: redis.port, db: 5, keyPrefix: 'x:' }, prefix }), await openNode(t, { url: `${redis.url}/5`, prefix })]
    await assertServe(a, b)
    t.equal(redisStore({ options: { host: HOST } }).name, `redis://${HOST}`)
  })
})

t.test('a failover by Sentinel makes no gap where the replica has everything', withRedis, async t => {
  const master = await startRedis(t)
  const replica = await startReplica(t, master)
  const sentinel = await startSentinel(t, master)
  const prefix = newPrefix()
  const options = { sentinels: [{ host: HOST, port: sentinel.port }], name: 'main' }
  const nodes = [await openNode(t, { options, prefix }), await openNode(t, { options, prefix })]
  const watchers = await watchersOf(nodes, 'acme')
  const load = new Load(t, nodes.map(({ log }) => log), ['acme'], { every: 5, some: 2 })
  await watchers[0]?.untilCount(100)
  const commands = sentinel.connect()
  const address = async (): Promise<string[]> => await commands.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main') as string[]
  t.strictSame(await address(), [HOST, String(master.port)])
  // What is appended in the moment of the failover may be lost with the old master: so nothing is.
  await load.stop()
  const [before, after] = [master.connect(), replica.connect()]
  const offset = async (redis: Redis): Promise<string | undefined> => /(?:master|slave)_repl_offset:(\d+)/.exec(await redis.info('replication'))?.[1]
  await answered(async () => await offset(before) === await offset(after))
  await commands.call('SENTINEL', 'FAILOVER', 'main')
  await answered(async () => (await address())[1] === String(replica.port))
  const more = new Load(t, nodes.map(({ log }) => log), ['acme'], { every: 5, some: 2 })
  await watchers[0]?.untilCount(load.count + 100)
  await more.stop()
  t.equal(more.failed.length, 0)
  const ids = [...load.kept, ...more.kept].map(({ id }) => id).toSorted()
  for (const [at, watcher] of watchers.entries()) {
    await watcher.untilCount(ids.length)
    sameList(watcher.ids, ids, 'told')
    t.equal(watcher.gaps.length, 0)
    sameList(await idsAfter((nodes[at] as OpenStore).log, 'acme', watcher.start) as string[], ids, 'read')
  }
  t.match(await after.info('replication'), /role:master/)
})

const CLUSTER_TESTS = /has one id|ids are greater|whoever joins while events keep coming|stream that is removed has dropped its past|remembers maxEvents|everything is there as it was/

for (const masters of [1, 3]) {
  t.test(`a Cluster of ${masters} serves`, withRedis, async t => {
    const servers = await startCluster(t, masters)
    const client = new Cluster(servers.map(({ port }) => ({ host: HOST, port })), { keyPrefix: 'host:' })
    t.teardown(() => { client.disconnect() })
    const prefix = newPrefix()
    const [a, b] = [await openNode(t, { client, prefix }), await openNode(t, { client, prefix })]
    await assertServe(a, b)
    const open = async (retention: typeof AMPLE, own = newPrefix()): Promise<OpenStore & { reopen: () => Promise<OpenStore> }> => {
      const store = await redisStore({ client, prefix: own }).open({ retention, logger: quiet })
      return {
        ...store,
        reopen: async () => {
          await store.close()
          return await open(retention, own)
        }
      }
    }
    for (const { name, run } of eventLogSuite(async retention => await open(retention))) if (CLUSTER_TESTS.test(name)) await t.test(name, run)

    // Connections are lost here, too.
    const watchers = await watchersOf([a, b], 'acme')
    const load = new Load(t, [a.log, b.log], ['acme'])
    for (let time = 0; time < 3; time++) {
      await watchers[0]?.untilCount((watchers[0]?.told.length ?? 0) + 50)
      for (const server of servers) {
        for (const type of ['pubsub', 'normal']) await server.connect().call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes').catch(() => {})
      }
    }
    await watchers[0]?.untilCount((watchers[0]?.told.length ?? 0) + 50)
    const ids = await load.stop()
    t.equal(load.failed.length, 0)
    for (const watcher of watchers) {
      await watcher.untilCount(ids.length)
      sameList(watcher.ids, ids, 'told')
      t.equal(watcher.gaps.length, 0)
    }
    t.not(client.status, 'end', 'the client of the host is not closed')
  })
}
