import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { bearerKey, readKey } from '../access/access.js'
import { errors } from '../errors.js'
import { checkRepeated, type Handshake, readId } from '../gateway/handshake.js'
import type { Page } from '../gateway/http/pages.js'
import type { EventsRequest, Streams } from '../gateway/http/streams.js'
import { instanceName } from '../instances/names.js'
import { retryAfter, retryAfterHook } from '../limits/retry-after.js'
import { preferred } from './accept.js'
import type { RouteParts } from './instance.js'
import { documented } from './openapi.js'
import { DEFAULT_LIMIT } from './schemas.js'
import { compilers, queryValidatorCompiler } from './validation.js'

interface EventsParts extends Pick<RouteParts, 'prefix' | 'schemas' | 'logSerializers'> {
  /** Left out when the plugin is disabled. */
  readonly streams: Streams | undefined
  /** Whether there are events of all instances at once. */
  readonly hasRoot: boolean
}

interface Query {
  readonly events?: string
  readonly instances?: string
  readonly after?: string
  readonly limit?: number
}

type Request = FastifyRequest<{ Params: { name?: string }, Querystring: Query }>

const PARAMETERS: readonly string[] = ['apikey', 'events', 'instances', 'after', 'limit']

const STREAM = 'text/event-stream'
const PAGE = 'application/json'

/**
 * `GET /instance/:name/events` and, in global mode, `GET /events`: what Socket.IO clients get, as a stream of
 * server-sent events or a page of the past.
 */
export function addEventsRoutes (fastify: FastifyInstance, parts: EventsParts): void {
  const { prefix, schemas, hasRoot } = parts
  addRoute(fastify, parts, `${prefix}/instance/:name/events`, schemas.instanceEvents)
  if (hasRoot) addRoute(fastify, parts, `${prefix}/events`, schemas.rootEvents)
}

function addRoute (
  fastify: FastifyInstance,
  { streams, logSerializers }: EventsParts,
  url: string,
  schema: EventsParts['schemas']['instanceEvents' | 'rootEvents']
): void {
  fastify.route<{ Params: { name?: string }, Querystring: Query }>({
    method: 'GET',
    url,
    // Nobody could tell its answer from a stream that has not begun.
    exposeHeadRoute: false,
    schema,
    config: documented,
    logSerializers,
    // The key is looked at first, by the same check that lets a client in.
    attachValidation: true,
    ...compilers,
    validatorCompiler: queryValidatorCompiler,
    onError: retryAfterHook,
    handler: async (request, reply) => {
      if (streams === undefined) return await sendDisabled(reply)
      const type = preferredType(request)
      if (type === undefined) {
        return await reply.code(406)
          .send({ statusCode: 406, error: 'Not Acceptable', message: `there are ${STREAM} and ${PAGE}` })
      }
      if (type === STREAM) await stream(streams, request, reply)
      else await page(streams, request, reply)
    }
  })
}

/** Whoever says where a page begins, or how long it is, and not what type it takes, wants a page. */
function preferredType ({ headers, query }: Request): typeof STREAM | typeof PAGE | undefined {
  return preferred(headers.accept, 'after' in query || 'limit' in query ? [PAGE, STREAM] : [STREAM, PAGE])
}

function instanceOf ({ params }: Request): string | null {
  return params.name === undefined ? null : instanceName(params.name)
}

function handshakeOf ({ raw, query }: Request, lastEventId: string): Handshake {
  const { headers, socket } = raw
  return {
    apikey: readKey(headers.apikey) ?? bearerKey(headers),
    headers,
    remoteAddress: socket.remoteAddress,
    asked: { events: query.events, instances: query.instances },
    lastEventId
  }
}

const STREAM_HEADERS = {
  'content-type': STREAM,
  // A proxy that compresses would hold events back.
  'cache-control': 'no-cache, no-transform',
  // The same for nginx, which collects what it passes on.
  'x-accel-buffering': 'no'
}

/** Writes the head of a stream, with what the host's hooks have set (for CORS, say). No header is HTTP/1's alone. */
function beginStream (reply: FastifyReply): void {
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value)
  }
  reply.raw.writeHead(200, STREAM_HEADERS)
}

function askedOf (request: Request, reply: FastifyReply, lastEventId: string, checkQuery: () => void): EventsRequest {
  return {
    request: request.raw,
    response: reply.raw,
    instance: instanceOf(request),
    handshake: handshakeOf(request, lastEventId),
    checkQuery
  }
}

/** A client that gives no id gets its offset (`ws.ready`), from which it resumes. */
async function stream (streams: Streams, request: Request, reply: FastifyReply): Promise<void> {
  const header = request.raw.headers['last-event-id']
  const asked = askedOf(request, reply, header === undefined ? '' : readId(header), () => { checkStreamQuery(request) })
  await streams.open(asked, () => {
    beginStream(reply)
  })
  // The client has gone before it began.
  if (!reply.raw.headersSent) reply.hijack()
}

async function page (streams: Streams, request: Request, reply: FastifyReply): Promise<void> {
  const { after, limit } = request.query
  const asked = askedOf(request, reply, '', () => { checkQuery(request) })
  const found = await streams.page(asked, {
    after: after === undefined ? '' : readId(after),
    limit: limit ?? DEFAULT_LIMIT
  })
  void reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
  await reply.send(textOf(found))
}

function checkStreamQuery (request: Request): void {
  checkQuery(request)
  const { query } = request
  if ('after' in query || 'limit' in query) {
    throw new errors.INVALID_FILTER(
      `has "after" or "limit", which are for ${PAGE}: a stream begins after the header Last-Event-ID`
    )
  }
}

function checkQuery ({ raw, validationError }: Request): void {
  checkRepeated(raw.url, PARAMETERS)
  if (validationError !== undefined) throw validationError
}

/** The messages are JSON already. */
function textOf ({ recovered, events, lastEventId, more }: Page): Buffer {
  const parts = events.flatMap((event, at) => at === 0 ? [event] : [COMMA, event])
  return Buffer.concat([
    Buffer.from(`{"recovered":${String(recovered)},"events":[`),
    ...parts,
    Buffer.from(`],"lastEventId":${JSON.stringify(lastEventId)},"more":${String(more)}}`)
  ])
}

const COMMA = Buffer.from(',')

/** Not thrown: clients may try for ever, and each try would be an error in the log. */
async function sendDisabled (reply: FastifyReply): Promise<void> {
  const error = new errors.DISABLED()
  const { code, message } = error
  await reply
    .code(503)
    .header('retry-after', retryAfter(error))
    .send({ statusCode: 503, code, error: 'Service Unavailable', message })
}
