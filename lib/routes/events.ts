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
  /** The sessions of HTTP clients; left out if the plugin is disabled. */
  readonly streams: Streams | undefined
  /** Whether the root is served, with the events of all instances. */
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
 * Adds `GET /instance/:name/events` and, in global mode, `GET /events`: the same events as for Socket.IO clients, as a
 * stream of server-sent events or as a page of history.
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
    // A response to HEAD could not be distinguished from a stream that has no event yet.
    exposeHeadRoute: false,
    schema,
    config: documented,
    logSerializers,
    // Validation errors are reported after the key is checked, by `checkQuery`.
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

/**
 * The type of response that a caller prefers. A query with the parameters of a page asks for a page, unless `Accept`
 * says otherwise.
 */
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
  // A proxy that compresses or caches would delay events.
  'cache-control': 'no-cache, no-transform',
  // Disables the buffering of nginx.
  'x-accel-buffering': 'no'
}

/**
 * Writes the headers of an event stream, including those that the application's hooks have set (for CORS, for example).
 * No header here is specific to HTTP/1.
 */
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

/** Sends an event stream. A client without an id gets one in `ws.ready`, from which it can resume. */
async function stream (streams: Streams, request: Request, reply: FastifyReply): Promise<void> {
  const header = request.raw.headers['last-event-id']
  const asked = askedOf(request, reply, header === undefined ? '' : readId(header), () => { checkStreamQuery(request) })
  await streams.open(asked, () => {
    beginStream(reply)
  })
  // The client disconnected before the stream began.
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

/** Builds the JSON text of a page without parsing the messages, which are JSON already. */
function textOf ({ recovered, events, lastEventId, more }: Page): Buffer {
  const parts = events.flatMap((event, at) => at === 0 ? [event] : [COMMA, event])
  return Buffer.concat([
    Buffer.from(`{"recovered":${String(recovered)},"events":[`),
    ...parts,
    Buffer.from(`],"lastEventId":${JSON.stringify(lastEventId)},"more":${String(more)}}`)
  ])
}

const COMMA = Buffer.from(',')

/** Answers without throwing: clients may retry forever, and each retry would log an error. */
async function sendDisabled (reply: FastifyReply): Promise<void> {
  const error = new errors.DISABLED()
  const { code, message } = error
  await reply
    .code(503)
    .header('retry-after', retryAfter(error))
    .send({ statusCode: 503, code, error: 'Service Unavailable', message })
}
