/**
 * The monitor: a page that shows the stream of events.
 *
 * @module fastify-ws-events/monitor
 */
import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { errors } from '../errors.js'
import { instanceName } from '../instances/names.js'
import { registeredOn } from '../plugin/registered.js'
import { retryAfterHook } from '../limits/retry-after.js'
import { authorizeCaller } from '../routes/caller.js'
import { withoutQuery } from '../routes/log.js'
import { compilers } from '../routes/validation.js'
import { readAssets } from './assets.js'
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
  const hidden: FastifySchema & { readonly hide: boolean } = { hide: true }

  for (const { name, type, content } of readAssets()) {
    const send = async (request: FastifyRequest, reply: FastifyReply) =>
      await reply.headers(HEADERS).type(type).send(content)
    if (name !== 'index.html') fastify.get(`/${name}`, { schema: hidden }, send)
    else {
      fastify.get('/', { schema: hidden }, async (request, reply) => {
        const [path = ''] = request.url.split('?', 1)
        // What the page asks for stands beside it, and that needs a slash at the end of where it is.
        return path.endsWith('/')
          ? await send(request, reply)
          : await reply.redirect(`${path.split('/').at(-1) ?? ''}/`)
      })
    }
  }

  fastify.get<{ Querystring: Query }>('/state', {
    schema: {
      hide: true,
      querystring: Type.Object({ instance: Type.Optional(Type.String()) }, { additionalProperties: false }),
      response: { 200: stateSchema }
    } as object,
    ...compilers,
    logSerializers: withoutQuery(fastify.log),
    onError: retryAfterHook,
    handler: async (request, reply) => {
      const instance = request.query.instance === undefined ? null : instanceName(request.query.instance)
      const grant = await authorizeCaller(parts.guard, request.raw, instance)
      return await reply.headers(HEADERS).send(await readState(fastify, parts, grant, instance))
    }
  })
}

export default monitor
export type { MonitorState } from './state.js'
