import { Type } from '@sinclair/typebox'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import { Server } from 'socket.io'
import { Manager, type Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import wsEvents, { evolutionEvents, type InstanceConfigInput, type Limits, type Message, type Stats, type VerifyAnswer, type WsEventsOptions } from '../lib/index.js'
import { admitted, type ClientOptions, connect, disconnected, Inbox, listen, refused, transports } from './helpers/client.js'
import { eventually } from './helpers/latch.js'
import { recordLog } from './helpers/log.js'
import { LOADER } from './helpers/program.js'
import { registrationError } from './helpers/register.js'
import { startServer, startServer as start, type TestServer } from './helpers/server.js'

const CODE = 'FST_ERR_WS_EVENTS_'
const END = 'the end'
const evolutionEventNames = Object.keys(evolutionEvents)

/** Everything is served, so that a test need not set its instances. */
const open = { defaultConfig: { enabled: true } }

/** Emits a last event, and resolves to what came before it. */
async function untilNow ({ fastify }: TestServer, inbox: Inbox, instance = 'acme', event = 'call'): Promise<Message[]> {
  await fastify.wsEvents.emit(instance, event, END)
  return (await inbox.got(({ data }) => data === END)).filter(({ data }) => data !== END)
}

const dataOf = (messages: readonly Message[]): unknown[] => messages.map(({ data }) => data)

/** Resolves when a client is in, however often it had to try. */
async function comesIn (socket: Socket): Promise<void> {
  if (socket.connected) return
  await new Promise<void>(resolve => { socket.once('connect', resolve) })
}

/** Resolves when the connection of a client was ended from outside. */
async function cutOff (socket: Socket): Promise<string> {
  return await new Promise(resolve => { socket.io.once('close', resolve) })
}

t.test('mode tells how the plugin serves', async t => {
  t.equal((await startServer(t)).fastify.wsEvents.mode, 'traditional')
  t.equal((await startServer(t, { globalEvents: true })).fastify.wsEvents.mode, 'global')
  t.equal((await startServer(t, { enabled: false })).fastify.wsEvents.mode, 'disabled')
})

t.test('a second registration on a server is DUPLICATE, also in a sibling context', async t => {
  const first = async (fastify: { register: (plugin: typeof wsEvents, options: WsEventsOptions) => unknown }) => { await fastify.register(wsEvents, { env: false }) }
  t.equal((await registrationError(t, {}, first)).code, `${CODE}DUPLICATE`)
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(async context => { await context.register(wsEvents, { env: false }) })
  await t.rejects(async () => { await fastify.register(async context => { await context.register(wsEvents, { env: false }) }) }, { code: `${CODE}DUPLICATE`, statusCode: 500, message: /once, on the root instance/ })
})

// emit: where an event goes

interface RouteCase {
  readonly what: string
  readonly options: WsEventsOptions
  readonly config?: InstanceConfigInput
  readonly result: object
}

const routeCases: readonly RouteCase[] = [
  { what: 'in disabled mode', options: { enabled: false }, config: { enabled: true }, result: { id: null, routes: [], skipped: 'disabled' } },
  { what: 'of an instance that was never set', options: {}, result: { id: null, routes: [], skipped: 'not-set' } },
  { what: 'of an instance that is disabled', options: {}, config: { enabled: false }, result: { id: null, routes: [], skipped: 'instance-disabled' } },
  { what: 'that is not in the instance\'s list', options: {}, config: { enabled: true, events: ['chats.set'] }, result: { id: null, routes: [], skipped: 'filtered' } },
  { what: 'of an instance that is served', options: {}, config: { enabled: true, events: ['CALL'] }, result: { id: null, routes: ['/acme'] } },
  { what: 'of an instance that defaultConfig serves', options: open, result: { id: null, routes: ['/acme'] } },
  { what: 'in global mode, of an instance that was never set', options: { globalEvents: true }, result: { id: null, routes: ['/'], skipped: 'not-set' } },
  { what: 'in global mode, of an instance that is disabled', options: { globalEvents: true }, config: { enabled: false }, result: { id: null, routes: ['/'], skipped: 'instance-disabled' } },
  { what: 'in global mode, that is not in the instance\'s list', options: { globalEvents: true }, config: { enabled: true, events: ['chats.set'] }, result: { id: null, routes: ['/'], skipped: 'filtered' } },
  { what: 'in global mode, of an instance that is served', options: { globalEvents: true }, config: { enabled: true }, result: { id: null, routes: ['/', '/acme'] } }
]

for (const { what, options, config, result } of routeCases) {
  t.test(`emit of an event ${what} says where it goes, with nobody there`, async t => {
    const { fastify } = await startServer(t, options)
    if (config !== undefined) await fastify.wsEvents.set('acme', config)
    t.strictSame(await fastify.wsEvents.emit('acme', 'call', null), result)
    t.strictSame(await fastify.wsEvents.emit('acme', 'CALL', null), result, 'in the other spelling')
  })
}

t.test('emit of an event of a namespace that the host made says so, and set is HOST_NAMESPACE', async t => {
  for (const globalEvents of [false, true]) {
    const io = new Server()
    io.of('/admin')
    const { fastify, url } = await startServer(t, { socketio: io, globalEvents, ...open }, { before: fastify => { io.attach(fastify.server) } })
    const { inbox, socket } = await listen(t, `${url}/admin`)
    t.strictSame(await fastify.wsEvents.emit('admin', 'call', null), { id: null, routes: globalEvents ? ['/'] : [], skipped: 'host-namespace' })
    await t.rejects(fastify.wsEvents.set('admin', { enabled: true }), { code: `${CODE}HOST_NAMESPACE`, message: /\/admin.*another name/ })
    t.equal(await fastify.wsEvents.find('admin'), null)
    io.of('/admin').emit('theirs', { data: 'of the host' })
    t.same(dataOf(await inbox.got(1)), ['of the host'], 'the host\'s clients get what the host sends, and nothing of ours')
    t.ok(socket.connected)
  }
})

t.test('the id is there when the event is remembered, and only then', async t => {
  const server = await startServer(t, { globalEvents: true, ...open })
  const { wsEvents } = server.fastify
  t.equal((await wsEvents.emit('acme', 'call', 1)).id, null)
  const { inbox } = await listen(t, `${server.url}/acme`, { auth: { events: ['call'] } })
  const result = await wsEvents.emit('acme', 'call', 2)
  t.same(result.routes, ['/', '/acme'])
  t.type(result.id, 'string')
  t.type((await wsEvents.emit('acme', 'chats.set', 3)).id, 'string', 'its filter leaves this one out, and it is remembered')
  t.equal((await wsEvents.emit('other', 'call', 4)).id, null)
  const [message] = await inbox.got(1)
  t.equal(message?.id, result.id, 'it is that of the message')
  const root = await listen(t, server.url)
  const both = await wsEvents.emit('acme', 'call', 5)
  t.equal((await root.inbox.got(1))[0]?.id, both.id, 'an event has one id in all namespaces')
  t.equal((await inbox.got(2))[1]?.id, both.id)
  t.ok((result.id ?? '') < (both.id ?? ''), 'ids sort by time')
})

// emit: what arrives

/** The ways of a byte to a client: straight to its socket, by Socket.IO's own way, and by polling. */
const ways = [...transports.map(transport => ({ way: transport as string, transport, fastPath: true })), { way: 'websocket without the fast path', transport: 'websocket' as const, fastPath: false }]

for (const { way, transport, fastPath } of ways) {
  const options: ClientOptions = { transports: [transport] }
  const startServer = async (t: Test, options: WsEventsOptions = {}) => await start(t, { fastPath, ...options })

  t.test(`over ${way}, an event arrives by its dotted name, however it was spelled`, async t => {
    const { fastify, url } = await startServer(t, { ...open, events: { ...evolutionEvents, 'order-item.added': true } })
    const socket = connect(t, `${url}/acme`, options)
    const heard: Array<[string, unknown, number]> = []
    const done = new Promise<void>(resolve => {
      socket.onAny((name: string, ...args: Message[]) => {
        heard.push([name, args[0]?.event, args.length])
        if (heard.length === 6) resolve()
      })
    })
    await admitted(socket)
    for (const event of ['messages.upsert', 'MESSAGES_UPSERT', 'GROUP_UPDATE', 'GROUPS_UPDATE', 'group-participants.update', 'ORDER_ITEM_ADDED']) await fastify.wsEvents.emit('acme', event, {})
    await done
    t.same(heard, ['messages.upsert', 'messages.upsert', 'groups.update', 'groups.update', 'group-participants.update', 'order-item.added'].map(name => [name, name, 1]), 'with one argument')
  })

  t.test(`over ${way}, a message has its keys, and those of extra`, async t => {
    const { fastify, url } = await startServer(t, { ...open, serverUrl: 'https://api.example' })
    const { inbox } = await listen(t, `${url}/acme`, options)
    const { wsEvents } = fastify
    const before = Date.now()
    const first = await wsEvents.emit('acme', 'call', { text: 'hello' })
    const second = await wsEvents.emit('acme', 'messages.set', [1], {
      sender: '5511@s.whatsapp.net',
      dateTime: '2026-01-02T03:04:05-03:00',
      apikey: 'k1',
      extra: { isLatest: true, progress: 50, id: 'theirs', event: 'theirs', instance: 'theirs', data: 'theirs', server_url: 'theirs', date_time: 'theirs', sender: 'theirs', apikey: 'theirs' }
    })
    const [plain, full] = await inbox.got(2)
    t.strictSame({ ...plain, date_time: '' }, { id: first.id, event: 'call', instance: 'acme', data: { text: 'hello' }, server_url: 'https://api.example', date_time: '', sender: null })
    t.match(plain?.date_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    t.ok(Date.parse(plain?.date_time ?? '') >= before && Date.parse(plain?.date_time ?? '') <= Date.now())
    t.strictSame(full, {
      id: second.id,
      event: 'messages.set',
      instance: 'acme',
      data: [1],
      server_url: 'https://api.example',
      date_time: '2026-01-02T06:04:05.000Z',
      sender: '5511@s.whatsapp.net',
      apikey: 'k1',
      isLatest: true,
      progress: 50
    })
  })

  t.test(`over ${way}, events arrive in the order of the calls, awaited or not`, async t => {
    const { fastify, url } = await startServer(t, open)
    const { inbox } = await listen(t, `${url}/acme`, options)
    const results = []
    for (let at = 0; at < 1000; at++) {
      const data = at % 7 === 0 ? { at, picture: Buffer.from([at % 256]) } : { at }
      results.push(fastify.wsEvents.emit('acme', at % 2 === 0 ? 'call' : 'chats.set', data))
      if (at % 100 === 99) await results.at(-1)
    }
    const messages = await inbox.got(1000)
    t.same(messages.map(({ data }) => (data as { at: number }).at), Array.from({ length: 1000 }, (empty, at) => at))
    t.same(messages.map(({ id }) => id), (await Promise.all(results)).map(({ id }) => id))
    t.same(messages.map(({ id }) => id), messages.map(({ id }) => id).sort())
  })

  t.test(`over ${way}, data is read during the call`, async t => {
    const { fastify, url } = await startServer(t, open)
    const { inbox } = await listen(t, `${url}/acme`, options)
    const data = { text: 'before', list: ['before'], picture: Buffer.from('before'), numbers: Uint16Array.from([1]) }
    const extra = { note: 'before' }
    const emitted = fastify.wsEvents.emit('acme', 'call', data, { extra })
    data.text = 'after'
    data.list.push('after')
    data.picture.fill('x')
    data.numbers[0] = 9
    extra.note = 'after'
    await emitted
    t.match((await inbox.got(1))[0], { data: { text: 'before', list: ['before'], picture: Buffer.from('before'), numbers: Buffer.from([1, 0]) }, note: 'before' })
    t.equal(((await inbox.got(1))[0]?.data as typeof data).list.length, 1)
  })

  t.test(`over ${way}, Buffers and typed arrays arrive as binary`, async t => {
    const { fastify, url } = await startServer(t, open)
    const { inbox } = await listen(t, `${url}/acme`, options)
    const bytes = Uint8Array.from({ length: 256 }, (empty, at) => at)
    const data = {
      buffer: Buffer.from(bytes),
      empty: Buffer.alloc(0),
      large: Buffer.alloc(100_000, 7),
      part: bytes.subarray(10, 13),
      floats: Float64Array.from([1.5]),
      view: new DataView(bytes.buffer, 1, 2),
      raw: bytes.buffer,
      nested: [{ deep: Buffer.from('x') }, 'and text']
    }
    await fastify.wsEvents.emit('acme', 'call', data, { extra: { thumb: Buffer.from('t') } })
    const [message] = await inbox.got(1)
    t.strictSame(message?.data, {
      buffer: Buffer.from(bytes),
      empty: Buffer.alloc(0),
      large: Buffer.alloc(100_000, 7),
      part: Buffer.from([10, 11, 12]),
      floats: Buffer.from(Float64Array.from([1.5]).buffer),
      view: Buffer.from([1, 2]),
      raw: Buffer.from(bytes),
      nested: [{ deep: Buffer.from('x') }, 'and text']
    })
    t.same((message as unknown as { thumb: unknown }).thumb, Buffer.from('t'))
  })

  t.test(`over ${way}, ten binary parts arrive; more are rejected, and the client stays`, async t => {
    const server = await startServer(t, open)
    const { inbox, socket } = await listen(t, `${server.url}/acme`, options)
    const ten = Array.from({ length: 10 }, (empty, at) => Buffer.from([at]))
    await server.fastify.wsEvents.emit('acme', 'call', ten)
    await t.rejects(server.fastify.wsEvents.emit('acme', 'call', [...ten, Buffer.from('x')]), { code: `${CODE}NOT_SERIALIZABLE`, message: /11 binary parts/ })
    t.strictSame(dataOf(await untilNow(server, inbox)), [ten])
    t.ok(socket.connected)
  })

  t.test(`over ${way}, data that cannot be sent is rejected, and the others arrive`, async t => {
    const server = await startServer(t, open)
    const { wsEvents } = server.fastify
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const bad: ReadonlyArray<readonly [what: string, data: unknown]> = [
      ['circular', circular],
      ['a BigInt', { count: 1n }],
      ['a getter that throws', { get text () { throw new Error('no') } }],
      ['a toJSON that throws', { toJSON () { throw new Error('no') } }],
      ['a Blob', new Blob(['x'])],
      ['a function', () => 5],
      ['a symbol', Symbol('x')]
    ]
    for (const [what, data] of bad) t.match(await wsEvents.emit('acme', 'call', data), { id: null, routes: ['/acme'] }, `${what} with nobody there is not even looked at`)
    const { inbox, socket } = await listen(t, `${server.url}/acme`, options)
    for (const [what, data] of bad) await t.rejects(wsEvents.emit('acme', 'call', data), { code: `${CODE}NOT_SERIALIZABLE`, statusCode: 400, message: /"call"/ }, what)
    await t.rejects(wsEvents.emit('acme', 'call', {}, { extra: { count: 1n } }), { code: `${CODE}NOT_SERIALIZABLE` }, 'in extra')
    await wsEvents.emit('acme', 'call', { toJSON: () => 'from toJSON', at: new Date(0) })
    await wsEvents.emit('acme', 'call', { at: new Date(0), gone: undefined, list: [undefined, NaN] })
    await wsEvents.emit('acme', 'call', undefined)
    t.strictSame(dataOf(await untilNow(server, inbox)), ['from toJSON', { at: '1970-01-01T00:00:00.000Z', list: [null, null] }, null])
    t.ok(socket.connected)
    t.equal(wsEvents.stats().emit.rejected, bad.length + 1)
  })

  t.test(`over ${way}, a client gets the events of its instance from its admission on, and of no other`, async t => {
    const server = await startServer(t, open)
    await server.fastify.wsEvents.emit('acme', 'call', 'before it was there')
    const { inbox } = await listen(t, `${server.url}/acme`, options)
    await server.fastify.wsEvents.emit('other', 'call', 'of another')
    await server.fastify.wsEvents.emit('ACME', 'call', 'of another case')
    await server.fastify.wsEvents.emit('acme', 'call', 'its own')
    t.same(dataOf(await untilNow(server, inbox)), ['its own'])
  })

  t.test(`over ${way}, in global mode the root gets every instance's events, and an instance's client its own`, async t => {
    const server = await startServer(t, { globalEvents: true })
    const { wsEvents } = server.fastify
    const root = await listen(t, server.url, options)
    await wsEvents.set('acme', { enabled: true, events: ['call'] })
    await wsEvents.set('off', { enabled: false })
    const acme = await listen(t, `${server.url}/acme`, options)
    await wsEvents.emit('never-set', 'call', 1)
    await wsEvents.emit('off', 'call', 2)
    await wsEvents.emit('acme', 'chats.set', 3)
    await wsEvents.emit('acme', 'call', 4)
    t.same((await untilNow(server, root.inbox)).map(({ instance, data }) => [instance, data]), [['never-set', 1], ['off', 2], ['acme', 3], ['acme', 4]])
    t.same(dataOf(await untilNow(server, acme.inbox)), [4])
  })

  // The end of a client

  t.test(`over ${way}, remove and enabled: false send what was emitted before, and then end the clients for good`, async t => {
    for (const end of ['remove', 'disable'] as const) {
      const { fastify, url } = await startServer(t)
      const { wsEvents } = fastify
      await wsEvents.set('acme', { enabled: true })
      await wsEvents.set('other', { enabled: true })
      const { socket, inbox } = await listen(t, `${url}/acme`, options)
      const other = await listen(t, `${url}/other`, options)
      const gone = disconnected(socket)
      for (let at = 0; at < 50; at++) void wsEvents.emit('acme', 'call', at)
      if (end === 'remove') t.equal(await wsEvents.remove('acme'), true)
      else await wsEvents.set('acme', { enabled: false })
      t.same(await wsEvents.emit('acme', 'call', 'after'), { id: null, routes: [], skipped: end === 'remove' ? 'not-set' : 'instance-disabled' })
      t.equal(await gone, 'io server disconnect')
      t.same(dataOf(inbox.messages), Array.from({ length: 50 }, (empty, at) => at))
      t.equal(socket.active, false, 'it does not try again by itself')
      t.ok(other.socket.connected, 'another instance is not touched')
      const refusal = await refused(connect(t, `${url}/acme`, options))
      t.equal(refusal.code, `${CODE}${end === 'remove' ? 'NOT_SET' : 'INSTANCE_DISABLED'}`)
      await wsEvents.set('acme', { enabled: true })
      await admitted(socket.connect())
      await wsEvents.emit('acme', 'call', 'again')
      t.equal((await inbox.got(({ data }) => data === 'again')).length, 51)
    }
  })

  t.test(`over ${way}, a set that leaves an instance enabled keeps its clients, and its list counts at once`, async t => {
    const server = await startServer(t)
    const { wsEvents } = server.fastify
    await wsEvents.set('acme', { enabled: true })
    const { socket, inbox } = await listen(t, `${server.url}/acme`, options)
    void wsEvents.emit('acme', 'chats.set', 'before')
    await wsEvents.set('acme', { enabled: true, events: ['call'] })
    t.match(await wsEvents.emit('acme', 'chats.set', 'after'), { skipped: 'filtered' })
    t.same(dataOf(await untilNow(server, inbox)), ['before'])
    t.ok(socket.connected)
  })

  t.test(`over ${way}, disconnect ends those that are meant, for good, after what was emitted before`, async t => {
    const { fastify, url } = await startServer(t, { ...open, globalEvents: true, apikey: ['k1', 'k2'] })
    const { wsEvents } = fastify
    const join = async (path: string, apikey: string) => await listen(t, `${url}/${path}`, { ...options, auth: { apikey } })
    const clients = {
      acme1: await join('acme', 'k1'),
      acme2: await join('acme', 'k2'),
      other1: await join('other', 'k1'),
      other2: await join('other', 'k2'),
      root1: await join('', 'k1')
    }
    const ends = async (names: Array<keyof typeof clients>, target: object) => {
      const gone = names.map(async name => await disconnected(clients[name].socket))
      const staying = Object.entries(clients).filter(([name, { socket }]) => socket.connected && !names.includes(name as 'acme1'))
      void wsEvents.emit('acme', 'call', JSON.stringify(target))
      await wsEvents.disconnect(target)
      t.same(await Promise.all(gone), names.map(() => 'io server disconnect'), JSON.stringify(target))
      for (const name of names.filter(name => name.startsWith('acme'))) t.equal(clients[name].inbox.messages.at(-1)?.data, JSON.stringify(target))
      for (const [name, { socket }] of staying) t.ok(socket.connected, `${name} stays`)
      for (const name of names) t.equal(clients[name].socket.active, false)
    }
    await ends(['acme2'], { instance: 'acme', apikey: 'k2' })
    await ends([], { instance: 'nobody' })
    await ends([], { apikey: 'wrong' })
    await ends(['acme1'], { instance: 'acme' })
    await ends(['other1', 'root1'], { apikey: ' k1 ' })
    await t.rejects(wsEvents.disconnect({}), { code: `${CODE}INVALID_DATA`, message: /instance or an apikey/ })
    await t.rejects(wsEvents.disconnect({ instance: 'a/b' }), { code: `${CODE}INVALID_NAME` })
    const unreadable = { get instance (): string { throw new Error('a getter') } }
    await t.rejects(wsEvents.disconnect(unreadable), { code: `${CODE}INVALID_DATA`, message: /cannot be read: a getter/ })
    t.throws(() => wsEvents.clients(unreadable), { code: `${CODE}INVALID_DATA`, message: /cannot be read: a getter/ })
    t.ok(clients.other2.socket.connected)
    await admitted(clients.acme1.socket.connect())
    t.pass('a client that is told to comes back')
  })

  // Filters at connect

  t.test(`over ${way}, a filter at connect counts for that client alone`, async t => {
    const server = await startServer(t, open)
    const { url, fastify } = server
    const at = async (filter: ClientOptions) => await listen(t, `${url}/acme`, { ...options, ...filter })
    const cases = [
      [await at({}), ['call', 'chats.set', 'chats.update', 'messages.upsert']],
      [await at({ auth: { events: [] } }), ['call', 'chats.set', 'chats.update', 'messages.upsert']],
      [await at({ auth: { events: ['messages.upsert', 'CALL'] } }), ['call', 'messages.upsert']],
      [await at({ auth: { events: 'messages.upsert, CALL' } }), ['call', 'messages.upsert']],
      [await at({ query: { events: 'chats.set,call' } }), ['call', 'chats.set']],
      [await at({ query: { events: '' } }), ['call', 'chats.set', 'chats.update', 'messages.upsert']],
      [await at({ query: { events: 'chats.*' } }), ['chats.set', 'chats.update']],
      [await at({ auth: { events: ['chats.*', 'call'] } }), ['call', 'chats.set', 'chats.update']],
      [await at({ auth: { events: ['*'] } }), ['call', 'chats.set', 'chats.update', 'messages.upsert']],
      [await at({ auth: { events: ['call'] }, query: { events: 'chats.set' } }), ['call']],
      [await at({ auth: { events: ['GROUP_UPDATE'] } }), []],
      [await at({ auth: { instances: ['other'] } }), ['call', 'chats.set', 'chats.update', 'messages.upsert']]
    ] as const
    for (const event of ['call', 'chats.set', 'chats.update', 'messages.upsert']) await fastify.wsEvents.emit('acme', event, null)
    for (const event of evolutionEventNames) await fastify.wsEvents.emit('acme', event, END)
    for (const [{ inbox }, events] of cases) {
      const messages = await inbox.got(({ data }) => data === END)
      t.same(messages.filter(({ data }) => data === null).map(({ event }) => event), events)
    }
  })

  t.test(`over ${way}, a filter that names what is not there is refused, and the client learns what`, async t => {
    const { url } = await startServer(t, { ...open, globalEvents: true })
    const cases: ReadonlyArray<readonly [path: string, filter: ClientOptions, says: RegExp]> = [
      ['/acme', { auth: { events: ['message.upsert'] } }, /"message\.upsert".*"messages\.upsert"/],
      ['/acme', { query: { events: 'call,CALLS' } }, /"CALLS".*"CALL"/],
      ['/acme', { auth: { events: ['nonsense.*'] } }, /nonsense/],
      ['/acme', { auth: { events: 5 } }, /events/],
      ['', { auth: { events: ['message.upsert'] } }, /messages\.upsert/],
      ['', { auth: { instances: ['a/b'] } }, /"a\/b"/],
      ['', { auth: { instances: [5] } }, /instances/]
    ]
    for (const [path, filter, message] of cases) {
      t.match(await refused(connect(t, url + path, { ...options, ...filter })), { code: `${CODE}INVALID_FILTER`, statusCode: 400, message, retry: false }, JSON.stringify(filter))
    }
  })

  t.test(`over ${way}, a client of the root gets the instances that it asks for`, async t => {
    const server = await startServer(t, { globalEvents: true })
    const { url, fastify } = server
    const at = async (filter: ClientOptions) => await listen(t, url, { ...options, ...filter })
    // The one that is called like a wildcard comes first: it must not share a filter with those that ask for all.
    const cases = [
      [await at({ auth: { instances: ['*'] } }), []],
      [await at({}), ['acme', 'other', 'café']],
      [await at({ auth: { instances: [] } }), ['acme', 'other', 'café']],
      [await at({ auth: { instances: ['acme'] } }), ['acme']],
      [await at({ query: { instances: 'acme, other' } }), ['acme', 'other']],
      [await at({ auth: { instances: ['cafe\u0301'] } }), ['café']],
      [await at({ auth: { instances: ['acme', 'other'], events: ['chats.set'] } }), []]
    ] as const
    for (const instance of ['acme', 'other', 'café']) await fastify.wsEvents.emit(instance, 'call', null)
    for (const instance of ['acme', 'other', 'café', '*']) for (const event of ['call', 'chats.set']) await fastify.wsEvents.emit(instance, event, END)
    for (const [{ inbox }, instances] of cases) {
      const messages = await inbox.got(({ data }) => data === END)
      t.same(messages.filter(({ data }) => data === null).map(({ instance }) => instance), instances)
    }
  })

  t.test(`over ${way}, what verify grants is all that a client gets, whatever it asks for`, async t => {
    const grants: Record<string, VerifyAnswer> = {
      all: true,
      empty: {},
      acme: { instances: ['acme'] },
      'acme call': { instances: ['acme'], events: ['CALL'] },
      chats: { events: ['chats.*'] },
      'key-of-none': { events: [] },
      'no instances': { instances: [] }
    }
    const server = await startServer(t, { ...open, globalEvents: true, verify: async ({ apikey }) => grants[apikey ?? ''] ?? false })
    const { url, fastify } = server
    const at = async (path: string, apikey: string, asked: object = {}) => await listen(t, url + path, { ...options, auth: { apikey, ...asked } })
    const all = ['acme call', 'acme chats.set', 'other call', 'other chats.set']
    const ofAcme = ['acme call', 'acme chats.set']
    const cases = [
      [await at('', 'all'), all],
      [await at('', 'empty'), all],
      [await at('', 'acme'), ofAcme],
      [await at('', 'acme', { instances: ['acme', 'other'] }), ofAcme],
      [await at('', 'acme', { instances: ['other'] }), []],
      [await at('', 'acme call'), ['acme call']],
      [await at('', 'acme call', { events: ['chats.set'] }), []],
      [await at('', 'acme call', { events: ['*'] }), ['acme call']],
      [await at('', 'chats'), ['acme chats.set', 'other chats.set']],
      [await at('', 'key-of-none'), []],
      [await at('', 'key-of-none', { events: ['call'] }), []],
      [await at('', 'no instances'), []],
      [await at('', 'no instances', { instances: ['acme'] }), []],
      [await at('/acme', 'all'), ofAcme],
      [await at('/acme', 'acme'), ofAcme],
      [await at('/acme', 'acme call'), ['acme call']],
      [await at('/acme', 'chats', { events: ['chats.*', 'call'] }), ['acme chats.set']],
      [await at('/acme', 'key-of-none'), []]
    ] as const
    for (const [path, key] of [['/other', 'acme'], ['/other', 'acme call'], ['/acme', 'no instances'], ['/acme', 'unknown'], ['', 'unknown']] as const) {
      t.match(await refused(connect(t, url + path, { ...options, auth: { apikey: key } })), { code: `${CODE}FORBIDDEN`, statusCode: 403, retry: false }, `${key} at ${path}`)
    }
    for (const instance of ['acme', 'other']) for (const event of ['call', 'chats.set']) await fastify.wsEvents.emit(instance, event, null)
    await cases[0][0].inbox.got(4)
    await cases[13][0].inbox.got(2)
    // No event would pass an empty grant, so the last one is the host's own, on the same connections.
    for (const namespace of ['/', '/acme']) (fastify as unknown as { io: Server }).io.of(namespace).emit('marker', { data: END })
    for (const [{ inbox }, expected] of cases) {
      const messages = await inbox.got(({ data }) => data === END)
      t.same(messages.filter(({ data }) => data === null).map(({ instance, event }) => `${instance} ${event}`), expected)
    }
  })

  // Limits. Each is shown by what a client sees, and by the counter.

  const limited = async (t: Test, limits: Partial<Limits>, more: WsEventsOptions = {}) => await startServer(t, { ...open, ...more, limits })

  for (const limit of ['connections', 'connectionsPerInstance', 'connectionsPerAddress'] as const) {
    t.test(`over ${way}, a client beyond limits.${limit} is cut off, and comes in by itself when there is room`, async t => {
      const { fastify, url } = await limited(t, { [limit]: 1 }, { trustProxy: true, apikey: 'k' })
      const at = (path: string, address: string) => connect(t, url + path, { ...options, auth: { apikey: 'k' }, extraHeaders: { 'x-forwarded-for': address } })
      const first = await admitted(at('/acme', '10.0.0.1'))
      const beyond = at('/acme', '10.0.0.1')
      await cutOff(beyond)
      t.ok((fastify.wsEvents.stats().clients.refused.LIMIT_REACHED ?? 0) >= 1)
      if (limit === 'connectionsPerInstance') await admitted(at('/other', '10.0.0.1'))
      if (limit === 'connectionsPerAddress') await admitted(at('/acme', '10.0.0.2'))
      t.ok(first.connected)
      t.notOk(beyond.connected)
      first.disconnect()
      await comesIn(beyond)
      t.ok(beyond.connected)
    })
  }

  t.test(`over ${way}, an address beyond limits.refusalsPerMinute is cut off unheard`, async t => {
    let asked = 0
    const { fastify, url } = await limited(t, { refusalsPerMinute: 2 }, { verify: ({ apikey }) => { asked++; return apikey === 'good' } })
    const at = (apikey: string) => connect(t, `${url}/acme`, { ...options, auth: { apikey } })
    const inside = await admitted(at('good'))
    for (const key of ['bad 1', 'bad 2']) t.equal((await refused(at(key))).code, `${CODE}FORBIDDEN`)
    await cutOff(at('bad 3'))
    await cutOff(at('good'))
    t.equal(asked, 3, 'verify is not asked any more')
    t.ok(inside.connected, 'who is inside stays')
    t.equal(fastify.wsEvents.stats().clients.refused.FORBIDDEN, 2)
    t.ok((fastify.wsEvents.stats().clients.refused.LIMIT_REACHED ?? 0) >= 2)
  })

  t.test(`over ${way}, a namespace beyond limits.namespacesPerConnection is refused, and the others go on`, async t => {
    const server = await limited(t, { namespacesPerConnection: 2 })
    const manager = new Manager(server.url, options)
    t.teardown(() => { manager._close() })
    const acme = manager.socket('/acme')
    const inbox = new Inbox(acme)
    await admitted(acme)
    const second = await admitted(manager.socket('/second'))
    const third = manager.socket('/third')
    t.match(await refused(third), { code: `${CODE}LIMIT_REACHED`, statusCode: 429, message: /namespacesPerConnection/, retry: true })
    t.equal(server.fastify.wsEvents.stats().clients.refused.LIMIT_REACHED, 1)
    t.same(dataOf(await untilNow(server, inbox)), [])
    t.ok(second.connected)
    second.disconnect()
    await eventually(() => server.fastify.wsEvents.stats().clients.inInstances === 1)
    await admitted(third.connect())
  })

  t.test(`over ${way}, of namespaces that are joined at once only those beyond limits.namespacesPerConnection are refused`, async t => {
    const server = await limited(t, { namespacesPerConnection: 2 })
    const manager = new Manager(server.url, options)
    t.teardown(() => { manager._close() })
    const sockets = ['/a', '/b', '/c', '/d'].map(namespace => manager.socket(namespace))
    const ended = new Promise<never>((resolve, reject) => { manager.once('close', reason => { reject(new Error(`the connection was ended: ${reason}`)) }) })
    ended.catch(() => {})
    const codes = Promise.all(sockets.map(async socket => await admitted(socket).then(() => 'in', (error: Error & { data?: { code: string } }) => error.data?.code)))
    t.same(await Promise.race([codes, ended]), ['in', 'in', `${CODE}LIMIT_REACHED`, `${CODE}LIMIT_REACHED`])
  })

  t.test(`over ${way}, a connection that is in no namespace for limits.idleMs is ended`, async t => {
    const server = await limited(t, { idleMs: 2000 })
    const { inbox } = await listen(t, `${server.url}/acme`, options)
    const idle = new Manager(server.url, { ...options, autoConnect: false, reconnection: false })
    t.teardown(() => { idle._close() })
    const ended = new Promise(resolve => { idle.once('close', resolve) })
    await new Promise<void>((resolve, reject) => { idle.open(error => { if (error === undefined) resolve(); else reject(error) }) })
    await ended
    t.same(dataOf(await untilNow(server, inbox)), [], 'one that is in a namespace stays')
  })

  t.test(`over ${way}, a connection whose last namespace was left is ended after limits.idleMs`, async t => {
    const server = await limited(t, { idleMs: 2000 })
    const manager = new Manager(server.url, { ...options, reconnection: false })
    t.teardown(() => { manager._close() })
    const ended = new Promise(resolve => { manager.once('close', resolve) })
    const socket = await admitted(manager.socket('/acme'))
    // A stock client would end the connection itself.
    manager._destroy = () => {}
    socket.disconnect()
    await ended
    t.equal(server.fastify.wsEvents.stats().clients.connections, 0)
  })

  t.test(`over ${way}, a client that sends a message beyond limits.inboundBytes is cut off, and comes back`, async t => {
    const { fastify, url } = await limited(t, { inboundBytes: 1000 })
    const { socket } = await listen(t, `${url}/acme`, options)
    socket.emit('small', 'x'.repeat(800))
    await eventually(() => fastify.wsEvents.stats().clients.received.dropped === 1)
    t.ok(socket.connected)
    const gone = disconnected(socket)
    socket.emit('large', 'x'.repeat(2000))
    t.match(await gone, /^transport (close|error)$/)
    await comesIn(socket)
    t.equal(fastify.wsEvents.stats().clients.received.dropped, 1, 'it was not heard')
  })

  t.test(`over ${way}, a client that sends more than limits.inboundPerSecond is cut off, and comes back`, async t => {
    const { fastify, url } = await limited(t, { inboundPerSecond: 5 })
    const { socket } = await listen(t, `${url}/acme`, options)
    const other = await listen(t, `${url}/acme`, options)
    for (let at = 0; at < 5; at++) socket.emit('hello', at)
    await eventually(() => fastify.wsEvents.stats().clients.received.dropped === 5)
    t.ok(socket.connected)
    const gone = disconnected(socket)
    for (let at = 0; at < 10; at++) socket.emit('hello', at)
    t.match(await gone, /^transport (close|error)$/)
    t.equal(fastify.wsEvents.stats().clients.refused.LIMIT_REACHED, 1, 'counted once')
    await comesIn(socket)
    t.ok(other.socket.connected)
  })
}

t.test('a websocket that reads nothing is cut off when more than limits.queuedBytes wait for it, and comes back', async t => {
  const { fastify, url } = await startServer(t, { ...open, limits: { queuedBytes: 500_000 } })
  const slow = await listen(t, `${url}/acme`)
  const quick = await listen(t, `${url}/acme`)
  const { _socket: tcp } = (slow.socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void, resume(): void } } }).ws
  tcp.pause()
  const gone = disconnected(slow.socket)
  let emitted = 0
  while (fastify.wsEvents.stats().delivery.slowConsumers === 0 && emitted < 1000) {
    await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(100_000))
    emitted++
    await quick.inbox.got(emitted)
  }
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 1)
  t.ok(quick.socket.connected, 'who reads stays')
  tcp.resume()
  t.match(await gone, /^transport (close|error)$/)
  await comesIn(slow.socket)
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 1)
})

t.test('a polling client that does not ask again is cut off when more than limits.queuedBytes wait for it', async t => {
  const { fastify, url } = await startServer(t, { ...open, limits: { queuedBytes: 500_000 } })
  const engine = `${url}/socket.io/?EIO=4&transport=polling`
  const { sid } = JSON.parse((await (await fetch(engine)).text()).slice(1)) as { sid: string }
  await fetch(`${engine}&sid=${sid}`, { method: 'POST', body: '40/acme,', headers: { 'content-type': 'text/plain;charset=UTF-8' } })
  t.match(await (await fetch(`${engine}&sid=${sid}`)).text(), /^40\/acme,/)
  let emitted = 0
  while (fastify.wsEvents.stats().delivery.slowConsumers === 0 && emitted < 100) {
    await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(60_000))
    emitted++
    await eventually(() => fastify.wsEvents.stats().delivery.delivered === emitted || fastify.wsEvents.stats().delivery.slowConsumers > 0)
  }
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 1)
  t.ok(emitted > 8 && emitted < 15, `after ${emitted} events of 60 kB`)
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0)
  t.equal((await fetch(`${engine}&sid=${sid}`)).status, 400)
})

t.test('limits of 0 are none', async t => {
  const server = await startServer(t, { ...open, limits: { connectionsPerInstance: 0, namespacesPerConnection: 0, idleMs: 0, queuedBytes: 0, inboundBytes: 0, inboundPerSecond: 0 } })
  const { socket, inbox } = await listen(t, `${server.url}/acme`)
  for (let at = 0; at < 200; at++) socket.emit('hello', at)
  socket.emit('large', 'x'.repeat(2_000_000))
  await eventually(() => server.fastify.wsEvents.stats().clients.received.dropped === 201)
  await server.fastify.wsEvents.emit('acme', 'call', 'x'.repeat(3_000_000))
  t.equal((await untilNow(server, inbox)).length, 1)
  t.ok(socket.connected)
})

// Rejections

const rejections: ReadonlyArray<readonly [what: string, args: unknown[], code: string, says: RegExp]> = [
  ['a bad name', ['a/b', 'order', { id: 'x' }], 'INVALID_NAME', /"a\/b"/],
  ['no name', [undefined, 'order', { id: 'x' }], 'INVALID_NAME', /string/],
  ['an unknown event', ['acme', 'ordr', { id: 'x' }], 'UNKNOWN_EVENT', /"ordr".*"order"/],
  ['an unknown event in capitals', ['acme', 'ORDR', { id: 'x' }], 'UNKNOWN_EVENT', /"ORDR".*"ORDER"/],
  ['no event', ['acme'], 'UNKNOWN_EVENT', /string/],
  ['data against a schema of TypeBox', ['acme', 'order', { id: 5 }], 'INVALID_DATA', /data\/id/],
  ['data against a plain JSON Schema', ['acme', 'user', { mail: 'nobody' }], 'INVALID_DATA', /data\/mail.*email/],
  ['data that lacks what its schema demands', ['acme', 'user', {}], 'INVALID_DATA', /mail/],
  ['a property that its schema does not know', ['acme', 'user', { mail: 'a@b.example', color: 'red' }], 'INVALID_DATA', /color/],
  ['data that cannot be sent', ['acme', 'free', { count: 1n }], 'NOT_SERIALIZABLE', /BigInt/],
  ['a dateTime that is none', ['acme', 'free', 1, { dateTime: 'never' }], 'INVALID_DATA', /dateTime/]
]

const events = {
  order: Type.Object({ id: Type.String() }),
  user: { type: 'object', required: ['mail'], additionalProperties: false, properties: { mail: { type: 'string', format: 'email' } } },
  free: true
} as const

t.test('a rejection says what is wrong, is logged once, and nothing is sent', async t => {
  const { lines, fastify: options } = recordLog()
  const server = await startServer(t, { ...open, events }, { fastify: options })
  const { wsEvents } = server.fastify
  const { inbox, socket } = await listen(t, `${server.url}/acme`)
  for (const [what, args, code, message] of rejections) {
    const before = lines.filter(({ level }) => level >= 50).length
    let rejected: Promise<unknown> | undefined
    t.doesNotThrow(() => { rejected = wsEvents.emit(...args as Parameters<typeof wsEvents.emit>) }, 'it rejects and does not throw')
    await t.rejects(rejected ?? Promise.resolve(), { code: CODE + code, statusCode: 400, message }, what)
    const errors = lines.filter(({ level }) => level >= 50).slice(before)
    t.match(errors, [{ err: { code: CODE + code, message } }], `${what} is in the log`)
    t.equal(errors.length, 1, 'once')
  }
  t.equal(wsEvents.stats().emit.rejected, rejections.length)
  t.equal(wsEvents.stats().emit.accepted, 0)
  t.same(dataOf(await untilNow(server, inbox, 'acme', 'free')), [])
  t.ok(socket.connected)
})

t.test('data is validated even without clients', async t => {
  const { fastify } = await startServer(t, { events })
  await t.rejects(fastify.wsEvents.emit('acme', 'order', { id: 5 }), { code: `${CODE}INVALID_DATA` })
  t.match(await fastify.wsEvents.emit('acme', 'order', { id: 'x' }), { skipped: 'not-set' })
})

t.test('a rejection that nobody awaits does not end the process', async t => {
  const script = fileURLToPath(new URL('fixtures/unawaited.ts', import.meta.url))
  // By the loader of this test: lines that another one has run would be counted at the wrong places.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...LOADER, script])
  t.same(JSON.parse(stdout), { rejected: 5 })
  t.equal(stderr, '')
})

t.test('a secret in the data or the options of a rejected event is not in the log', async t => {
  const { lines, fastify: options } = recordLog('trace')
  const { fastify } = await startServer(t, { ...open, events }, { fastify: options })
  await t.rejects(fastify.wsEvents.emit('acme', 'order', { id: 5, password: 'zR8kQ2' }, { apikey: 'zR8kQ2-key' }))
  t.notMatch(JSON.stringify(lines), 'zR8kQ2')
})

t.test('when the server is closed, everything is CLOSED, and nothing throws', async t => {
  const { fastify } = await startServer(t, open)
  await fastify.close()
  const calls: Array<() => Promise<unknown>> = [
    async () => await fastify.wsEvents.emit('acme', 'call', null),
    async () => await fastify.wsEvents.set('acme', { enabled: true }),
    async () => await fastify.wsEvents.remove('acme')
  ]
  for (const call of calls) await t.rejects(call, { code: `${CODE}CLOSED`, statusCode: 503 })
  t.same(fastify.wsEvents.clients(), [])
  t.equal(fastify.wsEvents.stats().emit.rejected, 1)
})

// Configs

t.test('set, find, remove and list are the configs', async t => {
  const { wsEvents } = (await startServer(t)).fastify
  t.strictSame(await wsEvents.set('acme', { enabled: true, events: ['call'] }), { instance: 'acme', enabled: true, events: ['CALL'] })
  t.strictSame(await wsEvents.find('acme'), { instance: 'acme', enabled: true, events: ['CALL'] })
  t.equal(await wsEvents.find('other'), null)
  await wsEvents.set('other', { enabled: false, events: ['chats.set'] })
  const found = []
  for await (const config of wsEvents.list()) found.push(config)
  t.same(found.map(({ instance }) => instance).sort(), ['acme', 'other'])
  t.equal(await wsEvents.remove('acme'), true)
  t.equal(await wsEvents.remove('acme'), false)
})

// Who is here, and what was counted

t.test('clients tells who is connected, until they leave', async t => {
  const { fastify, url } = await startServer(t, { ...open, globalEvents: true })
  const before = Date.now()
  t.same(fastify.wsEvents.clients(), [])
  const acme = await listen(t, `${url}/acme/`, { auth: { events: ['chats.*'] } })
  const cafe = await listen(t, `${url}/caf%C3%A9`)
  const root = await listen(t, url, { auth: { instances: ['acme'], events: ['CALL'] } })
  const byInstance = new Map(fastify.wsEvents.clients().map(client => [client.instance, client]))
  t.strictSame([...byInstance.keys()].sort(), ['acme', 'café', null].sort())
  t.same(byInstance.get('acme')?.events, ['chats.set', 'chats.upsert', 'chats.update', 'chats.delete'])
  t.same(byInstance.get('café')?.events, evolutionEventNames)
  t.match(byInstance.get(null), { events: ['call'], instances: ['acme'] })
  t.notOk('instances' in (byInstance.get('acme') ?? {}))
  for (const { address, since, queuedBytes } of byInstance.values()) {
    t.equal(address, '127.0.0.1')
    t.ok(since instanceof Date && since.getTime() >= before && since.getTime() <= Date.now())
    t.equal(queuedBytes, 0)
  }
  t.same(fastify.wsEvents.clients({ instance: 'cafe\u0301' }).map(({ instance }) => instance), ['café'])
  t.same(fastify.wsEvents.clients({ instance: 'nobody' }), [])
  t.throws(() => fastify.wsEvents.clients({ instance: 'a/b' }), { code: `${CODE}INVALID_NAME` })
  for (const { socket } of [acme, cafe, root]) socket.disconnect()
  await eventually(() => fastify.wsEvents.clients().length === 0)
})

t.test('a client of the root that asks for no instances has all: null', async t => {
  const { fastify, url } = await startServer(t, { globalEvents: true })
  await listen(t, url)
  t.match(fastify.wsEvents.clients(), [{ instance: null, instances: null, events: evolutionEventNames }])
})

const NO_LIMITS: Stats['limits'] = { connections: 0, connectionsPerInstance: 0, connectionsPerAddress: 0, refusalsPerMinute: 0, namespacesPerConnection: 0, idleMs: 0, queuedBytes: 0, queuedBytesMax: 0, queuedBytesTotal: 0, messageBytes: 0, instances: 0, inboundBytes: 0, inboundPerSecond: 0, publishPerSecond: 0, pendingEvents: 0, pendingBytes: 0 }

t.test('stats counts what happens, and is a copy', async t => {
  const { fastify, url } = await startServer(t, { globalEvents: true })
  const { wsEvents } = fastify
  const zero: Stats = {
    emit: {
      accepted: 0,
      rejected: 0,
      skipped: { disabled: 0, 'not-set': 0, 'instance-disabled': 0, filtered: 0, 'host-namespace': 0 }
    },
    publish: { accepted: 0, repeated: 0, skipped: { 'unknown-event': 0, 'invalid-name': 0, removed: 0 } },
    clients: {
      atRoot: 0,
      inInstances: 0,
      connections: 0,
      namespaces: 0,
      admitted: 0,
      refused: {},
      received: { handled: 0, dropped: 0 }
    },
    delivery: { delivered: 0, replayed: 0, resumed: { recovered: 0, gap: 0, fresh: 0 }, slowConsumers: 0 },
    log: { streams: 0, records: 0, bytes: 0 },
    store: { available: true, pendingEvents: 0, pendingBytes: 0, failures: 0 },
    limits: NO_LIMITS
  }
  t.strictSame(wsEvents.stats(), zero)
  await wsEvents.set('acme', { enabled: true, events: ['call'] })
  await wsEvents.set('off', { enabled: false })
  const acme = await listen(t, `${url}/acme`)
  const again = await listen(t, `${url}/acme`)
  const root = await listen(t, url)
  await refused(connect(t, `${url}/off`))
  await refused(connect(t, `${url}/nobody`))
  await refused(connect(t, `${url}/nobody`))
  await wsEvents.emit('acme', 'call', 1)
  await wsEvents.emit('acme', 'chats.set', 2)
  await wsEvents.emit('off', 'call', 3)
  await wsEvents.emit('nobody', 'call', 4)
  await t.rejects(wsEvents.emit('acme', 'nonsense', 5))
  acme.socket.emit('hello', 1)
  await root.inbox.got(4)
  await acme.inbox.got(1)
  await again.inbox.got(1)
  await eventually(() => wsEvents.stats().clients.received.dropped === 1)
  // A namespace that refused everybody is deleted in a later turn.
  await eventually(() => wsEvents.stats().clients.namespaces === 1)
  const expected: Stats = {
    emit: {
      accepted: 4,
      rejected: 1,
      skipped: { disabled: 0, 'not-set': 1, 'instance-disabled': 1, filtered: 1, 'host-namespace': 0 }
    },
    publish: { accepted: 0, repeated: 0, skipped: { 'unknown-event': 0, 'invalid-name': 0, removed: 0 } },
    clients: {
      atRoot: 1,
      inInstances: 2,
      connections: 3,
      namespaces: 1,
      admitted: 3,
      refused: { INSTANCE_DISABLED: 1, NOT_SET: 2 },
      received: { handled: 0, dropped: 1 }
    },
    delivery: { ...zero.delivery, delivered: 6 },
    // Four at the root, and one of them for its instance too.
    log: { streams: 2, records: 5, bytes: wsEvents.stats().log.bytes },
    store: zero.store,
    limits: NO_LIMITS
  }
  t.strictSame(wsEvents.stats(), expected)
  const copy = wsEvents.stats()
  copy.emit.skipped.filtered = 99
  copy.clients.refused.NOT_SET = 99
  copy.delivery.resumed.gap = 99
  copy.limits.idleMs = 99
  t.strictSame(wsEvents.stats(), expected)
  for (const { socket } of [acme, again, root]) socket.disconnect()
  await eventually(() => wsEvents.stats().clients.connections === 0 && wsEvents.stats().clients.namespaces === 0)
  t.match(wsEvents.stats(), { clients: { atRoot: 0, inInstances: 0, admitted: 3 } })
})

t.test('in disabled mode there is nobody, and stats says so', async t => {
  const { fastify, url } = await startServer(t, { enabled: false, ...open })
  const { wsEvents } = fastify
  await wsEvents.emit('acme', 'call', () => 'anything')
  await t.rejects(wsEvents.emit('acme', 'nonsense', null), { code: `${CODE}UNKNOWN_EVENT` })
  t.match(wsEvents.stats(), { emit: { accepted: 1, rejected: 1, skipped: { disabled: 1 } }, clients: { connections: 0 } })
  t.same(wsEvents.clients(), [])
  await wsEvents.disconnect({ instance: 'acme' })
  t.notOk(fastify.hasDecorator('io'), 'there is no Socket.IO server')
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`)
  t.equal(answer.status, 503)
  t.match(await answer.json(), { code: `${CODE}DISABLED`, message: /WEBSOCKET_ENABLED/ })
  const client = connect(t, `${url}/acme`, { transports: ['polling'], reconnection: false })
  await t.rejects(admitted(client), { message: 'xhr poll error' })
})

t.test('from JavaScript, null stands for options and for more keys that were left out', async t => {
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true } })
  const { inbox } = await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', 1, null as never)
  await fastify.wsEvents.emit('acme', 'call', 2, { extra: null as never })
  t.strictSame((await inbox.got(2)).map(({ data }) => data), [1, 2])
})
