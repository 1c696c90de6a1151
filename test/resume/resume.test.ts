import t from 'tap'
import type { Message, Position } from '../../lib/index.js'
import { admitted, connect, Inbox, transports } from '../helpers/client.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'

const enabled = { defaultConfig: { enabled: true } }

for (const transport of transports) {
  t.test(`over ${transport}, a client that comes back gets what it missed, in order, and then what is live`, async t => {
    const { fastify, url } = await startServer(t, enabled)
    const first = await resume(t, `${url}/acme`, '', { transports: [transport] })
    t.match(first.ready, { instance: 'acme', mode: 'traditional', enabled: true, recovered: null })
    void fastify.wsEvents.emit('acme', 'call', 0)
    const [seen] = await first.inbox.got(1)
    first.socket.disconnect()
    for (let at = 1; at <= 3000; at++) void fastify.wsEvents.emit('acme', 'call', at)
    const second = await resume(t, `${url}/acme`, seen?.id, { transports: [transport] })
    t.strictSame(second.ready, { instance: 'acme', mode: 'traditional', enabled: true, recovered: true, lastEventId: seen?.id })
    for (let at = 3001; at <= 3100; at++) void fastify.wsEvents.emit('acme', 'call', at)
    t.strictSame(datas(await second.inbox.got(3100)), Array.from({ length: 3100 }, (empty, at) => at + 1))
    t.equal(second.heard[0], 'ws.ready')
    const { replayed, resumed } = fastify.wsEvents.stats().delivery
    t.ok(replayed >= 3000, 'and some that were emitted meanwhile')
    t.strictSame(resumed, { recovered: 1, gap: 0, fresh: 1 })
  })
}

t.test('a client that had received nothing loses nothing', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const first = await resume(t, `${url}/acme`, '')
  first.socket.disconnect()
  void fastify.wsEvents.emit('acme', 'call', 1)
  const second = await resume(t, `${url}/acme`, first.ready.lastEventId)
  t.equal(second.ready.recovered, true)
  t.strictSame(datas(await second.inbox.got(1)), [1])
})

for (const [store, retention] of [['memory:', {}], ['lmdb:', { maxBytes: 8 * 1024 * 1024 }]] as const) {
  t.test(`${store} an event of 12 MB, more than its stream may have, is resumed, and so is a small one after it`, async t => {
    const { fastify, url } = await startServer(t, { ...enabled, globalEvents: true, store: store === 'lmdb:' ? `lmdb:${t.testdir()}` : store, retention })
    const large = 'x'.repeat(12_000_000)
    const before = new Map<string, string>()
    for (const path of ['/acme', '/']) {
      const { socket, ready } = await resume(t, url + path, '')
      before.set(path, ready.lastEventId)
      socket.disconnect()
    }
    const { id } = await fastify.wsEvents.emit('acme', 'call', large)
    for (const [path, lastEventId] of before) {
      const { ready, inbox, socket } = await resume(t, url + path, lastEventId)
      t.match(ready, { recovered: true })
      const [message] = await inbox.got(1)
      t.equal(message?.id, id)
      t.ok(message?.data === large, `${path}: all of it`)
      socket.disconnect()
    }
    await fastify.wsEvents.emit('acme', 'call', 'small')
    for (const path of before.keys()) {
      const { ready, inbox } = await resume(t, url + path, id)
      t.match(ready, { recovered: true })
      t.strictSame(datas(await inbox.got(1)), ['small'])
    }
  })
}

t.test('a gap is told, and nothing is replayed', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxEvents: 2 } })
  const first = await resume(t, `${url}/acme`, '')
  for (let at = 0; at < 5; at++) void fastify.wsEvents.emit('acme', 'call', at)
  const seen = await first.inbox.got(5)
  for (const lastEventId of [seen[0]?.id, first.ready.lastEventId, 'rubbish', 7, {}, 'z'.repeat(19), 'x'.repeat(50_000)]) {
    const { ready, inbox, socket } = await resume(t, `${url}/acme`, lastEventId)
    t.match(ready, { recovered: false, lastEventId: seen.at(-1)?.id })
    void fastify.wsEvents.emit('acme', 'call', 'live')
    t.strictSame(datas(await inbox.got(1)), ['live'])
    seen.push(inbox.messages[0] as Message)
    socket.disconnect()
  }
})

t.test('who has had nothing for a while is told where it stands', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxAge: 40 } })
  const narrow = await resume(t, `${url}/acme`, '', { auth: { events: ['call'] } })
  const told = new Promise<Position>(resolve => { narrow.socket.on('ws.position', (position: Position) => { if (position.lastEventId !== narrow.ready.lastEventId) resolve(position) }) })
  const { id } = await fastify.wsEvents.emit('acme', 'chats.set', 1)
  t.strictSame(await told, { lastEventId: id })
  t.strictSame(narrow.inbox.messages, [])
})

t.test('in global mode the root resumes what all instances had, and an id of the root is good for an instance', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, globalEvents: true })
  const root = await resume(t, url, '')
  const acme = await resume(t, `${url}/acme`, '')
  for (const instance of ['acme', 'other', 'acme', 'other']) void fastify.wsEvents.emit(instance, 'call', instance)
  const seen = await root.inbox.got(4)
  await acme.inbox.got(2)
  t.match(await resume(t, url, seen[0]?.id), { ready: { instance: null, mode: 'global', enabled: true, recovered: true } })
  const { inbox } = await resume(t, `${url}/acme`, seen[1]?.id)
  t.strictSame((await inbox.got(1)).map(({ id }) => id), [seen[2]?.id])
})

t.test('who gives no id is told nothing of all this', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxAge: 8 } })
  const socket = connect(t, `${url}/acme`)
  const heard: string[] = []
  socket.onAny((event: string) => { heard.push(event) })
  await admitted(socket)
  const other = await resume(t, `${url}/acme`, '')
  await new Promise(resolve => { other.socket.once('ws.position', resolve) })
  void fastify.wsEvents.emit('acme', 'call', 1)
  await other.inbox.got(1)
  await new Inbox(socket).got(0)
  t.strictSame(heard.filter(event => event.startsWith('ws.')), [])
})
