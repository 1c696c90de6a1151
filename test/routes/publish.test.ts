import { once } from 'node:events'
import { request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import wsEvents, { Type, type VerifyAnswer, type WsEventsOptions } from '../../lib/index.js'
import { PublishRate } from '../../lib/limits/publish-rate.js'
import { listen } from '../helpers/client.js'
import { answered } from '../helpers/latch.js'
import { basic, json, post, wordOf } from '../helpers/publishing.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { asyncStore, storeWith } from '../helpers/stores.js'

const EVENTS = '/instance/acme/events'
const MESSAGE = { event: 'call', data: { n: 1 } }
const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }
const MiB = 1024 * 1024

/** A server with a client of acme. */
async function startListened (t: Test, options: WsEventsOptions = {}) {
  const server = await startServer(t, { ...enabled, ...options })
  const { inbox } = await listen(t, `${server.url}/acme`)
  return { server, inbox }
}

t.test('a message is emitted, and answered with what emit returns', async t => {
  const { server, inbox } = await startListened(t, { serverUrl: 'https://api.example' })
  const message = { event: 'MESSAGES_UPSERT', data: { text: 'olá' }, sender: '55@s.whatsapp.net', date_time: '2026-01-02T03:04:05-03:00', extra: { isLatest: true, id: 'mine' } }
  const { status, body } = await post(server, EVENTS, message)
  t.equal(status, 200)
  const [received] = await inbox.got(1)
  t.strictSame(body, { id: received?.id, routes: ['/acme'] })
  t.strictSame(received, { id: received?.id, event: 'messages.upsert', instance: 'acme', data: { text: 'olá' }, server_url: 'https://api.example', date_time: '2026-01-02T06:04:05.000Z', sender: '55@s.whatsapp.net', isLatest: true })
})

t.test('what emit says of where an event does not go is answered too', async t => {
  const server = await startServer(t)
  t.strictSame((await post(server, EVENTS, MESSAGE)).body, { id: null, routes: [], skipped: 'not-set' })
  const disabled = await startServer(t, { enabled: false })
  const { status, body } = await post(disabled, EVENTS, MESSAGE)
  t.equal(status, 200)
  t.strictSame(body, { id: null, routes: [], skipped: 'disabled' })
})

t.test('a name may be percent-encoded, and one that cannot be is 400', async t => {
  const server = await startServer(t, enabled)
  t.strictSame((await post(server, '/instance/Teste%2001/events', MESSAGE)).body.routes, ['/Teste 01'])
  t.equal(wordOf(await post(server, '/instance/a%2Fb/events', MESSAGE)), '400 INVALID_NAME')
})

t.test('of a list, the messages arrive and are answered in the order given', async t => {
  const { server, inbox } = await startListened(t)
  const list = Array.from({ length: 1000 }, (empty, n) => ({ event: n % 2 === 0 ? 'call' : 'CHATS_SET', data: n }))
  const { status, body } = await post(server, EVENTS, list)
  t.equal(status, 200)
  const messages = await inbox.got(1000)
  t.strictSame(messages.map(({ data }) => data), list.map(({ data }) => data))
  t.strictSame(body, messages.map(({ id }) => ({ id, routes: ['/acme'] })))
  t.strictSame((await post(server, EVENTS, [])).body, [])
  t.match(fastifyStats(server), { accepted: 1000, repeated: 0 })
})

const fastifyStats = ({ fastify }: TestServer) => fastify.wsEvents.stats().publish

const orders = { events: { order: Type.Object({ id: Type.String() }), call: true } } satisfies WsEventsOptions
const wrongs: ReadonlyArray<{ what: string, wrong: unknown, word: string, says: RegExp }> = [
  { what: 'an unknown event', wrong: { event: 'cal', data: 1 }, word: '400 UNKNOWN_EVENT', says: /"cal": did you mean "call"/ },
  { what: 'data against its schema', wrong: { event: 'order', data: { id: 5 } }, word: '400 INVALID_DATA', says: /data\/id must be string/ },
  { what: 'a time that is none', wrong: { event: 'call', data: 1, date_time: 'yesterday' }, word: '400 INVALID_DATA', says: /ISO 8601/ },
  { what: 'a message that is too large', wrong: { event: 'call', data: 'x'.repeat(1000) }, word: '413 MESSAGE_TOO_LARGE', says: /limits\.messageBytes allows 1000/ },
  { what: 'an unknown property', wrong: { event: 'call', data: 1, apikey: 'x' }, word: '400 FST_ERR_VALIDATION', says: /"apikey", which is not known/ },
  { what: 'no data', wrong: { event: 'call' }, word: '400 FST_ERR_VALIDATION', says: /data/ },
  { what: 'an event that is no text', wrong: { event: 5, data: 1 }, word: '400 FST_ERR_VALIDATION', says: /event must be string/ },
  { what: 'a sender that is no text', wrong: { event: 'call', data: 1, sender: 5 }, word: '400 FST_ERR_VALIDATION', says: /sender/ },
  { what: 'extra that is no object', wrong: { event: 'call', data: 1, extra: [] }, word: '400 FST_ERR_VALIDATION', says: /extra must be object/ }
]

for (const { what, wrong, word, says } of wrongs) {
  t.test(`with ${what}, nothing is emitted, of a list neither, and the answer says which`, async t => {
    const { server, inbox } = await startListened(t, { ...orders, limits: { messageBytes: 1000 } })
    const alone = await post(server, EVENTS, wrong)
    t.equal(wordOf(alone), word)
    t.match(alone.body.message, says)
    const listed = await post(server, EVENTS, [MESSAGE, wrong, MESSAGE])
    t.equal(wordOf(listed), word)
    t.match(listed.body.message, says)
    t.match(listed.body.message, /^body\/1/)
    await post(server, EVENTS, { event: 'call', data: 'last' })
    t.strictSame((await inbox.got(1)).map(({ data }) => data), ['last'])
  })
}

const bodies: ReadonlyArray<{ what: string, body: string, headers?: Record<string, string>, word: string }> = [
  { what: 'broken JSON', body: '{"event":', word: '400 FST_ERR_CTP_INVALID_JSON_BODY' },
  { what: 'an empty body', body: '', word: '400 FST_ERR_CTP_EMPTY_JSON_BODY' },
  { what: 'null', body: 'null', word: '400 FST_ERR_VALIDATION' },
  { what: 'a text', body: '"call"', word: '400 FST_ERR_VALIDATION' },
  { what: 'text/plain', body: '{}', headers: { 'content-type': 'text/plain' }, word: '415 FST_ERR_CTP_INVALID_MEDIA_TYPE' },
  { what: 'a list of 1,001', body: JSON.stringify(new Array(1001).fill(MESSAGE)), word: '400 FST_ERR_VALIDATION' },
  { what: 'what is too deep', body: `{"event":"call","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, word: '400 NOT_SERIALIZABLE' },
  { what: 'a body over 16 MiB', body: JSON.stringify({ event: 'call', data: 'x'.repeat(16 * MiB) }), word: '413 FST_ERR_CTP_BODY_TOO_LARGE' }
]

for (const { what, body, headers, word } of bodies) {
  t.test(`${what} is ${word}`, async t => {
    t.equal(wordOf(await post(await startServer(t, enabled), EVENTS, body, headers)), word)
  })
}

t.test('routes.publish.bodyLimit is the largest body', async t => {
  const server = await startServer(t, { ...enabled, routes: { publish: { bodyLimit: 100 } } })
  t.equal(wordOf(await post(server, EVENTS, { event: 'call', data: 'x'.repeat(50) })), '200')
  t.equal(wordOf(await post(server, EVENTS, { event: 'call', data: 'x'.repeat(100) })), '413 FST_ERR_CTP_BODY_TOO_LARGE')
})

t.test('data may have any property, __proto__ too', async t => {
  const { server, inbox } = await startListened(t)
  await post(server, EVENTS, '{"event":"call","data":{"__proto__":{"a":1},"constructor":2},"extra":{"__proto__":3}}')
  const [message] = await inbox.got(1)
  t.equal(JSON.stringify(message?.data), '{"__proto__":{"a":1},"constructor":2}')
})

t.test('there is no route with routes: false or publish: false, and it moves with the prefix', async t => {
  for (const routes of [false, { publish: false }] as const) t.equal((await post(await startServer(t, { ...enabled, routes, evolution: true }), EVENTS, MESSAGE)).status, 404)
  t.equal((await post(await startServer(t, { ...enabled, routes: { prefix: '/api' } }), `/api${EVENTS}`, MESSAGE)).status, 200)
})

t.test('a JSON parser of the application does not affect the routes', async t => {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (request, payload, done) => { done(null, 'the host\'s') })
  await fastify.register(wsEvents, { env: false, ...enabled })
  const { statusCode } = await fastify.inject({ method: 'POST', url: EVENTS, payload: MESSAGE })
  t.equal(statusCode, 200)
})

/** Keys as a host's own check knows them. */
const verify = ({ apikey, instance }: { apikey: string | null, instance: string | null }): VerifyAnswer => {
  if (apikey === 'tenant') return instance === 'acme'
  if (apikey === 'publisher') return instance === 'acme' ? { publish: true } : false
  if (apikey === 'elsewhere') return { instances: ['other'], publish: true }
  if (apikey === 'broken') throw new Error('no database')
  return false
}
const keyed: WsEventsOptions = { ...enabled, apikey: 'global', publishKey: ['pub-1', 'pub 2%'], verify }

const callers: ReadonlyArray<{ what: string, headers: Record<string, string>, word: string }> = [
  { what: 'no key', headers: {}, word: '401 UNAUTHORIZED' },
  { what: 'the global key', headers: { apikey: 'global' }, word: '200' },
  { what: 'the global key as Bearer', headers: { authorization: 'Bearer global' }, word: '200' },
  { what: 'a publishKey', headers: { apikey: 'pub-1' }, word: '200' },
  { what: 'another publishKey as Bearer', headers: { authorization: 'Bearer pub 2%' }, word: '200' },
  { what: 'a wrong key', headers: { apikey: 'wrong' }, word: '403 FORBIDDEN' },
  { what: 'a tenant\'s key without publish', headers: { apikey: 'tenant' }, word: '403 FORBIDDEN' },
  { what: 'a key with publish', headers: { apikey: 'publisher' }, word: '200' },
  { what: 'a key with publish for other instances', headers: { apikey: 'elsewhere' }, word: '403 FORBIDDEN' },
  { what: 'a key that cannot be checked', headers: { apikey: 'broken' }, word: '503 VERIFY_FAILED' },
  { what: 'a key as the password of Basic', headers: basic('pub-1'), word: '200' },
  { what: 'a password as it is written', headers: basic('pub 2%'), word: '200' },
  { what: 'a password that is percent-encoded', headers: basic('pub%202%25'), word: '200' },
  { what: 'a wrong password', headers: basic('wrong'), word: '403 FORBIDDEN' },
  { what: 'Basic without a password', headers: { authorization: `Basic ${Buffer.from('pub-1').toString('base64')}` }, word: '401 UNAUTHORIZED' },
  { what: 'Basic with Origin', headers: { ...basic('global'), origin: 'https://other.example' }, word: '401 UNAUTHORIZED' },
  { what: 'Basic with Sec-Fetch-Site', headers: { ...basic('global'), 'sec-fetch-site': 'same-origin' }, word: '401 UNAUTHORIZED' },
  { what: 'a good key beside a JWT', headers: { apikey: 'pub-1', authorization: 'Bearer ey.j.w' }, word: '200' },
  { what: 'a good Bearer beside a wrong key', headers: { apikey: 'wrong', authorization: 'Bearer pub-1' }, word: '200' },
  { what: 'a good password beside a wrong key', headers: { apikey: 'wrong', ...basic('pub-1') }, word: '200' },
  { what: 'a good key beside one that cannot be checked', headers: { apikey: 'broken', authorization: 'Bearer global' }, word: '200' },
  { what: 'a wrong key beside one that cannot be checked', headers: { apikey: 'wrong', authorization: 'Bearer broken' }, word: '503 VERIFY_FAILED' },
  { what: 'several keys of which none is accepted', headers: { apikey: 'wrong', authorization: 'Bearer ey.j.w' }, word: '401 UNAUTHORIZED' },
  { what: 'a tenant\'s key beside a wrong one', headers: { apikey: 'tenant', authorization: 'Bearer wrong' }, word: '403 FORBIDDEN' }
]

for (const { what, headers, word } of callers) {
  t.test(`with ${what}, publishing is ${word}`, async t => {
    t.equal(wordOf(await post(await startServer(t, keyed), EVENTS, MESSAGE, headers)), word)
  })
}

t.test('a publishKey opens nothing else, whatever the host\'s check says of it, and is not put to it', async t => {
  const asked: unknown[] = []
  const { url } = await startServer(t, { ...enabled, apikey: 'global', publishKey: 'pub-1', verify: ({ apikey }) => asked.push(apikey) > 0 })
  for (const path of ['/instance/acme/websocket', '/instance/acme/events?limit=1']) t.equal((await fetch(url + path, { headers: { apikey: 'pub-1' } })).status, 403)
  t.equal((await fetch(`${url}/instance/acme/websocket`, { method: 'PUT', headers: { ...json, apikey: 'pub-1' }, body: '{"enabled":true}' })).status, 403)
  t.strictSame(asked, [])
})

t.test('a password of Basic opens publishing alone', async t => {
  const { url } = await startServer(t, keyed)
  t.equal((await fetch(`${url}/instance/acme/websocket`, { headers: basic('global') })).status, 401)
})

t.test('an address without a key publishes where it may set a config: not from a foreign page, and not where a key is needed', async t => {
  const open = await startServer(t, enabled)
  t.equal(wordOf(await post(open, EVENTS, MESSAGE)), '200')
  t.equal(wordOf(await post(open, EVENTS, MESSAGE, { origin: 'https://other.example' })), '401 UNAUTHORIZED')
  t.equal(wordOf(await post(open, EVENTS, MESSAGE, { 'sec-fetch-site': 'cross-site' })), '401 UNAUTHORIZED')
  t.equal(wordOf(await post(open, EVENTS, MESSAGE, { origin: open.url })), '200')
  t.equal(wordOf(await post(open, EVENTS, MESSAGE, { apikey: 'wrong' })), '403 FORBIDDEN', 'a key that is given is checked even so')
  const listed = await startServer(t, { ...enabled, apikey: 'global', allowedHosts: '127.0.0.1' })
  t.equal(wordOf(await post(listed, EVENTS, MESSAGE)), '200')
})

t.test('a cookie publishes only where the host\'s check says publish', async t => {
  const { url } = await startServer(t, { ...enabled, verify: ({ headers }) => ({ publish: headers.cookie === 'may' }) })
  for (const [cookie, status] of [['may', 200], ['see', 403]] as const) t.equal((await post({ url }, EVENTS, MESSAGE, { cookie })).status, status)
})

t.test('verify that answers something else than true or false for publish is a failure', async t => {
  const server = await startServer(t, { ...enabled, verify: () => ({ publish: 'yes' }) as unknown as VerifyAnswer })
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, { apikey: 'k' })), '503 VERIFY_FAILED')
})

t.test('without a key a body of 128 MiB is refused before a byte of it is read', async t => {
  const { port } = await startServer(t, { ...enabled, apikey: 'global' })
  const socket = connectTcp(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  // Nothing of the body is ever sent: an answer that waited for it would not come.
  socket.write(`POST ${EVENTS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${128 * MiB}\r\n\r\n`)
  const [head] = await once(socket, 'data') as [Buffer]
  t.match(head.toString(), /^HTTP\/1\.1 401 /)
})

/** Begins a request whose body comes later, or never. @returns to end it */
function begin (t: Test, { port }: TestServer, length: number | null, headers: Record<string, string> = {}) {
  const sent = request({ port, host: '127.0.0.1', method: 'POST', path: EVENTS, agent: false, headers: { ...json, ...headers, ...length !== null && { 'content-length': length } } })
  sent.on('error', () => {})
  t.teardown(() => { sent.destroy() })
  return sent
}

t.test('bodies that are being read hold at most 128 MiB in all, else it is 503 with Retry-After, until they are done', async t => {
  const server = await startServer(t, { ...enabled, routes: { publish: { bodyLimit: 128 * MiB } } })
  const large = begin(t, server, 128 * MiB - 100)
  large.write('{')
  const small = async () => await post(server, EVENTS, { event: 'call', data: 'x'.repeat(100) })
  await answered(async () => (await small()).status !== 200)
  const refusal = await small()
  t.equal(wordOf(refusal), '503 PENDING_FULL')
  t.equal(refusal.headers.get('retry-after'), '5')
  t.equal(wordOf(await post(server, EVENTS, MESSAGE)), '200', 'what fits is taken')
  large.destroy()
  await answered(async () => (await small()).status === 200)
})

t.test('a body that does not say how long it is counts by what has come', async t => {
  const server = await startServer(t, { ...enabled, routes: { publish: { bodyLimit: 128 * MiB } } })
  begin(t, server, 128 * MiB - 100_000).write('{')
  const chunked = begin(t, server, null)
  const answering = once(chunked, 'response') as Promise<[import('node:http').IncomingMessage]>
  const chunk = 'x'.repeat(10_000)
  chunked.write('"')
  const writing = setInterval(() => { chunked.write(chunk) }, 1)
  t.teardown(() => { clearInterval(writing) })
  const [response] = await answering
  clearInterval(writing)
  t.equal(response.statusCode, 503)
  t.match(JSON.parse(await text(response)), { code: 'FST_ERR_WS_EVENTS_PENDING_FULL' })
})

t.test('limits.publishPerSecond holds one key, by events, and says when to come again', async t => {
  const server = await startServer(t, { ...keyed, limits: { publishPerSecond: 1 } })
  t.equal(wordOf(await post(server, EVENTS, new Array(1000).fill(MESSAGE), { apikey: 'pub-1' })), '200')
  const refusal = await post(server, EVENTS, MESSAGE, basic('pub-1'))
  t.equal(wordOf(refusal), '429 LIMIT_REACHED')
  t.ok(Number(refusal.headers.get('retry-after')) > 900)
  t.match(refusal.body.message, /publishPerSecond/)
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, { apikey: 'global' })), '200', 'another key is another\'s affair')
  t.equal(server.fastify.wsEvents.stats().limits.publishPerSecond, 1)
})

/** The seconds after which a key may come again. */
function waitFor (rate: PublishRate): unknown {
  try {
    rate.take('k')
  } catch (error) {
    return (error as { retryAfter?: unknown }).retryAfter
  }
}

t.test('what a key owes is paid by waiting', async t => {
  let now = 0
  const rate = new PublishRate(10, () => now)
  for (let taken = 0; taken < 10; taken++) rate.take('k')
  t.equal(waitFor(rate), 1)
  now = 100
  rate.take('k')
  rate.add('k', 99)
  t.equal(waitFor(rate), 10)
  now = 10_100
  rate.take('k')
  const unlimited = new PublishRate(0, () => now)
  for (let taken = 0; taken < 1000; taken++) unlimited.take('k')
  // Those who owe nothing any more are forgotten.
  for (let key = 0; key < 5000; key++) {
    now += 1000
    rate.take(String(key))
  }
})

t.test('refusals count under refusalsPerMinute, one for a request, as every other way in', async t => {
  const server = await startServer(t, { ...keyed, limits: { refusalsPerMinute: 2 } })
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, { apikey: 'wrong', authorization: 'Bearer bad' })), '401 UNAUTHORIZED')
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, { apikey: 'tenant' })), '403 FORBIDDEN')
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, { apikey: 'global' })), '429 LIMIT_REACHED')
  t.equal((await fetch(`${server.url}/instance/acme/websocket`, { headers: { apikey: 'global' } })).status, 429)
})

t.test('over HTTP/2 it is the same', async t => {
  const fastify = Fastify({ http2: true })
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, ...keyed })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const session = connectHttp2(`http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`)
  t.teardown(() => { session.destroy() })
  const statusOf = async (headers: Record<string, string>) => {
    const stream = session.request({ ':method': 'POST', ':path': EVENTS, ...json, ...headers })
    const [head] = await (stream.end(JSON.stringify(MESSAGE)), once(stream, 'response')) as [Record<string, unknown>]
    stream.close()
    return head[':status']
  }
  t.equal(await statusOf({}), 401)
  t.equal(await statusOf({ apikey: 'pub-1' }), 200)
  t.equal(await statusOf(basic('pub-1')), 200)
})

t.test('a store that fails is 503 with Retry-After, and nothing is logged twice', async t => {
  const lines: Array<{ level: number, msg: string }> = []
  let isBroken = false
  const store = storeWith(log => ({ append: (streams, record) => isBroken ? Promise.reject(new Error('no disk')) : log.append(streams, record), wants: () => true }))
  const logger = { level: 'error', stream: { write: (line: string) => { lines.push(JSON.parse(line) as { level: number, msg: string }) } } }
  const server = await startServer(t, { ...enabled, store }, { fastify: { logger } })
  isBroken = true
  const answer = await post(server, EVENTS, MESSAGE)
  t.equal(wordOf(answer), '503 STORE_UNAVAILABLE')
  t.equal(answer.headers.get('retry-after'), '5')
  t.equal(lines.length, 1)
  t.match(server.fastify.wsEvents.stats(), { emit: { accepted: 0, rejected: 1 }, store: { failures: 1 }, publish: { accepted: 0 } })
})

t.test('an event is answered when it is remembered', async t => {
  const { server, inbox } = await startListened(t, { store: asyncStore() })
  const { body } = await post(server, EVENTS, [MESSAGE, MESSAGE])
  t.strictSame((await inbox.got(2)).map(({ id }) => id), (body as unknown as Array<{ id: string }>).map(({ id }) => id))
})
