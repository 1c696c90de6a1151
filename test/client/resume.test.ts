import t from 'tap'
import '../../lib/gateway/io.js'
import { connect } from '../../lib/client/index.js'
import { disconnected, Inbox, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { enabled, messageOf, nextReady, read, readyOf, Shelf, startAt, startFake } from './setup.js'

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

for (const transport of transports) {
  for (const side of ['client', 'server']) {
    t.test(`over ${transport}, what was missed while the ${side} had dropped the connection comes in order, each once, and then what is live`, async t => {
      const { fastify, url } = await startServer(t, enabled)
      const reader = read(t, `${url}/acme`, { transports: [transport] })
      const emit = (from: number, to: number) => { for (const number of numbers(from, to)) void fastify.wsEvents.emit('acme', 'call', number) }
      await nextReady(reader)
      emit(1, 3)
      await reader.got(3)
      for (let round = 0; round < 5; round++) {
        const left = disconnected(reader.events.socket)
        if (side === 'client') reader.events.socket.io.engine.close()
        else for (const { conn } of fastify.io.of('/acme').sockets.values()) conn.close()
        await left
        const from = reader.messages.length + 1
        emit(from, from + 199)
        const ready = await nextReady(reader)
        t.equal(ready.recovered, true)
        emit(from + 200, from + 249)
        t.strictSame(await reader.got(from + 249), numbers(1, from + 249))
      }
      t.equal(reader.events.lastEventId, reader.messages.at(-1)?.id)
      t.strictSame(reader.heard, numbers(1, 1253), 'and there was no gap')
    })
  }

  t.test(`over ${transport}, a server that has forgotten is a gap, told before what is live`, async t => {
    const before = await startServer(t, enabled)
    const reader = read(t, `${before.url}/acme`, { transports: [transport] })
    await nextReady(reader)
    void before.fastify.wsEvents.emit('acme', 'call', 'before')
    await reader.got(1)
    const left = disconnected(reader.events.socket)
    await before.fastify.close()
    await left
    const { fastify } = await startAt(t, before.port)
    const back = nextReady(reader)
    t.equal((await back).recovered, false)
    void fastify.wsEvents.emit('acme', 'call', 'after')
    await reader.got(2)
    t.strictSame(reader.heard, ['before', 'gap', 'after'])
    reader.events.socket.io.engine.close()
    t.equal((await nextReady(reader)).recovered, true, 'and from there it resumes')
  })
}

t.test('a page that is loaded anew goes on where it was', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, apikey: 'secret' })
  const storage = new Shelf()
  const first = read(t, `${url}/acme?apikey=secret`, { storage })
  await nextReady(first)
  for (const number of [1, 2, 3]) void fastify.wsEvents.emit('acme', 'call', number)
  await first.got(3)
  first.events.close()
  t.strictSame([...storage.kept], [[`fastify-ws-events:${url}/acme`, first.messages[2]?.id]], 'by its URL, and not by its key')
  for (const number of [4, 5]) void fastify.wsEvents.emit('acme', 'call', number)
  const second = read(t, `${url}/acme`, { storage, apikey: 'secret' })
  t.strictSame(await second.got(2), [4, 5])
  t.strictSame(second.heard, [4, 5])
})

t.test('a page that has had nothing yet goes on from where it came in', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const storage = new Shelf()
  const first = read(t, `${url}/acme`, { storage, storageKey: 'mine' })
  const { lastEventId, recovered } = await nextReady(first)
  t.equal(recovered, null)
  await eventually(() => storage.kept.get('mine') === lastEventId)
  first.events.close()
  void fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame(await read(t, `${url}/acme`, { storage, storageKey: 'mine' }).got(1), [1])
})

t.test('a filter holds at each connect, and who hears nothing goes along', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, globalEvents: true, retention: { maxEvents: 1000 } })
  const storage = new Shelf()
  const reader = read(t, url, { events: ['call'], instances: ['acme'], storage })
  const { lastEventId } = await nextReady(reader)
  await eventually(() => {
    void fastify.wsEvents.emit('acme', 'chats.set', 'of another event')
    return reader.events.lastEventId !== lastEventId
  })
  await eventually(() => [...storage.kept.values()].includes(reader.events.lastEventId))
  reader.events.socket.io.engine.close()
  void fastify.wsEvents.emit('acme', 'chats.set', 'of another event')
  void fastify.wsEvents.emit('other', 'call', 'of another instance')
  void fastify.wsEvents.emit('acme', 'call', 'missed')
  await reader.got(1)
  t.strictSame(reader.heard, ['missed'])
})

t.test('what comes while the application loads its state waits, also over a drop, and comes once', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const storage = new Shelf()
  storage.setItem('mine', 'of a server that is gone')
  const loaded = latch()
  const reader = read(t, `${url}/acme`, { storage, storageKey: 'mine', onGap: async () => { await loaded.opened } })
  const inbox = new Inbox(reader.events.socket)
  const gap = await nextReady(reader)
  t.equal(gap.recovered, false)
  t.equal(reader.events.lastEventId, gap.lastEventId)
  for (const number of [1, 2]) void fastify.wsEvents.emit('acme', 'call', number)
  await inbox.got(2)
  reader.events.socket.io.engine.close()
  t.match(await nextReady(reader), { recovered: true, lastEventId: gap.lastEventId })
  void fastify.wsEvents.emit('acme', 'call', 3)
  await inbox.got(5)
  t.strictSame(reader.heard, [])
  t.equal(storage.getItem('mine'), 'of a server that is gone', 'who crashes now is told of the gap again')
  loaded.open()
  t.strictSame(await reader.got(3), [1, 2, 3])
  t.equal(storage.getItem('mine'), reader.messages[2]?.id)
})

t.test('of what comes while the application loads its state, no more is held than may be, and the rest is resumed', async t => {
  const COUNT = 10_050
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxEvents: 2 * COUNT } })
  const storage = new Shelf()
  storage.setItem('mine', 'of a server that is gone')
  const loaded = latch()
  const reader = read(t, `${url}/acme`, { storage, storageKey: 'mine', onGap: async () => { await loaded.opened } })
  const inbox = new Inbox(reader.events.socket)
  const gap = await nextReady(reader)
  for (const number of numbers(1, COUNT)) void fastify.wsEvents.emit('acme', 'call', number)
  await inbox.got(COUNT)
  t.strictSame(reader.heard, [])
  const again = nextReady(reader)
  loaded.open()
  t.match(await again, { recovered: true, lastEventId: gap.lastEventId })
  t.strictSame(await reader.got(COUNT), numbers(1, COUNT))
  t.strictSame(reader.errors, [])
})

t.test('of two gaps, what is live waits for the second', async t => {
  const { url } = await startFake(t, (socket, count) => {
    socket.emit('ws.ready', readyOf(false, count === 1 ? 'b0' : 'a0'))
    socket.emit('ws.position', { lastEventId: count === 1 ? 'b1' : 'a1' })
    socket.emit('call', messageOf(count === 1 ? 'b2' : 'a2'))
  })
  const loads = [latch(), latch()] as const
  let gaps = 0
  const reader = read(t, url, { onGap: async () => { await loads[gaps++]?.opened } })
  const inbox = new Inbox(reader.events.socket)
  await inbox.got(1)
  reader.events.socket.io.engine.close()
  await inbox.got(2)
  loads[0].open()
  await new Promise(resolve => { setImmediate(resolve) })
  t.strictSame(reader.heard, [])
  t.equal(reader.events.lastEventId, 'a0')
  loads[1].open()
  t.strictSame(await reader.got(1), ['a2'], 'and of the first nothing is left')
})

t.test('duplicates are dropped; ids of another life of the server may be less', async t => {
  const { url } = await startFake(t, (socket, count) => {
    socket.emit('ws.ready', readyOf(count === 1 ? null : false, count === 1 ? 'b0' : 'a0'))
    const ids = count === 1 ? ['b0', 'b1', 'b2', 'b2', 'b1', 'b3'] : ['a1', 'a1', 'a2']
    for (const id of ids) socket.emit('call', messageOf(id))
  })
  const reader = read(t, url)
  t.strictSame(await reader.got(3), ['b1', 'b2', 'b3'])
  reader.events.socket.io.engine.close()
  await reader.got(5)
  t.strictSame(reader.heard, ['b1', 'b2', 'b3', 'gap', 'a1', 'a2'])
  t.equal(reader.events.lastEventId, 'a2')
})

t.test('a position never goes back, and what the host sends by itself is none', async t => {
  const auths: unknown[] = []
  const { url } = await startFake(t, (socket, count) => {
    auths.push(socket.handshake.auth)
    socket.emit('ws.ready', readyOf(count === 1 ? null : true, 'b0'))
    socket.emit('ws.position', { lastEventId: 'b5' })
    socket.emit('ws.position', { lastEventId: 'b4' })
    socket.emit('call', messageOf('b5'))
    socket.emit('user', { id: 'z', event: 'user' })
    socket.emit('users', { ...messageOf('z'), event: 'user' })
    socket.emit('note', null)
    socket.emit('bare')
    socket.emit('call', messageOf(`b${5 + count}`))
  })
  const reader = read(t, url, { events: ['call'], apikey: 'key' })
  t.strictSame(await reader.got(1), ['b6'])
  reader.events.socket.io.engine.close()
  t.strictSame(await reader.got(2), ['b6', 'b7'])
  t.strictSame(auths, ['', 'b6'].map(lastEventId => ({ apikey: 'key', events: ['call'], lastEventId })))
})

t.test('an id counts when the handlers have run, also if one throws; that error is told as an uncaught one', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const reported: unknown[] = []
  Object.assign(globalThis, { reportError: (error: unknown) => { reported.push(error) } })
  t.teardown(() => { Reflect.deleteProperty(globalThis, 'reportError') })
  const storage = new Shelf()
  const during: Array<[string, string | null]> = []
  const error = new Error('of a handler')
  const gapError = new Error('of onGap')
  storage.setItem('mine', 'gone')
  const reader = read(t, `${url}/acme`, { storage, storageKey: 'mine', onGap: () => { throw gapError } })
  const takeOut = reader.events.on('call', () => { throw error })
  reader.events.on('call', ({ data }) => {
    during.push([String(data), storage.getItem('mine')])
    if (data === 2) takeOut()
  })
  reader.events.on('chats.set', ({ data }) => { during.push([String(data), 'of another event']) })
  const { lastEventId } = await nextReady(reader)
  for (const number of [1, 2, 3]) {
    void fastify.wsEvents.emit('acme', 'call', number)
    await reader.got(number)
  }
  t.strictSame(during, [['1', lastEventId], ['2', reader.messages[0]?.id], ['3', reader.messages[1]?.id]])
  t.strictSame(reported, [gapError, error, error])
  t.strictSame(reader.errors, [])
})

t.test('over a connection that is shared, each instance has its own client', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const first = read(t, `${url}/first`, { forceNew: false })
  await nextReady(first)
  const second = read(t, `${url}/second`, { forceNew: false })
  await nextReady(second)
  t.equal(first.events.socket.io, second.events.socket.io)
  void fastify.wsEvents.emit('first', 'call', 1)
  void fastify.wsEvents.emit('second', 'call', 2)
  t.strictSame(await first.got(1), [1])
  t.strictSame(await second.got(1), [2])
  first.events.close()
  void fastify.wsEvents.emit('first', 'call', 3)
  void fastify.wsEvents.emit('second', 'call', 4)
  t.strictSame(await second.got(2), [2, 4])
  t.strictSame(first.heard, [1])
})

t.test('what is closed while it loads, or in the middle of a message, calls no handler of the next', async t => {
  const { url } = await startFake(t, socket => {
    socket.emit('ws.ready', readyOf(false, 'a0'))
    for (const id of ['a1', 'a2', 'a3']) socket.emit('call', messageOf(id))
  })
  const loaded = latch()
  const loading = read(t, url, { onGap: async () => { await loaded.opened } })
  await new Inbox(loading.events.socket).got(3)
  loading.events.close()
  loaded.open()
  const inTheMiddle = read(t, url, { onGap: async () => { await loaded.opened } })
  inTheMiddle.events.on('call', ({ id }) => { if (id === 'a2') inTheMiddle.events.close() })
  t.strictSame(await inTheMiddle.got(2), ['a1', 'a2'])
  const after = read(t, url)
  await after.got(3)
  t.strictSame([loading.heard, inTheMiddle.heard], [[], ['a1', 'a2']])
  t.equal(inTheMiddle.events.lastEventId, 'a2')
  const inbox = new Inbox(inTheMiddle.events.socket)
  inTheMiddle.events.socket.connect()
  await inbox.got(3)
  t.strictSame(inTheMiddle.heard, ['a1', 'a2'], 'not even when its socket is used on')
})

t.test('without options it takes part from now on', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const events = connect(`${url}/acme`)
  t.teardown(() => { events.close() })
  t.equal(events.lastEventId, '')
  const calls = new Promise(resolve => { events.on('call', resolve) })
  await new Promise(resolve => { events.socket.once('ws.ready', resolve) })
  const { id } = await fastify.wsEvents.emit('acme', 'call', 1)
  t.match(await calls, { id, event: 'call', instance: 'acme', data: 1 })
  await eventually(() => events.lastEventId === id)
})

t.test('what had come when the connection was dropped, and was not handled yet, comes once', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const reader = read(t, `${url}/acme`)
  const inbox = new Inbox(reader.events.socket)
  await nextReady(reader)
  const takeOut = reader.events.on('call', () => {
    takeOut()
    reader.events.socket.io.engine.close()
  })
  const back = nextReady(reader)
  for (const number of numbers(1, 20)) void fastify.wsEvents.emit('acme', 'call', number)
  t.equal((await back).recovered, true)
  void fastify.wsEvents.emit('acme', 'call', 21)
  t.strictSame(await reader.got(21), numbers(1, 21))
  t.ok((await inbox.got(({ data }) => data === 21)).length > 21, 'the stock client has had some twice')
})
