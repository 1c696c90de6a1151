import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { connect as connectHelper } from '../../lib/client/index.js'
import type { Ready } from '../../lib/index.js'
import type { State } from '../fixtures/node-server.js'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { numberOf } from '../nodes/chaos/client.js'
import { bundleNode, NodeProcess } from '../nodes/helpers/node-process.js'
import { newPrefix, storeAt } from '../nodes/helpers/nodes.js'

/** How long Redis is away; from 30 on with the bounds that count by default. */
const SECONDS = Number(process.env.AWAY_SECONDS ?? 4)
const PENDING_EVENTS = SECONDS < 30 ? 2000 : 10_000
const RATE = 1000
const INSTANCES = 5
const PENDING_FULL = 'FST_ERR_WS_EVENTS_PENDING_FULL'
/** What a node may need beyond what waits, in bytes. */
const ROOM = 64 * 1024 * 1024
const MB = 1024 * 1024

t.setTimeout((SECONDS * 2 + 600) * 1000)

/** A client of one instance, and what it gets. */
class Reader {
  readonly instance: number
  readonly received: Array<readonly [number: number, id: string]> = []
  readonly readies: Ready[] = []
  ends = 0
  #check: () => void = () => {}

  constructor (t: Test, url: string, instance: number) {
    this.instance = instance
    const client = connectHelper(`${url}/instance-${instance}`, { forceNew: true, transports: ['websocket'], reconnectionDelay: 20 })
    t.teardown(() => { client.close() })
    client.socket.on('ws.ready', (ready: Ready) => {
      this.readies.push(ready)
      this.#check()
    })
    client.socket.on('disconnect', () => { this.ends++ })
    client.onAny(message => {
      this.received.push([numberOf(message), message.id])
      this.#check()
    })
  }

  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }
}

const available = async (node: NodeProcess): Promise<boolean> => (await node.call('state')).store.available

async function startLoad (t: Test): Promise<{ redis: RedisServer, node: NodeProcess, readers: Reader[], before: State }> {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  const node = new NodeProcess(t, await bundleNode(t))
  const limits = SECONDS < 30 ? { pendingEvents: PENDING_EVENTS } : {}
  const port = await node.call('start', { port: 0, options: { store: storeAt(redis.url, newPrefix()), defaultConfig: { enabled: true }, limits } })
  const readers = Array.from({ length: INSTANCES }, (empty, at) => new Reader(t, `http://127.0.0.1:${port}`, at))
  await Promise.all(readers.map(async reader => { await reader.until(() => reader.readies.length > 0) }))
  await node.call('emit', { rate: RATE, instances: INSTANCES, first: 0 })
  await Promise.all(readers.map(async reader => { await reader.until(() => reader.received.length > 100) }))
  return { redis, node, readers, before: await node.call('state') }
}

const WAYS = {
  killed: { leave: async (redis: RedisServer) => { await redis.kill() }, come: async (redis: RedisServer) => { await redis.start() } },
  paused: { leave: async (redis: RedisServer) => { redis.pause() }, come: async (redis: RedisServer) => { redis.resume() } }
}

for (const [how, { leave, come }] of Object.entries(WAYS)) {
  t.test(`while Redis is ${how} for ${SECONDS} s, ${RATE} emits a second wait within their bound; those that were accepted arrive once and in order`, { skip: withoutRedis }, async t => {
    const { redis, node, readers, before } = await startLoad(t)
    t.ok(before.store.available)
    await leave(redis)
    const left = performance.now()
    await answered(async () => !await available(node))
    const noticed = performance.now() - left
    await sleep(SECONDS * 1000 - noticed)
    const meanwhile = await node.call('state')
    t.equal(meanwhile.store.available, false)
    t.equal(meanwhile.clients, INSTANCES, 'the clients are still there')
    await come(redis)
    const came = performance.now()
    await answered(async () => await available(node))
    const back = performance.now() - came
    const { length: count } = readers[0]?.received ?? []
    await readers[0]?.until(() => (readers[0]?.received.length ?? 0) > count + 2 * PENDING_EVENTS / INSTANCES)
    await node.call('stop')
    await node.call('last')

    const { resolved, rejected } = node
    const { most, heapUsed, rss, store } = await node.call('state')
    t.comment(`${resolved.size} resolved, ${rejected.size} rejected; noticed after ${Math.round(noticed)} ms, back after ${Math.round(back)} ms; at most ${most.pendingEvents} events and ${most.pendingBytes} bytes waited, ${most.unsettled} emits`)
    t.comment(`heap ${[before.heapUsed, meanwhile.heapUsed, heapUsed].map(bytes => (bytes / MB).toFixed(1)).join(' → ')} MB, RSS ${[before.rss, meanwhile.rss, rss].map(bytes => (bytes / MB).toFixed(0)).join(' → ')} MB`)
    t.strictSame([...new Set(rejected.values())], [PENDING_FULL], 'the others were rejected, with the code')
    t.ok(most.pendingEvents <= PENDING_EVENTS, 'no more waited than may')
    t.ok(most.pendingEvents > PENDING_EVENTS * 0.9, 'and as many as may')
    t.ok(most.unsettled <= PENDING_EVENTS, 'counted by emits, too')
    t.match(store, { available: true, pendingEvents: 0, pendingBytes: 0 })
    t.ok(meanwhile.rss - before.rss < ROOM && meanwhile.heapUsed - before.heapUsed < ROOM / 2, 'memory stays inside the bound')
    for (const reader of readers) {
      const mine = [...resolved].filter(([number]) => number % INSTANCES === reader.instance).sort(([a], [b]) => a - b)
      await reader.until(() => (reader.received.at(-1)?.[0] ?? -1) >= (mine.at(-1)?.[0] ?? 0))
      t.strictSame(reader.received, mine)
      t.strictSame(mine.map(([, id]) => id), mine.map(([, id]) => id).sort(), 'in the order of the ids, too')
      t.equal(reader.ends, 0, 'it stayed connected')
      t.equal(reader.readies.length, 1)
    }
  })
}
