import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type RedisStoreOptions, redisStore } from '../../lib/stores/redis/index.js'
import type { OpenStore, StoreLogger } from '../../lib/stores/store.js'
import { LOADER, Program } from '../helpers/program.js'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { AMPLE, appendMany, assertServe, idsAfter, newPrefix, openNode, quiet, recordOf, sameList, Watcher, watcherOf } from './redis/nodes.js'
import { startRedisProxy } from './redis/proxy.js'

const OPEN = 'FST_ERR_WS_EVENTS_STORE_OPEN'
const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'
const withRedis = { skip: withoutRedis, buffered: true }
// They wait for time to pass: together.
t.jobs = 4

/** Our connections to a Redis. */
async function connectionsTo (redis: RedisServer): Promise<number> {
  const list = String(await redis.connect().client('LIST'))
  return list.split('\n').filter(line => line.includes('name=fastify-ws-events')).length
}

/** Opens stores in a process of its own, which has to end by itself. @returns what it says */
async function openElsewhere (t: Test, stores: readonly RedisStoreOptions[], args: readonly string[] = []): Promise<string[]> {
  const child = join(import.meta.dirname, 'redis/child.ts')
  const program = new Program(t, process.execPath, [...LOADER, ...args, child, JSON.stringify(stores)], {
    cwd: process.cwd(),
    env: { TAP_TYPE_STRIP_ONLY: '1' }
  })
  const ended = await Promise.race([program.ended, new Promise(resolve => setTimeout(resolve, 60_000, 'it does not end').unref())])
  t.equal(ended, 0, 'nothing is left that keeps the process')
  return program.lines
}

/** Shows that a store cannot be opened, and why, and that it has not kept anything. */
async function refused (t: Test, options: RedisStoreOptions, why: RegExp): Promise<void> {
  const lines: string[] = []
  const logger: StoreLogger = { warn: (details, message) => { lines.push(message) }, error: (details, message) => { lines.push(message) } }
  const opened = await redisStore(options).open({ retention: AMPLE, logger }).then(async store => {
    await store.close()
    return new Error('it was opened')
  }, (error: Error) => error)
  t.match(opened, { code: OPEN, message: why })
  t.notMatch(opened.message, /secret|wrong/)
  t.notMatch(lines.join('\n'), /secret|wrong/)
}

t.test('a Redis that turns us away is an error that says why, and nothing is left behind', withRedis, async t => {
  const redis = await startRedis(t)
  const { port } = redis
  const commands = redis.connect()
  await commands.call('ACL', 'SETUSER', 'other', 'on', '>secret', '~*', '&*', '+@all')
  await commands.call('ACL', 'SETUSER', 'noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
  await commands.call('ACL', 'SETUSER', 'noevalsha', 'on', '>secret', '~*', '&*', '+@all', '-evalsha')
  await commands.call('ACL', 'SETUSER', 'nokeys', 'on', '>secret', 'resetkeys', '&*', '+@all')
  await commands.call('ACL', 'SETUSER', 'default', 'resetpass', '>secret')
  const at = (user: string, path = ''): string => `redis://${user}${user === '' ? '' : '@'}127.0.0.1:${port}${path}`
  const refusals: ReadonlyArray<readonly [RedisStoreOptions, RegExp]> = [
    [{ url: at('') }, /NOAUTH/],
    [{ url: at(':wrong') }, /WRONGPASS|invalid/],
    [{ url: at('nobody:wrong') }, /WRONGPASS/],
    [{ url: at('other:wrong') }, /WRONGPASS/],
    [{ options: { host: '127.0.0.1', port, password: 'wrong' } }, /WRONGPASS|invalid/],
    [{ url: at(':secret', '/99') }, /DB index is out of range/],
    [{ url: at('noscripts:secret') }, /NOPERM|no permissions/],
    [{ url: at('noevalsha:secret') }, /NOPERM|no permissions/],
    [{ url: at('nokeys:secret') }, /NOPERM|No permissions/]
  ]
  await Promise.all(refusals.map(async ([options, why]) => { await refused(t, options, why) }))
  const lines = await openElsewhere(t, [...refusals.map(([options]) => options), { url: at('other:secret', '/3') }])
  t.equal(lines.filter(line => line.startsWith(`failed ${OPEN}`)).length, refusals.length, lines.join('\n'))
  t.strictSame(lines.filter(line => /^opened|^closed/.test(line)), [`opened redis://127.0.0.1:${port}/3`, 'closed'])
  t.notMatch(lines.join('\n'), /secret|wrong/)
  await answered(async () => !String(await commands.client('LIST')).includes('name=fastify-ws-events'))
})

t.test('a Redis that is too old is an error that says so', withRedis, async t => {
  const redis = await startRedis(t)
  const version = /redis_version:(\S+)/.exec(await redis.connect().info('server'))?.[1] ?? ''
  const proxy = await startRedisProxy(t, redis)
  const old = `6.0${version.slice(3)}`
  proxy.change = bytes => Buffer.from(bytes.toString('latin1').replaceAll(version, old), 'latin1')
  await refused(t, { url: proxy.url }, new RegExp(`Redis ${old}, and 6\\.2 or later is needed`))
  await answered(async () => await connectionsTo(redis) === 0)
})

t.test('a Redis user without permission to subscribe is logged, and gets no events', withRedis, async t => {
  const redis = await startRedis(t)
  await redis.connect().call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', 'resetchannels', '+@all')
  const lines: string[] = []
  const logger: StoreLogger = { warn: (details, message) => { lines.push(message) }, error: (details, message) => { lines.push(message) } }
  const found = await redisStore({ url: `redis://deaf:secret@127.0.0.1:${redis.port}` }).open({ retention: AMPLE, logger }).then(async store => {
    const available = store.health?.().available
    await store.close()
    return { available, message: lines.join('\n') }
  }, (error: Error) => ({ available: false, message: error.message }))
  t.equal(found.available, false)
  t.match(found.message, /does not allow SUBSCRIBE|NOPERM|permission/i)
})

t.test('without a Redis server a store opens as unavailable, logs it once, and works when Redis is available', withRedis, async t => {
  const redis = await startRedis(t)
  await redis.kill()
  const lines: string[] = []
  const logger: StoreLogger = { warn: (details, message) => { lines.push(`warning: ${message}`) }, error: (details, message) => { lines.push(`error: ${message}`) } }
  const from = performance.now()
  const prefix = newPrefix()
  const [a, b] = await Promise.all([openNode(t, { url: redis.url, prefix }, { logger }), openNode(t, { url: redis.url, prefix })])
  t.ok(performance.now() - from < 30_000, `it was opened after ${performance.now() - from} ms`)
  t.equal(a.health?.().available, false)
  const told = [a, b].map(async ({ configs }) => await new Promise<string | null>(resolve => { configs.watch?.(resolve) }))
  const [early, watching] = [appendMany(a.log, ['acme'], 10), watcherOf(a, 'other')]
  t.equal(a.health?.().pendingEvents, 10)
  t.strictSame(lines.map(line => line.slice(0, 21)), ['error: Redis is away:'])
  await redis.start()
  t.strictSame(await Promise.all(told), [null, null])
  const ids = await early
  t.strictSame(await idsAfter(b.log, 'acme', ids[0] ?? ''), ids.slice(1))
  await watching
  await assertServe(a, b)
  t.equal(a.health?.().available, true)
  t.strictSame(lines.slice(1), ['warning: Redis is back'])
})

t.test('without ioredis, the error says what to install', withRedis, async t => {
  const resolve = "export async function resolve (name, context, next) { if (name === 'ioredis' && !context.parentURL?.includes('/test/')) throw Object.assign(new Error('not here'), { code: 'ERR_MODULE_NOT_FOUND' }); return await next(name, context) }"
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(resolve)}`)})`
  const lines = await openElsewhere(t, [{ url: 'redis://127.0.0.1:1' }], ['--import', `data:text/javascript,${encodeURIComponent(register)}`])
  t.equal(lines.length, 1)
  t.match(lines[0], /^failed FST_ERR_WS_EVENTS_STORE_OPEN .*the store redis:\/\/127\.0\.0\.1:1 cannot be opened: install it: npm install ioredis$/)
})

t.test('an invalid prefix is refused', async t => {
  for (const prefix of ['', 'a{b}', 'a b', 'é', 'x'.repeat(101), '{', 'a\n']) {
    await t.rejects(redisStore({ url: 'redis://127.0.0.1:1', prefix }).open({ retention: AMPLE, logger: quiet }), { code: OPEN, message: /prefix/ })
  }
})

t.test('an address that cannot be one is refused', async t => {
  for (const url of ['redis://user:secret@', 'redis://:secret@host:99999999']) {
    const { name } = redisStore(url)
    t.notMatch(name, /secret/)
    await t.rejects(redisStore(url).open({ retention: AMPLE, logger: quiet }).then(async store => { await store.close() }), { code: OPEN }, url)
  }
})

t.test('a store is named without user and password', async t => {
  t.equal(redisStore('redis://user:secret@redis.example.com:6380/2').name, 'redis://redis.example.com:6380/2')
  t.equal(redisStore('rediss://:secret@redis.example.com').name, 'rediss://redis.example.com')
  t.notMatch(redisStore('redis://redis.example.com?password=secret').name, /secret/)
  t.notMatch(redisStore('redis://:sec ret/@redis.example.com').name, /sec/)
  t.notMatch(redisStore({ options: { host: 'redis.example.com', password: 'secret' } }).name, /secret/)
})

t.test('what was appended before a store is closed is kept, and its connections are gone', withRedis, async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const node = await openNode(t, { url: redis.url, prefix })
  const watcher = await watcherOf(node, 'acme')
  t.equal(await connectionsTo(redis), 2)
  const appends = appendMany(node.log, ['acme', null], 5000)
  await Promise.all([node.close(), node.close()])
  const { length } = watcher.told
  const ids = await appends
  await node.close()
  await answered(async () => await connectionsTo(redis) === 0)

  const unavailable = { code: UNAVAILABLE }
  await t.rejects((async () => await node.log.append(['acme'], recordOf(1)))(), unavailable)
  await t.rejects((async () => await node.log.read('acme', watcher.start, 1000))(), unavailable)
  await t.rejects((async () => { await node.log.watch('acme', () => {}).ready })(), unavailable)
  await t.rejects(node.log.remove('acme'), unavailable)
  await t.rejects(node.configs.get('acme'), unavailable)
  await t.rejects(node.configs.set('acme', { enabled: true, events: null }), unavailable)
  await t.rejects((async () => { await node.peers?.tell('word') })(), unavailable)
  t.equal(node.health?.().available, false)
  await node.log.drained()

  const other = await openNode(t, { url: redis.url, prefix })
  sameList(await idsAfter(other.log, 'acme', watcher.start) as string[], ids, 'kept')
  await appendMany(other.log, ['acme'], 3)
  t.equal(watcher.told.length, length, 'nothing is told any more')
  sameList(watcher.ids, ids.slice(0, length), 'told before')
})

for (const { how, away } of [
  { how: 'does not answer', away: async (redis: RedisServer) => { redis.pause() } },
  { how: 'is gone', away: async (redis: RedisServer) => { await redis.kill() } }
]) {
  t.test(`a store that is closed while Redis ${how} rejects what waits, and does so soon`, withRedis, async t => {
    const redis = await startRedis(t)
    const node: OpenStore = await openNode(t, { url: redis.url, prefix: newPrefix() })
    const watcher = await watcherOf(node, 'acme')
    await away(redis)
    const appends = Promise.allSettled(Array.from({ length: 1500 }, async (empty, n) => await node.log.append(['acme'], recordOf(n))))
    const starting = new Watcher(node.log, 'starting')
    const from = performance.now()
    await node.close()
    t.ok(performance.now() - from < 30_000, `closed after ${performance.now() - from} ms`)
    sameList((await appends).map(result => result.status === 'rejected' && (result.reason as { code?: string }).code), new Array(1500).fill(UNAVAILABLE), 'what waited')
    await t.rejects(starting.ready, { code: UNAVAILABLE })
    t.strictSame(node.health?.(), { available: false, pendingEvents: 0, pendingBytes: 0 })
    t.equal(watcher.told.length, 0)
  })
}

t.test('a store can be closed before its connections are made', withRedis, async t => {
  const redis = await startRedis(t)
  const proxy = await startRedisProxy(t, redis)
  proxy.shut()
  const lines = await openElsewhere(t, [{ url: proxy.url }])
  t.strictSame(lines.at(-1), 'closed')
})
