import t from 'tap'
import type { OpenStore, StoredConfig } from '../../lib/stores/store.js'
import { startRedis, startReplica, withoutRedis } from '../helpers/redis.js'
import { newPrefix, openNode } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

async function listed ({ configs }: Pick<OpenStore, 'configs'>): Promise<Map<string, StoredConfig>> {
  const found = new Map<string, StoredConfig>()
  for await (const [name, config] of configs.list()) found.set(name, config)
  return found
}

t.test('keepEvents never restores a list that another node has replaced', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const [a, b] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: redis.url, prefix })]
  await a.configs.set('acme', { enabled: true, events: ['BEFORE'] })
  for (let round = 0; round < 200; round++) {
    const events = [`EVENT_${round}`]
    const kept = b.configs.set('acme', { enabled: round % 2 === 0, events: null, keepEvents: true })
    const [set, { events: found }] = await Promise.all([a.configs.set('acme', { enabled: true, events }), kept])
    t.strictSame(set.events, events)
    t.ok(found !== null && found.length === 1, 'the list of before or of after')
    for (const node of [a, b]) t.strictSame((await node.configs.get('acme'))?.events, events)
  }
})

t.test('a config that is deleted while two read the list does not come back when Redis loses the hash', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const { configs } = await openNode(t, { url: redis.url, prefix })
  for (const name of ['acme', 'globex', 'initech']) await configs.set(name, { enabled: true, events: null })
  const lists = [configs.list(), configs.list()].map(list => list[Symbol.asyncIterator]())
  for (const list of lists) t.notOk((await list.next()).done)
  await configs.delete('initech')
  for (const list of lists) while ((await list.next()).done !== true);
  await redis.connect().del(`{${prefix}}:configs`)
  const names: string[] = []
  for await (const [name] of configs.list()) names.push(name)
  t.strictSame(names.toSorted(), ['acme', 'globex'])
})

t.test('what a list has read late takes the place of nothing that another has read since, also when Redis loses the hash', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  const prefix = newPrefix()
  const [node, other] = [await openNode(t, { url: redis.url, prefix }), await openNode(t, { url: redis.url, prefix })]
  for (const name of ['acme', 'globex']) await other.configs.set(name, { enabled: true, events: null })
  const early = node.configs.list()[Symbol.asyncIterator]()
  await early.next()
  await other.configs.set('acme', { enabled: false, events: null })
  t.match((await listed(node)).get('acme'), { enabled: false })
  while ((await early.next()).done !== true);
  await commands.del(`{${prefix}}:configs`)
  t.match((await listed(node)).get('acme'), { enabled: false })
})

t.test('a list that is read over a failover has every name', { skip: withoutRedis }, async t => {
  const master = await startRedis(t)
  const prefix = newPrefix()
  const names = Array.from({ length: 3000 }, (empty, n) => `instance-${n}`)
  await master.connect().hset(`{${prefix}}:configs`, Object.fromEntries(names.map(name => [name, `${name} {"enabled":true,"events":null}`])))
  const replica = await startReplica(t, master)
  const proxy = await startRedisProxy(t, master)
  const { configs } = await openNode(t, { url: proxy.url, prefix })
  const found: string[] = []
  for await (const [name] of configs.list()) {
    found.push(name)
    if (found.length !== 1) continue
    // Of which another hash function makes another order.
    await replica.connect().replicaof('NO', 'ONE')
    proxy.leadTo(replica.port)
  }
  t.equal(found.length, 3000)
  t.equal(new Set(found).size, 3000)
})

t.test('a config that is damaged is told of once, keeps nobody from the others, and can be set again', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const lines: Array<{ instance?: string, message: string }> = []
  const log = (details: object, message: string): void => { lines.push({ ...details, message }) }
  const node = await openNode(t, { url: redis.url, prefix }, { logger: { warn: log, error: log } })
  const { configs } = node
  await configs.set('acme', { enabled: true, events: null })
  const damaged = ['', 'x', '{}', 'x {', 'x null', 'x {"enabled":1,"events":null}', 'x {"enabled":true,"events":[1]}', 'x {"enabled":true,"events":"all"}']
  await redis.connect().hset(`{${prefix}}:configs`, Object.fromEntries(damaged.map((text, n) => [`damaged-${n}`, text])))
  for (let times = 0; times < 2; times++) {
    const found = await listed(node)
    t.equal(found.size, 1 + damaged.length)
    t.match(found.get('acme'), { enabled: true, events: null, unreadable: undefined })
    for (const n of damaged.keys()) t.match(found.get(`damaged-${n}`), { enabled: false, events: [], unreadable: /set it again, or remove it/ })
  }
  t.strictSame(lines.map(({ instance }) => instance).toSorted(), [...damaged.keys()].map(n => `damaged-${n}`))
  for (const { message } of lines) t.match(message, /damaged in Redis.*set it again, or remove it/)
  for (const n of damaged.keys()) {
    t.match(await configs.get(`damaged-${n}`), { unreadable: /damaged/ })
    t.match(await configs.set(`damaged-${n}`, { enabled: true, events: ['CALL'], keepEvents: n > 5 }), { enabled: true, events: ['CALL'], unreadable: undefined })
    t.match(await configs.get(`damaged-${n}`), { enabled: true, events: ['CALL'], unreadable: undefined })
  }
})
