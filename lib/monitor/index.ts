/**
 * The monitor: a page that shows the stream of events.
 *
 * @module fastify-ws-events/monitor
 */
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import type { Grant } from '../access/access.js'
import { errors } from '../errors.js'
import { instanceName } from '../instances/names.js'
import { type Registered, registeredOn } from '../plugin/registered.js'
import { retryAfterHook } from '../limits/retry-after.js'
import { authorizeCaller } from '../routes/caller.js'
import { withoutQuery } from '../routes/log.js'
import { compilers } from '../routes/validation.js'
import { type Asset, readAssets } from './assets.js'
import { positionAt, positionBefore, positionSchema } from './position.js'
import { readState, stateSchema } from './state.js'

/** Nothing from elsewhere, nothing inline; the picture of the tab is data. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache'
}

interface Query { instance?: string }
interface PositionQuery extends Query { since?: string, before?: string }

const instanceQuery = { instance: Type.Optional(Type.String()) }
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true }

/**
 * Serves a page that shows the stream of events as it arrives, and sets instances: `fastify.register(monitor, { prefix:
 * '/monitor' })`, after fastify-ws-events. The page itself says nothing of the application, and what it shows needs
 * the same keys as everything else.
 *
 * @throws INVALID_OPTION when fastify-ws-events is not registered yet
 */
const monitor: FastifyPluginAsync = async fastify => {
  const parts = registeredOn(fastify)
  if (parts === undefined) throw new errors.INVALID_OPTION('the monitor needs fastify-ws-events: register that first')
  parts.activity.start()
  for (const asset of readAssets()) addAsset(fastify, asset)
  addState(fastify, parts)
  addPosition(fastify, parts)
  addDisconnect(fastify, parts)
}

function addAsset (fastify: FastifyInstance, asset: Asset): void {
  const { name, type, etag } = asset
  const send = async (request: FastifyRequest, reply: FastifyReply) => {
    void reply.headers({ ...HEADERS, etag, vary: 'accept-encoding' })
    if (request.headers['if-none-match'] === etag) return await reply.code(304).send()
    const { content, coding } = await asset.encoded(request.headers['accept-encoding'])
    if (coding !== null) void reply.header('content-encoding', coding)
    return await reply.type(type).send(content)
  }
  if (name !== 'index.html') {
    fastify.get(`/${name}`, { schema: HIDDEN }, send)
    return
  }
  fastify.get('/', { schema: HIDDEN }, async (request, reply) => {
    const [path = ''] = request.url.split('?', 1)
    // What the page asks for stands beside it, and that needs a slash at the end of where it is.
    return path.endsWith('/')
      ? await send(request, reply)
      : await reply.redirect(`${path.split('/').at(-1) ?? ''}/`)
  })
}

/** What the routes that need a key have in common. */
const guarded = (fastify: FastifyInstance, querystring: object, answer: object) => ({
  schema: {
    hide: true,
    querystring: Type.Object(querystring as Record<string, never>, { additionalProperties: false }),
    response: answer
  } as object,
  ...compilers,
  logSerializers: withoutQuery(fastify.log),
  onError: retryAfterHook
})

interface Caller {
  readonly instance: string | null
  readonly grant: Grant
}

async function callerOf (
  { guard }: Registered, { raw, query }: FastifyRequest<{ Querystring: Query }>
): Promise<Caller> {
  const instance = query.instance === undefined ? null : instanceName(query.instance)
  return { instance, grant: await authorizeCaller(guard, raw, instance) }
}

function addState (fastify: FastifyInstance, parts: Registered): void {
  fastify.get<{ Querystring: Query }>('/state', {
    ...guarded(fastify, instanceQuery, { 200: stateSchema }),
    handler: async (request, reply) => {
      const { instance, grant } = await callerOf(parts, request)
      return await reply.headers(HEADERS).send(await readState(fastify, parts, grant, instance))
    }
  })
}

/** Where a page of history begins: `?since=MS` for a time, `?before=ID` for an event. Without an instance: the root. */
function addPosition (fastify: FastifyInstance, parts: Registered): void {
  const query = {
    ...instanceQuery,
    since: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$' })),
    before: Type.Optional(Type.String({ maxLength: 100 }))
  }
  fastify.get<{ Querystring: PositionQuery }>('/position', {
    ...guarded(fastify, query, { 200: positionSchema }),
    handler: async (request, reply) => {
      const { instance, grant } = await callerOf(parts, request)
      await checkStream(fastify, parts, grant, instance)
      const { since, before } = request.query
      const found = before === undefined ? null : positionBefore(before)
      return await reply.headers(HEADERS).send(found ?? await positionAt(parts.log, instance, Number(since ?? 0)))
    }
  })
}

/** A limited key learns nothing of the root, and nobody makes a stream for a name that is nobody's. */
async function checkStream (
  { wsEvents }: FastifyInstance, { settings }: Registered, { instances }: Grant, instance: string | null
): Promise<void> {
  if (settings.mode === 'disabled') throw new errors.DISABLED()
  if (instance === null) {
    if (instances !== null) throw new errors.FORBIDDEN('the root')
    if (settings.mode !== 'global') throw new errors.GLOBAL_DISABLED()
  } else if (settings.defaultConfig === null && await wsEvents.find(instance) === null) {
    throw new errors.NOT_SET(instance, encodeURIComponent(instance))
  }
}

/** Ends the clients of an instance, for who may set its config. */
function addDisconnect (fastify: FastifyInstance, parts: Registered): void {
  fastify.post<{ Querystring: Query }>('/disconnect', {
    ...guarded(fastify, { instance: Type.String() }, {}),
    handler: async (request, reply) => {
      const { instance } = await callerOf(parts, request)
      if (instance !== null) await fastify.wsEvents.disconnect({ instance })
      return await reply.headers(HEADERS).code(204).send()
    }
  })
}

export default monitor
export type { MonitorState } from './state.js'
