import type { Socket } from 'socket.io-client'
import t from 'tap'
import { evolutionEvents } from '../../lib/index.js'
import type { Refusal } from '../../lib/index.js'
import { admitted, connect, disconnected, Inbox, listen, transports } from '../helpers/client.js'
import { startServer, type TestServer } from '../helpers/server.js'

const ALL = Object.keys(evolutionEvents)
const enabled = { defaultConfig: { enabled: true } }

const subscribe = async (socket: Socket, ...args: unknown[]): Promise<unknown> => await socket.timeout(60_000).emitWithAck('subscribe', ...args)

/** Emits some events, and a last one that every filter of these tests lets through. Resolves to what came before it. */
async function heard ({ fastify }: TestServer, inbox: Inbox, instance: string, events: readonly string[]): Promise<string[]> {
  const from = inbox.messages.length
  for (const event of events) void fastify.wsEvents.emit(instance, event, null)
  void fastify.wsEvents.emit(instance, 'call', 'last')
  await inbox.got(({ data }) => data === 'last' && inbox.messages.length > from)
  return inbox.messages.slice(from).filter(({ data }) => data !== 'last').map(({ event }) => event)
}

for (const transport of transports) {
  t.test(`over ${transport}, subscribe sets the whole filter, and answers with the list in force`, async t => {
    const server = await startServer(t, enabled)
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    t.strictSame(await subscribe(socket, { events: ['MESSAGES_UPSERT', 'call'] }), ['messages.upsert', 'call'])
    t.strictSame(await heard(server, inbox, 'acme', ['messages.upsert', 'chats.set']), ['messages.upsert'])
    t.strictSame(await subscribe(socket, { events: ['messages.*', 'call'] }), ALL.filter(name => name.startsWith('messages.') || name === 'call'))
    t.strictSame(await heard(server, inbox, 'acme', ['messages.set', 'chats.set', 'messages.delete']), ['messages.set', 'messages.delete'])
    t.strictSame(await subscribe(socket, {}), ALL, 'empty is all')
    t.strictSame(await heard(server, inbox, 'acme', ['chats.set']), ['chats.set'])
  })
}

t.test('without anything, and without an acknowledgement, it is accepted too', async t => {
  const server = await startServer(t, enabled)
  const { socket, inbox } = await listen(t, `${server.url}/acme`, { auth: { events: ['call'] } })
  t.strictSame(await subscribe(socket), ALL)
  socket.emit('subscribe', { events: 'chats.set,call' })
  t.strictSame(await subscribe(socket, { events: 'chats.set,call' }), ['chats.set', 'call'], 'the one before was read first')
  t.strictSame(await heard(server, inbox, 'acme', ['chats.set', 'chats.update']), ['chats.set'])
})

t.test('what cannot be understood is refused, and the filter stays as it was', async t => {
  const server = await startServer(t, enabled)
  const { socket, inbox } = await listen(t, `${server.url}/acme`, { auth: { events: ['messages.upsert', 'call'] } })
  const bad: unknown[][] = [
    [{ events: ['messages.upsrt'] }], [{ events: ['nothing.*'] }], [{ events: [1] }], [{ events: { a: 1 } }], [{ events: [''] }],
    [{ evnts: ['call'] }], [['call']], ['call'], [7], [{ events: ['call'] }, 'more'], [{ events: ['x'.repeat(201)] }], [{ instance: 'acme' }]
  ]
  for (const args of bad) {
    const { code, statusCode, retry, message } = await subscribe(socket, ...args) as Refusal
    t.match({ code, statusCode, retry }, { code: 'FST_ERR_WS_EVENTS_INVALID_FILTER', statusCode: 400, retry: false }, JSON.stringify(args).slice(0, 60))
    t.ok(message.length < 500)
  }
  t.match(await subscribe(socket, { events: ['messages.upsrt'] }), { message: /messages\.upsert/ }, 'the nearest name is named')
  t.strictSame(await heard(server, inbox, 'acme', ['messages.upsert', 'chats.set']), ['messages.upsert'])
  t.equal(server.fastify.wsEvents.stats().clients.received.dropped, bad.length + 1)
})

t.test('at the root it chooses instances, within what the key may see', async t => {
  const server = await startServer(t, {
    globalEvents: true,
    verify: ({ apikey }) => apikey === 'two' ? { instances: ['acme', 'other'], events: ['messages.*', 'call'] } : false
  })
  const { socket, inbox } = await listen(t, server.url, { auth: { apikey: 'two' } })
  t.strictSame(await subscribe(socket, { instances: ['acme', 'strange'] }), ALL.filter(name => name.startsWith('messages.') || name === 'call'))
  t.strictSame(server.fastify.wsEvents.clients().map(({ instances }) => instances), [['acme']])
  void server.fastify.wsEvents.emit('strange', 'messages.set', null)
  void server.fastify.wsEvents.emit('other', 'messages.set', null)
  t.strictSame(await heard(server, inbox, 'acme', ['messages.set', 'chats.set']), ['messages.set'])
  t.strictSame(inbox.messages.map(({ instance }) => instance), ['acme', 'acme'])
})

t.test("one client's filter is its own", async t => {
  const server = await startServer(t, enabled)
  const [one, two] = [await listen(t, `${server.url}/acme`), await listen(t, `${server.url}/acme`)]
  await subscribe(one.socket, { events: ['call'] })
  t.strictSame(await heard(server, two.inbox, 'acme', ['chats.set']), ['chats.set'])
  t.strictSame((await one.inbox.got(1)).map(({ event }) => event), ['call'])
})

t.test('a filter set later ends with the connection: auth counts at the next', async t => {
  const server = await startServer(t, enabled)
  const { socket, inbox } = await listen(t, `${server.url}/acme`, { auth: { events: ['messages.*', 'call'] } })
  await subscribe(socket, { events: ['call'] })
  const gone = disconnected(socket)
  socket.io.engine.close()
  await gone
  await admitted(socket)
  t.strictSame(await heard(server, inbox, 'acme', ['messages.set', 'chats.set']), ['messages.set'])
})

t.test('events emitted before a new filter go by the one before', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const { socket, inbox } = await listen(t, `${url}/acme`)
  const answered = subscribe(socket, { events: ['call'] })
  void fastify.wsEvents.emit('acme', 'chats.set', 1)
  await answered
  void fastify.wsEvents.emit('acme', 'chats.set', 2)
  void fastify.wsEvents.emit('acme', 'call', 3)
  t.strictSame((await inbox.got(2)).map(({ data }) => data), [1, 3])
})

t.test('anything else that a client sends is dropped and counted, and hurts nobody', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const socket = connect(t, `${url}/acme`)
  await admitted(socket)
  for (const event of ['sendNode', 'subscribe.x', '__proto__', 'error', 'message']) socket.emit(event, { instanceId: 'acme' })
  t.strictSame(await subscribe(socket), ALL)
  t.equal(fastify.wsEvents.stats().clients.received.dropped, 5)
})

t.test('with evolution, the instance that a client subscribes to is accepted and changes nothing', async t => {
  for (const globalEvents of [false, true]) {
    const server = await startServer(t, { ...enabled, evolution: true, globalEvents })
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { auth: { events: ['messages.*', 'call'] } })
    const before = ALL.filter(name => name.startsWith('messages.') || name === 'call')
    t.strictSame(await subscribe(socket, { instance: 'another' }), before)
    t.strictSame(await heard(server, inbox, 'acme', ['messages.set', 'chats.set']), ['messages.set'])
    t.strictSame(await subscribe(socket, { instance: 'acme', events: ['call'] }), ['call'], 'events besides it count')
  }
})
