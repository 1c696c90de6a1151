import t, { type Test } from 'tap'
import { disconnected, listen } from '../helpers/client.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { newPrefix, startNodes, storeAt } from '../nodes/helpers/nodes.js'
import { RedisProxy } from '../nodes/helpers/redis-proxy.js'

const test = (name: string, run: (t: Test) => Promise<void>): unknown => t.test(name, { skip: withoutRedis }, run)

test('services on two databases of one Redis have nothing to do with each other', async t => {
  const redis = await startRedis(t)
  const [a, b] = await Promise.all([0, 1].map(async database => await startServer(t, { store: `${redis.url}/${database}`, defaultConfig: { enabled: true } })))
  if (a === undefined || b === undefined) throw new Error('two were started')
  const [here, there] = await Promise.all([a, b].map(async ({ url }) => await resume(t, `${url}/acme`, '')))
  for (let n = 0; n < 5; n++) await a.fastify.wsEvents.emit('acme', 'call', `of the first ${n}`)
  await a.fastify.wsEvents.disconnect({ instance: 'other' })
  await b.fastify.wsEvents.emit('acme', 'call', 'of the second')
  t.strictSame(datas(await there?.inbox.got(1) ?? []), ['of the second'])
  t.equal(datas(await here?.inbox.got(5) ?? []).length, 5)
  t.strictSame(datas(there?.inbox.messages ?? []), ['of the second'])
  t.notOk(there?.socket.disconnected)
})

test('removing an instance that was never set ends its clients on every node', async t => {
  const { a, b } = await startNodes(t)
  const clients = await Promise.all([a, b].map(async ({ url }) => await listen(t, `${url}/acme`)))
  const ended = clients.map(async ({ socket }) => await disconnected(socket))
  t.equal(await a.fastify.wsEvents.remove('acme'), false)
  t.strictSame(await Promise.all(ended), ['io server disconnect', 'io server disconnect'])
})

test('what another node emits while an instance is removed is not the past of the next one of its name', async t => {
  const { a, b } = await startNodes(t, { defaultConfig: undefined })
  await a.fastify.wsEvents.set('acme', { enabled: true })
  await b.fastify.wsEvents.set('other', { enabled: true })
  const { inbox } = await listen(t, `${b.url}/other`)
  const removed = new AbortController()
  const emitting = (async () => {
    for (let n = 0; !removed.signal.aborted; n++) {
      await b.fastify.wsEvents.emit('acme', 'call', `of the old one ${n}`)
      await b.fastify.wsEvents.emit('other', 'call', n)
    }
  })()
  await inbox.got(20)
  await a.fastify.wsEvents.remove('acme')
  removed.abort()
  await emitting
  await a.fastify.wsEvents.set('acme', { enabled: true })
  for (const { id } of inbox.messages.slice(-10)) {
    const { socket, inbox: past } = await resume(t, `${a.url}/acme`, id)
    await a.fastify.wsEvents.emit('acme', 'call', 'of the new one')
    t.match(datas(await past.got(1))[0], 'of the new one')
    socket.disconnect()
  }
})

test('clients of a removed instance get nothing of the next one of its name, also on a node that is busy just then', async t => {
  const { a, b } = await startNodes(t, { defaultConfig: undefined })
  await a.fastify.wsEvents.set('acme', { enabled: true })
  await b.fastify.wsEvents.set('other', { enabled: true })
  const { socket, inbox } = await listen(t, `${b.url}/acme`)
  const ended = disconnected(socket)
  await a.fastify.wsEvents.remove('acme')
  await a.fastify.wsEvents.set('acme', { enabled: true })
  for (let n = 0; n < 20; n++) void a.fastify.wsEvents.emit('acme', 'call', 'of the new one')
  // In one process: what Redis says of all that comes together now.
  const until = performance.now() + 100
  while (performance.now() < until);
  t.equal(await ended, 'io server disconnect')
  t.strictSame(datas(inbox.messages), [])
})

test('a node that was cut off while an instance was removed and set again lets its clients go', async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const proxy = await RedisProxy.start(t, redis)
  const a = await startServer(t, { store: storeAt(redis.url, prefix) })
  const b = await startServer(t, { store: storeAt(proxy.url, prefix) })
  await b.fastify.wsEvents.set('acme', { enabled: true })
  const { socket, inbox } = await listen(t, `${b.url}/acme`)
  const ended = disconnected(socket)
  proxy.cut()
  await a.fastify.wsEvents.remove('acme')
  await a.fastify.wsEvents.set('acme', { enabled: true })
  proxy.open()
  t.equal(await ended, 'io server disconnect')
  t.strictSame(datas(inbox.messages), [])
})

test('connections that die without a word are given up, and nothing is lost by it', async t => {
  const redis = await startRedis(t)
  const prefix = newPrefix()
  const proxy = await RedisProxy.start(t, redis)
  const options = { defaultConfig: { enabled: true } }
  const a = await startServer(t, { store: storeAt(redis.url, prefix), ...options })
  const b = await startServer(t, { store: storeAt(proxy.url, prefix), ...options })
  const [{ inbox }, { inbox: far }, { socket }] = await Promise.all([listen(t, `${b.url}/acme`), listen(t, `${a.url}/acme`), listen(t, `${b.url}/left`)])
  // What is left is unsubscribed from in the midst of it.
  socket.disconnect()
  proxy.freeze()
  const emits = [a, b].map(async ({ fastify }, at) => await fastify.wsEvents.emit('acme', 'call', at))
  await Promise.all(emits)
  t.strictSame(datas(await inbox.got(2)), [0, 1])
  t.strictSame(datas(await far.got(2)), [0, 1])
})
