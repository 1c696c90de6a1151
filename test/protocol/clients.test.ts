import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Message, Ready, Refusal, WsEventsOptions } from '../../lib/index.js'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { type Transport, transports } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { startHost } from '../upgrades/helpers/host.js'

// Stock clients of other versions and with another parser. What is the same for all of them is one story.

const load = createRequire(import.meta.url)
const picture = Buffer.from('picture')

/** What all of them have. */
interface StockClient {
  auth: unknown
  readonly connected: boolean
  on (event: string, listener: (arg: never) => void): unknown
  once (event: string, listener: (arg: never) => void): unknown
  connect (): unknown
  disconnect (): unknown
}
type Connect = (url: string, options: object) => StockClient
type Way = 'query' | 'header' | 'auth'

interface Kind {
  readonly name: string
  readonly connect: Connect
  /** Options of the client and of the server. */
  readonly options: object
  readonly socketio: NonNullable<WsEventsOptions['socketio']>
  /** Where the key may be. A client without `auth` cannot resume. */
  readonly ways: readonly Way[]
  /** The event that a refusal arrives as. */
  readonly refusal: 'error' | 'connect_error'
}

const io = (name: string): Connect => (load(name) as { io: Connect }).io
const parser = load('socket.io-msgpack-parser') as never
const modern = { options: {}, socketio: {}, ways: ['query', 'header', 'auth'], refusal: 'connect_error' } as const

const socketIo2: Kind = {
  name: 'Socket.IO 2',
  connect: load('socket.io-client-2') as Connect,
  options: {},
  socketio: { allowEIO3: true },
  ways: ['query', 'header'],
  refusal: 'error'
}
const kinds: readonly Kind[] = [
  socketIo2,
  { ...modern, name: 'Socket.IO 3', connect: io('socket.io-client-3') },
  { ...modern, name: 'Socket.IO 4.0', connect: io('socket.io-client-4.0') },
  { ...modern, name: 'Socket.IO, newest', connect: io('socket.io-client') },
  { ...modern, name: 'Socket.IO, newest, msgpack', connect: io('socket.io-client'), options: { parser }, socketio: { parser } }
]

const optionsFor = ({ socketio }: Kind): WsEventsOptions => ({ apikey: 'good', defaultConfig: { enabled: true }, socketio })

function keyBy (way: Way, apikey: string): object {
  if (way === 'auth') return { auth: { apikey } }
  if (way === 'query') return { query: { apikey } }
  // Socket.IO 2 takes headers for polling from another place than for websocket.
  return { extraHeaders: { apikey }, transportOptions: { polling: { extraHeaders: { apikey } } } }
}

function open (t: Test, { connect, options }: Kind, url: string, more: object): StockClient {
  const client = connect(url, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options, ...more })
  t.teardown(() => { client.disconnect() })
  return client
}

const next = async <Found>(client: StockClient, event: string): Promise<Found> =>
  await new Promise(resolve => { client.once(event, resolve as (arg: never) => void) })

/** Resolves to the refusal of the client's own namespace. */
async function refusalOf (client: StockClient, { refusal }: Kind): Promise<Refusal> {
  return await new Promise(resolve => {
    // Socket.IO 2 reports the refusal of the root, which it joins unasked, to each of its sockets.
    const listener = (found: Refusal & { data?: Refusal }): void => {
      const refused = found.data ?? found
      if (refused.code !== 'FST_ERR_WS_EVENTS_GLOBAL_DISABLED') resolve(refused)
    }
    client.on(refusal, listener as (arg: never) => void)
  })
}

type Emit = (data: unknown) => Promise<unknown>

/** Text and bytes arrive. */
async function getsEvents (t: Test, client: StockClient, emit: Emit): Promise<void> {
  const plain = next<Message>(client, 'call')
  await emit({ text: 'olá 👍' })
  t.match(await plain, { instance: 'acme', data: { text: 'olá 👍' } })
  const binary = next<Message<{ picture: Buffer }>>(client, 'call')
  await emit({ picture, boxed: Object(3) as unknown })
  t.match(await binary, { data: { boxed: 3 } })
  t.ok(picture.equals(Buffer.from((await binary).data.picture)))
}

/** Socket.IO 2 takes the WebSocket of a browser where there is one, as in Node 22. That takes neither headers nor a `ca`. */
const hasBrowserSocket = (kind: Kind): boolean => kind === socketIo2 && 'WebSocket' in globalThis

async function playKeys (t: Test, kind: Kind, transport: Transport): Promise<void> {
  const { fastify, url } = await startServer(t, optionsFor(kind))
  for (const way of kind.ways) {
    if (way === 'header' && transport === 'websocket' && hasBrowserSocket(kind)) continue
    const client = open(t, kind, `${url}/acme`, { transports: [transport], ...keyBy(way, 'good') })
    await next(client, 'connect')
    await getsEvents(t, client, async data => await fastify.wsEvents.emit('acme', 'call', data))
    const refused = open(t, kind, `${url}/acme`, { transports: [transport], ...keyBy(way, 'bad') })
    t.match(await refusalOf(refused, kind), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', statusCode: 403, retry: false }, way)
  }
}

async function playFilter (t: Test, kind: Kind): Promise<void> {
  const { fastify, url } = await startServer(t, optionsFor(kind))
  const client = open(t, kind, `${url}/acme`, { query: { apikey: 'good', events: 'call' } })
  await next(client, 'connect')
  const first = Promise.race(['call', 'messages.upsert'].map(async event => await next<Message>(client, event)))
  await fastify.wsEvents.emit('acme', 'messages.upsert', 1)
  await fastify.wsEvents.emit('acme', 'call', 2)
  t.equal((await first).event, 'call')
}

async function playRestart (t: Test, kind: Kind, transport: Transport): Promise<void> {
  const before = await startServer(t, optionsFor(kind))
  const client = open(t, kind, `${before.url}/acme`, { transports: [transport], query: { apikey: 'good' } })
  await next(client, 'connect')
  const again = next(client, 'connect')
  await before.fastify.close()
  const { fastify: after } = await startServer(t, optionsFor(kind), { port: before.port })
  await again
  const message = next<Message>(client, 'call')
  await after.wsEvents.emit('acme', 'call', 'again')
  t.equal((await message).data, 'again')
}

/** `auth` is a function, or is set anew before the client comes back. */
async function playResume (t: Test, kind: Kind, isFunction: boolean): Promise<void> {
  const { fastify: { wsEvents }, url } = await startServer(t, optionsFor(kind))
  let lastEventId = ''
  const auth = (): object => ({ apikey: 'good', lastEventId })
  const client = open(t, kind, `${url}/acme`, { auth: isFunction ? (give: (auth: object) => void) => { give(auth()) } : auth() })
  t.match(await next<Ready>(client, 'ws.ready'), { recovered: null })
  const seen = next<Message>(client, 'call')
  await wsEvents.emit('acme', 'call', 'seen')
  lastEventId = (await seen).id
  client.disconnect()
  // Until the server knows: what it writes before that, Socket.IO 4.0 hands over after the next connect.
  await eventually(() => wsEvents.clients().length === 0)
  await wsEvents.emit('acme', 'call', { picture })
  await wsEvents.emit('acme', 'call', 'missed')
  const got: Message[] = []
  const all = new Promise<void>(resolve => {
    client.on('call', (message: Message) => { if (got.push(message) === 3) resolve() })
  })
  const ready = next<Ready>(client, 'ws.ready')
  if (!isFunction) client.auth = auth()
  client.connect()
  t.match(await ready, { recovered: true, lastEventId })
  await wsEvents.emit('acme', 'call', 'live')
  await all
  t.ok(picture.equals(Buffer.from((got[0]?.data as { picture: Buffer }).picture)))
  t.strictSame(got.slice(1).map(({ data }) => data), ['missed', 'live'])
}

async function playHttp2 (t: Test, kind: Kind): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'clients-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const certificate = makeCertificate(directory)
  const { fastify, port } = await startHost(t, { certificate, http2: true, options: optionsFor(kind) })
  for (const ways of hasBrowserSocket(kind) ? [['polling']] : [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const more = { transports: ways, query: { apikey: 'good' }, ca: certificate.ca }
    const client = open(t, kind, `https://127.0.0.1:${port}/acme`, more)
    await next(client, 'connect')
    await getsEvents(t, client, async data => await fastify.wsEvents.emit('acme', 'call', data))
  }
}

for (const kind of kinds) {
  t.test(kind.name, async t => {
    for (const transport of transports) {
      await t.test(`events and refusals, by each way to give the key: ${transport}`, async t => { await playKeys(t, kind, transport) })
      await t.test(`comes back by itself when the server restarts: ${transport}`, async t => { await playRestart(t, kind, transport) })
    }
    await t.test('a filter in the query', async t => { await playFilter(t, kind) })
    if (kind.ways.includes('auth')) {
      await t.test('resumes, with auth as a function', async t => { await playResume(t, kind, true) })
      await t.test('resumes, with auth set before it comes back', async t => { await playResume(t, kind, false) })
    }
    await t.test('over HTTP/2 with allowHTTP1', { skip: withoutOpenssl }, async t => { await playHttp2(t, kind) })
  })
}

t.test('Socket.IO 2 reports GLOBAL_DISABLED of the root as an error of the instance\'s socket, and gets its events', async t => {
  const { fastify, url } = await startServer(t, optionsFor(socketIo2))
  const client = open(t, socketIo2, `${url}/acme`, { query: { apikey: 'good' } })
  const [error] = await Promise.all([next<Refusal>(client, 'error'), next(client, 'connect')])
  t.match(error, { code: 'FST_ERR_WS_EVENTS_GLOBAL_DISABLED', statusCode: 404, retry: true })
  await getsEvents(t, client, async data => await fastify.wsEvents.emit('acme', 'call', data))
  t.equal(client.connected, true)
})

t.test('in global mode Socket.IO 2 gets each event once, though it is in the root as well', async t => {
  const { fastify, url } = await startServer(t, { ...optionsFor(socketIo2), globalEvents: true })
  const client = open(t, socketIo2, `${url}/acme`, { query: { apikey: 'good' } })
  const errors: Refusal[] = []
  client.on('error', (error: Refusal) => { errors.push(error) })
  await next(client, 'connect')
  const got: unknown[] = []
  const all = new Promise<void>(resolve => {
    client.on('call', ({ data }: Message) => { if (got.push(data) === 2) resolve() })
  })
  await fastify.wsEvents.emit('acme', 'call', 1)
  await fastify.wsEvents.emit('acme', 'call', 2)
  await all
  t.strictSame(got, [1, 2])
  t.strictSame(errors, [])
})
