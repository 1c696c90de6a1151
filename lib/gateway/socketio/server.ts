import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import fastifySocketIO from 'fastify-socket.io'
import type { Server, ServerOptions } from 'socket.io'
import { errors } from '../../errors.js'
import type { Settings } from '../../options.js'
import { retryAfter } from '../../limits/retry-after.js'
import { enginePath, recoversConnections } from './engine.js'
import type { SocketIOOption } from './option.js'
import { Upgrades } from './upgrades.js'

/** The Socket.IO server in use. */
export interface OpenServer {
  readonly io: Server
  /** True if this plugin created the server. Otherwise the server, with its namespaces, is the application's. */
  readonly own: boolean
}

/** Socket.IO options that an option of the plugin sets, so that they must not be set twice. */
const PLUGIN_OPTIONS: Readonly<Record<string, string>> = {
  cors: 'use the option cors, which holds on both transports',
  connectTimeout: 'use limits.idleMs',
  maxHttpBufferSize: 'use limits.inboundBytes'
}
const RECOVERY = 'connection state recovery lets clients in past the key check: leave connectionStateRecovery out'
/** The longest delay of a Node timer, in ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

const isServer = (value: unknown): value is Server =>
  typeof value === 'object' && value !== null && 'of' in value && typeof value.of === 'function'

/**
 * Uses the application's Socket.IO server, or creates one by fastify-socket.io.
 *
 * @param corsGiven whether `cors` is set as an option, and not only in the environment
 * @param preClose ends the connections before Fastify waits for them to end
 * @throws INVALID_OPTION for options that would have no effect, or a harmful one
 */
export async function openServer (
  fastify: FastifyInstance,
  settings: Settings,
  corsGiven: boolean,
  preClose: () => Promise<void>
): Promise<OpenServer> {
  const hosts = hostsServer(fastify, settings.socketio)
  if (hosts === null) {
    checkServerOptions(settings.socketio as Partial<ServerOptions>)
    await fastify.register(fastifySocketIO.default as never, {
      ...serverOptions(settings),
      preClose: (done: () => void) => { void preClose().finally(done) }
    })
    return { io: decorated(fastify) as Server, own: true }
  }
  if (corsGiven) {
    throw new errors.INVALID_OPTION(
      'option "cors" would do nothing, because the Socket.IO server is the application\'s own: give cors to that server'
    )
  }
  if (recoversConnections(hosts)) {
    throw new errors.INVALID_OPTION(`the Socket.IO server of the application: ${RECOVERY}`)
  }
  if (!fastify.hasDecorator('io')) fastify.decorate('io', hosts as never)
  closeFirst(fastify, preClose)
  return { io: hosts, own: false }
}

/**
 * Runs `close` before the application's own hooks. The hook of fastify-socket.io, which was added first, would
 * disconnect the root's clients for good. Fastify has no hook that runs earlier. avvio's `onClose` does: a callback
 * that is added after all plugins are ready runs first.
 */
function closeFirst (fastify: FastifyInstance, close: () => Promise<void>): void {
  fastify.addHook('preClose', close)
  fastify.addHook('onReady', async () => {
    const { onClose } = fastify as unknown as { onClose?: (close: () => Promise<void>) => void }
    onClose?.call(fastify, close)
  })
}

const decorated = (fastify: FastifyInstance): unknown => (fastify as unknown as { io?: unknown }).io

function hostsServer (fastify: FastifyInstance, socketio: SocketIOOption): Server | null {
  if (isServer(socketio)) return socketio
  if (!fastify.hasDecorator('io')) return null
  const io = decorated(fastify)
  if (!isServer(io)) {
    throw new errors.INVALID_OPTION(
      'fastify.io is there and is no Socket.IO server: give your Server as the option "socketio"'
    )
  }
  if (Object.keys(socketio).length > 0) {
    throw new errors.INVALID_OPTION(
      'option "socketio" would do nothing, because fastify.io is there already: give these options to that server'
    )
  }
  return io
}

function checkServerOptions (options: Partial<ServerOptions>): void {
  if (options.connectionStateRecovery !== undefined) {
    throw new errors.INVALID_OPTION(`option "socketio.connectionStateRecovery": ${RECOVERY}`)
  }
  for (const [name, remedy] of Object.entries(PLUGIN_OPTIONS)) {
    if (name in options) throw new errors.INVALID_OPTION(`option "socketio.${name}": ${remedy}`)
  }
}

/** With other headers, a page could pretend that a proxy has forwarded its request. */
const ANY_PAGES_HEADERS = ['content-type', 'apikey', 'authorization']

function serverOptions ({ socketio, cors, limits }: Settings): Partial<ServerOptions> {
  const any = cors?.includes('*') === true
  return {
    // Upgrades that Engine.IO would end are answered in upgrades.ts, which may take more than a second.
    destroyUpgrade: false,
    ...socketio as Partial<ServerOptions>,
    ...(cors !== null && {
      cors: any ? { origin: '*', allowedHeaders: ANY_PAGES_HEADERS } : { origin: [...cors], credentials: true }
    }),
    connectTimeout: limits.idleMs === 0 ? MAX_TIMEOUT : limits.idleMs,
    maxHttpBufferSize: limits.inboundBytes === 0 ? Infinity : limits.inboundBytes
  }
}

/**
 * Calls `tooLarge` for each long-polling message over `limits.inboundBytes`. Engine.IO answers with 413, and emits no
 * event.
 */
export function watchTooLarge ({ server }: FastifyInstance, io: Server, tooLarge: () => void): void {
  const start = enginePath(io)
  server.on('request', (request, response) => {
    if (request.method !== 'POST' || request.url?.startsWith(start) !== true) return
    response.once('finish', () => { if (response.statusCode === 413) tooLarge() })
  })
}

/** Routes each upgrade of the HTTP server either to Engine.IO or to the other listeners. */
export function addUpgrades (fastify: FastifyInstance, io: Server, own: boolean, logger: FastifyBaseLogger): void {
  const upgrades = new Upgrades(fastify.server, io)
  upgrades.install(own)
  if (!own) fastify.addHook('onReady', async () => { upgrades.checkOthers(logger) })
  fastify.addHook('preClose', async () => { upgrades.close() })
}

/** Marks requests that were passed on. If no listener handles such a request, it comes back to the same route. */
const handedOver = new WeakSet<object>()

/**
 * Passes requests for the Socket.IO server on to it when they reach Fastify. `listen({ port })` opens a server for each
 * address of `localhost`, and Socket.IO is attached only to the first one.
 *
 * @param path of the Socket.IO server, such as `/socket.io`
 */
export function addEngineRoute (fastify: FastifyInstance, path: string): void {
  addRoute(fastify, path, (request, reply) => {
    if (handedOver.has(request.raw)) {
      reply.callNotFound()
      return
    }
    handedOver.add(request.raw)
    reply.hijack()
    fastify.server.emit('request', request.raw, reply.raw)
  })
}

/** Answers clients of a server on which WebSocket events are disabled. */
export function addDisabledRoute (fastify: FastifyInstance, socketio: SocketIOOption): void {
  const error = new errors.DISABLED()
  const { code, statusCode, message } = error
  const path = isServer(socketio) ? socketio.path() : socketio.path ?? '/socket.io'
  addRoute(fastify, path, (request, reply) => {
    // Answer without throwing: clients retry forever, and each retry would log an error.
    void reply
      .code(503)
      .header('retry-after', retryAfter(error))
      .send({ statusCode, code, error: 'Service Unavailable', message })
  })
}

/** Hides the route from the API's documentation. */
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true }

function addRoute (
  fastify: FastifyInstance,
  path: string,
  answer: (request: FastifyRequest, reply: FastifyReply) => void
): void {
  const base = path.replace(/\/$/, '')
  // The bare path is not handled by the Socket.IO server, but wrongly configured clients use it and send their keys.
  for (const url of [base, `${base}/*`]) {
    if (url !== '' && !fastify.hasRoute({ method: 'GET', url })) addSilentRoute(fastify, url, answer)
  }
}

function addSilentRoute (
  fastify: FastifyInstance,
  url: string,
  answer: (request: FastifyRequest, reply: FastifyReply) => void
): void {
  fastify.route({
    method: ['GET', 'POST', 'OPTIONS'],
    url,
    exposeHeadRoute: false,
    // No log: the URLs contain keys.
    logLevel: 'silent',
    schema: HIDDEN,
    // `onRequest` runs before the body is read; the Socket.IO server has to read it.
    onRequest: (request, reply) => { answer(request, reply) },
    handler: async () => {}
  })
}
