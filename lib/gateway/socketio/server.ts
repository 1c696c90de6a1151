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
  /** Made by this plugin; the other kind is the host's, with the host's namespaces. */
  readonly own: boolean
}

/** What is set by an option of the plugin, which would otherwise be said in two places. */
const SET_ELSEWHERE: Readonly<Record<string, string>> = {
  cors: 'use the option cors, which holds on both transports',
  connectTimeout: 'use limits.idleMs',
  maxHttpBufferSize: 'use limits.inboundBytes'
}
const RECOVERY = 'connection state recovery lets clients in past the key check: leave connectionStateRecovery out'
/** The longest time that a timer of Node can wait, in ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

const isServer = (value: unknown): value is Server =>
  typeof value === 'object' && value !== null && 'of' in value && typeof value.of === 'function'

/**
 * Takes the host's Socket.IO server, or makes one by fastify-socket.io.
 *
 * @param corsGiven whether `cors` is among the options, and not only in the environment
 * @param preClose ends the connections, before Fastify waits for them to end
 * @throws INVALID_OPTION for what would do nothing, or harm
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
 * Runs `close` before the host's own hooks. That of fastify-socket.io, which was there first, sends the clients of the
 * root away for good. Fastify has no hook for it; `onClose` is avvio's, and what is added when all is ready runs first.
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
  for (const [name, remedy] of Object.entries(SET_ELSEWHERE)) {
    if (name in options) throw new errors.INVALID_OPTION(`option "socketio.${name}": ${remedy}`)
  }
}

/** Others could say that a proxy has passed a page's request on. */
const ANY_PAGES_HEADERS = ['content-type', 'apikey', 'authorization']

function serverOptions ({ socketio, cors, limits }: Settings): Partial<ServerOptions> {
  const any = cors?.includes('*') === true
  return {
    // What Engine.IO would end is answered in upgrades.ts, and may take over a second.
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
 * Calls `tooLarge` for each message over `limits.inboundBytes` that a client has sent by long-polling. Engine.IO
 * answers it with 413, and emits nothing.
 */
export function watchTooLarge ({ server }: FastifyInstance, io: Server, tooLarge: () => void): void {
  const start = enginePath(io)
  server.on('request', (request, response) => {
    if (request.method !== 'POST' || request.url?.startsWith(start) !== true) return
    response.once('finish', () => { if (response.statusCode === 413) tooLarge() })
  })
}

/** Gives each upgrade of the HTTP server one destination, beside other listeners of it. */
export function addUpgrades (fastify: FastifyInstance, io: Server, own: boolean, logger: FastifyBaseLogger): void {
  const upgrades = new Upgrades(fastify.server, io)
  upgrades.install(own)
  if (!own) fastify.addHook('onReady', async () => { upgrades.checkOthers(logger) })
  fastify.addHook('preClose', async () => { upgrades.close() })
}

/** Marks a request that has been handed over, which comes back when nobody listens for it there. */
const handedOver = new WeakSet<object>()

/**
 * Hands requests for the Socket.IO server that reach Fastify over to it. `listen({ port })` binds localhost's
 * addresses by one server each, and Socket.IO sits on the first alone.
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

/** Tells clients of a server without WebSocket events why nobody answers them. */
export function addDisabledRoute (fastify: FastifyInstance, socketio: SocketIOOption): void {
  const error = new errors.DISABLED()
  const { code, statusCode, message } = error
  const path = isServer(socketio) ? socketio.path() : socketio.path ?? '/socket.io'
  addRoute(fastify, path, (request, reply) => {
    // Not thrown: clients try for ever, and each try would be an error in the log.
    void reply
      .code(503)
      .header('retry-after', retryAfter(error))
      .send({ statusCode, code, error: 'Service Unavailable', message })
  })
}

/** Not a part of the API. */
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true }

function addRoute (
  fastify: FastifyInstance,
  path: string,
  answer: (request: FastifyRequest, reply: FastifyReply) => void
): void {
  const base = path.replace(/\/$/, '')
  // The bare path is not the other server's, and yet clients that are set up wrongly ask there, with their keys.
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
    // Its URLs have keys in them.
    logLevel: 'silent',
    schema: HIDDEN,
    // Before the body is read: it is the other server's to read.
    onRequest: (request, reply) => { answer(request, reply) },
    handler: async () => {}
  })
}
