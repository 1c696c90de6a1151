import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { AddressInfo } from 'node:net'
import wsEvents, { type WsEventsOptions } from '../../lib/index.js'

export interface TestServer {
  readonly fastify: FastifyInstance
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
}

/** Whatever cleans up at its end: a test of tap, or a single run of a property. */
export interface Scope {
  teardown: (clean: () => unknown) => void
}

interface Setup {
  /** Options of Fastify itself. */
  readonly fastify?: FastifyServerOptions
  /** What the host does before it registers the plugin. */
  readonly before?: (fastify: FastifyInstance) => unknown
  /** And after that, before the server listens. */
  readonly after?: (fastify: FastifyInstance) => unknown
  /** Left out: a free one. */
  readonly port?: number
}

/** A server with the plugin, closed when the test ends. The environment is empty unless `options.env` says otherwise. */
export async function startServer (t: Scope, options: WsEventsOptions = {}, setup: Setup = {}): Promise<TestServer> {
  const { fastify: serverOptions, before, after, port: wanted = 0 } = setup
  const fastify = Fastify(serverOptions ?? {})
  t.teardown(async () => { await fastify.close() })
  await before?.(fastify)
  await fastify.register(wsEvents, { env: false, ...options })
  await after?.(fastify)
  await fastify.listen({ port: wanted, host: '127.0.0.1' })
  const { port } = fastify.server.address() as AddressInfo
  return { fastify, url: `http://127.0.0.1:${port}`, port }
}
