import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import wsEvents, { errors, type WsEventsOptions } from '../lib/index.js'
import monitor from '../lib/monitor/index.js'
import { RefusedAddresses } from '../lib/limits/refused-addresses.js'
import { retryAfter } from '../lib/limits/retry-after.js'
import { EventStream } from './helpers/event-stream.js'
import { SharedStore } from './helpers/shared-store.js'

const KEY = { apikey: 'key' }
const EVENTS = 'GET /instance/acme/events'
const CONFIGS = [
  'PUT /instance/acme/websocket',
  'GET /instance/acme/websocket',
  'DELETE /instance/acme/websocket',
  'POST /websocket/set/acme',
  'GET /websocket/find/acme'
]

type Headers = Readonly<Record<string, string>>

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
}

interface Server {
  readonly fastify: FastifyInstance
  readonly url: string
}

/** With every route that there is. */
async function start (t: Test, options: WsEventsOptions): Promise<Server> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, evolution: true, globalEvents: true, defaultConfig: { enabled: true }, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { fastify, url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}` }
}

/** The answer to a call such as `GET /path`, on a connection of its own. */
async function call ({ url }: Server, route: string, headers: Headers = {}): Promise<Answer> {
  const [method, path = ''] = route.split(' ')
  const body = method === 'PUT' || method === 'POST' ? '{"enabled":true}' : undefined
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const outgoing = request(`${url}${path}`, { method, agent: false, headers: { ...type, ...headers } })
  outgoing.end(body)
  const [response] = await once(outgoing, 'response') as [IncomingMessage]
  await text(response)
  return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }
}

/** The answers to who asks for a stream, and for a page. */
async function callEvents (server: Server, headers: Headers = {}): Promise<Answer[]> {
  return await Promise.all(['text/event-stream', 'application/json'].map(async accept => {
    return await call(server, EVENTS, { accept, ...headers })
  }))
}

t.test('a key that could not be checked is 503 with Retry-After, on every route', async t => {
  const server = await start(t, { verify: () => { throw new Error('down') } })
  const unchecked = { status: 503, retryAfter: '5' }
  for (const route of [...CONFIGS, 'GET /events', 'GET /monitor/state', 'GET /monitor/state?instance=acme']) {
    t.strictSame(await call(server, route, KEY), unchecked, route)
  }
  t.strictSame(await callEvents(server, KEY), [unchecked, unchecked])
})

t.test('other refusals have no Retry-After', async t => {
  const server = await start(t, { verify: () => false })
  for (const route of [...CONFIGS, EVENTS]) {
    t.strictSame(await call(server, route), { status: 401, retryAfter: undefined }, route)
    t.strictSame(await call(server, route, KEY), { status: 403, retryAfter: undefined }, route)
  }
})

t.test('a store that is away is 503 with Retry-After', async t => {
  const shared = new SharedStore()
  const server = await start(t, { store: shared.node() })
  shared.away()
  const away = { status: 503, retryAfter: '5' }
  t.strictSame(await callEvents(server), [away, away])
  t.strictSame(await call(server, 'PUT /instance/acme/websocket'), away)
})

t.test('a plugin that is disabled says to try again in a minute', async t => {
  const server = await start(t, { enabled: false, globalEvents: false })
  const disabled = { status: 503, retryAfter: '60' }
  t.strictSame(await callEvents(server), [disabled, disabled])
  t.strictSame(await call(server, 'GET /socket.io/?EIO=4&transport=polling'), disabled)
})

t.test('a limit of connections is 429 with Retry-After', async t => {
  for (const limit of ['connections', 'connectionsPerInstance', 'connectionsPerAddress'] as const) {
    const server = await start(t, { limits: { [limit]: 1 } })
    await EventStream.open(t, `${server.url}/instance/acme/events`)
    t.strictSame(await call(server, EVENTS), { status: 429, retryAfter: '10' }, limit)
  }
})

t.test('an address that was refused too often is told how much of the minute is left', async t => {
  const server = await start(t, { ...KEY, limits: { refusalsPerMinute: 1 } })
  await call(server, EVENTS, { apikey: 'wrong' })
  for (const answer of await callEvents(server, KEY)) {
    t.equal(answer.status, 429)
    t.match(answer.retryAfter, /^([1-9]|[1-5]\d|60)$/)
  }
})

t.test('the rest of the minute is in whole seconds, at least one, whatever the clock does', async t => {
  let now = 1_000_000
  const refused = new RefusedAddresses(1, () => now)
  refused.add('1.1.1.1')
  const left = (): number | undefined => {
    try {
      refused.check('1.1.1.1')
    } catch (error) {
      return retryAfter(error)
    }
    return undefined
  }
  for (const [after, seconds] of [[0, 60], [1, 60], [1000, 59], [58_999, 2], [59_000, 1], [59_999, 1], [-5000, 60]] as const) {
    now = 1_000_000 + after
    t.equal(left(), seconds, `${after} ms after`)
  }
  now = 1_060_000
  t.equal(left(), undefined)
})

t.test('every error of status 429 and 503 has one, and no other', async t => {
  for (const [name, Coded] of Object.entries(errors)) {
    const error = new Coded()
    t.equal(retryAfter(error) !== undefined, [429, 503].includes(error.statusCode ?? 0), name)
  }
  t.equal(retryAfter(new Error('not ours')), undefined)
})
