import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { mock } from 'node:test'
import t from 'tap'
import wsEvents, { evolutionEvents, type InstanceConfig } from '../../lib/index.js'
import { latch } from '../helpers/latch.js'
import { register } from '../helpers/register.js'
import { startServer } from '../helpers/server.js'

const ALL = Object.keys(evolutionEvents).map(name => name.replace(/[.-]/g, '_').toUpperCase())

const STORE_UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'

const url = (name: string) => `/instance/${name}/websocket`
const put = async (fastify: FastifyInstance, name: string, payload: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<LightMyRequestResponse> =>
  await fastify.inject({ method: 'PUT', url: url(name), payload: typeof payload === 'string' ? payload : JSON.stringify(payload), headers })
const get = async (fastify: FastifyInstance, name: string) => await fastify.inject({ method: 'GET', url: url(name) })
const remove = async (fastify: FastifyInstance, name: string) => await fastify.inject({ method: 'DELETE', url: url(name) })

async function listed (fastify: FastifyInstance): Promise<InstanceConfig[]> {
  const configs: InstanceConfig[] = []
  for await (const config of fastify.wsEvents.list()) configs.push(config)
  return configs
}

t.test('PUT answers 201 the first time and 200 then, with the config in force', async t => {
  const { fastify } = await startServer(t)
  const first = await put(fastify, 'acme', { enabled: true, events: ['MESSAGES_UPSERT'] })
  t.equal(first.statusCode, 201)
  t.match(first.headers['content-type'], /application\/json/)
  t.strictSame(first.json(), { instance: 'acme', enabled: true, events: ['MESSAGES_UPSERT'] })
  const second = await put(fastify, 'acme', { enabled: true, events: ['call', 'MESSAGES_UPSERT'] })
  t.equal(second.statusCode, 200)
  t.strictSame(second.json(), { instance: 'acme', enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] })
  t.strictSame(await fastify.wsEvents.find('acme'), second.json())
})

t.test('PUT without a list, with an empty one, or with the whole catalogue sets all', async t => {
  const { fastify } = await startServer(t)
  for (const body of [{ enabled: true }, { enabled: true, events: [] }, { enabled: true, events: ALL }, { enabled: true, events: Object.keys(evolutionEvents) }]) {
    t.strictSame((await put(fastify, 'acme', body)).json(), { instance: 'acme', enabled: true, events: ALL })
  }
})

t.test('PUT with enabled: false keeps the stored list', async t => {
  const { fastify } = await startServer(t)
  await put(fastify, 'acme', { enabled: true, events: ['CALL'] })
  for (const body of [{ enabled: false }, { enabled: false, events: [] }]) {
    const response = await put(fastify, 'acme', body)
    t.equal(response.statusCode, 200)
    t.strictSame(response.json(), { instance: 'acme', enabled: false, events: ['CALL'] })
  }
})

t.test('GET answers the config, or 404 with what to do', async t => {
  const { fastify } = await startServer(t)
  const missing = await get(fastify, 'Teste%2001')
  t.equal(missing.statusCode, 404)
  t.match(missing.json(), { statusCode: 404, code: 'FST_ERR_WS_EVENTS_NOT_SET', error: 'Not Found', message: /"Teste 01".*PUT \/instance\/Teste%2001\/websocket with \{"enabled":true\}/ })
  const set = await put(fastify, 'Teste%2001', { enabled: true })
  const found = await get(fastify, 'Teste%2001')
  t.equal(found.statusCode, 200)
  t.strictSame(found.json(), set.json())
})

t.test('DELETE answers 204 without a body, and then 404', async t => {
  const { fastify } = await startServer(t)
  await put(fastify, 'acme', { enabled: true })
  const gone = await remove(fastify, 'acme')
  t.equal(gone.statusCode, 204)
  t.equal(gone.body, '')
  for (const response of [await remove(fastify, 'acme'), await get(fastify, 'acme')]) {
    t.equal(response.statusCode, 404)
    t.match(response.json(), { code: 'FST_ERR_WS_EVENTS_NOT_SET', message: /"acme"/ })
  }
  t.equal((await put(fastify, 'acme', { enabled: true })).statusCode, 201, 'it is new again')
})

interface BadPut {
  readonly what: string
  readonly name?: string
  readonly body: unknown
  readonly headers?: Record<string, string>
  readonly status: number
  readonly code: RegExp
  readonly message: RegExp
}

const VALIDATION = /^FST_ERR_VALIDATION$/
const badPuts: readonly BadPut[] = [
  { what: 'a key that is misspelt', body: { enabled: true, evnts: [] }, status: 400, code: VALIDATION, message: /"evnts".*not known/ },
  { what: 'enabled that is no boolean', body: { enabled: 'yes' }, status: 400, code: VALIDATION, message: /enabled.*boolean/ },
  { what: 'enabled as text that looks like one', body: { enabled: 'true' }, status: 400, code: VALIDATION, message: /enabled.*boolean/ },
  { what: 'enabled as a number', body: { enabled: 1 }, status: 400, code: VALIDATION, message: /enabled.*boolean/ },
  { what: 'enabled as null', body: { enabled: null }, status: 400, code: VALIDATION, message: /enabled.*boolean/ },
  { what: 'nothing of it', body: {}, status: 400, code: VALIDATION, message: /enabled/ },
  { what: 'events as one name', body: { enabled: true, events: 'CALL' }, status: 400, code: VALIDATION, message: /events.*array/ },
  { what: 'events as null', body: { enabled: true, events: null }, status: 400, code: VALIDATION, message: /events.*array/ },
  { what: 'an event that is no text', body: { enabled: true, events: ['CALL', 5] }, status: 400, code: VALIDATION, message: /events\/1.*string/ },
  { what: 'too many events', body: { enabled: true, events: new Array(10_001).fill('CALL') }, status: 400, code: VALIDATION, message: /events.*10000/ },
  { what: 'an unknown event', body: { enabled: true, events: ['CALL', 'MESSAGE_UPSERT'] }, status: 400, code: /UNKNOWN_EVENT$/, message: /"MESSAGE_UPSERT".*"MESSAGES_UPSERT"/ },
  { what: 'an unknown event with dots', body: { enabled: true, events: ['message.upsert'] }, status: 400, code: /UNKNOWN_EVENT$/, message: /"messages\.upsert"/ },
  { what: 'an array', body: [{ enabled: true }], status: 400, code: VALIDATION, message: /body.*object/ },
  { what: 'null', body: 'null', status: 400, code: VALIDATION, message: /body.*object/ },
  { what: 'a string', body: '"enabled"', status: 400, code: VALIDATION, message: /body.*object/ },
  { what: 'the body of the other API', body: { websocket: { enabled: true } }, status: 400, code: VALIDATION, message: /enabled|websocket/ },
  { what: 'broken JSON', body: '{"enabled":true', status: 400, code: /^FST_ERR_CTP_/, message: /JSON/ },
  { what: 'an empty body', body: '', status: 400, code: /^FST_ERR_/, message: /body/i },
  { what: 'a __proto__ key', body: '{"enabled":true,"__proto__":{"x":1}}', status: 400, code: /^FST_ERR_|^$/, message: /./ },
  { what: '5 MB', body: JSON.stringify({ enabled: true, events: ['x'.repeat(5_000_000)] }), status: 413, code: /^FST_ERR_CTP_BODY_TOO_LARGE$/, message: /large/ },
  { what: 'text/plain', body: '{"enabled":true}', headers: { 'content-type': 'text/plain' }, status: 400, code: VALIDATION, message: /body.*object/ },
  { what: 'a form', body: 'enabled=true', headers: { 'content-type': 'application/x-www-form-urlencoded' }, status: 415, code: /^FST_ERR_CTP_INVALID_MEDIA_TYPE$/, message: /Unsupported Media Type/ }
]

for (const { what, body, headers, status, code, message } of badPuts) {
  t.test(`PUT with ${what} is ${status} with a code and what is wrong, and the config is as it was`, async t => {
    const { fastify } = await startServer(t)
    await fastify.wsEvents.set('acme', { enabled: true, events: ['CALL'] })
    const response = await put(fastify, 'acme', body, headers)
    t.equal(response.statusCode, status)
    const answer = response.json<{ statusCode: number, code: string, message: string }>()
    t.equal(answer.statusCode, status)
    t.match(answer.code, code)
    t.match(answer.message, message)
    t.strictSame(await listed(fastify), [{ instance: 'acme', enabled: true, events: ['CALL'] }])
  })
}

t.test('a 5 MB body is refused over a real connection too', async t => {
  const { fastify, url: base } = await startServer(t)
  const response = await fetch(base + url('acme'), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ enabled: true, events: ['x'.repeat(5_000_000)] })
  })
  t.equal(response.status, 413)
  t.match(await response.json(), { code: 'FST_ERR_CTP_BODY_TOO_LARGE' })
  t.equal(await fastify.wsEvents.find('acme'), null)
})

const badNames: ReadonlyArray<readonly [path: string, says: RegExp]> = [
  ['a%2Fb', /"\/"/],
  ['a%5Cb', /\\\\/],
  ['a%2Cb', /","/],
  ['a,b', /","/],
  ['a%3Fb', /"\?"/],
  ['a%23b', /"#"/],
  ['a%2520b', /"%"/],
  ['%00', /control/],
  ['a%0Ab', /control/],
  ['', /empty/],
  [encodeURIComponent('\u0958'.repeat(51)), /102/]
]

for (const [path, says] of badNames) {
  t.test(`the name ${path.slice(0, 20)} is INVALID_NAME on every route, and says why`, async t => {
    const { fastify } = await startServer(t)
    for (const response of [await put(fastify, path, { enabled: true }), await get(fastify, path), await remove(fastify, path)]) {
      t.equal(response.statusCode, 400)
      t.match(response.json(), { statusCode: 400, code: 'FST_ERR_WS_EVENTS_INVALID_NAME', message: says })
    }
    t.same(await listed(fastify), [])
  })
}

t.test('a path step is no name, also for clients that send it as it stands', async t => {
  const { fastify, port } = await startServer(t)
  for (const path of ['%2E%2E', '..', '%2E', '.']) {
    const [status, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
      request({ port, host: '127.0.0.1', method: 'PUT', path: url(path), headers: { 'content-type': 'application/json' } }, async response => {
        resolve([response.statusCode, await text(response)])
      }).on('error', reject).end('{"enabled":true}')
    })
    t.equal(status, 400, path)
    t.match(JSON.parse(body), { code: 'FST_ERR_WS_EVENTS_INVALID_NAME', message: /path step/ })
  }
  t.same(await listed(fastify), [])
})

t.test('a name that is too long for a route is refused with a code, by Fastify or by us', async t => {
  const { fastify } = await startServer(t)
  for (const response of [await put(fastify, 'x'.repeat(101), { enabled: true }), await get(fastify, 'x'.repeat(5000)), await remove(fastify, 'x'.repeat(101))]) {
    t.match(response.statusCode, /^4/)
    t.match(response.json<{ code: string }>().code, /^FST_ERR_(WS_EVENTS_INVALID_NAME|MAX_PARAM_LENGTH)$/)
  }
  t.same(await listed(fastify), [])
})

t.test('a path that is not percent-encoded rightly is 400 with a code', async t => {
  const { fastify } = await startServer(t)
  for (const path of ['a%', '%zz', '%ff']) {
    const response = await put(fastify, path, { enabled: true })
    t.equal(response.statusCode, 400, path)
    t.match(response.json(), { code: /^FST_ERR_/, message: new RegExp(path) })
  }
})

t.test('a name is percent-decoded once and composed', async t => {
  const { fastify } = await startServer(t)
  const names: ReadonlyArray<readonly [path: string, name: string]> = [
    ['Teste%2001', 'Teste 01'],
    ['caf%C3%A9', 'café'],
    ['cafe%CC%81', 'café'],
    ['%E6%97%A5%E6%9C%AC', '日本'],
    ['a%3Ab', 'a:b'],
    ['a%2Bb', 'a+b'],
    ['a+b', 'a+b'],
    ['__proto__', '__proto__'],
    ['x'.repeat(100), 'x'.repeat(100)],
    [encodeURIComponent('日'.repeat(100)), '日'.repeat(100)],
    [encodeURIComponent('😀'.repeat(50)), '😀'.repeat(50)],
    [encodeURIComponent('e\u0301'.repeat(50)), 'é'.repeat(50)]
  ]
  for (const [path, name] of names) {
    const response = await put(fastify, path, { enabled: true })
    t.equal(response.json<InstanceConfig>().instance, name, path.slice(0, 30))
    t.equal((await get(fastify, path)).json<InstanceConfig>().instance, name)
    t.equal((await get(fastify, encodeURIComponent(name))).statusCode, 200)
    t.equal((await remove(fastify, path)).statusCode, 204)
  }
})

t.test('the query says nothing: neither of the instance nor of the config', async t => {
  const { fastify } = await startServer(t)
  const query = '?name=victim&instance=victim&instanceName=victim&enabled=false&events=CALL&body[enabled]=false'
  const response = await fastify.inject({ method: 'PUT', url: url('mine') + query, payload: { enabled: true } })
  t.equal(response.statusCode, 201)
  t.strictSame(response.json(), { instance: 'mine', enabled: true, events: ALL })
  t.strictSame((await listed(fastify)).map(({ instance }) => instance), ['mine'])
  t.equal((await fastify.inject({ method: 'GET', url: url('mine') + query })).json<InstanceConfig>().instance, 'mine')
  t.equal((await fastify.inject({ method: 'DELETE', url: url('victim') + '?name=mine' })).statusCode, 404)
  t.equal((await fastify.wsEvents.find('mine'))?.enabled, true)
})

t.test('a body that is sent with GET or DELETE does no harm', async t => {
  const { fastify } = await startServer(t)
  await fastify.wsEvents.set('acme', { enabled: true })
  const response = await fastify.inject({ method: 'DELETE', url: url('acme'), payload: {} })
  t.equal(response.statusCode, 204)
})

t.test('with routes: false there are none', async t => {
  const { fastify } = await startServer(t, { routes: false, evolution: true })
  for (const response of [await put(fastify, 'acme', { enabled: true }), await get(fastify, 'acme'), await remove(fastify, 'acme')]) t.equal(response.statusCode, 404)
  t.notOk(fastify.hasRoute({ method: 'PUT', url: url(':name') }))
  t.equal(await fastify.wsEvents.find('acme'), null)
})

t.test('with routes.prefix they live there, and only there', async t => {
  const { fastify } = await startServer(t, { routes: { prefix: '/api/v1' } })
  t.equal((await fastify.inject({ method: 'PUT', url: `/api/v1${url('acme')}`, payload: { enabled: true } })).statusCode, 201)
  t.equal((await fastify.inject({ method: 'GET', url: `/api/v1${url('acme')}` })).statusCode, 200)
  t.equal((await fastify.inject({ method: 'DELETE', url: `/api/v1${url('acme')}` })).statusCode, 204)
  t.equal((await put(fastify, 'acme', { enabled: true })).statusCode, 404)
})

t.test('in a context with a prefix the routes are below it, and in its own prefix', async t => {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(async context => {
    await context.register(wsEvents, { env: false, routes: { prefix: '/ws' } })
    t.equal(context.wsEvents.mode, 'traditional')
  }, { prefix: '/api' })
  await fastify.ready()
  t.notOk(fastify.hasDecorator('wsEvents'), 'it decorates the instance that it is registered on')
  t.equal((await fastify.inject({ method: 'PUT', url: `/api/ws${url('acme')}`, payload: { enabled: true } })).statusCode, 201)
  t.equal((await fastify.inject({ method: 'PUT', url: url('acme'), payload: { enabled: true } })).statusCode, 404)
})

t.test('instanceExists that says no makes PUT answer 404, and nothing is set', async t => {
  const asked: string[] = []
  const { fastify } = await startServer(t, { instanceExists: async name => { asked.push(name); return name === 'café' } })
  const response = await put(fastify, 'acme', { enabled: true })
  t.equal(response.statusCode, 404)
  t.match(response.json(), { code: 'FST_ERR_WS_EVENTS_INSTANCE_UNKNOWN', message: /"acme"/ })
  t.equal(await fastify.wsEvents.find('acme'), null)
  t.equal((await put(fastify, 'cafe%CC%81', { enabled: true })).statusCode, 201)
  t.same(asked, ['acme', 'café'], 'it is asked by the name in its composed form')
  await fastify.wsEvents.set('acme', { enabled: true })
  t.equal((await get(fastify, 'acme')).statusCode, 200, 'only the routes that set ask')
  t.equal((await remove(fastify, 'acme')).statusCode, 204)
})

t.test('instanceExists may answer at once', async t => {
  const { fastify } = await startServer(t, { instanceExists: name => name === 'acme' })
  t.equal((await put(fastify, 'acme', { enabled: true })).statusCode, 201)
  t.equal((await put(fastify, 'other', { enabled: true })).statusCode, 404)
})

t.test('instanceExists that throws sets nothing', async t => {
  const fails = { 'at once': () => { throw new Error('the database is away') }, later: async () => { throw new Error('the database is away') } }
  for (const [when, instanceExists] of Object.entries(fails)) {
    const { fastify } = await startServer(t, { instanceExists })
    const response = await put(fastify, 'acme', { enabled: true })
    t.equal(response.statusCode, 503, when)
    t.match(response.json(), { code: STORE_UNAVAILABLE, message: /option instanceExists failed: the database is away$/ }, when)
    t.equal(await fastify.wsEvents.find('acme'), null)
  }
})

t.test('instanceExists has ten seconds, on each route that sets', async t => {
  const names = ['/instance/acme/websocket', '/websocket/set/acme']
  for (const url of names) {
    const asked = latch()
    const instanceExists = async () => { asked.open(); return await new Promise<boolean>(() => {}) }
    const { fastify } = await startServer(t, { evolution: true, instanceExists })
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const method = url === names[0] ? 'PUT' : 'POST'
      const answer = fastify.inject({ method, url, payload: { enabled: true, events: [] } })
      await asked.opened
      mock.timers.tick(10_000)
      const response = await answer
      t.equal(response.statusCode, 503, url)
      t.match(response.json(), { code: STORE_UNAVAILABLE, message: /option instanceExists failed: no answer within 10000 ms/ }, url)
    } finally {
      mock.timers.reset()
    }
    t.equal(await fastify.wsEvents.find('acme'), null)
  }
})

t.test('a name of the host is 409', async t => {
  const fastify = await register(t, {}, async fastify => {
    await fastify.register((await import('fastify-socket.io')).default as never)
    ;(fastify as unknown as { io: { of(name: string): unknown } }).io.of('/admin')
  })
  const response = await put(fastify, 'admin', { enabled: true })
  t.equal(response.statusCode, 409)
  t.match(response.json(), { code: 'FST_ERR_WS_EVENTS_HOST_NAMESPACE', message: /\/admin.*another name/ })
  t.equal(await fastify.wsEvents.find('admin'), null)
})

t.test('in disabled mode configs can be set and read', async t => {
  const { fastify } = await startServer(t, { enabled: false })
  t.equal((await put(fastify, 'acme', { enabled: true })).statusCode, 201)
  t.equal((await get(fastify, 'acme')).statusCode, 200)
  t.equal((await remove(fastify, 'acme')).statusCode, 204)
})

t.test('concurrent PUTs of one name: one is the first, and the last one stays', async t => {
  const { fastify } = await startServer(t)
  const events = ['CALL', 'CHATS_SET', 'CHATS_UPDATE', 'MESSAGES_SET', 'MESSAGES_UPSERT']
  const responses = await Promise.all(events.map(async event => await put(fastify, 'acme', { enabled: true, events: [event] })))
  t.equal(responses.filter(({ statusCode }) => statusCode === 201).length, 1)
  t.equal(responses.filter(({ statusCode }) => statusCode === 200).length, 4)
  const config = await fastify.wsEvents.find('acme')
  t.ok(responses.some(response => JSON.stringify(response.json()) === JSON.stringify(config)))
})

t.test('no other method is answered', async t => {
  const { fastify } = await startServer(t)
  for (const method of ['POST', 'PATCH'] as const) t.equal((await fastify.inject({ method, url: url('acme'), payload: { enabled: true } })).statusCode, 404)
})

t.test('a caller without the key is sent away before its body is read', async t => {
  const { fastify, port } = await startServer(t, { apikey: 'k' })
  const socket = connectTcp(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  // The body is announced and never sent.
  socket.write(`PUT ${url('acme')} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 500000\r\n\r\n`)
  const [answer] = await new Promise<[Buffer]>(resolve => { socket.once('data', data => { resolve([data]) }) })
  t.match(answer.toString(), /^HTTP\/1\.1 401 /)
  t.equal(await fastify.wsEvents.find('acme'), null)
})
