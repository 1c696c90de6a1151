import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Ajv } from 'ajv'
import { register } from '../helpers/register.js'

type Json = Record<string, unknown>

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  security: Json[]
  parameters: Array<{ name: string, in: string, required: boolean, schema: Json, description?: string }>
  requestBody?: { required?: boolean, content: Record<string, { schema: Json }> }
  responses: Record<string, { description: string, content?: Record<string, { schema: Json }> }>
}

type Paths = Record<string, Record<string, Operation>>

async function pathsOf (fastify: FastifyInstance): Promise<Paths> {
  await fastify.ready()
  return (fastify.swagger() as unknown as { paths: Paths }).paths
}

/** The ways to bring a key, as a host describes them. */
const securitySchemes = {
  apikey: { type: 'apiKey', in: 'header', name: 'apikey' },
  bearer: { type: 'http', scheme: 'bearer' },
  basic: { type: 'http', scheme: 'basic' }
} as const

const withSwagger = async (fastify: FastifyInstance) => {
  await fastify.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'test', version: '1' }, components: { securitySchemes } } })
}

interface Expected {
  readonly path: string
  readonly method: string
  readonly operationId: string
  readonly param: string
  readonly statuses: string[]
}

const own: readonly Expected[] = [
  { path: '/instance/{name}/websocket', method: 'put', operationId: 'setInstanceWebsocket', param: 'name', statuses: ['200', '201', '400', '401', '403', '404', '409', '413', '415', '503'] },
  { path: '/instance/{name}/websocket', method: 'get', operationId: 'getInstanceWebsocket', param: 'name', statuses: ['200', '400', '401', '403', '404', '503'] },
  { path: '/instance/{name}/websocket', method: 'delete', operationId: 'deleteInstanceWebsocket', param: 'name', statuses: ['204', '400', '401', '403', '404', '503'] }
]
const EVENTS = '/instance/{name}/events'
const eventStatuses = ['200', '400', '401', '403', '406', '409', '429', '503']
const evolution: readonly Expected[] = [
  { path: '/websocket/set/{instance}', method: 'post', operationId: 'evolutionSetWebsocket', param: 'instance', statuses: ['201', '400', '401', '403', '404', '409', '413', '415', '503'] },
  { path: '/websocket/find/{instance}', method: 'get', operationId: 'evolutionFindWebsocket', param: 'instance', statuses: ['200', '400', '401', '403', '503'] }
]

t.test('the document has the routes of the plugin, and not the engine\'s', async t => {
  t.same(Object.keys(await pathsOf(await register(t, {}, withSwagger))), ['/instance/{name}/websocket', EVENTS])
  t.same(Object.keys(await pathsOf(await register(t, { evolution: true, globalEvents: true }, withSwagger))).sort(), ['/events', EVENTS, '/instance/{name}/websocket', '/webhook/evolution', '/webhook/evolution/{event}', '/websocket/find/{instance}', '/websocket/set/{instance}'])
  t.same(Object.keys(await pathsOf(await register(t, { enabled: false }, withSwagger))), ['/instance/{name}/websocket', EVENTS])
  t.same(Object.keys(await pathsOf(await register(t, { routes: false }, withSwagger))), [])
  t.same(Object.keys(await pathsOf(await register(t, { routes: { prefix: '/api' } }, withSwagger))), ['/api/instance/{name}/websocket', '/api/instance/{name}/events'])
})

t.test('a host that has described no keys, or other ones, gets its document as well, with ours in it', async t => {
  const info = { title: 'test', version: '1' }
  const session = { type: 'apiKey', in: 'cookie', name: 'sid' }
  const hosts: ReadonlyArray<readonly [options: object, names: string[]]> = [
    [{}, ['apikey', 'basic', 'bearer']],
    [{ swagger: { info } }, ['apikey', 'basic', 'bearer']],
    [{ swagger: { info, securityDefinitions: { session } } }, ['apikey', 'basic', 'bearer', 'session']],
    [{ openapi: { info } }, ['apikey', 'basic', 'bearer']],
    [{ openapi: { info, components: {} } }, ['apikey', 'basic', 'bearer']],
    [{ openapi: { info, components: { securitySchemes: { session } } } }, ['apikey', 'basic', 'bearer', 'session']]
  ]
  for (const [options, names] of hosts) {
    const fastify = await register(t, { evolution: true }, async fastify => { await fastify.register(swagger, options as never) })
    await fastify.ready()
    const document = fastify.swagger() as { components?: { securitySchemes?: object }, securityDefinitions?: object, paths: object }
    t.same(Object.keys(document.components?.securitySchemes ?? document.securityDefinitions ?? {}).sort(), names, JSON.stringify(options))
    t.equal(Object.keys(document.paths).length, 6)
  }
})

t.test('what a host itself says of the two keys stays', async t => {
  const fastify = await register(t, {}, async fastify => {
    await fastify.register(swagger, { openapi: { info: { title: 'test', version: '1' }, components: { securitySchemes: { apikey: { type: 'apiKey', in: 'header', name: 'x-host-key' } } } } })
  })
  await fastify.ready()
  t.match((fastify.swagger() as unknown as { components: Json }).components, { securitySchemes: { apikey: { name: 'x-host-key' }, bearer: { scheme: 'bearer' } } })
})

t.test('a path has no methods that were not asked for', async t => {
  const paths = await pathsOf(await register(t, { evolution: true }, withSwagger))
  t.same(Object.keys(paths['/instance/{name}/websocket'] ?? {}).filter(method => method !== 'head').sort(), ['delete', 'get', 'put'])
  t.same(Object.keys(paths['/websocket/set/{instance}'] ?? {}), ['post'])
})

for (const { path, method, operationId, param, statuses } of [...own, ...evolution]) {
  t.test(`${method.toUpperCase()} ${path} is described as a whole`, async t => {
    const paths = await pathsOf(await register(t, { evolution: true }, withSwagger))
    const operation = paths[path]?.[method]
    if (operation === undefined) throw new Error('it is not there')
    t.equal(operation.operationId, operationId)
    t.match(operation.summary, /^[A-Z].{10,}/)
    t.same(operation.tags, ['websocket'])
    t.same(operation.security, [{ apikey: [] }, { bearer: [] }])
    t.match(operation.parameters, [{ name: param, in: 'path', required: true, schema: { type: 'string' }, description: /at most 100 characters/ }])
    t.equal(operation.parameters.length, 1, 'and nothing of a query')
    t.same(Object.keys(operation.responses).sort(), statuses)
    for (const [status, response] of Object.entries(operation.responses)) {
      t.ok(response.description.length > 5 && response.description !== 'Default Response', `${status} has a description of its own: ${response.description}`)
      const schema = response.content?.['application/json']?.schema
      if (status === '204') t.notOk(response.content, 'no content')
      else if (Number(status) >= 400) t.match(schema, { type: 'object', properties: { statusCode: {}, code: {}, error: {}, message: {} } }, status)
      else t.ok(schema, status)
    }
  })
}

for (const { path, operationId, statuses, params } of [
  { path: EVENTS, operationId: 'publishInstanceEvents', statuses: ['200', '400', '401', '403', '413', '415', '422', '429', '503'], params: ['name', 'idempotency-key'] },
  { path: '/webhook/evolution', operationId: 'takeEvolutionWebhook', statuses: ['200', '202', '401', '403', '422', '429', '503'], params: [] },
  { path: '/webhook/evolution/{event}', operationId: 'takeEvolutionWebhookByEvent', statuses: ['200', '202', '401', '403', '422', '429', '503'], params: ['event'] }
]) {
  t.test(`POST ${path} is described as a whole`, async t => {
    const operation = (await pathsOf(await register(t, { evolution: true }, withSwagger)))[path]?.post
    t.equal(operation?.operationId, operationId)
    t.same(operation?.security, [{ apikey: [] }, { bearer: [] }, { basic: [] }])
    t.same((operation?.parameters ?? []).map(({ name }) => name).sort(), [...params].sort())
    t.same(Object.keys(operation?.responses ?? {}).sort(), statuses)
    t.ok(operation?.requestBody?.content['application/json']?.schema)
  })
}

t.test('every operation has an operationId of its own', async t => {
  const paths = await pathsOf(await register(t, { evolution: true, globalEvents: true }, withSwagger))
  const ids = Object.values(paths).flatMap(methods => Object.entries(methods).filter(([method]) => method !== 'head').map(([, { operationId }]) => operationId))
  t.equal(ids.length, 10)
  t.equal(new Set(ids).size, 10)
})

t.test('the body of PUT is described so that a generator can use it', async t => {
  const paths = await pathsOf(await register(t, { events: ['order.paid', 'ping'] }, withSwagger))
  const body = paths['/instance/{name}/websocket']?.put?.requestBody
  t.equal(body?.required, true)
  const schema = body?.content['application/json']?.schema
  t.match(schema, {
    type: 'object',
    required: ['enabled'],
    additionalProperties: false,
    properties: {
      enabled: { type: 'boolean', description: String },
      events: { type: 'array', items: { type: 'string' }, description: /ORDER_PAID, PING/ }
    }
  })
})

t.test('the body of Evolution\'s route shows both of its shapes', async t => {
  const paths = await pathsOf(await register(t, { evolution: true }, withSwagger))
  const body = paths['/websocket/set/{instance}']?.post?.requestBody
  t.equal(body?.required, true)
  const schema = body?.content['application/json']?.schema ?? {}
  const text = JSON.stringify(schema)
  for (const key of ['websocket', 'enabled', 'events']) t.match(text, `"${key}"`)
  const fits = new Ajv({ strict: false }).compile(schema)
  t.ok(fits({ websocket: { enabled: true, events: [] } }))
  t.ok(fits({ enabled: true }))
  t.notOk(fits({ websocket: { enabled: true, evnts: [] } }))
  t.notOk(fits({ enabled: true, evnts: [] }))
  t.notOk(fits({}))
})

t.test('the answers of the routes are as the document says', async t => {
  const fastify = await register(t, {}, withSwagger)
  const paths = await pathsOf(fastify)
  const { put, get } = paths['/instance/{name}/websocket'] as { put: Operation, get: Operation }
  const fits = (operation: Operation, status: number, answer: unknown) =>
    new Ajv({ strict: false }).compile(operation.responses[status]?.content?.['application/json']?.schema ?? { not: {} })(answer)
  const answers = [
    [get, await fastify.inject({ method: 'GET', url: '/instance/acme/websocket' })],
    [put, await fastify.inject({ method: 'PUT', url: '/instance/acme/websocket', payload: { enabled: true } })],
    [put, await fastify.inject({ method: 'PUT', url: '/instance/acme/websocket', payload: { enabled: 5 } })],
    [get, await fastify.inject({ method: 'GET', url: '/instance/acme/websocket' })]
  ] as const
  t.same(answers.map(([, { statusCode }]) => statusCode), [404, 201, 400, 200])
  for (const [operation, response] of answers) t.ok(fits(operation, response.statusCode, response.json()), response.body)
})

for (const [path, operationId, parameters, statuses] of [
  [EVENTS, 'getInstanceEvents', ['after', 'events', 'last-event-id', 'limit', 'name'], ['404', ...eventStatuses]],
  ['/events', 'getEvents', ['after', 'events', 'instances', 'last-event-id', 'limit'], eventStatuses]
] as const) {
  t.test(`GET ${path} is described as a whole, both as a stream and as a page`, async t => {
    const paths = await pathsOf(await register(t, { globalEvents: true }, withSwagger))
    t.same(Object.keys(paths[path] ?? {}).filter(method => method !== 'post'), ['get'])
    const operation = paths[path]?.get as Operation
    t.match(operation, { operationId, summary: /without Socket\.IO/, tags: ['websocket'], security: [{ apikey: [] }, { bearer: [] }] })
    t.same(operation.parameters.map(({ name }) => name).sort(), parameters)
    for (const { name, description } of operation.parameters) t.ok((description ?? '').length > 10, name)
    t.same(Object.keys(operation.responses).sort(), [...statuses].sort())
    const { content = {} } = operation.responses[200] ?? {}
    t.same(Object.keys(content).sort(), ['application/json', 'text/event-stream'])
  })
}

t.test('a page of the past is as the document says', async t => {
  const fastify = await register(t, { defaultConfig: { enabled: true } }, withSwagger)
  const paths = await pathsOf(fastify)
  const get = async (url: string) => await fastify.inject({ method: 'GET', url, headers: { accept: 'application/json' } })
  const { lastEventId } = (await get('/instance/acme/events')).json<{ lastEventId: string }>()
  await fastify.wsEvents.emit('acme', 'call', { photo: Buffer.from('a') })
  const schema = paths[EVENTS]?.get?.responses[200]?.content?.['application/json']?.schema ?? { not: {} }
  const fits = new Ajv({ strict: false, validateFormats: false }).compile(schema)
  for (const after of ['', lastEventId, 'rubbish']) {
    const page = await get(`/instance/acme/events?after=${after}`)
    t.equal(page.statusCode, 200)
    t.ok(fits(page.json()), page.body)
  }
})
