import t from 'tap'
import type { Verify, VerifyAnswer } from '../../lib/index.js'
import { admitted, connect, disconnected, Inbox, listen, transports } from '../helpers/client.js'
import { KERNEL_BYTES } from '../helpers/kernel.js'
import { eventually, latch } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { startServer } from '../helpers/server.js'

const enabled = { defaultConfig: { enabled: true } }
const KEY = 'key-that-runs-out'

/** A check whose answer can be changed, and that tells how often it was asked. */
function checkOf (first: VerifyAnswer): { verify: Verify, answer: (next: () => VerifyAnswer | Promise<VerifyAnswer>) => void, asked: () => number } {
  let [next, asked]: [() => VerifyAnswer | Promise<VerifyAnswer>, number] = [() => first, 0]
  return {
    verify: () => { asked++; return next() },
    answer: changed => { next = changed },
    asked: () => asked
  }
}

for (const transport of transports) {
  t.test(`over ${transport}, a key that lost its right is ended when its time has run out, and its client stays away`, async t => {
    const { lines, fastify: logging } = recordLog()
    const check = checkOf({ ttl: 20 })
    const { fastify, url } = await startServer(t, { ...enabled, verify: check.verify }, { fastify: logging })
    const { socket } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: KEY } })
    const reason = disconnected(socket)
    await eventually(() => check.asked() > 3)
    t.ok(socket.connected, 'asked again and again, it stays')
    check.answer(() => false)
    t.equal(await reason, 'io server disconnect')
    t.notOk(socket.active)
    t.match(fastify.wsEvents.stats(), { clients: { admitted: 1, refused: { FORBIDDEN: 1 }, inInstances: 0 } })
    t.notMatch(JSON.stringify(lines), KEY)
  })
}

t.test('a grant without a ttl is not asked for again', async t => {
  const check = checkOf({ instances: ['acme'] })
  const { fastify, url } = await startServer(t, { ...enabled, verify: check.verify })
  const { inbox } = await listen(t, `${url}/acme`, { auth: { apikey: KEY } })
  await fastify.wsEvents.emit('acme', 'call', 1)
  await inbox.got(1)
  t.equal(check.asked(), 1)
})

t.test('a key whose instance is no more among those that it opens is ended', async t => {
  const check = checkOf({ instances: ['acme', 'beta'], ttl: 10 })
  const { url } = await startServer(t, { ...enabled, verify: check.verify })
  const { socket } = await listen(t, `${url}/acme`, { auth: { apikey: KEY } })
  const reason = disconnected(socket)
  check.answer(() => ({ instances: ['beta'], ttl: 10 }))
  t.equal(await reason, 'io server disconnect')
})

t.test('a grant that has become narrower or wider holds for what is live, for filters and for clients()', async t => {
  const check = checkOf({ instances: ['a', 'b'], events: ['call', 'chats.set'], ttl: 10 })
  const { fastify, url } = await startServer(t, { globalEvents: true, verify: check.verify })
  const { wsEvents } = fastify
  const { socket, inbox } = await listen(t, url, { auth: { apikey: KEY } })
  const shown = () => JSON.stringify(wsEvents.clients().map(({ events, instances }) => [events, instances]))
  const round = async (data: string) => {
    for (const instance of ['a', 'b', 'c']) for (const event of ['call', 'chats.set', 'chats.update']) void wsEvents.emit(instance, event, data)
    void wsEvents.emit('a', 'call', `last ${data}`)
    await inbox.got(message => message.data === `last ${data}`)
    return inbox.messages.filter(message => message.data === data).map(({ instance, event }) => `${instance} ${event}`)
  }
  t.strictSame(await round('first'), ['a call', 'a chats.set', 'b call', 'b chats.set'])

  check.answer(() => ({ instances: ['a'], events: ['call'], ttl: 10 }))
  await eventually(() => shown() === '[[["call"],["a"]]]')
  t.strictSame(await round('narrow'), ['a call'])
  t.strictSame(await socket.emitWithAck('subscribe', { events: ['call', 'chats.*'], instances: ['a', 'c'] }), ['call'], 'subscribe does not widen it')

  check.answer(() => ({ ttl: 10 }))
  await eventually(() => shown().includes('chats.update'))
  t.strictSame(await round('wide'), ['a call', 'a chats.set', 'a chats.update', 'c call', 'c chats.set', 'c chats.update'], 'what it asked for last holds again')
})

t.test('a check that fails when it is asked again ends the connection, and the client resumes with nothing missing', async t => {
  const { lines, fastify: logging } = recordLog()
  const check = checkOf({ ttl: 10 })
  const { fastify, url } = await startServer(t, { ...enabled, verify: check.verify }, { fastify: logging })
  let lastEventId = ''
  const socket = connect(t, `${url}/acme`, { auth: (give: (auth: object) => void) => { give({ apikey: KEY, lastEventId }) } })
  const inbox = new Inbox(socket)
  socket.onAny((event: string, message: { id: string }) => { if (!event.startsWith('ws.')) lastEventId = message.id })
  await admitted(socket)
  await fastify.wsEvents.emit('acme', 'call', 1)
  await inbox.got(1)
  const reason = disconnected(socket)
  check.answer(() => { throw new Error(`no answer for ${KEY}`) })
  t.not(await reason, 'io server disconnect')
  await fastify.wsEvents.emit('acme', 'call', 2)
  check.answer(() => ({ ttl: 60_000 }))
  await admitted(socket)
  await fastify.wsEvents.emit('acme', 'call', 3)
  t.strictSame((await inbox.got(3)).map(({ data }) => data), [1, 2, 3])
  t.ok(fastify.wsEvents.stats().clients.refused.VERIFY_FAILED)
  t.notMatch(JSON.stringify(lines), KEY)
  t.match(JSON.stringify(lines), 'no answer for [key]')
})

t.test('a key is ended in the middle of what it is being brought of the past', async t => {
  const check = checkOf({ ttl: 60_000 })
  const text = 'x'.repeat(10_000)
  const past = Math.ceil((KERNEL_BYTES + 4_000_000) / text.length)
  const retention = { maxEvents: 2 * past, maxBytes: 4 * KERNEL_BYTES }
  const { fastify, url } = await startServer(t, { ...enabled, verify: check.verify, retention })
  const { wsEvents } = fastify
  const before = await listen(t, `${url}/acme`, { auth: { apikey: KEY, lastEventId: '' } })
  await wsEvents.emit('acme', 'call', 0)
  const [first] = await before.inbox.got(1)
  before.socket.disconnect()
  for (let count = 0; count < past; count++) void wsEvents.emit('acme', 'call', text)
  // It stops reading, so that the replay waits for it.
  check.answer(() => ({ ttl: 50 }))
  let readOn = () => {}
  const socket = connect(t, `${url}/acme`, { auth: { apikey: KEY, lastEventId: first?.id } })
  socket.io.once('open', () => {
    const { transport } = socket.io.engine as unknown as { transport: { ws: { pause: () => void, resume: () => void } } }
    socket.once('ws.ready', () => { transport.ws.pause() })
    readOn = () => { transport.ws.resume() }
  })
  await eventually(() => wsEvents.stats().delivery.replayed > 0)
  check.answer(() => false)
  await eventually(() => wsEvents.stats().clients.refused.FORBIDDEN === 1)
  const { replayed } = wsEvents.stats().delivery
  t.ok(replayed < past, `${replayed} of ${past}`)
  t.equal(wsEvents.clients().length, 0)
  const reason = disconnected(socket)
  readOn()
  t.equal(await reason, 'io server disconnect')
})

t.test('whoever leaves while it is asked for, or after, is not asked for any more', async t => {
  const [checking, end] = [latch(), latch()]
  const check = checkOf({ ttl: 10 })
  const { fastify, url } = await startServer(t, { ...enabled, verify: check.verify })
  const { socket } = await listen(t, `${url}/acme`, { auth: { apikey: KEY } })
  check.answer(async () => { checking.open(); await end.opened; return false })
  await checking.opened
  const asked = check.asked()
  socket.disconnect()
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0)
  end.open()
  const other = await listen(t, `${url}/beta`, { auth: { apikey: KEY } }).catch((error: unknown) => error)
  t.ok(other instanceof Error, 'refused by the check that says no now')
  t.equal(check.asked(), asked + 1)
  t.equal(fastify.wsEvents.stats().clients.refused.FORBIDDEN, 1, 'the one who had left was not refused too')
})

t.test('a ttl that is no time lets nobody in', async t => {
  for (const ttl of [0, -1, NaN, Infinity, '5', null] as number[]) {
    const { fastify, url } = await startServer(t, { ...enabled, verify: () => ({ ttl }) })
    connect(t, `${url}/acme`, { auth: { apikey: KEY }, reconnection: false })
    await eventually(() => fastify.wsEvents.stats().clients.refused.VERIFY_FAILED === 1)
    t.equal(fastify.wsEvents.stats().clients.admitted, 0, String(ttl))
  }
})
