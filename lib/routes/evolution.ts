import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_CODES } from 'node:http'
import type { Catalogue } from '../events/catalogue.js'
import { retryAfterHook } from '../limits/retry-after.js'
import type { InstanceConfig, InstanceConfigInput } from '../types.js'
import { accessHook } from './access-hook.js'
import { BODY_LIMIT, type RouteParts } from './instance.js'
import { documented } from './openapi.js'
import { compilers, eitherForm } from './validation.js'

/** Status of temporary errors: the store is unavailable, or too many bodies are being read. */
const PASSING = 503

interface Params { instance: string }

interface EvolutionParts extends RouteParts {
  readonly catalogue: Catalogue
}

/** Adds `POST /websocket/set/:instance` and `GET /websocket/find/:instance`, as clients of Evolution API use them. */
export function addEvolutionRoutes (fastify: FastifyInstance, parts: EvolutionParts): void {
  const { prefix, guard, schemas, configs, logSerializers, catalogue } = parts
  const common = {
    logSerializers,
    config: documented,
    onRequest: accessHook(guard, 'instance'),
    onError: retryAfterHook,
    ...compilers,
    errorHandler
  }
  // Uses Evolution's names of events: its manager shows an event with an unknown name as disabled, and cannot disable
  // it.
  const shown = (config: InstanceConfig): InstanceConfig =>
    ({ ...config, events: config.events.map(name => catalogue.evolutionName(name)) })

  fastify.route<{ Params: Params, Body: InstanceConfigInput | { websocket: InstanceConfigInput } }>({
    ...common,
    method: 'POST',
    url: `${prefix}/websocket/set/:instance`,
    bodyLimit: BODY_LIMIT,
    schema: schemas.evolutionSet,
    validatorCompiler: eitherBody,
    handler: async ({ params, body }, reply) => {
      const { config } = await configs.setExisting(params.instance, 'websocket' in body ? body.websocket : body)
      return await reply.code(201).send(shown(config))
    }
  })

  fastify.route<{ Params: Params }>({
    ...common,
    method: 'GET',
    url: `${prefix}/websocket/find/:instance`,
    schema: schemas.evolutionFind,
    handler: async ({ params }, reply) => {
      const config = await configs.find(params.instance)
      // Fastify would send an empty body for `null`.
      return await reply.type('application/json; charset=utf-8').send(config === null ? 'null' : shown(config))
    }
  })
}

const eitherBody = eitherForm(body => typeof body === 'object' && body !== null && 'websocket' in body)

/** Adds `status` and `response.message`, which Evolution's clients read, to the usual error body. */
function errorHandler (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendEvolutionError(error, request, reply, error.statusCode ?? 500)
}

export function sendEvolutionError (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  statusCode: number
): void {
  // Without a stack: a temporary error may be logged for every webhook of a burst.
  if (statusCode === PASSING) request.log.warn({ code: error.code }, error.message)
  else if (statusCode >= 500) request.log.error({ err: error }, error.message)
  void reply.code(statusCode).send({
    statusCode,
    code: error.code,
    error: STATUS_CODES[statusCode] ?? 'Error',
    message: error.message,
    status: statusCode,
    response: { message: [error.message] }
  })
}
