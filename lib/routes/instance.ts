import type { FastifyInstance } from 'fastify'
import { errors } from '../errors.js'
import type { Configs } from '../instances/configs.js'
import { retryAfterHook } from '../limits/retry-after.js'
import type { InstanceConfigInput } from '../types.js'
import { accessHook } from './access-hook.js'
import type { Guard } from './caller.js'
import { documented } from './openapi.js'
import type { LogSerializers } from './log.js'
import type { routeSchemas } from './schemas.js'
import { compilers } from './validation.js'

/** What the routes need to run. */
export interface RouteParts {
  readonly prefix: string
  readonly guard: Guard
  readonly schemas: ReturnType<typeof routeSchemas>
  readonly configs: Configs
  readonly logSerializers: LogSerializers
}

/** Maximum body of a config, in bytes. Every event name of a large catalogue fits. */
export const BODY_LIMIT = 1024 * 1024

interface Params { name: string }

const notSet = (name: string): Error => new errors.NOT_SET(name, encodeURIComponent(name))

/** Adds `PUT`, `GET` and `DELETE` of `/instance/:name/websocket`. */
export function addInstanceRoutes (
  fastify: FastifyInstance,
  { prefix, guard, schemas, configs, logSerializers }: RouteParts
): void {
  const url = `${prefix}/instance/:name/websocket`
  const common = {
    url,
    logSerializers,
    config: documented,
    onRequest: accessHook(guard, 'name'),
    onError: retryAfterHook,
    ...compilers
  }

  fastify.route<{ Params: Params, Body: InstanceConfigInput }>({
    ...common,
    method: 'PUT',
    bodyLimit: BODY_LIMIT,
    schema: schemas.put,
    handler: async (request, reply) => {
      const { config, created } = await configs.setExisting(request.params.name, request.body)
      return await reply.code(created ? 201 : 200).send(config)
    }
  })

  fastify.route<{ Params: Params }>({
    ...common,
    method: 'GET',
    schema: schemas.get,
    handler: async ({ params: { name } }) => {
      const config = await configs.find(name)
      if (config === null) throw notSet(name)
      return config
    }
  })

  fastify.route<{ Params: Params }>({
    ...common,
    method: 'DELETE',
    schema: schemas.delete,
    handler: async ({ params: { name } }, reply) => {
      if (!await configs.remove(name)) throw notSet(name)
      return await reply.code(204).send()
    }
  })
}
