import { once } from 'node:events'
import type { Socket as TcpSocket } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import type { Message, Position, Ready, WsEventsOptions } from '../../lib/index.js'
import '../../lib/gateway/io.js'
import { connect, disconnected, listen, refused, transports } from '../helpers/client.js'
import { KERNEL_BYTES } from '../helpers/kernel.js'
import { eventually } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { datas, Follower, resume } from '../helpers/resume.js'
import { IN_FULL } from '../helpers/sample.js'
import { startServer } from '../helpers/server.js'
import { asyncStore, storeWith } from '../helpers/stores.js'

const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (empty, at) => from + at)
const big = 'x'.repeat(10_000)

t.test('with a store that takes its time, nothing is lost or doubled where the past meets the present', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, store: asyncStore() })
  const first = await resume(t, `${url}/acme`, '')
  let next = 0
  const phase = { emitting: true }
  const emitter = (async () => {
    while (phase.emitting) {
      for (let burst = 0; burst < 3; burst++) void fastify.wsEvents.emit('acme', 'call', next++)
      await new Promise(resolve => { setImmediate(resolve) })
    }
  })()
  await first.inbox.got(1)
  const all = await Promise.all(numbers(1, 20).map(async () => {
    const follower = new Follower(t, `${url}/acme`, first.ready.lastEventId)
    for (let cut = 0; cut < 5; cut++) {
      await follower.gotMore(20)
      follower.drop()
    }
    return follower
  }))
  phase.emitting = false
  await emitter
  const { id } = await fastify.wsEvents.emit('acme', 'call', 'end')
  for (const follower of all) t.strictSame(datas(await follower.inbox.got(message => message.id === id)), [...numbers(0, next - 1), 'end'])
})

t.test('what is dropped while it is replayed ends the connection, and the client that comes back is told', async t => {
  let dropped = false
  const store = storeWith(log => ({
    read: (stream, after, maxBytes) => dropped ? 'gap' : log.read(stream, after, maxBytes)
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, 100)) void fastify.wsEvents.emit('acme', 'call', { at, big })
  await first.inbox.got(100)
  const follower = new Follower(t, `${url}/acme`, first.ready.lastEventId)
  follower.socket.once('call', () => { dropped = true })
  const [ready] = await follower.nextReady(2)
  t.match(ready, { recovered: false })
  const replayed = (follower.inbox.messages).map(({ data }) => (data as { at: number }).at)
  t.strictSame(replayed, numbers(1, replayed.length), 'what had come was whole')
  t.ok(replayed.length < 100)
})

t.test('a store that cannot be read ends the connection, and the client that comes back resumes', async t => {
  const { lines, fastify: logging } = recordLog()
  let failures = 0
  const store = storeWith(log => ({
    read: (stream, after, maxBytes) => {
      if (failures++ < 2) throw new Error('the disk is gone')
      return log.read(stream, after, maxBytes)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store }, { fastify: logging })
  const first = await resume(t, `${url}/acme`, '')
  void fastify.wsEvents.emit('acme', 'call', 1)
  const follower = new Follower(t, `${url}/acme`, first.ready.lastEventId)
  t.strictSame(datas(await follower.inbox.got(1)), [1])
  t.equal(lines.filter(({ msg }) => msg.includes('history could not be read')).length, 2)
})

t.test('a store that cannot remember rejects the emit, counts and logs it, and the server lives on', async t => {
  const { lines, fastify: logging } = recordLog()
  let failing = true
  const store = storeWith(log => ({
    append: async (streams, record) => {
      if (failing) throw new Error('no space left on device')
      return await log.append(streams, record)
    }
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store }, { fastify: logging })
  const { inbox } = await resume(t, `${url}/acme`, '')
  await t.rejects(fastify.wsEvents.emit('acme', 'call', 1), { code: 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE', statusCode: 503, message: /no space left on device/ })
  failing = false
  await fastify.wsEvents.emit('acme', 'call', 2)
  t.strictSame(datas(await inbox.got(1)), [2], 'what is not remembered is not sent')
  t.match(fastify.wsEvents.stats(), { emit: { accepted: 1, rejected: 1 }, store: { failures: 1 } })
  t.equal(lines.filter(({ msg }) => msg === 'an event was not emitted').length, 1)
})

t.test('a rejection for the store ends no process that does not wait for it', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, store: storeWith(() => ({ append: async () => { throw new Error('away') } })) })
  await resume(t, `${url}/acme`, '')
  void fastify.wsEvents.emit('acme', 'call', 1)
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(fastify.wsEvents.stats().store.failures, 1)
})

t.test('the filter and the grant of the reconnect hold for the replay', async t => {
  const { fastify, url } = await startServer(t, {
    ...enabled,
    globalEvents: true,
    verify: ({ apikey }) => apikey === 'narrow' ? { instances: ['acme'], events: ['messages.*'] } : true
  })
  const first = await resume(t, url, '', { auth: { apikey: 'wide' } })
  for (const instance of ['acme', 'other']) {
    for (const event of ['messages.upsert', 'call', 'messages.update']) void fastify.wsEvents.emit(instance, event, `${instance} ${event}`)
  }
  await first.inbox.got(6)
  const seen = async (lastOf: string, auth: object): Promise<unknown[]> => {
    const { inbox } = await resume(t, url, first.ready.lastEventId, { auth })
    return datas(await inbox.got(({ data }) => data === lastOf))
  }
  t.strictSame(await seen('acme messages.update', { apikey: 'narrow' }), ['acme messages.upsert', 'acme messages.update'])
  t.strictSame(await seen('other call', { apikey: 'wide', events: ['call'] }), ['acme call', 'other call'])
  t.strictSame(await seen('acme messages.update', { apikey: 'narrow', events: ['messages.update', 'call'] }), ['acme messages.update'])
  t.strictSame(await seen('other messages.update', { apikey: 'wide', instances: ['other'] }), ['other messages.upsert', 'other call', 'other messages.update'])
})

t.test('a key that was revoked resumes nothing', async t => {
  let good = true
  const { fastify, url } = await startServer(t, { ...enabled, verify: () => good })
  const first = await resume(t, `${url}/acme`, '', { auth: { apikey: 'k' } })
  first.socket.disconnect()
  void fastify.wsEvents.emit('acme', 'call', 'secret')
  good = false
  const socket = connect(t, `${url}/acme`, { auth: { apikey: 'k', lastEventId: first.ready.lastEventId } })
  const heard: string[] = []
  socket.onAny((event: string) => { heard.push(event) })
  t.match(await refused(socket), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
  t.strictSame(heard, [])
})

/** The connection under a client of Node, to be paused. */
const tcpOf = ({ socket }: Follower): TcpSocket =>
  (socket.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket

t.test('a replay to one that does not read holds little, keeps nobody waiting, and goes on when it reads', async t => {
  const past = Math.ceil((KERNEL_BYTES + 4_000_000) / big.length)
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxEvents: 2 * past, maxBytes: 4 * KERNEL_BYTES } })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, past)) {
    void fastify.wsEvents.emit('acme', 'call', { at, big })
    if (at % 50 === 0) await first.inbox.got(at)
  }
  const slow = new Follower(t, `${url}/acme`, first.ready.lastEventId)
  await slow.nextReady(1)
  const tcp = tcpOf(slow)
  tcp.pause()
  const queued = () => Math.max(...fastify.wsEvents.clients().map(({ queuedBytes }) => queuedBytes))
  while (queued() <= 64 * 1024) await new Promise(resolve => { setImmediate(resolve) })
  void fastify.wsEvents.emit('acme', 'call', { at: past + 1 })
  await first.inbox.got(past + 1)
  t.ok(queued() <= 256 * 1024, `${queued()} bytes wait`)
  t.ok(fastify.wsEvents.stats().delivery.replayed < past, 'it is in the middle')
  tcp.resume()
  t.strictSame((await slow.inbox.got(past + 1)).map(({ data }) => (data as { at: number }).at), numbers(1, past + 1))
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 0, 'what it had to be brought did not count as slow')
})

/** Clients that come back at once, and the events that each has missed. More in test/long. */
const FOLLOWERS = IN_FULL ? 60 : 30
const MISSED = IN_FULL ? 2000 : 1000

t.test('many that come back at once to a busy stream get to what is live, and stay there', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxEvents: 1_000_000, maxBytes: 256 * 1024 * 1024 } })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, MISSED)) void fastify.wsEvents.emit('acme', 'call', { at, kilo: big.slice(0, 300) })
  await first.inbox.got(MISSED)
  const followers = numbers(1, FOLLOWERS).map(() => new Follower(t, `${url}/acme`, first.ready.lastEventId))
  // At least one event between any two turns in which one of them is brought something.
  let at = MISSED
  let live = 0
  for (let replayed = -1; live < 50;) {
    void fastify.wsEvents.emit('acme', 'call', { at: ++at })
    await new Promise(resolve => { setImmediate(resolve) })
    const now = fastify.wsEvents.stats().delivery
    live = now.resumed.recovered === FOLLOWERS && now.replayed === replayed ? live + 1 : 0
    replayed = now.replayed
  }
  for (const { inbox } of followers) {
    t.strictSame((await inbox.got(at)).map(({ data }) => (data as { at: number }).at), numbers(1, at))
  }
})

t.test('one that comes and goes again and again without reading is owed little', async t => {
  // So that it may come as often in a second as a fast machine lets it.
  const { fastify, url } = await startServer(t, { ...enabled, limits: { inboundPerSecond: 0 } })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, 200)) void fastify.wsEvents.emit('acme', 'call', { at, big })
  await first.inbox.got(200)
  const raw = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  t.teardown(() => { raw.terminate() })
  await once(raw, 'message')
  const tcp = (raw as unknown as { _socket: TcpSocket })._socket
  tcp.pause()
  const before = fastify.wsEvents.stats().clients.admitted
  const queued = () => Math.max(0, ...fastify.wsEvents.clients().map(({ queuedBytes }) => queuedBytes))
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise(resolve => { setImmediate(resolve) })
  }
  let most = 0
  // Fewer than may join in a second.
  for (let round = 1; round <= 200; round++) {
    raw.send(`40/acme,{"lastEventId":"${first.ready.lastEventId}"}`)
    await until(() => fastify.wsEvents.stats().clients.admitted === before + round)
    most = Math.max(most, queued())
    raw.send('41/acme,')
    await until(() => fastify.wsEvents.clients().length === 1)
  }
  t.ok(most > 64 * 1024, 'it has not read')
  t.ok(most < 256 * 1024, `${most} bytes waited`)
})

t.test('an event larger than what may wait for a client is brought to it when it comes back', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 10_000 } })
  const first = await resume(t, `${url}/acme`, '')
  first.socket.disconnect()
  void fastify.wsEvents.emit('acme', 'call', 'x'.repeat(3_000_000))
  void fastify.wsEvents.emit('acme', 'call', 'after')
  const follower = new Follower(t, `${url}/acme`, first.ready.lastEventId)
  const messages = await follower.inbox.got(2)
  t.strictSame(datas(messages).map(data => String(data).length), [3_000_000, 5])
})

t.test('binary parts are replayed as they were', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const first = await resume(t, `${url}/acme`, '')
  const data = { picture: Buffer.from([1, 2, 3]), list: [Buffer.alloc(70_000, 7), { deep: new Uint8Array([9]) }] }
  void fastify.wsEvents.emit('acme', 'call', data)
  const [live] = await first.inbox.got(1)
  const { inbox } = await resume(t, `${url}/acme`, first.ready.lastEventId)
  t.strictSame((await inbox.got(1))[0], live)
  t.strictSame((live?.data as typeof data).list[0], data.list[0])
})

for (const fastPath of [true, false]) {
  t.test(`replay and live meet with fastPath ${String(fastPath)}`, async t => {
    const { fastify, url } = await startServer(t, { ...enabled, fastPath })
    const first = await resume(t, `${url}/acme`, '')
    for (const at of numbers(1, 500)) void fastify.wsEvents.emit('acme', 'call', { at, big: big.slice(0, 1000) })
    const follower = new Follower(t, `${url}/acme`, first.ready.lastEventId)
    await follower.inbox.got(1)
    for (const at of numbers(501, 600)) void fastify.wsEvents.emit('acme', 'call', { at })
    t.strictSame((await follower.inbox.got(600)).map(({ data }) => (data as { at: number }).at), numbers(1, 600))
  })
}

t.test('a filter that is set during a replay holds for the rest of it', async t => {
  const store = storeWith(log => ({
    // One event a page, so that the client has time to speak.
    read: async (stream, after) => await new Promise(resolve => { setImmediate(() => { resolve(log.read(stream, after, 1)) }) })
  }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, 400)) void fastify.wsEvents.emit('acme', at % 2 === 0 ? 'call' : 'chats.set', at)
  await first.inbox.got(400)
  const { socket, inbox } = await resume(t, `${url}/acme`, first.ready.lastEventId)
  const list: unknown = await socket.emitWithAck('subscribe', { events: ['call'] })
  t.strictSame(list, ['call'])
  const before = inbox.messages.length
  await inbox.got(({ data }) => data === 400)
  t.ok(inbox.messages.slice(before).every(({ event }) => event === 'call'))
  t.strictSame(datas(inbox.messages.filter(({ event }) => event === 'call')), numbers(1, 400).filter(at => at % 2 === 0))
})

t.test('remove deletes the past, and who has all of it has missed nothing', async t => {
  const { fastify, url } = await startServer(t)
  await fastify.wsEvents.set('acme', { enabled: true })
  const first = await resume(t, `${url}/acme`, '')
  for (const at of numbers(1, 3)) void fastify.wsEvents.emit('acme', 'call', at)
  const gone = disconnected(first.socket)
  await fastify.wsEvents.remove('acme')
  t.equal(await gone, 'io server disconnect')
  t.strictSame(datas(first.inbox.messages), [1, 2, 3], 'what was emitted before was sent')
  await fastify.wsEvents.set('acme', { enabled: true })
  t.match((await resume(t, `${url}/acme`, first.ready.lastEventId)).ready, { recovered: false })
  t.match((await resume(t, `${url}/acme`, first.inbox.messages[2]?.id)).ready, { recovered: true })
})

t.test('clients that are still being brought the past are ended as all others are', async t => {
  const never = storeWith(() => ({ read: async () => await new Promise(() => {}) }))
  for (const end of ['remove', 'disable', 'disconnect'] as const) {
    const { fastify, url } = await startServer(t, { store: never })
    await fastify.wsEvents.set('acme', { enabled: true })
    const { socket } = await listen(t, `${url}/acme`, { auth: { lastEventId: 'some' } })
    t.equal(fastify.wsEvents.clients().length, 1)
    const gone = disconnected(socket)
    if (end === 'remove') await fastify.wsEvents.remove('acme')
    else if (end === 'disable') await fastify.wsEvents.set('acme', { enabled: false })
    else await fastify.wsEvents.disconnect({ instance: 'acme' })
    t.equal(await gone, 'io server disconnect', end)
  }
})

t.test('an instance that was silent for ten times maxAge is no gap, connected or not', async t => {
  let time = Date.now()
  const { memoryStore } = await import('../../lib/stores/memory/index.js')
  const { fastify, url } = await startServer(t, { ...enabled, store: memoryStore({ now: () => time }), retention: { maxAge: 60_000 } })
  const first = await resume(t, `${url}/acme`, '')
  void fastify.wsEvents.emit('acme', 'call', 1)
  const [message] = await first.inbox.got(1)
  first.socket.disconnect()
  await eventually(() => fastify.wsEvents.clients().length === 0)
  time += 600_000
  // Others are not.
  for (let at = 0; at < 100; at++) await fastify.wsEvents.emit('other', 'call', at)
  t.match((await resume(t, `${url}/acme`, message?.id)).ready, { recovered: true })
  const second = await resume(t, `${url}/quiet`, '')
  second.socket.disconnect()
  t.match((await resume(t, `${url}/quiet`, second.ready.lastEventId)).ready, { recovered: true })
})

t.test('a narrow filter in a busy stream does not age a client, by number no more than by time', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, retention: { maxEvents: 100 } })
  const narrow = await resume(t, `${url}/acme`, '', { auth: { events: ['call'] } })
  let last = narrow.ready.lastEventId
  narrow.socket.on('ws.position', ({ lastEventId }: Position) => { last = lastEventId })
  const wide = await resume(t, `${url}/acme`, '')
  for (let at = 0; at < 1000; at++) {
    void fastify.wsEvents.emit('acme', 'chats.set', at)
    if (at % 10 === 0) await wide.inbox.got(at + 1)
  }
  narrow.socket.disconnect()
  t.match((await resume(t, `${url}/acme`, last, { auth: { events: ['call'] } })).ready, { recovered: true })
})

t.test('a replay of which nothing passes says so', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const first = await resume(t, `${url}/acme`, '')
  void fastify.wsEvents.emit('acme', 'chats.set', 1)
  const [message] = await first.inbox.got(1)
  const socket = connect(t, `${url}/acme`, { auth: { lastEventId: first.ready.lastEventId, events: ['call'] } })
  const [[ready], [position]] = await Promise.all([once(socket as never, 'ws.ready') as Promise<[Ready]>, once(socket as never, 'ws.position') as Promise<[Position]>])
  t.match(ready, { recovered: true, lastEventId: first.ready.lastEventId })
  t.strictSame(position, { lastEventId: message?.id })
})

t.test('two namespaces over one connection resume each for itself', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const first = await resume(t, `${url}/acme`, '')
  const other = await resume(t, `${url}/other`, '')
  for (const at of numbers(1, 300)) {
    void fastify.wsEvents.emit('acme', 'call', { at, big })
    void fastify.wsEvents.emit('other', 'call', { at, big })
  }
  await Promise.all([first.inbox.got(300), other.inbox.got(300)])
  const acme = new Follower(t, `${url}/acme`, first.ready.lastEventId)
  const shared = new Follower(t, `${url}/other`, other.ready.lastEventId, { manager: acme.socket.io })
  const seen = (messages: readonly Message[]) => messages.map(({ data, instance }) => [instance, (data as { at: number }).at])
  t.strictSame(seen(await acme.inbox.got(300)), numbers(1, 300).map(at => ['acme', at]))
  t.strictSame(seen(await shared.inbox.got(300)), numbers(1, 300).map(at => ['other', at]))
})

t.test('with Evolution\'s manners a muted instance says that it is', async t => {
  const { fastify, url } = await startServer(t, { evolution: true })
  await fastify.wsEvents.set('acme', { enabled: false })
  t.match((await resume(t, `${url}/acme`, '')).ready, { enabled: false, recovered: null })
})

t.test('a listener of the host\'s that emits changes no order, also where much is flushed at once', async t => {
  for (const transport of transports) {
    const { fastify, url } = await startServer(t, { ...enabled, fastPath: false })
    await resume(t, `${url}/acme`, '', { transports: [transport] })
    // Of another group, which is written to after the first.
    const second = await resume(t, `${url}/acme`, '', { transports: [transport], auth: { events: ['call', 'chats.set'] } })
    let emitted = false
    for (const socket of fastify.io.of('/acme').sockets.values()) {
      socket.onAnyOutgoing((event: string) => {
        if (event !== 'call' || emitted) return
        emitted = true
        void fastify.wsEvents.emit('acme', 'chats.set', 'x'.repeat(300_000))
      })
    }
    void fastify.wsEvents.emit('acme', 'call', 1)
    t.strictSame((await second.inbox.got(2)).map(({ event }) => event), ['call', 'chats.set'], transport)
  }
})

t.test('a listener of the host\'s that emits makes no position, and no ready, that is beyond what it emits', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, fastPath: false, retention: { maxEvents: 8 } })
  await resume(t, `${url}/acme`, '', { auth: { events: ['call'] } })
  const narrow = await resume(t, `${url}/acme`, '', { auth: { events: ['chats.set'] } })
  for (const socket of fastify.io.of('/acme').sockets.values()) {
    socket.onAnyOutgoing((event: string) => { if (event === 'call') void fastify.wsEvents.emit('acme', 'chats.set', 'echo') })
  }
  let last = ''
  let beyond = 0
  let positions = 0
  narrow.socket.onAny((event: string, { id, lastEventId }: Message & Position) => {
    if (event === 'ws.position') {
      positions++
      last = lastEventId
    } else if (id <= last) beyond++
  })
  for (const at of numbers(1, 60)) {
    await fastify.wsEvents.emit('acme', at % 7 === 0 ? 'call' : 'presence.update', at)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const { id } = await fastify.wsEvents.emit('acme', 'chats.set', 'end')
  await narrow.inbox.got(message => message.id === id)
  t.ok(positions > 0)
  t.equal(beyond, 0)
})
