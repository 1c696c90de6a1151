import t from 'tap'
import { request } from 'node:http'
import type { Message } from '../../lib/index.js'
import { eventually } from '../helpers/latch.js'
import { later, storeWith } from '../helpers/stores.js'
import { startServer } from '../helpers/server.js'

interface Page {
  readonly recovered: boolean | null
  readonly events: Message[]
  readonly lastEventId: string
  readonly more: boolean
}

const enabled = { defaultConfig: { enabled: true } }

async function answer (url: string, headers: Readonly<Record<string, string>> = {}): Promise<{ status: number, body: unknown }> {
  const response = await fetch(url, { headers: { accept: 'application/json', ...headers } })
  return { status: response.status, body: await response.json() }
}

const page = async (url: string): Promise<Page> => (await answer(url)).body as Page

t.test('pages follow each other to the end, and go on from there', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, globalEvents: true })
  for (const path of ['/instance/acme/events', '/events']) {
    const at = `${url}${path}`
    const start = await page(at)
    t.match(start, { recovered: null, events: [], lastEventId: String, more: false })
    t.strictSame(await page(`${at}?after=${start.lastEventId}`), { ...start, recovered: true })
    for (let number = 0; number < 25; number++) await wsEvents.emit('acme', 'call', number)
    const [numbers, sizes]: [unknown[], number[]] = [[], []]
    let last = start
    do {
      last = await page(`${at}?limit=10&after=${last.lastEventId}`)
      t.equal(last.recovered, true)
      t.equal(last.lastEventId, last.events.at(-1)?.id)
      numbers.push(...last.events.map(({ data }) => data))
      sizes.push(last.events.length)
    } while (last.more)
    t.strictSame(numbers, Array.from({ length: 25 }, (empty, number) => number))
    t.strictSame(sizes, [10, 10, 5])
    t.match(await page(`${at}?after=${last.lastEventId}`), { events: [], lastEventId: last.lastEventId, more: false })
  }
  t.match(wsEvents.stats(), { clients: { connections: 0, admitted: 0 }, delivery: { delivered: 0 } }, 'who reads a page is no client')
})

t.test('a page has whole messages; 100 where the caller does not say, and no more than is good for the server', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, serverUrl: 'https://api.example.com' })
  const at = `${url}/instance/acme/events`
  const { lastEventId } = await page(at)
  const { id } = await wsEvents.emit('acme', 'call', { photo: Buffer.from('one') }, { dateTime: 0, extra: { more: 1 } })
  t.strictSame((await page(`${at}?after=${lastEventId}`)).events, [{
    id, event: 'call', instance: 'acme', data: { photo: { type: 'Buffer', data: 'b25l' } }, server_url: 'https://api.example.com', date_time: '1970-01-01T00:00:00.000Z', sender: null, more: 1
  }])
  for (let number = 0; number < 110; number++) await wsEvents.emit('acme', 'call', number)
  t.match(await page(`${at}?after=${lastEventId}`), { events: { length: 100 }, more: true })
  t.match(await page(`${at}?after=${id}&limit=110`), { events: { length: 110 }, more: false }, 'it knows that nothing comes after')
  const { lastEventId: before } = await page(at)
  for (let number = 0; number < 30; number++) await wsEvents.emit('acme', 'chats.set', 'x'.repeat(100_000))
  const large = await page(`${at}?after=${before}&limit=1000`)
  t.ok(large.events.length > 8 && large.events.length < 14, `${large.events.length} of 0.1 MB`)
  t.equal(large.more, true)
})

t.test('a filter holds, and what it holds back is behind the caller', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { globalEvents: true })
  const { lastEventId } = await page(`${url}/events`)
  for (const name of ['a', 'b']) for (const event of ['call', 'chats.set']) await wsEvents.emit(name, event, `${name} ${event}`)
  const { id } = await wsEvents.emit('c', 'chats.set', 'last')
  const found = await page(`${url}/events?after=${lastEventId}&events=CALL&instances=b,c`)
  t.strictSame(found.events.map(({ data }) => data), ['b call'])
  t.equal(found.lastEventId, id)
})

t.test('a gap is said, also one that comes while a page is read', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, retention: { maxEvents: 2 } })
  const at = `${url}/instance/acme/events`
  const { lastEventId } = await page(at)
  for (const number of [1, 2, 3]) await wsEvents.emit('acme', 'call', number)
  for (const after of [lastEventId, 'rubbish', 'x'.repeat(1000), encodeURIComponent('\n{"')]) {
    const gap = await page(`${at}?after=${after}`)
    t.match(gap, { recovered: false, events: [], more: false })
    await wsEvents.emit('acme', 'call', 4)
    t.strictSame((await page(`${at}?after=${gap.lastEventId}`)).events.map(({ data }) => data), [4])
  }
  let reads = 0
  const store = storeWith(log => ({ read: async (stream, after) => { await later(); return reads++ === 0 ? log.read(stream, after, 1) : 'gap' } }))
  const other = await startServer(t, { ...enabled, store })
  const { lastEventId: start } = await page(`${other.url}/instance/acme/events`)
  const { id } = await other.fastify.wsEvents.emit('acme', 'call', 1)
  t.match(await page(`${other.url}/instance/acme/events?after=${start}`), { recovered: true, events: [{ data: 1 }], lastEventId: id, more: true })
  t.match(await page(`${other.url}/instance/acme/events?after=${id}`), { recovered: false, events: [] })
})

t.test('a query that cannot be understood is an error that names it, after the key', async t => {
  const { url } = await startServer(t, { ...enabled, globalEvents: true, apikey: 'key' })
  const cases: ReadonlyArray<readonly [query: string, message: RegExp, code?: string]> = [
    ['limit=0', /limit must be >= 1/],
    ['limit=1001', /limit must be <= 1000/],
    ['limit=1.5', /limit must be integer/],
    ['limit=ten', /limit must be integer/],
    ['limit=1&limit=2', /"limit" more than once/, 'FST_ERR_WS_EVENTS_INVALID_FILTER'],
    ['after=a&after=b', /"after" more than once/, 'FST_ERR_WS_EVENTS_INVALID_FILTER'],
    ['events[]=call', /"events\[\]" in the query/, 'FST_ERR_WS_EVENTS_INVALID_FILTER'],
    ['apikey=key', /"apikey", which is not known/],
    ['instances=a', /"instances", which is not known/],
    ['events=cal', /unknown event/, 'FST_ERR_WS_EVENTS_INVALID_FILTER'],
    ['events=call%0Aid:%201', /unknown event/, 'FST_ERR_WS_EVENTS_INVALID_FILTER']
  ]
  for (const [query, message, code = 'FST_ERR_VALIDATION'] of cases) {
    const at = `${url}/instance/acme/events?${query}`
    t.match(await answer(at, { apikey: 'key' }), { status: 400, body: { statusCode: 400, code, error: 'Bad Request', message } }, query)
    t.match(await answer(at), { status: 401, body: { code: 'FST_ERR_WS_EVENTS_UNAUTHORIZED' } }, `${query} without a key`)
  }
  t.match(await answer(`${url}/events?instances=a%2Fb`, { apikey: 'key' }), { status: 400, body: { code: 'FST_ERR_WS_EVENTS_INVALID_FILTER' } })
  t.match(await answer(`${url}/instance/a%2Cb/events`, { apikey: 'key' }), { status: 400, body: { code: 'FST_ERR_WS_EVENTS_INVALID_NAME' } })
})

t.test('who leaves while a page is read leaves nothing behind', async t => {
  let reads = 0
  let go = (): void => {}
  const held = new Promise<void>(resolve => { go = resolve })
  const store = storeWith(log => ({ read: async (stream, after, maxBytes) => { reads++; await held; return log.read(stream, after, maxBytes) } }))
  const { fastify, url } = await startServer(t, { ...enabled, store })
  const outgoing = request(`${url}/instance/acme/events?after=x`, { agent: false, headers: { accept: 'application/json' } })
  outgoing.on('error', () => {}).end()
  await eventually(() => reads > 0)
  outgoing.destroy()
  go()
  t.match(await answer(`${url}/instance/acme/events?after=x`), { status: 200, body: { recovered: false } })
  await fastify.close()
})
