import Fastify from 'fastify'
import t from 'tap'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'

const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }

t.test('after a restart every instance that was set is admitted, and resumes', async t => {
  const store = `lmdb:${t.testdir()}`
  const first = await startServer(t, { store })
  await first.fastify.wsEvents.set('acme', { enabled: true, events: ['call'] })
  const before = await resume(t, `${first.url}/acme`, '')
  before.socket.disconnect()
  const { id } = await first.fastify.wsEvents.emit('acme', 'call', 1)
  t.type(id, 'string', 'remembered without a client')
  await first.fastify.close()
  const second = await startServer(t, { store })
  await second.fastify.wsEvents.emit('acme', 'call', 2)
  const after = await resume(t, `${second.url}/acme`, before.ready.lastEventId)
  t.match(after.ready, { recovered: true })
  t.strictSame(datas(await after.inbox.got(2)), [1, 2])
  t.strictSame(await second.fastify.wsEvents.find('acme'), { instance: 'acme', enabled: true, events: ['CALL'] })
})

t.test('what the root has missed while the server ran in traditional mode is a gap, told to those who come back', async t => {
  for (const store of ['with events', 'without']) {
    const path = `lmdb:${t.testdir()}/${store.replace(' ', '-')}`
    const start = async (globalEvents: boolean): Promise<TestServer> => await startServer(t, { ...enabled, store: path, globalEvents })
    const first = await start(true)
    const before = await resume(t, first.url, '')
    let last = before.ready.lastEventId
    if (store === 'with events') {
      await first.fastify.wsEvents.emit('acme', 'call', 1)
      last = (await before.inbox.got(1))[0]?.id ?? ''
    }
    await first.fastify.close()
    const second = await start(false)
    await second.fastify.wsEvents.emit('acme', 'call', 2)
    await second.fastify.close()
    const third = await start(true)
    const after = await resume(t, third.url, last)
    t.match(after.ready, { recovered: false }, store)
    await third.fastify.wsEvents.emit('acme', 'call', 3)
    t.strictSame(datas(await after.inbox.got(1)), [3])
    t.match((await resume(t, third.url, after.ready.lastEventId)).ready, { recovered: true }, 'and from there on it is whole')
    await third.fastify.close()
  }
})

t.test('a registration that fails, and a server that never listens, let go of the store', async t => {
  const store = `lmdb:${t.testdir()}`
  const { fastify } = await startServer(t, { store })
  await t.rejects(startServer(t, { store }), { code: 'FST_ERR_WS_EVENTS_STORE_OPEN', message: /has it: two cannot share it/ })
  await fastify.close()
  const configs = { get: () => null, set: () => {}, delete: () => false, list: () => { throw new Error('the database is away') } }
  const half = Fastify()
  await t.rejects(async () => { await half.register(wsEvents, { env: false, store, configs }) }, { code: 'FST_ERR_WS_EVENTS_STORE_OPEN', message: /of the option configs cannot be opened: the database is away/ })
  const again = await startServer(t, { store })
  await again.fastify.wsEvents.set('acme', { enabled: true })
})

t.test('nobody inherits the past of a name that was removed, also when the server closes in that moment', async t => {
  const store = `lmdb:${t.testdir()}`
  const first = await startServer(t, { store })
  await first.fastify.wsEvents.set('acme', { enabled: true })
  const before = await resume(t, `${first.url}/acme`, '')
  await Promise.all(Array.from({ length: 2000 }, async (empty, at) => await first.fastify.wsEvents.emit('acme', 'call', { at, secret: 'x'.repeat(200) })))
  const [removed] = await Promise.allSettled([first.fastify.wsEvents.remove('acme'), first.fastify.close()])
  const second = await startServer(t, { store })
  t.equal(await second.fastify.wsEvents.find('acme') === null, removed.status === 'fulfilled', 'it is removed, or it says that it is not')
  await second.fastify.wsEvents.remove('acme')
  await second.fastify.wsEvents.set('acme', { enabled: true })
  const after = await resume(t, `${second.url}/acme`, before.ready.lastEventId)
  t.match(after.ready, { recovered: false })
  await second.fastify.wsEvents.emit('acme', 'call', 'new')
  t.strictSame(datas(await after.inbox.got(1)), ['new'])
})
