import t from 'tap'
import type { Message, Ready } from '../../lib/index.js'
import { read } from '../client/setup.js'
import { disconnected, listen, transports } from '../helpers/client.js'
import { startNodes } from '../helpers/cluster.js'
import { eventually } from '../helpers/latch.js'
import { datas, Follower, resume } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { storeWith } from '../helpers/stores.js'
import type { GapListener } from '../../lib/log/event-log.js'

const enabled = { defaultConfig: { enabled: true } }

for (const transport of transports) {
  t.test(`over ${transport}, a client that keeps ids is told of a gap between what came before it and what comes after`, async t => {
    const { shared, nodes: [a, b] } = await startNodes(t, 2, { ...enabled, globalEvents: true })
    for (const path of ['/acme', '']) {
      const { socket, inbox, heard, ready: first } = await resume(t, `${b.url}${path}`, '', { transports: [transport] })
      const plain = await listen(t, `${b.url}${path}`, { transports: [transport] })
      const plainHeard: string[] = []
      plain.socket.onAny((event: string) => { plainHeard.push(event) })
      await a.wsEvents.emit('acme', 'call', 1)
      const gap = new Promise<Ready>(resolve => { socket.once('ws.ready', resolve) })
      const counted = b.wsEvents.stats().delivery.resumed.gap
      shared.gap()
      await a.wsEvents.emit('acme', 'call', 2)
      const ready = await gap
      t.match(ready, { instance: path === '' ? null : 'acme', mode: 'global', enabled: true, recovered: false })
      await inbox.got(2)
      t.strictSame(heard, ['ws.ready', 'call', 'ws.ready', 'call'])
      t.strictSame(datas(inbox.messages), [1, 2])
      const ids = [first.lastEventId, ...inbox.messages.map(({ id }) => id)]
      t.ok((ids[2] ?? '') < (ids[1] ?? ''), 'the ids of the new life are less')
      t.ok(ready.lastEventId < (ids[2] ?? ''))
      await plain.inbox.got(2)
      t.strictSame(plainHeard, ['call', 'call'], 'who keeps no ids is told nothing')
      t.equal(b.wsEvents.stats().delivery.resumed.gap - counted, 1)
      socket.disconnect()
      plain.socket.disconnect()
    }
  })
}

t.test('what was told in the same turn before a gap arrives before it, and what is told after it afterwards', async t => {
  let onGap: GapListener = () => {}
  const store = storeWith(log => ({
    watch: (stream, listener, gap) => {
      if (gap !== undefined) onGap = gap
      return log.watch(stream, listener)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const { socket, inbox } = await resume(t, `${url}/acme`, '')
  const heard: unknown[] = []
  socket.onAny((event: string, { data, lastEventId }: Message & Ready) => { heard.push(event === 'ws.ready' ? lastEventId : data) })
  void fastify.wsEvents.emit('acme', 'call', 1)
  onGap('first')
  onGap('second')
  void fastify.wsEvents.emit('acme', 'call', 2)
  await inbox.got(2)
  t.strictSame(heard, [1, 'first', 'second', 2])
})

t.test('with thousands of clients, none gets newer events before its gap notice, and the event loop is not blocked', async t => {
  const CLIENTS = 1300
  let onGap: GapListener = () => {}
  const store = storeWith(log => ({
    watch: (stream, listener, gap) => {
      if (gap !== undefined && stream === 'acme') onGap = gap
      return log.watch(stream, listener)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store, limits: { namespacesPerConnection: 0 } })
  const heard: unknown[][] = []
  for (let at = 0; at < CLIENTS; at += 100) {
    await Promise.all(Array.from({ length: 100 }, async () => {
      const { socket } = await resume(t, `${url}/acme`, '')
      const own: unknown[] = []
      heard.push(own)
      socket.onAny((event: string, { data }: Message) => { own.push(event === 'ws.ready' ? 'gap' : data) })
    }))
  }
  const told = () => fastify.wsEvents.stats().delivery.resumed.gap
  onGap('head')
  const first = told()
  void fastify.wsEvents.emit('acme', 'call', 1)
  const slices = [first]
  while (told() < CLIENTS) {
    await new Promise(resolve => { setImmediate(resolve) })
    if (told() !== slices.at(-1)) slices.push(told())
  }
  t.strictSame(slices, [500, 1000, 1300])
  await eventually(() => heard.every(own => own.length === 2))
  t.strictSame(new Set(heard.map(own => own.join())), new Set(['gap,1']))

  // Whoever changes who gets what wants it over at once.
  onGap('other')
  void fastify.wsEvents.emit('acme', 'call', 2)
  t.equal(told(), CLIENTS + 500)
  void fastify.wsEvents.disconnect({ instance: 'nobody' })
  t.equal(told(), CLIENTS * 2)
  const newcomer = await resume(t, `${url}/acme`, '')
  await fastify.wsEvents.emit('acme', 'call', 3)
  await eventually(() => heard.every(own => own.length === 5))
  t.strictSame(new Set(heard.map(own => own.join())), new Set(['gap,1,gap,2,3']))
  t.strictSame(datas(await newcomer.inbox.got(1)), [3])
})

t.test('a client whose history is lost during the replay is disconnected, reconnects, and gets the gap', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const first = await resume(t, `${a.url}/acme`, '')
  const big = 'x'.repeat(10_000)
  for (let n = 0; n < 200; n++) void a.wsEvents.emit('acme', 'call', { n, big })
  await first.inbox.got(200)
  const follower = new Follower(t, `${a.url}/acme`, first.ready.lastEventId)
  const ended = disconnected(follower.socket)
  follower.socket.once('call', () => {
    shared.gap()
    void a.wsEvents.emit('acme', 'call', 'after')
  })
  t.match(await ended, /transport/)
  t.match(await follower.nextReady(2), [{ recovered: false }])
  const brought = follower.inbox.messages.filter(({ data }) => data !== 'after').map(({ data }) => (data as { n: number }).n)
  t.strictSame(brought, Array.from(brought, (_, n) => n), 'what had come was whole')
  t.ok(brought.length < 200)
})

t.test('a session does not go live on a page that was read before a gap', async t => {
  let onGap: GapListener = () => {}
  let before = async (): Promise<void> => {}
  const store = storeWith(log => ({
    read: async (stream, after, maxBytes) => {
      const page = log.read(stream, after, maxBytes)
      await before()
      return await page
    },
    watch: (stream, listener, gap) => {
      if (gap !== undefined) onGap = gap
      return log.watch(stream, listener)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const first = await resume(t, `${url}/acme`, '')
  for (let n = 0; n < 5; n++) void fastify.wsEvents.emit('acme', 'call', n)
  await first.inbox.got(5)
  before = async () => {
    before = async () => {}
    onGap(first.ready.lastEventId)
  }
  const { ready, heard } = await resume(t, `${url}/acme`, first.ready.lastEventId)
  t.equal(ready.recovered, false)
  t.strictSame(heard, ['ws.ready'], 'and nothing of the past')
})

t.test('a session does not go live on a page read before a gap, even if its ids are greater than later ones', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const first = await resume(t, `${a.url}/acme`, '')
  for (let n = 0; n < 20; n++) void a.wsEvents.emit('acme', 'call', { n, big: 'x'.repeat(10_000) })
  const newest = (await first.inbox.got(20)).at(-1)?.id
  const old = shared.log
  const read = old.read.bind(old)
  old.read = (stream, after, maxBytes) => {
    const page = read(stream, after, maxBytes)
    if (page !== 'gap' && page.at(-1)?.id === newest && shared.log === old) {
      shared.gap()
      shared.log.append(['acme'], { instance: 'acme', event: 'call', rest: Buffer.from(',"event":"call","instance":"acme","data":"after"}'), attachments: [] })
    }
    return page
  }
  const follower = new Follower(t, `${a.url}/acme`, first.ready.lastEventId)
  t.match(await follower.nextReady(2), [{ recovered: false }])
  t.match(follower.readies[0], { recovered: true }, 'it was in the middle')
})

t.test('a page cached before a gap is not replayed', async t => {
  let onGap: GapListener = () => {}
  let isWiped = false
  const store = storeWith(log => ({
    read: (stream, after, maxBytes) => isWiped ? [] : log.read(stream, after, maxBytes),
    watch: (stream, listener, gap) => {
      if (gap !== undefined) onGap = gap
      return log.watch(stream, listener)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const first = await resume(t, `${url}/acme`, '')
  await fastify.wsEvents.emit('acme', 'call', 'lost')
  const { inbox } = await resume(t, `${url}/acme`, first.ready.lastEventId)
  t.strictSame(datas(await inbox.got(1)), ['lost'])
  isWiped = true
  onGap(first.ready.lastEventId)
  const after = await resume(t, `${url}/acme`, first.ready.lastEventId)
  await fastify.wsEvents.emit('acme', 'call', 'new')
  t.strictSame(datas(await after.inbox.got(1)), ['new'])
})

t.test('who resumes after a gap, from an id that is less than those before it, is in at once', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const first = await resume(t, `${a.url}/acme`, '')
  await a.wsEvents.emit('acme', 'call', 1)
  await first.inbox.got(1)
  const gap = new Promise<Ready>(resolve => { first.socket.once('ws.ready', resolve) })
  shared.gap()
  const { ready, inbox } = await resume(t, `${a.url}/acme`, (await gap).lastEventId)
  t.equal(ready.recovered, true)
  await a.wsEvents.emit('acme', 'call', 2)
  t.strictSame(datas(await inbox.got(1)), [2])
  t.equal(a.wsEvents.stats().delivery.replayed, 0, 'live, and not by a replay that had found no end')
})

t.test('the client of this package takes a gap at any time, and goes on', async t => {
  const { shared, nodes: [a] } = await startNodes(t, 1, enabled)
  const reader = read(t, `${a.url}/acme`)
  await new Promise(resolve => { reader.events.socket.once('ws.ready', resolve) })
  await a.wsEvents.emit('acme', 'call', 1)
  await reader.got(1)
  shared.gap()
  await a.wsEvents.emit('acme', 'call', 2)
  await reader.got(2)
  reader.events.socket.io.engine.close()
  await a.wsEvents.emit('acme', 'call', 3)
  await reader.got(3)
  t.strictSame(reader.heard, [1, 'gap', 2, 3])
  t.strictSame(reader.errors, [])
})
