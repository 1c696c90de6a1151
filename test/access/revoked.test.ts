import t, { type Test } from 'tap'
import { Manager } from 'socket.io-client'
import type { Message, WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, disconnected, Inbox, listen, type Transport, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { outcomeOf } from '../helpers/outcome.js'
import { withoutRedis } from '../helpers/redis.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { storeThatPauses } from '../helpers/stores.js'
import { startNodes } from '../nodes/helpers/nodes.js'
import { attempt } from './attempt.js'
import { Keyring } from './keyring.js'

const KEY = 'key-that-is-taken-back'
const OTHER = 'key-that-stays'
/** In ms: it runs out many times in a test. */
const TTL = 20

const ENDED = 'io server disconnect'

const start = async (t: Test, { verify }: Keyring, options: WsEventsOptions = {}): Promise<TestServer> =>
  await startServer(t, { verify, defaultConfig: { enabled: true }, ...options })

const onEach = (name: string, run: (t: Test, transport: Transport) => Promise<void>): void => {
  for (const transport of transports) t.test(`${name}, over ${transport}`, async t => { await run(t, transport) })
}

onEach('a revoked key opens nothing at the next connect, and its client stays away', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: true })
  const { url } = await start(t, keyring)
  const { socket } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: KEY } })
  keyring.revoke(KEY)
  t.equal(socket.connected, true, 'who is in stays, where verify gave no ttl')
  socket.disconnect().connect()
  const { word, comesBack } = await outcomeOf(socket)
  t.strictSame([word, comesBack], ['FORBIDDEN', false])
  t.equal(await attempt({ url }, { apikey: KEY }, ['route']), 'FORBIDDEN', 'and a route asks each time')
})

onEach('whoever resumes with a revoked key is refused, and learns nothing', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: true, [OTHER]: true })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const { socket: first, ready: { lastEventId } } = await resume(t, `${url}/acme`, '', { transports: [transport], auth: { apikey: KEY } })
  first.disconnect()
  await eventually(() => wsEvents.clients().length === 0)
  await wsEvents.emit('acme', 'call', 'a secret')
  keyring.revoke(KEY)
  const before = wsEvents.stats()
  for (const id of [lastEventId, '', 'no id of ours']) {
    const socket = connect(t, `${url}/acme`, { transports: [transport], auth: { apikey: KEY, lastEventId: id } })
    const heard: string[] = []
    socket.onAny((event: string) => { heard.push(event) })
    const { word, comesBack, refusal } = await outcomeOf(socket)
    t.strictSame([word, comesBack, heard], ['FORBIDDEN', false, []], JSON.stringify(id))
    t.notMatch(JSON.stringify(refusal), /secret|lastEventId/)
  }
  t.strictSame(wsEvents.stats().delivery, before.delivery)
  const { ready, inbox } = await resume(t, `${url}/acme`, lastEventId, { transports: [transport], auth: { apikey: OTHER } })
  t.equal(ready.recovered, true, 'while a key that stays gets what was missed')
  t.strictSame(datas(await inbox.got(1)), ['a secret'])
})

onEach('a live client is ended when its key is asked for again, and no event reaches it from then on', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { ttl: TTL }, [OTHER]: { ttl: TTL } })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: KEY } })
  const { inbox: stays, socket: other } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: OTHER } })
  await keyring.askedAgain(4)
  await wsEvents.emit('acme', 'call', 'before')
  await inbox.got(1)
  const ended = disconnected(socket)
  keyring.revoke(KEY)
  t.equal(await ended, ENDED)
  t.equal(socket.active, false, 'and stays away')
  await wsEvents.emit('acme', 'call', 'after')
  t.strictSame(datas(await stays.got(2)), ['before', 'after'])
  t.strictSame(datas(inbox.messages), ['before'])
  t.equal(other.connected, true)
  t.equal(wsEvents.stats().clients.refused.FORBIDDEN, 1, 'it is counted')
  t.equal(wsEvents.stats().clients.inInstances, 1)
})

onEach('a client is ended in the middle of its replay', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: { ttl: TTL } })
  const { store, second, countFromHere } = storeThatPauses()
  const { fastify: { wsEvents }, url } = await start(t, keyring, { store, retention: { maxAge: 60_000, maxEvents: 100_000, maxBytes: 2 ** 24 } })
  const { socket: first, ready: { lastEventId } } = await resume(t, `${url}/acme`, '', { transports: [transport], auth: { apikey: KEY } })
  first.disconnect()
  await eventually(() => wsEvents.clients().length === 0)
  const count = 2000
  for (let at = 0; at < count; at++) await wsEvents.emit('acme', 'call', { at, filling: 'x'.repeat(200) })
  countFromHere()
  const { socket, inbox, ready } = await resume(t, `${url}/acme`, lastEventId, { transports: [transport], auth: { apikey: KEY } })
  t.equal(ready.recovered, true)
  await inbox.got(1)
  const ended = disconnected(socket)
  keyring.revoke(KEY)
  t.equal(await ended, ENDED)
  second.open()
  const { length } = inbox.messages
  t.ok(length > 0 && length < count, `it had got ${length} of ${count}`)
  // Whoever comes now would be brought its own after what is still on its way to the other.
  keyring.give(OTHER, true)
  const { inbox: all } = await resume(t, `${url}/acme`, lastEventId, { transports: [transport], auth: { apikey: OTHER } })
  await all.got(count)
  t.equal(inbox.messages.length, length, 'and it gets no more')
})

onEach('a key that is revoked while it is asked for ends its client, whatever it is answered before', async (t, transport) => {
  const asked = latch()
  const answer = latch()
  const keyring = new Keyring({ [KEY]: { ttl: TTL } })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const { socket } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: KEY } })
  keyring.give(KEY, async () => {
    asked.open()
    await answer.opened
    return { ttl: TTL }
  })
  await asked.opened
  const ended = disconnected(socket)
  await wsEvents.disconnect({ apikey: KEY })
  t.equal(await ended, ENDED)
  answer.open()
  const asks = keyring.asked
  t.equal(await attempt({ url }, { apikey: OTHER }, ['websocket']), 'FORBIDDEN')
  t.equal(keyring.asked, asks + 1, 'nobody asks for it any more')
})

onEach('disconnect by a key meets those whose first check is still going on', async (t, transport) => {
  const answer = latch()
  const keyring = new Keyring({ [KEY]: async () => { await answer.opened; return true }, [OTHER]: async () => { await answer.opened; return true } })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const outcomes = [KEY, OTHER].map(async apikey => await outcomeOf(connect(t, `${url}/acme`, { transports: [transport], auth: { apikey } })))
  await keyring.askedAgain(2)
  await wsEvents.disconnect({ apikey: ` ${KEY}\n` })
  answer.open()
  const words = (await Promise.all(outcomes)).map(({ word, comesBack }) => [word, comesBack])
  t.strictSame(words, [['FORBIDDEN', false], ['in', true]])
})

/** Clients of several namespaces over one connection. */
async function comeToEach (t: Test, url: string, transport: Transport, apikey: string, names: readonly string[]): Promise<Array<{ name: string, inbox: Inbox, ended: Promise<string> }>> {
  const manager = new Manager(url, { transports: [transport], forceNew: true })
  const clients = names.map(name => {
    const socket = manager.socket(`/${name}`, { auth: { apikey } })
    t.teardown(() => { socket.disconnect() })
    return { name, socket, inbox: new Inbox(socket), ended: disconnected(socket) }
  })
  await Promise.all(clients.map(async ({ socket }) => await admitted(socket)))
  return clients
}

onEach('a key is taken back in every namespace of a connection, and where it still opens one, that one stays', async (t, transport) => {
  let opens = ['acme', 'beta', 'gamma']
  const keyring = new Keyring({ [KEY]: ({ instance }) => instance !== null && opens.includes(instance) && { ttl: TTL } })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const [acme, beta, gamma] = await comeToEach(t, url, transport, KEY, opens)
  opens = ['beta']
  t.strictSame(await Promise.all([acme?.ended, gamma?.ended]), [ENDED, ENDED])
  t.strictSame(wsEvents.clients().map(({ instance }) => instance), ['beta'])
  for (const name of ['acme', 'beta', 'gamma']) await wsEvents.emit(name, 'call', name)
  t.strictSame(datas(await beta?.inbox.got(1) as Message[]), ['beta'])
  opens = []
  t.equal(await beta?.ended, ENDED)
  for (const client of [acme, gamma]) t.strictSame(client?.inbox.messages, [])
})

onEach('disconnect by a key ends it in every namespace of a connection, and nobody else', async (t, transport) => {
  const keyring = new Keyring({ [KEY]: true, [OTHER]: true })
  const { fastify: { wsEvents }, url } = await start(t, keyring)
  const mine = await comeToEach(t, url, transport, KEY, ['acme', 'beta'])
  const { socket: other } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: OTHER } })
  keyring.revoke(KEY)
  await wsEvents.disconnect({ apikey: KEY })
  t.strictSame(await Promise.all(mine.map(async ({ ended }) => await ended)), [ENDED, ENDED])
  t.equal(other.connected, true)
  t.equal(wsEvents.stats().clients.inInstances, 1)
})

t.test('disconnect by a key ends its clients on both nodes of a Redis, and it opens neither again', { skip: withoutRedis }, async t => {
  const keyring = new Keyring({ [KEY]: true, [OTHER]: true })
  const { a, b } = await startNodes(t, { verify: keyring.verify })
  const everywhere = await Promise.all([a, b].flatMap(({ url }) => transports.map(async transport => {
    const come = async (apikey: string) => (await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey } })).socket
    return { revoked: await come(KEY), stays: await come(OTHER) }
  })))
  const ended = Promise.all(everywhere.map(async ({ revoked }) => await disconnected(revoked)))
  keyring.revoke(KEY)
  await a.fastify.wsEvents.disconnect({ apikey: KEY })
  t.strictSame(await ended, [ENDED, ENDED, ENDED, ENDED])
  for (const { stays } of everywhere) t.equal(stays.connected, true)
  for (const { url } of [a, b]) t.equal(await attempt({ url }, { apikey: KEY }, ['websocket', 'polling']), 'FORBIDDEN')
})

t.test('a key that was revoked on one node is found out by the other, where verify gave a ttl', { skip: withoutRedis }, async t => {
  const keyring = new Keyring({ [KEY]: { ttl: TTL } })
  const { a, b } = await startNodes(t, { verify: keyring.verify })
  const clients = await Promise.all([a, b].map(async ({ url }) => await listen(t, `${url}/acme`, { auth: { apikey: KEY } })))
  const ended = Promise.all(clients.map(async ({ socket }) => await disconnected(socket)))
  keyring.revoke(KEY)
  t.strictSame(await ended, [ENDED, ENDED])
})

t.test('a key of the list opens until it is no longer in it, and its clients go when they are sent away', async t => {
  const [old, next] = ['an-older-key', 'a-newer-key']
  const both = await startServer(t, { apikey: [old, next], defaultConfig: { enabled: true } })
  const { socket: withOld } = await listen(t, `${both.url}/acme`, { auth: { apikey: old } })
  const { socket: withNext } = await listen(t, `${both.url}/acme`, { auth: { apikey: next } })
  const ended = disconnected(withOld)
  await both.fastify.wsEvents.disconnect({ apikey: old })
  t.equal(await ended, ENDED)
  t.equal(withNext.connected, true)
  const after = await startServer(t, { apikey: [next], defaultConfig: { enabled: true } })
  t.equal(await attempt(after, { apikey: old }, ['websocket', 'polling']), 'FORBIDDEN')
  t.equal(await attempt(after, { apikey: next }, ['websocket', 'polling']), 'in')
})
