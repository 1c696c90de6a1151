import t, { type Test } from 'tap'
import type { Message } from '../../lib/index.js'
import { admitted, connect, disconnected, listen } from '../helpers/client.js'
import { outcomeOf } from '../helpers/outcome.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { everythingIn, watchCommands } from './helpers/everything.js'
import { newPrefix, startNodes, storeAt } from './helpers/nodes.js'
import { RedisProxy } from './helpers/redis-proxy.js'

// A whole file that does not run would look as if it had passed.
const test = (name: string, run: (t: Test) => Promise<void>): unknown => t.test(name, { skip: withoutRedis }, run)

/** Emits numbers, not waiting for any. */
function emitAll ({ fastify }: TestServer, numbers: readonly number[], instance = 'acme'): void {
  for (const number of numbers) void fastify.wsEvents.emit(instance, 'call', number)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (empty, at) => at)

/** Resolves when a config that was set on another node has come to this one. */
async function served (t: Test, { url }: TestServer, instance: string): Promise<void> {
  await answered(async () => {
    const socket = connect(t, `${url}/${instance}`)
    const { word } = await outcomeOf(socket)
    socket.disconnect()
    return word === 'in'
  })
}

test('an event reaches the clients of the other node, and of its own', async t => {
  const { a, b } = await startNodes(t, { globalEvents: true })
  const everywhere = await Promise.all([a, b].flatMap(({ url }) => [`${url}/acme`, url]).map(async url => await listen(t, url)))
  const { id } = await a.fastify.wsEvents.emit('acme', 'call', { binary: Buffer.from('às três') })
  await b.fastify.wsEvents.emit('acme', 'messages.upsert', 'two')
  for (const { inbox } of everywhere) {
    const [first, second] = await inbox.got(2)
    t.match(first, { id, event: 'call', instance: 'acme', data: { binary: Buffer.from('às três') } })
    t.match(second, { event: 'messages.upsert', data: 'two' })
    t.ok(String(first?.id) < String(second?.id))
  }
})

test('what two nodes emit at once has the same order for everybody, and each node\'s own is that of its calls', async t => {
  const { a, b } = await startNodes(t, { globalEvents: true })
  const everywhere = await Promise.all([a, b].flatMap(({ url }) => [`${url}/acme`, `${url}/acme`, url]).map(async url => await listen(t, url)))
  for (let burst = 0; burst < 50; burst++) {
    emitAll(a, upTo(10).map(at => burst * 10 + at))
    emitAll(b, upTo(10).map(at => 1000 + burst * 10 + at))
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const all = await Promise.all(everywhere.map(async ({ inbox }) => await inbox.got(1000)))
  const [first = []] = all
  const idsOf = (messages: readonly Message[]): string[] => messages.map(({ id }) => id)
  t.strictSame(idsOf(first), idsOf(first).sort(), 'it is that of the ids')
  for (const messages of all) t.strictSame(idsOf(messages), idsOf(first))
  const numbers = datas(first) as number[]
  t.strictSame(numbers.filter(number => number < 1000), upTo(500))
  t.strictSame(numbers.filter(number => number >= 1000), upTo(500).map(number => 1000 + number))
  t.ok(numbers.slice(0, 500).some(number => number >= 1000), 'they were mixed')
})

test('a client resumes on another node than before', async t => {
  const { a, b } = await startNodes(t)
  const before = await resume(t, `${a.url}/acme`, '')
  emitAll(a, [0, 1, 2])
  const last = (await before.inbox.got(3)).at(-1)?.id
  before.socket.disconnect()
  await a.fastify.wsEvents.emit('acme', 'call', 3)
  await b.fastify.wsEvents.emit('acme', 'call', 4)
  const after = await resume(t, `${b.url}/acme`, last)
  t.match(after.ready, { recovered: true, lastEventId: last })
  emitAll(a, [5])
  t.strictSame(datas(await after.inbox.got(3)), [3, 4, 5])
})

test('a client resumes on a node that starts after all had happened', async t => {
  const { a, redis, prefix } = await startNodes(t)
  const before = await resume(t, `${a.url}/acme`, '')
  emitAll(a, [0, 1])
  const [first] = await before.inbox.got(2)
  await a.fastify.close()
  const late = await startServer(t, { store: storeAt(redis.url, prefix), defaultConfig: { enabled: true } })
  const after = await resume(t, `${late.url}/acme`, first?.id)
  t.match(after.ready, { recovered: true })
  t.strictSame(datas(await after.inbox.got(1)), [1])
})

test('a client of a quiet instance resumes on a node where it has no other client, while others are busy', async t => {
  const { a, b } = await startNodes(t, { globalEvents: true })
  const before = await resume(t, `${a.url}/acme`, '')
  emitAll(a, [0])
  const [first] = await before.inbox.got(1)
  emitAll(a, upTo(10), 'busy')
  const after = await resume(t, `${b.url}/acme`, first?.id)
  t.match(after.ready, { recovered: true, lastEventId: first?.id })
  emitAll(a, [1])
  t.strictSame(datas(await after.inbox.got(1)), [1])
})

test('an instance that is set on one node is served by the other, and sends the events that were set', async t => {
  const { a, b } = await startNodes(t, { defaultConfig: undefined })
  t.equal((await outcomeOf(connect(t, `${b.url}/acme`))).word, 'NOT_SET')
  await a.fastify.wsEvents.set('acme', { enabled: true })
  await served(t, b, 'acme')
  const { inbox } = await listen(t, `${b.url}/acme`)
  await a.fastify.wsEvents.set('acme', { enabled: true, events: ['CALL'] })
  await answered(async () => (await b.fastify.wsEvents.emit('acme', 'chats.set', 'not this for long')).skipped === 'filtered')
  await b.fastify.wsEvents.emit('acme', 'chats.set', 'not this')
  await b.fastify.wsEvents.emit('acme', 'call', 'but this')
  const got = datas(await inbox.got(({ event }) => event === 'call'))
  t.strictSame(got.filter(data => data !== 'not this for long'), ['but this'])
})

for (const [how, end] of [
  ['disabled', async ({ fastify }: TestServer) => await fastify.wsEvents.set('acme', { enabled: false })],
  ['removed', async ({ fastify }: TestServer) => await fastify.wsEvents.remove('acme')]
] as const) {
  test(`the clients of an instance that is ${how} on another node get what was emitted before, and then stay away`, async t => {
    const { a, b } = await startNodes(t, { defaultConfig: undefined })
    await a.fastify.wsEvents.set('acme', { enabled: true })
    await a.fastify.wsEvents.set('other', { enabled: true })
    for (const name of ['acme', 'other']) await served(t, b, name)
    const { socket, inbox } = await listen(t, `${b.url}/acme`)
    const other = await listen(t, `${b.url}/other`)
    const away = disconnected(socket)
    emitAll(a, upTo(200))
    await end(a)
    t.equal(await away, 'io server disconnect')
    t.strictSame(datas(inbox.messages), upTo(200))
    emitAll(a, [1], 'other')
    await other.inbox.got(1)
    t.ok(other.socket.connected, 'those of another instance stay')
    t.equal((await outcomeOf(connect(t, `${b.url}/acme`))).word, how === 'disabled' ? 'INSTANCE_DISABLED' : 'NOT_SET')
  })
}

test('nobody inherits the past of a name that was removed on another node', async t => {
  const { a, b } = await startNodes(t)
  const before = await resume(t, `${b.url}/acme`, '')
  emitAll(a, [0, 1])
  const [first] = await before.inbox.got(2)
  await a.fastify.wsEvents.remove('acme')
  const after = await resume(t, `${b.url}/acme`, first?.id)
  t.match(after.ready, { recovered: false })
  emitAll(a, [2])
  t.strictSame(datas(await after.inbox.got(1)), [2])
})

test('disconnect ends the clients of an instance, or of a key, on every node, and no key ever comes to Redis', async t => {
  const { a, b, redis } = await startNodes(t, { verify: () => true, globalEvents: true })
  const key = 'a-secret-that-nobody-may-read'
  const join = async ({ url }: TestServer, name: string, apikey: string): Promise<{ word: string | undefined }> => {
    const socket = await admitted(connect(t, `${url}/${name}`, { auth: { apikey, lastEventId: '' } }))
    const end: { word: string | undefined } = { word: undefined }
    socket.on('disconnect', reason => { end.word = reason })
    return end
  }
  const commands = await watchCommands(redis)
  const withKey = await Promise.all([join(a, 'acme', key), join(b, 'acme', key), join(b, '', key)])
  const others = [await join(b, 'acme', 'another'), await join(b, 'other', 'another')]
  await a.fastify.wsEvents.disconnect({ apikey: key })
  await answered(async () => withKey.every(({ word }) => word !== undefined))
  for (const { word } of withKey) t.equal(word, 'io server disconnect')
  t.notOk((await commands.seen()).includes(key), 'not in a command')
  t.notOk((await everythingIn(redis.connect())).includes(key), 'not in what is kept')
  t.strictSame(others.map(({ word }) => word), [undefined, undefined])
  await a.fastify.wsEvents.disconnect({ instance: 'acme' })
  await answered(async () => others[0]?.word !== undefined)
  t.strictSame(others.map(({ word }) => word), ['io server disconnect', undefined])
})

/** Two nodes, the second of which can be cut off from Redis. */
async function startApart (t: Test, options: object = {}): Promise<{ a: TestServer, b: TestServer, proxy: RedisProxy, kill: () => Promise<void> }> {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const proxy = await RedisProxy.start(t, redis)
  const start = async (url: string): Promise<TestServer> => await startServer(t, { store: storeAt(url, prefix), defaultConfig: { enabled: true }, ...options })
  const commands = redis.connect()
  const kill = async (): Promise<void> => {
    for (const address of proxy.addresses) await commands.client('KILL', 'ADDR', address)
  }
  return { a: await start(redis.url), b: await start(proxy.url), proxy, kill }
}

const CUTS = {
  'just now': async ({ kill }: { kill: () => Promise<void> }) => { await kill() },
  'and for a while': async ({ proxy }: { proxy: RedisProxy }) => { proxy.cut() }
}

for (const [when, cut] of Object.entries(CUTS)) {
  test(`disconnect reaches a node whose connections to Redis were cut ${when}`, async t => {
    const nodes = await startApart(t, { verify: () => true })
    const { socket } = await listen(t, `${nodes.b.url}/acme`, { auth: { apikey: 'old' } })
    const stays = await listen(t, `${nodes.b.url}/acme`, { auth: { apikey: 'new' } })
    const away = disconnected(socket)
    await cut(nodes)
    await nodes.a.fastify.wsEvents.disconnect({ apikey: 'old' })
    nodes.proxy.open()
    t.equal(await away, 'io server disconnect')
    emitAll(nodes.a, [1])
    t.strictSame(datas(await stays.inbox.got(1)), [1])
    t.ok(stays.socket.connected)
  })

  test(`a config that was changed while a node's connections to Redis were cut ${when} counts there too`, async t => {
    const nodes = await startApart(t, { defaultConfig: undefined })
    await nodes.a.fastify.wsEvents.set('acme', { enabled: true })
    await served(t, nodes.b, 'acme')
    const { socket } = await listen(t, `${nodes.b.url}/acme`)
    const away = disconnected(socket)
    await cut(nodes)
    await nodes.a.fastify.wsEvents.set('acme', { enabled: false })
    nodes.proxy.open()
    t.equal(await away, 'io server disconnect')
  })

  test(`clients of a node whose connections to Redis were cut ${when} stay, and miss nothing of the others'`, async t => {
    const nodes = await startApart(t)
    const { socket, inbox } = await listen(t, `${nodes.b.url}/acme`)
    let ends = 0
    socket.on('disconnect', () => { ends++ })
    emitAll(nodes.a, upTo(100))
    await inbox.got(1)
    await cut(nodes)
    await Promise.all(upTo(100).map(async at => await nodes.a.fastify.wsEvents.emit('acme', 'call', 100 + at)))
    // Waits until it may go out, in its order.
    emitAll(nodes.b, [200, 201])
    nodes.proxy.open()
    t.strictSame(datas(await inbox.got(202)), upTo(202))
    t.equal(ends, 0, 'it stayed connected')
  })
}

test('many cuts of one node under load lose nothing and double nothing', async t => {
  const nodes = await startApart(t)
  const { inbox } = await listen(t, `${nodes.b.url}/acme`)
  const expected = { a: 0, b: 0 }
  for (let cut = 0; cut < 10; cut++) {
    const before = inbox.messages.length
    for (let turn = 0; turn < 20; turn++) {
      emitAll(nodes.a, upTo(5).map(() => expected.a++))
      emitAll(nodes.b, upTo(5).map(() => 10_000 + expected.b++))
      if (turn === 10) await nodes.kill()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    await inbox.got(before + 50)
  }
  const numbers = datas(await inbox.got(expected.a + expected.b)) as number[]
  t.strictSame(numbers.filter(number => number < 10_000), upTo(expected.a))
  t.strictSame(numbers.filter(number => number >= 10_000), upTo(expected.b).map(number => 10_000 + number))
})
