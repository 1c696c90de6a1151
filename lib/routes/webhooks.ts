import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema
} from 'fastify'
import { errors } from '../errors.js'
import type { EvolutionIntake, EvolutionWebhook } from '../intake/evolution.js'
import { MAX_BODIES } from '../options.js'
import { retryAfterHook } from '../limits/retry-after.js'
import { sendEvolutionError } from './evolution.js'
import { documented } from './openapi.js'
import { type BodyHashes, type PublishParts, Publishers, readJson } from './publish.js'
import { compilers } from './validation.js'

interface WebhookParts extends Omit<PublishParts, 'intake'> {
  readonly intake: EvolutionIntake
  readonly logger: FastifyBaseLogger
}

/**
 * Statuses below 500 with which Evolution repeats a webhook. All others below 500 become 422, with which it does not.
 */
const REPEATED_STATUSES: ReadonlySet<number> = new Set([429])
const KEY_REFUSED: ReadonlySet<number> = new Set([401, 403])
const hidden: FastifySchema & { readonly hide: boolean } = { hide: true }
const SKIPPED = 202
const CANNOT_BE_UNDERSTOOD = 422

/** Adds `POST /webhook/evolution` and `POST /webhook/evolution/:event`, which accept Evolution's webhooks. */
export async function addWebhookRoutes (fastify: FastifyInstance, parts: WebhookParts): Promise<void> {
  const { prefix } = parts
  await fastify.register(async context => {
    const hashes = readJson(context, true)
    addWebhookRoute(context, parts, hashes, `${prefix}/webhook/evolution`, parts.schemas.webhook)
    addWebhookRoute(context, parts, hashes, `${prefix}/webhook/evolution/:event`, parts.schemas.webhookByEvent)
  })
}

function addWebhookRoute (
  context: FastifyInstance,
  parts: WebhookParts,
  hashes: BodyHashes,
  url: string,
  schema: PublishParts['schemas']['webhook' | 'webhookByEvent']
): void {
  const { bodies, bodyLimit, logSerializers, intake, logger } = parts
  const publishers = new Publishers(parts)
  context.route<{ Body: EvolutionWebhook }>({
    method: 'POST',
    url,
    schema,
    config: documented,
    logSerializers,
    bodyLimit: bodyLimit ?? MAX_BODIES,
    // The body has the instance's name, so the key is first checked without one, and later against its instances.
    onRequest: async request => { await publishers.admit(request, null) },
    preParsing: bodies.hook,
    onError: retryAfterHook,
    ...compilers,
    errorHandler: (error, request, reply) => { refuse(logger, error, request, reply) },
    handler: async (request, reply) => {
      const instances = publishers.instancesOf(request)
      if (instances?.has(request.body.instance.normalize('NFC')) === false) {
        const error = new errors.FORBIDDEN(`publishing for the instance "${request.body.instance}"`)
        publishers.refused(error, request, instanceIn(request.body))
        throw error
      }
      const result = await intake.take(request.body, hashes.of(request))
      return await reply.code('id' in result ? 200 : SKIPPED).send(result)
    }
  })
  addGet(context, url, logger)
}

/**
 * Adds a GET route that only reports an error. Evolution follows a redirect from http to https as a GET, and would take
 * any 200 for a successful delivery.
 */
function addGet (context: FastifyInstance, url: string, logger: FastifyBaseLogger): void {
  let isHinted = false
  context.route({
    method: 'GET',
    url,
    schema: hidden,
    ...compilers,
    handler: async (request, reply) => {
      if (!isHinted) {
        isHinted = true
        logger.warn(
          'a webhook came as GET: its URL is redirected (to https, for example), so give Evolution the final URL'
        )
      }
      return await reply.code(405).header('allow', 'POST').send({
        statusCode: 405,
        error: 'Method Not Allowed',
        message: 'a webhook must be a POST: a redirect has changed it to a GET'
      })
    }
  })
}

/** Answers a refused webhook with a status by which Evolution repeats it only if a repetition can succeed. */
function refuse (
  logger: FastifyBaseLogger,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply
): void {
  const statusCode = error.statusCode ?? 500
  const isFinal = statusCode < 500 && !REPEATED_STATUSES.has(statusCode)
  if (!isFinal || KEY_REFUSED.has(statusCode)) {
    sendEvolutionError(error, request, reply, statusCode)
    return
  }
  logger.warn(
    { err: error, instance: instanceIn(request.body), bytes: bytesOf(request) },
    'a webhook was refused, and Evolution does not repeat it'
  )
  sendEvolutionError(error, request, reply, CANNOT_BE_UNDERSTOOD)
}

/** The length of a body according to its header; `null` if there is none. */
const bytesOf = ({ headers }: FastifyRequest): number | null =>
  headers['content-length'] === undefined ? null : Number(headers['content-length'])

/** The instance that a body names; `null` if it names none or was not read. */
function instanceIn (body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('instance' in body)) return null
  return typeof body.instance === 'string' ? body.instance.slice(0, 100) : null
}
