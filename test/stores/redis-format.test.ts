import t from 'tap'
import { scripts } from '../../lib/stores/redis/scripts.js'
import type { StoreLogger } from '../../lib/stores/store.js'
import { answered, latch } from '../helpers/latch.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { appendMany, idsAfter, newPrefix, openNode } from './redis/nodes.js'

const withRedis = { skip: withoutRedis }
const logOf = (prefix: string): string => `{${prefix}}:log`

t.test('nodes that start at once write the format, and one that comes later finds it', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const options = { url: redis.url, prefix }
  const [first, second] = await Promise.all([openNode(t, options), openNode(t, options)])
  const ids = await Promise.all([...await appendMany(first.log, ['acme'], 3), ...await appendMany(second.log, ['acme'], 3)])
  t.equal(await redis.connect().hget(logOf(prefix), 'format'), '1')
  const third = await openNode(t, options)
  t.strictSame(await idsAfter(third.log, 'acme', ids[0] ?? ''), ids.slice(1))
})

t.test('a log without a format is of format 1 and is taken over, also while it is used', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const options = { url: redis.url, prefix }
  const commands = redis.connect()
  const first = await openNode(t, options)
  await first.configs.set('acme', { enabled: true, events: ['CALL'] })
  const ids = await appendMany(first.log, ['acme'], 3)
  // What a node of 0.1.0 leaves, and what it makes of a log that Redis has lost.
  await commands.hdel(logOf(prefix), 'format')
  ids.push(...await appendMany(first.log, ['acme'], 3))
  t.equal(await commands.hget(logOf(prefix), 'format'), '1')
  await first.close()
  await commands.hdel(logOf(prefix), 'format')
  const second = await openNode(t, options)
  t.equal(await commands.hget(logOf(prefix), 'format'), '1')
  t.strictSame(await idsAfter(second.log, 'acme', ids[0] ?? ''), ids.slice(1))
  t.match(await second.configs.get('acme'), { enabled: true, events: ['CALL'] })
})

t.test('another format is refused with what was found, what is known and what to do, and nothing is changed', withRedis, async t => {
  const redis = await startRedis(t)
  const commands = redis.connect()
  for (const format of ['2', '0', '', 'garbage\n']) {
    const prefix = newPrefix()
    const options = { url: redis.url, prefix }
    const first = await openNode(t, options)
    await appendMany(first.log, ['acme'], 3)
    await first.close()
    await commands.hset(logOf(prefix), 'format', format)
    const before = await commands.hgetall(logOf(prefix))
    const error = await openNode(t, options).then(() => new Error('it was opened'), (error: Error) => error)
    t.match(error, { code: 'FST_ERR_WS_EVENTS_STORE_OPEN' })
    t.ok(error.message.includes(`its keys (${logOf(prefix)}, …) have format ${JSON.stringify(format)}, and this`), error.message)
    t.match(error.message, /knows 1: use the version that wrote them on every node, or choose another prefix$/)
    t.strictSame(await commands.hgetall(logOf(prefix)), before)
  }
})

t.test('a node that runs writes nothing more when the keys get another format, and logs why', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const commands = redis.connect()
  const refused = latch()
  const messages: string[] = []
  const logger: StoreLogger = {
    warn () {},
    error (details, message) {
      messages.push(`${message} ${'err' in details ? String(details.err) : ''}`)
      if (message.startsWith('Redis rejects this server')) refused.open()
    }
  }
  const node = await openNode(t, { url: redis.url, prefix }, { logger })
  const [before = ''] = await appendMany(node.log, ['acme'], 1)
  await commands.hset(logOf(prefix), 'format', '2')
  const kept = await commands.hgetall(logOf(prefix))
  const appended = appendMany(node.log, ['acme'], 1)
  await refused.opened
  t.match(messages.join('\n'), /have format "2", and this version of fastify-ws-events knows 1/)
  t.strictSame(await commands.hgetall(logOf(prefix)), kept)
  await answered(async () => node.health?.().available === false)

  await commands.hset(logOf(prefix), 'format', '1')
  const ids = await appended
  t.strictSame(await idsAfter(node.log, 'acme', before), ids, 'what waited is there as soon as it may')
})

t.test('the script that joins changes nothing in a log of another format', withRedis, async t => {
  const commands = (await startRedis(t)).connect()
  await commands.hset('log', 'format', '7', 'epoch', 'x')
  t.strictSame(await commands.eval(scripts.attach.lua, 1, 'log', 'epoch', '', '', '', '', ''), ['7'])
  t.strictSame(await commands.hgetall('log'), { format: '7', epoch: 'x' })
})
