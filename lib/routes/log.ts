import type { FastifyBaseLogger, FastifyRequest, RouteOptions } from 'fastify'

/** How values of the log are written, by their name in it. */
export type LogSerializers = NonNullable<RouteOptions['logSerializers']>

/** Where pino keeps the serializers of a logger; the same symbol as its `symbols.serializersSym`. */
const SERIALIZERS = Symbol.for('pino.serializers')

const isSerializer = (value: unknown): value is (request: FastifyRequest) => unknown => typeof value === 'function'

/**
 * What writes a request into the log as the host's logger does, but for its query: a key has no business there, and
 * some put it there all the same. No route of ours has a use for one.
 *
 * @param log the host's. One that is not pino's gets the request as it is
 */
export function withoutQuery (log: FastifyBaseLogger): LogSerializers {
  const serializers = (log as { [SERIALIZERS]?: Record<string, unknown> })[SERIALIZERS]
  const req = serializers?.req
  return isSerializer(req) ? { req: (request: FastifyRequest) => req(bare(request)) } : {}
}

/** The same request, as if nothing had come after its path. */
function bare (request: FastifyRequest): FastifyRequest {
  // With `useSemicolonDelimiter` a query may begin with a semicolon.
  const [path = ''] = request.url.split(/[?;]/, 1)
  return Object.create(request, {
    url: { value: path },
    originalUrl: { value: path },
    query: { value: {} }
  }) as FastifyRequest
}
