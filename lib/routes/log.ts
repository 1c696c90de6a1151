import type { FastifyBaseLogger, FastifyRequest, RouteOptions } from 'fastify'

/** Functions that convert values for the log, by the values' names. */
export type LogSerializers = NonNullable<RouteOptions['logSerializers']>

/** The property in which pino keeps a logger's serializers; the same symbol as its `symbols.serializersSym`. */
const SERIALIZERS = Symbol.for('pino.serializers')

const isSerializer = (value: unknown): value is (request: FastifyRequest) => unknown => typeof value === 'function'

/**
 * Log serializers that remove the query of a request and otherwise use the application's. Keys do not belong in a
 * query, but some clients put them there, and the plugin's routes need no query in the log.
 *
 * @param log the application's logger. Unless it is pino's, requests are logged unchanged
 */
export function withoutQuery (log: FastifyBaseLogger): LogSerializers {
  const serializers = (log as { [SERIALIZERS]?: Record<string, unknown> })[SERIALIZERS]
  const req = serializers?.req
  return isSerializer(req) ? { req: (request: FastifyRequest) => req(bare(request)) } : {}
}

/** The same request with an URL that ends after the path. */
function bare (request: FastifyRequest): FastifyRequest {
  // With Fastify's option `useSemicolonDelimiter`, a semicolon starts the query.
  const [path = ''] = request.url.split(/[?;]/, 1)
  return Object.create(request, {
    url: { value: path },
    originalUrl: { value: path },
    query: { value: {} }
  }) as FastifyRequest
}
