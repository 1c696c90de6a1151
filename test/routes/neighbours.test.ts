// What a host may set for all routes of its own must neither break ours nor be broken by them.
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifySchemaCompiler, type FastifyServerOptions } from 'fastify'
import { hasZodFastifySchemaValidationErrors, jsonSchemaTransform, serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { z } from 'zod'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'
import monitor from '../../lib/monitor/index.js'

type Use = (fastify: FastifyInstance) => unknown

interface Setup {
  readonly options?: WsEventsOptions
  readonly server?: FastifyServerOptions
  readonly before?: Use
  readonly after?: Use
}

interface Answer { readonly status: number, readonly type: string | null, readonly body: unknown }

interface Host {
  readonly fastify: FastifyInstance
  readonly ask: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>
}

async function start (t: Test, { options = {}, server = {}, before, after }: Setup): Promise<Host> {
  const fastify = Fastify(server)
  t.teardown(async () => { await fastify.close() })
  await before?.(fastify)
  await fastify.register(wsEvents, { env: false, evolution: true, globalEvents: true, ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  await after?.(fastify)
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const { port } = fastify.server.address() as AddressInfo
  return {
    fastify,
    ask: async (method, path, body, headers = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { ...headers, ...body !== undefined && { 'content-type': 'application/json' } },
        ...body !== undefined && { body: JSON.stringify(body) }
      })
      const text = await response.text()
      const type = response.headers.get('content-type')
      return { status: response.status, type, body: type?.includes('json') === true && text !== '' ? JSON.parse(text) as unknown : text }
    }
  }
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** Every route of ours answers as it does where nothing is set. */
async function assertOurs (t: Test, { fastify, ask }: Host): Promise<void> {
  const config = { instance: 'acme', enabled: true, events: ['CALL'] }
  t.strictSame(await ask('PUT', '/instance/acme/websocket', { enabled: true, events: ['CALL'] }), { status: 201, type: JSON_TYPE, body: config })
  t.strictSame(await ask('PUT', '/instance/acme/websocket', { enabled: true, events: ['CALL'] }), { status: 200, type: JSON_TYPE, body: config })
  t.strictSame(await ask('GET', '/instance/acme/websocket'), { status: 200, type: JSON_TYPE, body: config })
  t.equal((await ask('HEAD', '/instance/acme/websocket')).status, 200)
  t.match(await ask('PUT', '/instance/acme/websocket', { enabled: true, event: [] }), { status: 400, body: { message: /the property "event"/ } })
  t.match(await ask('PUT', '/instance/acme/websocket', { enabled: 'true' }), { status: 400 }, 'types are not coerced')
  t.match(await ask('GET', '/instance/none/websocket'), { status: 404 })
  t.match(await ask('PUT', '/instance/acme/websocket', { enabled: true, events: ['NONE'] }), { status: 400 })
  t.strictSame(await ask('POST', '/websocket/set/acme', { websocket: { enabled: true, events: ['CALL'] } }), { status: 201, type: JSON_TYPE, body: config })
  t.strictSame(await ask('GET', '/websocket/find/acme'), { status: 200, type: JSON_TYPE, body: config })
  t.strictSame(await ask('GET', '/websocket/find/none'), { status: 200, type: JSON_TYPE, body: null })
  t.match(await ask('POST', '/websocket/set/acme', { websocket: { enabled: 1 } }), { status: 400, body: { status: 400, response: { message: [/body/] } } })
  for (const path of ['/instance/acme/events', '/events']) {
    t.match(await ask('GET', `${path}?limit=2`), { status: 200, type: JSON_TYPE, body: { recovered: null, events: [], more: false } })
    t.match(await ask('GET', `${path}?limit=no`), { status: 400 })
    t.match(await ask('GET', path, undefined, { accept: 'image/png' }), { status: 406 })
  }
  t.match(await ask('GET', '/monitor/state'), { status: 200, type: JSON_TYPE, body: { mode: 'global', instances: [config] } })
  t.match(await ask('GET', '/monitor/state?instances=x'), { status: 400 })
  t.match(await ask('GET', '/monitor/'), { status: 200, type: /text\/html/ })
  // The engine's own answer: there is no such transport.
  t.match(await ask('GET', '/socket.io/?EIO=4&transport=none'), { status: 400 })
  t.strictSame(await ask('DELETE', '/instance/acme/websocket'), { status: 204, type: null, body: '' })
  t.equal((await fastify.wsEvents.asyncapi()).asyncapi, '3.0.0')
}

const useZod: Use = fastify => {
  fastify.setValidatorCompiler(validatorCompiler)
  fastify.setSerializerCompiler(serializerCompiler)
}

/** A route of the host's by zod: it coerces, and its answer drops what its schema does not name. */
const addZodRoute: Use = fastify => {
  fastify.withTypeProvider<ZodTypeProvider>().get('/orders/:id', {
    schema: { params: z.object({ id: z.coerce.number().int() }), response: { 200: z.object({ id: z.number() }) } }
  }, ({ params: { id } }) => ({ id, secret: true }))
}

async function assertZod (t: Test, { ask }: Host): Promise<void> {
  t.strictSame(await ask('GET', '/orders/7'), { status: 200, type: JSON_TYPE, body: { id: 7 } })
  t.match(await ask('GET', '/orders/x'), { status: 400, body: { code: 'FST_ERR_VALIDATION' } })
}

const ORDERS: ReadonlyArray<{ readonly name: string, readonly place: (use: Use) => Setup }> = [
  { name: 'before', place: before => ({ before }) },
  { name: 'after', place: after => ({ after }) }
]

for (const { name, place } of ORDERS) {
  t.test(`zod's compilers, set ${name} us, serve the host's routes, and ours bring their own`, async t => {
    const host = await start(t, place(async fastify => {
      await useZod(fastify)
      await fastify.register(async scope => { await addZodRoute(scope) })
    }))
    await assertOurs(t, host)
    await assertZod(t, host)
  })

  t.test(`zod's document, set ${name} us, has the routes of both`, async t => {
    const use: Use = async fastify => {
      await useZod(fastify)
      await fastify.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'both', version: '1' } }, transform: jsonSchemaTransform })
      await fastify.register(async scope => { await addZodRoute(scope) })
    }
    const { fastify } = await start(t, place(use))
    const { paths = {} } = fastify.swagger() as { paths?: object }
    // What is registered before @fastify/swagger is in no document of its.
    t.ok('/orders/{id}' in paths)
    t.equal('/instance/{name}/websocket' in paths, name === 'before')
  })

  t.test(`an error handler of the host's, set ${name} us, may answer in its own form, also to what is not valid`, async t => {
    const { ask } = await start(t, place(fastify => {
      useZod(fastify)
      fastify.setErrorHandler(async (error, request, reply) => await reply.code(418).send({ why: (error as Error).message, zod: hasZodFastifySchemaValidationErrors(error) }))
    }))
    const { status: refused, body: why } = await ask('PUT', '/instance/acme/websocket', { enabled: 1 })
    // A handler counts for what is registered after it.
    if (name === 'before') t.match({ refused, why }, { refused: 418, why: { why: /body\/enabled must be boolean/, zod: false } })
    else t.match({ refused, why }, { refused: 400, why: { message: /body\/enabled must be boolean/ } })
    const { status, body } = await ask('PUT', '/instance/acme/websocket', { enabled: true })
    t.match({ status, body }, { status: 201, body: { enabled: true } })
  })

  t.test(`a hook of the host's, set ${name} us, may wrap answers`, async t => {
    const { ask } = await start(t, place(fastify => {
      fastify.addHook('preSerialization', async (request, reply, payload) => ({ wrapped: payload }))
    }))
    const expected = { wrapped: { instance: 'acme', enabled: true } }
    t.match((await ask('PUT', '/instance/acme/websocket', { enabled: true })).body, expected)
    t.match((await ask('POST', '/websocket/set/acme', { enabled: true })).body, expected)
  })

  t.test(`a serializer of answers of the host's, set ${name} us, takes ours`, async t => {
    const host = await start(t, place(fastify => {
      fastify.setReplySerializer(payload => JSON.stringify(payload, (key, value: unknown) => typeof value === 'bigint' ? String(value) : value))
    }))
    await assertOurs(t, host)
  })
}

t.test('zod\'s compilers, and a server without WebSocket events', async t => {
  const host = await start(t, { options: { enabled: false, globalEvents: false }, before: useZod, after: addZodRoute })
  await assertZod(t, host)
  t.match(await host.ask('GET', '/socket.io/?EIO=4&transport=polling'), { status: 503, body: { code: 'FST_ERR_WS_EVENTS_DISABLED' } })
  t.match(await host.ask('GET', '/instance/acme/events'), { status: 503, body: { code: 'FST_ERR_WS_EVENTS_DISABLED' } })
  t.match(await host.ask('PUT', '/instance/acme/websocket', { enabled: true }), { status: 201 })
})

/** Refuses all schemas that it gets: none of ours may come to it. */
const refusing: FastifySchemaCompiler<unknown> = ({ url }) => { throw new Error(`the host's compiler got the schema of ${url ?? ''}`) }

t.test('a schemaController of the host\'s sees no schema of ours', async t => {
  const server: FastifyServerOptions = {
    schemaController: { compilersFactory: { buildValidator: () => refusing as never, buildSerializer: () => refusing as never } }
  }
  await assertOurs(t, await start(t, { server }))
})

t.test('options of the host\'s for Ajv do not change what ours take', async t => {
  const customOptions = { removeAdditional: 'all', coerceTypes: 'array', useDefaults: true, allErrors: true, strict: true } as const
  await assertOurs(t, await start(t, { server: { ajv: { customOptions } } }))
})
