import { mock } from 'node:test'
import t from 'tap'
import { InstanceNames } from '../../lib/limits/instance-names.js'
import { connect, listen, refused } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { enabled, reached, UNLIMITED } from './setup.js'

// Names of instances: what is kept for one outlives its clients.

const LIMIT = { code: 'FST_ERR_WS_EVENTS_LIMIT_REACHED' }

t.test('over limits.instances no further name is set, emitted for or joined, and those that are there go on', async t => {
  const server = await startServer(t, { ...enabled, store: `lmdb:${t.testdir()}`, limits: { ...UNLIMITED, instances: 3 } })
  const { wsEvents } = server.fastify
  for (const name of ['a', 'b', 'c']) await wsEvents.set(name, { enabled: true })
  const { inbox } = await listen(t, `${server.url}/b`)
  await t.rejects(wsEvents.set('d', { enabled: true }), LIMIT)
  await t.rejects(wsEvents.emit('d', 'call', 1), LIMIT)
  const response = await fetch(`${server.url}/instance/d/websocket`, { method: 'PUT', body: '{"enabled":true}', headers: { 'content-type': 'application/json' } })
  t.equal(response.status, 429)
  const page = await fetch(`${server.url}/instance/d/events?limit=1`)
  t.equal(page.status, 429)
  const socket = connect(t, `${server.url}/d`, { reconnection: false })
  const isCutOff = new Promise<true>(resolve => { socket.io.once('close', () => { resolve(true) }) })
  t.equal(await Promise.race([isCutOff, refused(socket)]), true, 'a passing fault')
  t.ok((reached(server).instances ?? 0) >= 4)
  for (const name of ['a', 'b', 'c']) await wsEvents.emit(name, 'call', name)
  t.equal((await inbox.got(1))[0]?.data, 'b')
  await wsEvents.set('a', { enabled: false })
})

t.test('names that have no config and a past count', async t => {
  const { fastify: { wsEvents } } = await startServer(t, { ...enabled, store: `lmdb:${t.testdir()}`, limits: { ...UNLIMITED, instances: 3 } })
  for (const name of ['a', 'b', 'c']) await wsEvents.emit(name, 'call', 1)
  await t.rejects(wsEvents.emit('d', 'call', 1), LIMIT)
  await wsEvents.emit('a', 'call', 1)
})

t.test('a name without a config and a history no longer counts towards the limit', async t => {
  let clock = performance.now()
  const { mock: stopped } = mock.method(performance, 'now', () => clock)
  t.teardown(() => { stopped.restore() })
  let streams = 3
  const names = new InstanceNames(3, { names: () => ['a'] }, { stats: () => ({ streams, records: 0, bytes: 0 }) })
  for (const name of ['a', 'b', 'c']) names.use(name)
  t.throws(() => { names.use('d') }, LIMIT)
  streams = 1
  t.throws(() => { names.use('d') }, LIMIT, 'it was just looked')
  clock += 1000
  for (const name of ['d', 'a', 'b']) names.use(name)
  t.throws(() => { names.use('e') }, LIMIT)
})

t.test('0 is no limit, and configs of a store count from its start', async t => {
  const unlimited = await startServer(t, { ...enabled, limits: UNLIMITED })
  for (let at = 0; at < 100; at++) await unlimited.fastify.wsEvents.set(`instance-${at}`, { enabled: true })
  const stored = new Map(['a', 'b'].map(name => [name, { enabled: true, events: null }]))
  const { fastify: { wsEvents } } = await startServer(t, {
    configs: {
      get: name => stored.get(name),
      set: (name, config) => stored.set(name, { enabled: config.enabled, events: null }),
      delete: name => stored.delete(name),
      list: () => stored
    },
    limits: { ...UNLIMITED, instances: 2 }
  })
  await wsEvents.set('a', { enabled: false })
  await wsEvents.set('b', { enabled: false })
  await t.rejects(wsEvents.set('c', { enabled: true }), LIMIT)
  await wsEvents.set('a', { enabled: true })
})
