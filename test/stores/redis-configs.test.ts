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
