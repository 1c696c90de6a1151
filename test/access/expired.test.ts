import t, { type Test } from 'tap'
import type { ClientInfo, Message, VerifyAnswer, WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, disconnected, Inbox, listen, type Transport, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { outcomeOf } from '../helpers/outcome.js'
import { datas, Follower, resume } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { storeThatPauses, storeWith } from '../helpers/stores.js'
import { Keyring } from './keyring.js'

const KEY = 'key-of-a-tenant'
const auth = { apikey: KEY }
/** In ms: it runs out many times in a test. */
const ttl = 20

const start = async (t: Test, { verify }: Keyring, options: WsEventsOptions = {}): Promise<TestServer> =>
  await startServer(t, { verify, defaultConfig: { enabled: true }, ...options })

const onEach = (name: string, run: (t: Test, transport: Transport) => Promise<void>): void => {
  for (const transport of transports) t.test(`${name}, over ${transport}`, async t => { await run(t, transport) })
}

/** Resolves when the one client of a server is shown with what it may get now. */
async function shown ({ fastify: { wsEvents } }: TestServer, isRight: (client: ClientInfo) => boolean): Promise<void> {
  await eventually(() => wsEvents.clients().some(isRight))
}

const hasEvents = (...names: string[]) => ({ events }: ClientInfo): boolean => events.length === names.length && names.every(name => events.includes(name))
const hasInstances = (...names: string[]) => ({ instances }: ClientInfo): boolean => instances?.length === names.length && names.every(name => instances.includes(name))

const eventsOf = (messages: readonly Message[]): string[] => messages.map(({ event }) => event)

onEach('a narrower grant narrows live events and what clients() shows, and no filter widens it again', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { events: ['call', 'messages.upsert'], ttl } })
  const server = await start(t, keyring)
  const { fastify: { wsEvents }, url } = server
  const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], auth })
  await wsEvents.emit('acme', 'messages.upsert', 1)
  await inbox.got(1)
  keyring.give(KEY, { events: ['call'], ttl })
  await shown(server, hasEvents('call'))
  const filters: ReadonlyArray<[asked: object, inForce: string[]]> = [[{}, ['call']], [{ events: ['messages.*', 'call'] }, ['call']], [{ events: ['messages.upsert'] }, []], [{ events: [] }, ['call']]]
  for (const [asked, inForce] of filters) {
    t.strictSame(await socket.emitWithAck('subscribe', asked), inForce, JSON.stringify(asked))
    await wsEvents.emit('acme', 'messages.upsert', 2)
  }
  await keyring.askedAgain(2)
  await wsEvents.emit('acme', 'messages.upsert', 3)
  await wsEvents.emit('acme', 'call', 4)
  t.strictSame(eventsOf(await inbox.got(2)), ['messages.upsert', 'call'])
  t.strictSame(datas(inbox.messages), [1, 4])
})

onEach('a grant of no event at all keeps the client and brings it nothing', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { ttl } })
  const server = await start(t, keyring)
  const { fastify: { wsEvents }, url } = server
  const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], auth })
  keyring.give(KEY, { events: [], ttl })
  await shown(server, hasEvents())
  await wsEvents.emit('acme', 'call', 'not for it')
  keyring.give(KEY, { events: ['call'], ttl })
  await shown(server, hasEvents('call'))
  await wsEvents.emit('acme', 'call', 'for it')
  t.strictSame(datas(await inbox.got(1)), ['for it'])
  t.equal(socket.connected, true)
})

onEach('at the root a narrower grant takes instances away, and no filter brings them back', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { instances: ['acme', 'beta'], ttl } })
  const server = await start(t, keyring, { globalEvents: true })
  const { fastify: { wsEvents }, url } = server
  const { socket, inbox } = await listen(t, url, { transports: [transport], auth })
  await wsEvents.emit('beta', 'call', 1)
  await inbox.got(1)
  keyring.give(KEY, { instances: ['acme'], ttl })
  await shown(server, hasInstances('acme'))
  await socket.emitWithAck('subscribe', { instances: ['beta', 'acme'] })
  t.ok(wsEvents.clients().every(hasInstances('acme')))
  for (const name of ['beta', 'gamma', 'acme']) await wsEvents.emit(name, 'call', name)
  t.strictSame(datas(await inbox.got(2)), [1, 'acme'])
  keyring.give(KEY, { instances: [], ttl })
  await shown(server, hasInstances())
  await wsEvents.emit('acme', 'call', 'not for it')
  keyring.give(KEY, { instances: ['beta', 'gamma'], ttl })
  await shown(server, hasInstances('beta'))
  for (const name of ['acme', 'gamma', 'beta']) await wsEvents.emit(name, 'call', `${name} again`)
  t.strictSame(datas(await inbox.got(3)), [1, 'acme', 'beta again'], 'the filter that it has set holds within a wider grant')
})

onEach('a wider grant widens what was asked for at connect, and what was asked for later', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { events: ['call'], ttl } })
  const server = await start(t, keyring)
  const { fastify: { wsEvents }, url } = server
  const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], auth: { ...auth, events: ['call', 'messages.upsert'] } })
  await shown(server, hasEvents('call'))
  keyring.give(KEY, { ttl })
  await shown(server, hasEvents('call', 'messages.upsert'))
  await wsEvents.emit('acme', 'messages.upsert', 1)
  await wsEvents.emit('acme', 'presence.update', 'not asked for')
  keyring.give(KEY, { events: ['messages.upsert'], ttl })
  await shown(server, hasEvents('messages.upsert'))
  t.strictSame(await socket.emitWithAck('subscribe', { events: ['messages.upsert', 'presence.update'] }), ['messages.upsert'])
  keyring.give(KEY, { events: ['messages.upsert', 'presence.update', 'call'], ttl })
  await shown(server, hasEvents('messages.upsert', 'presence.update'))
  await wsEvents.emit('acme', 'call', 'no longer asked for')
  await wsEvents.emit('acme', 'presence.update', 2)
  t.strictSame(datas(await inbox.got(2)), [1, 2])
})

onEach('a grant that is narrowed in the middle of a replay holds for the rest of it', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { ttl } })
  const { store, second, countFromHere } = storeThatPauses()
  const server = await start(t, keyring, { store, retention: { maxAge: 60_000, maxEvents: 100_000, maxBytes: 2 ** 24 } })
  const { fastify: { wsEvents }, url } = server
  const { socket: first, ready: { lastEventId } } = await resume(t, `${url}/acme`, '', { transports: [transport], auth })
  first.disconnect()
  const count = 2000
  for (let at = 0; at < count; at++) await wsEvents.emit('acme', at % 2 === 0 ? 'call' : 'messages.upsert', { at, filling: 'x'.repeat(200) })
  await eventually(() => wsEvents.clients().length === 0)
  countFromHere()
  const { inbox } = await resume(t, `${url}/acme`, lastEventId, { transports: [transport], auth })
  keyring.give(KEY, { events: ['call'], ttl })
  await shown(server, hasEvents('call'))
  const { length: before } = await inbox.got(2)
  second.open()
  await wsEvents.emit('acme', 'messages.upsert', 'not for it')
  await wsEvents.emit('acme', 'call', { at: count })
  const messages = await inbox.got(({ data }) => (data as { at?: number }).at === count)
  t.ok(messages.length > before)
  const numbers = messages.map(({ data }) => (data as { at: number }).at)
  const lastOfBoth = numbers.findLast(at => at % 2 === 1) ?? 0
  t.ok(lastOfBoth < count / 2, `both kinds came up to ${lastOfBoth} of ${count}`)
  t.strictSame(numbers, Array.from({ length: count + 1 }, (empty, at) => at).filter(at => at <= lastOfBoth || at % 2 === 0), 'then the one that is granted, and none of it is missing')
})

onEach('a client whose key cannot be asked for again comes back by itself, and misses nothing', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { ttl } })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const follower = new Follower(t, `${url}/acme`, '', { transports: [transport], auth })
  await follower.nextReady(1)
  await wsEvents.emit('acme', 'call', 0)
  await follower.inbox.got(1)
  for (const [round, fail] of [() => { throw new Error('the database is away') }, async () => await Promise.reject(new Error('it is still away')), () => ({ ttl: -1 })].entries()) {
    const ended = disconnected(follower.socket)
    keyring.give(KEY, fail)
    t.not(await ended, 'io server disconnect', 'its connection is ended, it is not sent away')
    t.equal(follower.socket.active, true)
    await wsEvents.emit('acme', 'call', round * 2 + 1)
    keyring.give(KEY, { ttl })
    const [ready] = await follower.nextReady(round + 2)
    t.equal(ready?.recovered, true)
    await wsEvents.emit('acme', 'call', round * 2 + 2)
    await follower.inbox.got(({ data }) => data === round * 2 + 2)
  }
  t.strictSame(datas(follower.inbox.messages), [0, 1, 2, 3, 4, 5, 6])
})

t.test('a ttl that is none is an answer that failed, and lets nobody in', async t => {
  for (const wrong of [0, -1, NaN, Infinity, -Infinity, '5', '', null, true, {}, [20], 20n, new Date()]) {
    const keyring = new Keyring({ [KEY]: { ttl: wrong } as VerifyAnswer })
    const { lines, fastify } = recordLog()
    const { url } = await startServer(t, { verify: keyring.verify, defaultConfig: { enabled: true } }, { fastify })
    for (const transport of transports) {
      const { word, comesBack } = await outcomeOf(connect(t, `${url}/acme`, { transports: [transport], auth, reconnectionDelay: 60_000 }))
      t.strictSame([word, comesBack], ['comes back', true], `${typeof wrong} ${String(wrong)}, over ${transport}`)
    }
    const response = await fetch(`${url}/instance/acme/websocket`, { headers: { apikey: KEY } })
    t.equal(response.status, 503)
    t.match(await response.json(), { code: 'FST_ERR_WS_EVENTS_VERIFY_FAILED' })
    t.ok(lines.some(({ level, err }) => level === 50 && /ttl/.test(JSON.stringify(err))), 'and the log says why')
    t.notMatch(JSON.stringify(lines), KEY)
  }
})

t.test('a ttl may be any number of ms above 0, also a very long one', async t => {
  for (const right of [0.5, 1, 2 ** 31, Number.MAX_SAFE_INTEGER, undefined]) {
    const keyring = new Keyring({ [KEY]: { ttl: right } })
    const { fastify: { wsEvents }, url } = await start(t, keyring)
    const { inbox } = await listen(t, `${url}/acme`, { auth })
    if (right === 0.5 || right === 1) await keyring.askedAgain(3)
    await wsEvents.emit('acme', 'call', right ?? 'none')
    t.strictSame(datas(await inbox.got(1)), [right ?? 'none'])
    if (right !== 0.5 && right !== 1) t.equal(keyring.asked, 1, `${right}: not asked again`)
  }
})

t.test('only keys that verify opened are asked for again, and nobody who is gone', async t => {
  const keyring = new Keyring({ [KEY]: { ttl } })
  const seen: unknown[] = []
  const { fastify: { wsEvents }, url } = await startServer(t, {
    apikey: 'the-global-key',
    allowedHosts: '127.0.0.1',
    verify: async request => {
      seen.push([request.apikey, request.instance])
      return await keyring.verify(request)
    },
    defaultConfig: { enabled: true }
  })
  await listen(t, `${url}/acme`, { auth: { apikey: 'the-global-key' } })
  await listen(t, `${url}/acme`)
  const { socket } = await listen(t, `${url}/beta`, { auth })
  await keyring.askedAgain(3)
  t.strictSame(new Set(seen.map(call => JSON.stringify(call))), new Set([JSON.stringify([KEY, 'beta'])]))
  socket.disconnect()
  await eventually(() => wsEvents.clients().length === 2)
  const { asked } = keyring
  const { socket: another } = await listen(t, `${url}/beta`, { auth })
  await keyring.askedAgain(3)
  another.disconnect()
  await eventually(() => wsEvents.clients().length === 2)
  t.ok(keyring.asked >= asked + 4, 'the one that came later was asked for')
  t.equal(wsEvents.stats().clients.inInstances, 2)
})

t.test('a cookie that speaks for its client runs out as a key does', async t => {
  let signedIn = true
  const { url } = await startServer(t, { defaultConfig: { enabled: true }, verify: ({ apikey, headers }) => apikey === null && headers.cookie === 'session=good' && signedIn && { ttl } })
  const { socket } = await listen(t, `${url}/acme`, { extraHeaders: { cookie: 'session=good' } })
  const ended = disconnected(socket)
  signedIn = false
  t.equal(await ended, 'io server disconnect')
  socket.connect()
  t.equal((await outcomeOf(socket)).word, 'UNAUTHORIZED')
})

t.test('a time that ran out before its client was in is asked for at once', async t => {
  const keyring = new Keyring({ [KEY]: { ttl: 1 } })
  const ready = latch()
  const store = storeWith(log => ({
    watch: (stream, listener, onGap) => ({ ...log.watch(stream, listener, onGap), ready: ready.opened })
  }))
  const { url } = await start(t, keyring, { store })
  const socket = connect(t, `${url}/acme`, { auth })
  const inbox = new Inbox(socket)
  const ended = disconnected(socket)
  await keyring.askedAgain()
  keyring.revoke(KEY)
  ready.open()
  await admitted(socket)
  t.equal(await ended, 'io server disconnect')
  t.strictSame(inbox.messages, [])
})
