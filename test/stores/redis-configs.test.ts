import t from 'tap'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { newPrefix, openNode } from './redis/nodes.js'

t.test('a node that keeps the stored list never brings back one from before another node has set it', { skip: withoutRedis }, async t => {
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
