import t from 'tap'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { scripts } from '../../lib/stores/redis/scripts.js'
import { appendMany, idsAfter, newPrefix, numberOf, openNode, readAll, recordOf, sameList, watcherOf } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

t.test('where answers are lost', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)

  t.test('an event whose answer was lost is kept once, and has the id that its caller gets', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const node = await openNode(t, { url: proxy.url, prefix })
    const other = await openNode(t, { url: redis.url, prefix })
    const [watcher, elsewhere] = [await watcherOf(node, 'acme'), await watcherOf(other, 'acme')]
    const ids: string[] = []
    for (let n = 0; n < 10; n++) {
      proxy.loseAnswers(scripts.append.sha, 1)
      ids.push(await node.log.append(['acme', null], recordOf(n)))
      // On a busy machine a node may ask again before the answer to its second time.
      t.ok(proxy.answersLost >= n + 1)
    }
    await node.log.drained()
    await elsewhere.untilId(ids.at(-1) ?? '')
    for (const { told } of [watcher, elsewhere]) {
      sameList(told.map(({ id }) => id), ids, 'told')
      sameList(told.map(numberOf), ids.map((id, n) => n), 'in order')
    }
    t.strictSame(await idsAfter(other.log, 'acme', elsewhere.start), ids)
    t.equal(await redis.connect().xlen(`{${prefix}}:stream:instance:acme`), 10)
  })

  t.test('batches whose answers are lost, again and again, are kept once and in order', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const node = await openNode(t, { url: proxy.url, prefix })
    const other = await openNode(t, { url: redis.url, prefix })
    const elsewhere = await watcherOf(other, 'acme')
    proxy.loseAnswers(scripts.append.sha, 8, 2)
    const ids: string[] = []
    for (let burst = 0; burst < 4; burst++) ids.push(...await appendMany(node.log, ['acme'], 1500, { from: 1500 * burst, pad: 50 }))
    t.ok(proxy.answersLost >= 5, `${proxy.answersLost} answers were lost`)
    await elsewhere.untilId(ids.at(-1) ?? '')
    sameList(elsewhere.ids, ids, 'told')
    sameList(elsewhere.numbers, ids.map((id, n) => n), 'in order')
    const found = await readAll(node.log, 'acme', elsewhere.start)
    t.not(found, 'gap')
    sameList(found === 'gap' ? [] : found.map(numberOf), ids.map((id, n) => n), 'read')
    sameList(ids, ids.toSorted(), 'ids grow')
  })

  t.test('a batch is kept once, however often its answer is lost', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const node = await openNode(t, { url: proxy.url, prefix })
    const start = (await watcherOf(node, 'acme')).start
    proxy.loseAnswers(scripts.append.sha, 5)
    const ids = await appendMany(node.log, ['acme'], 300)
    t.equal(proxy.answersLost, 5)
    t.strictSame(await idsAfter(node.log, 'acme', start), ids)
  })

  t.test('what is told to the nodes goes to each once, also when answers are lost', async t => {
    const prefix = newPrefix()
    const proxy = await startRedisProxy(t, redis)
    const [node, other] = [await openNode(t, { url: proxy.url, prefix }), await openNode(t, { url: redis.url, prefix })]
    const heard: string[] = []
    await new Promise<void>((resolve, reject) => {
      other.peers?.listen(text => {
        heard.push(text)
        if (text === 'word 4') resolve()
      })
      const tellAll = async (): Promise<void> => {
        for (let n = 0; n < 5; n++) {
          proxy.loseAnswers(scripts.append.sha, 1)
          await node.peers?.tell(`word ${n}`)
        }
      }
      tellAll().catch(reject)
    })
    t.strictSame(heard, Array.from({ length: 5 }, (empty, n) => `word ${n}`))
  })
})
