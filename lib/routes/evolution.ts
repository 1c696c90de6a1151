import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_CODES } from 'node:http'
import type { Catalogue } from '../events/catalogue.js'
import { retryAfterHook } from '../limits/retry-after.js'
import type { InstanceConfig, InstanceConfigInput } from '../types.js'
import { accessHook } from './access-hook.js'
import { BODY_LIMIT, type RouteParts } from './instance.js'
import { documented } from './openapi.js'
import { compilers, eitherForm } from './validation.js'

/** Of what passes by itself: a store that is away, too many bodies at once. */
const PASSING = 503

interface Params { instance: string }

interface EvolutionParts extends RouteParts {
  readonly catalogue: Catalogue
}

/** `POST /websocket/set/:instance` and `GET /websocket/find/:instance`, as clients of Evolution API call them. */
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
  // The manager shows an event as off whose name it does not know, and cannot switch it off then.
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
      // Fastify would send no body for null.
      return await reply.type('application/json; charset=utf-8').send(config === null ? 'null' : shown(config))
    }
  })
}

const eitherBody = eitherForm(body => typeof body === 'object' && body !== null && 'websocket' in body)

/** Evolution's clients read `status` and `response.message`; the rest is as everywhere. */
function errorHandler (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendEvolutionError(error, request, reply, error.statusCode ?? 500)
}

export function sendEvolutionError (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  statusCode: number
): void {
  // What passes comes again and again, once for each webhook of a burst: a stack would drown the log.
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
