import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { CodedError } from '../../lib/index.js'
import { connect, Inbox, listen } from '../helpers/client.js'
import { recordLog } from '../helpers/log.js'
import { outcomeOf } from '../helpers/outcome.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { newPrefix, startNodes, storeAt } from './helpers/nodes.js'

t.test('a node that starts while Redis is away says so, sends clients away for now, and serves them when it comes', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  const store = storeAt(redis.url, newPrefix())
  const first = await startServer(t, { store })
  await first.fastify.wsEvents.set('acme', { enabled: true })
  await first.fastify.close()
  await redis.kill()

  const { lines, fastify: log } = recordLog()
  const { fastify, url } = await startServer(t, { store }, { fastify: log })
  t.ok(lines.some(({ level, msg }) => level >= 40 && /redis/i.test(msg)), `it says so: ${lines.map(({ msg }) => msg).join(' | ')}`)
  t.match(fastify.wsEvents.stats().store, { available: false })
  await t.rejects(fastify.wsEvents.set('other', { enabled: true }), { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE' })
  const answer = await fetch(`${url}/instance/acme/websocket`)
  t.equal(answer.status, 503)
  const socket = connect(t, `${url}/acme`)
  const inbox = new Inbox(socket)
  const outcome = await outcomeOf(socket)
  t.match(outcome, { word: 'comes back', comesBack: true })
  const isIn = new Promise<void>(resolve => { socket.once('connect', resolve) })
  await redis.start()
  await isIn
  await answered(async () => fastify.wsEvents.stats().store?.available === true)
  await fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame(datas(await inbox.got(1)), [1])
})

t.test('what is emitted while a node starts without Redis goes out when it comes', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  const store = storeAt(redis.url, newPrefix())
  const other = await startServer(t, { store, defaultConfig: { enabled: true } })
  const { inbox } = await listen(t, `${other.url}/acme`)
  await redis.kill()
  const late = await startServer(t, { store, defaultConfig: { enabled: true } })
  const emitted = Promise.all([0, 1, 2].map(async number => await late.fastify.wsEvents.emit('acme', 'call', number)))
  await redis.start()
  await emitted
  t.strictSame(datas(await inbox.got(3)), [0, 1, 2])
})

t.test('close drains: what was emitted and not awaited is published first', { skip: withoutRedis }, async t => {
  const { a, b } = await startNodes(t)
  const { inbox } = await listen(t, `${b.url}/acme`)
  const numbers = Array.from({ length: 3000 }, (empty, at) => at)
  for (const number of numbers) void a.fastify.wsEvents.emit('acme', 'call', number)
  await a.fastify.close()
  t.strictSame(datas(await inbox.got(numbers.length)), numbers)
})

t.test('close drains when Redis is slow just then', { skip: withoutRedis }, async t => {
  const { a, b, redis } = await startNodes(t)
  const { inbox } = await listen(t, `${b.url}/acme`)
  redis.pause()
  const numbers = Array.from({ length: 100 }, (empty, at) => at)
  for (const number of numbers) void a.fastify.wsEvents.emit('acme', 'call', number)
  const closed = a.fastify.close()
  await sleep(500)
  redis.resume()
  await closed
  t.strictSame(datas(await inbox.got(numbers.length)), numbers)
})

t.test('close does not wait for ever for a Redis that is away: what could not be published is rejected', { skip: withoutRedis }, async t => {
  const { a, redis } = await startNodes(t)
  await redis.kill()
  const emitted = [0, 1].map(async number => await a.fastify.wsEvents.emit('acme', 'call', number))
  const outcomes = Promise.allSettled(emitted)
  const began = performance.now()
  await a.fastify.close()
  const took = performance.now() - began
  t.comment(`it took ${Math.round(took)} ms`)
  t.ok(took < 30_000)
  for (const outcome of await outcomes) {
    t.equal(outcome.status, 'rejected')
    t.match((outcome as PromiseRejectedResult).reason as CodedError, { code: /STORE_UNAVAILABLE|CLOSED/ })
  }
})
