import sse from '@fastify/sse'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { request } from 'node:http'
import t from 'tap'
import { listen } from '../helpers/client.js'
import { EventStream } from '../helpers/event-stream.js'
import { KERNEL_BYTES } from '../helpers/kernel.js'
import { eventually } from '../helpers/latch.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { asyncStore } from '../helpers/stores.js'

const enabled = { defaultConfig: { enabled: true } }
const at = (url: string, name = 'acme'): string => `${url}/instance/${name}/events`

t.test('a stream begins with where it is, and has what Socket.IO clients get, each message with its id', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, serverUrl: 'https://api.example.com' })
  const { inbox } = await listen(t, `${url}/acme`)
  const stream = await EventStream.open(t, at(url))
  t.match(stream.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' })
  t.match(await stream.ready(), { instance: 'acme', mode: 'traditional', enabled: true, recovered: null, lastEventId: String })
  t.equal(stream.events[0]?.id, stream.readies[0]?.lastEventId, 'so a client that is cut off here can resume')
  t.ok((stream.retries[0] ?? 0) >= 1000)
  await wsEvents.emit('acme', 'messages.upsert', { text: 'line\r\nnext \u2028 é 😀' }, { sender: 'me', extra: { more: [1] } })
  await wsEvents.emit('other', 'call', 'not for it')
  await wsEvents.emit('acme', 'call', null)
  t.strictSame(await stream.got(2), await inbox.got(2))
  t.strictSame(stream.events.slice(1).map(({ id, name }) => [id, name]), inbox.messages.map(({ id, event }) => [id, event]))
  t.strictSame(stream.unknown, [])
  t.equal(wsEvents.stats().delivery.delivered, 4)
})

t.test('binary parts are base64 in an object', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, enabled)
  const stream = await EventStream.open(t, at(url))
  const placeholder = '{"_placeholder":true,"num":0}'
  await wsEvents.emit('acme', 'call', { text: placeholder, first: Buffer.from('one'), list: [new Uint8Array([255, 0])] })
  t.strictSame(datas(await stream.got(1)), [{ text: placeholder, first: { type: 'Buffer', data: 'b25l' }, list: [{ type: 'Buffer', data: '/wA=' }] }])
})

t.test('the root has the events of all instances in global mode, with filters by instance and event', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { globalEvents: true })
  const all = await EventStream.open(t, `${url}/events`)
  const some = await EventStream.open(t, `${url}/events?instances=a,b&events=messages.*,CALL`)
  t.match(await some.ready(), { instance: null, mode: 'global' })
  t.match(wsEvents.clients(), [{ instance: null, instances: null }, { instance: null, instances: ['a', 'b'], address: '127.0.0.1', queuedBytes: 0 }])
  for (const name of ['a', 'b', 'c']) {
    for (const event of ['call', 'chats.set', 'messages.set']) await wsEvents.emit(name, event, `${name} ${event}`)
  }
  t.equal((await all.got(9)).length, 9)
  t.strictSame(datas(await some.got(4)), ['a call', 'a messages.set', 'b call', 'b messages.set'])
  t.match(wsEvents.stats(), { clients: { atRoot: 2, connections: 2, admitted: 2 } })
})

t.test('there is no root in traditional mode, no route without routes, and a prefix where it is set', async t => {
  const traditional = await startServer(t, enabled)
  t.equal((await fetch(`${traditional.url}/events`)).status, 404)
  const without = await startServer(t, { ...enabled, globalEvents: true, routes: false })
  t.same([(await fetch(at(without.url))).status, (await fetch(`${without.url}/events`)).status], [404, 404])
  const prefixed = await startServer(t, { ...enabled, globalEvents: true, routes: { prefix: '/api' } })
  await (await EventStream.open(t, `${prefixed.url}/api/events`)).ready()
  await (await EventStream.open(t, at(`${prefixed.url}/api`))).ready()
})

t.test('what a caller takes decides what it gets; curl, which takes anything, gets the stream', async t => {
  const { url } = await startServer(t, enabled)
  const typeOf = async (accept: string | undefined, query = ''): Promise<string> => await new Promise((resolve, reject) => {
    const outgoing = request(`${at(url)}${query}`, { agent: false, headers: accept === undefined ? {} : { accept } }, response => {
      resolve(response.statusCode === 200 ? response.headers['content-type'] ?? '' : String(response.statusCode))
      response.destroy()
    })
    outgoing.on('error', reject).end()
  })
  const [stream, page] = ['text/event-stream', 'application/json; charset=utf-8']
  const cases: ReadonlyArray<readonly [accept: string | undefined, type: string, query?: string]> = [
    [undefined, stream],
    ['*/*', stream],
    ['', stream],
    ['text/*', stream],
    ['text/event-stream', stream],
    ['Text/Event-Stream; charset=utf-8', stream],
    ['application/json', page],
    ['application/*;q=0.5, text/*;q=0.4', page],
    ['application/json, text/plain, */*', page],
    ['application/json;q=0.5, text/event-stream', stream],
    ['*/*, text/event-stream;q=0', page],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', stream],
    ['*/*', page, '?limit=1'],
    [undefined, page, '?after='],
    ['text/event-stream', '400', '?limit=1'],
    ['text/html', '406'],
    ['*/*;q=0', '406']
  ]
  for (const [accept, type, query] of cases) t.equal(await typeOf(accept, query), type, `${accept} ${query ?? ''}`)
  t.equal((await fetch(at(url), { method: 'HEAD' })).status, 404)
})

t.test('a client that comes back with its last id misses nothing and gets nothing twice, under load', async t => {
  for (const store of ['memory:', asyncStore()] as const) {
    const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, store })
    const numbers: number[] = []
    let [next, lastEventId] = [0, '']
    for (let round = 0; round < 10; round++) {
      const stream = await EventStream.open(t, `${at(url)}?events=call`, { 'last-event-id': lastEventId })
      const { recovered } = await stream.ready()
      t.equal(recovered, round === 0 ? null : true)
      // Some before it is cut, and some after, of which nobody knows which it has.
      for (let left = 20; left > 0; left--) void wsEvents.emit('acme', 'call', { number: next++, text: 'x'.repeat(20_000) })
      await stream.got(1)
      stream.cut()
      for (let left = 20; left > 0; left--) void wsEvents.emit('acme', 'call', { number: next++ })
      numbers.push(...stream.messages.map(({ data }) => (data as { number: number }).number))
      lastEventId = stream.lastEventId ?? ''
    }
    const last = await EventStream.open(t, `${at(url)}?events=call`, { 'last-event-id': lastEventId })
    await last.until(() => last.messages.some(({ data }) => (data as { number: number }).number === next - 1))
    numbers.push(...last.messages.map(({ data }) => (data as { number: number }).number))
    t.strictSame(numbers, Array.from({ length: next }, (empty, number) => number))
    await eventually(() => wsEvents.stats().clients.inInstances === 1)
    t.match(wsEvents.stats(), { clients: { connections: 1 }, delivery: { resumed: { recovered: 10, gap: 0, fresh: 1 } } })
  }
})

t.test('a long past is brought at the pace of the reader, and the switch to what is live loses nothing', async t => {
  const text = 'x'.repeat(50_000)
  const past = Math.ceil((KERNEL_BYTES + 5_000_000) / text.length)
  const retention = { maxEvents: 2 * past, maxBytes: 4 * KERNEL_BYTES }
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, retention, limits: { queuedBytes: 200_000 } })
  const first = await EventStream.open(t, at(url))
  const { lastEventId } = await first.ready()
  // It would have to read all of that as fast as it is emitted.
  first.cut()
  await eventually(() => wsEvents.clients().length === 0)
  for (let number = 0; number < past; number++) await wsEvents.emit('acme', 'call', { number, text })
  const late = await EventStream.open(t, at(url), { 'last-event-id': lastEventId }, { isPaused: true })
  await eventually(() => (wsEvents.clients().at(-1)?.queuedBytes ?? 0) > 0)
  t.ok((wsEvents.clients().at(-1)?.queuedBytes ?? 0) < 400_000, 'the rest waits for it in the log')
  late.resume()
  const all = past + 100
  for (let number = past; number < all; number++) await wsEvents.emit('acme', 'call', { number })
  t.strictSame((await late.got(all)).map(({ data }) => (data as { number: number }).number), Array.from({ length: all }, (empty, number) => number))
  t.equal(wsEvents.stats().delivery.slowConsumers, 0)
})

t.test('an id that leads nowhere is a gap, and is told', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, retention: { maxEvents: 2 } })
  const before = await EventStream.open(t, at(url))
  const { lastEventId } = await before.ready()
  for (const number of [1, 2, 3]) await wsEvents.emit('acme', 'call', number)
  for (const id of [lastEventId, 'rubbish', 'x'.repeat(1000)]) {
    const stream = await EventStream.open(t, at(url), { 'last-event-id': id })
    const ready = await stream.ready()
    t.equal(ready.recovered, false)
    t.equal(stream.lastEventId, ready.lastEventId, 'from which it goes on')
    await wsEvents.emit('acme', 'call', 'live')
    t.strictSame(datas(await stream.got(1)), ['live'])
    stream.cut()
  }
})

t.test('a client that hears nothing is told where it stands', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, retention: { maxEvents: 40 } })
  const stream = await EventStream.open(t, `${at(url)}?events=call`)
  await stream.ready()
  let id = ''
  for (let number = 0; number < 100; number++) id = (await wsEvents.emit('acme', 'chats.set', number)).id ?? ''
  await stream.until(() => stream.events.some(({ name }) => name === 'ws.position'))
  const { id: told, data } = stream.events.find(({ name }) => name === 'ws.position') ?? {}
  t.strictSame(data, { lastEventId: told })
  t.ok(String(told) <= id)
})

t.test('a reader that stalls is ended, and the others notice nothing', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 100_000 } })
  const stalled = await EventStream.open(t, at(url), {}, { isPaused: true })
  const { inbox } = await listen(t, `${url}/acme`)
  const other = await EventStream.open(t, at(url))
  let emitted = 0
  while (wsEvents.stats().delivery.slowConsumers === 0) {
    await wsEvents.emit('acme', 'call', 'x'.repeat(50_000))
    emitted++
    await other.got(emitted)
  }
  stalled.resume()
  t.equal(await stalled.ended, false, 'not as if it was over: it comes back')
  t.match(wsEvents.stats(), { delivery: { slowConsumers: 1 }, limits: { queuedBytes: 1 }, clients: { connections: 2 } })
  t.equal((await other.got(emitted)).length, emitted)
  t.equal((await inbox.got(emitted)).length, emitted)
})

t.test('a host that has @fastify/sse as well keeps it as it is, before and after', async t => {
  const hosts = async (fastify: FastifyInstance) => {
    await fastify.register(fp(sse.fastifySSE), { heartbeatInterval: 0 })
    fastify.get('/host', { sse: 'only' }, async (request, reply) => { await reply.sse.send({ data: 'of the host' }) })
  }
  const withSse = await startServer(t, enabled, { before: hosts })
  t.equal(await (await fetch(`${withSse.url}/host`)).text(), 'data: "of the host"\n\n')
  const stream = await EventStream.open(t, at(withSse.url))
  await stream.ready()
  await withSse.fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame(datas(await stream.got(1)), [1])
  const without = await startServer(t, enabled, { before: fastify => { fastify.get('/host', { sse: 'only' }, async (request, reply) => ({ sse: reply.sse === undefined })) } })
  t.same(await (await fetch(`${without.url}/host`)).json(), { sse: true }, 'a host that has none gets none')
})

t.test('nothing is left of clients that have gone, also where one waited behind another on its connection', async t => {
  const { fastify, url, port } = await startServer(t, enabled)
  const { wsEvents } = fastify
  const streams = await Promise.all(Array.from({ length: 50 }, async () => await EventStream.open(t, at(url))))
  await Promise.all(streams.map(async stream => await stream.ready()))
  t.match(wsEvents.stats(), { clients: { connections: 50, inInstances: 50 } })
  for (const stream of streams) stream.cut()
  await eventually(() => wsEvents.stats().clients.connections === 0)
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.write('GET /instance/acme/events HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5))
  await eventually(() => wsEvents.stats().clients.connections === 5)
  socket.destroy()
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.match(wsEvents.stats(), { clients: { inInstances: 0, atRoot: 0 } })
  t.strictSame(wsEvents.clients(), [])
})

t.test('a client that leaves while its key is checked holds nothing', async t => {
  let answer = (): void => {}
  const asked = new Promise<boolean>(resolve => { answer = () => { resolve(true) } })
  let isAsked = false
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, verify: async () => { isAsked = true; return await asked } })
  const outgoing = request(at(url), { agent: false, headers: { apikey: 'key' } })
  outgoing.on('error', () => {}).end()
  await eventually(() => isAsked)
  t.equal(wsEvents.stats().clients.connections, 1)
  outgoing.destroy()
  // So that the server has heard of it.
  await fetch(`${url}/nothing`)
  answer()
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.match(wsEvents.stats(), { clients: { admitted: 0, inInstances: 0 } })
})
