import wsEvents from 'fastify-ws-events'
import 'fastify-ws-events/io'
import type { FastifyInstance } from 'fastify'
import { Server, type Socket } from 'socket.io'
import { GRANTS, INSTANCES } from '../../test/helpers/drops/plan.js'
import { checking, type DropServer, PINGS } from '../../test/helpers/drops/run.js'
import { listen, makeFastify } from '../peers/http.js'

/** A server whose clients are cut, to be closed after use. */
export interface DropPeer extends DropServer {
  readonly fastify: FastifyInstance
}

const MINUTE = 60_000

/** Global mode, on the memory store. */
export async function startOurs (way: 'ids' | 'stock' = 'ids'): Promise<DropPeer> {
  const fastify = makeFastify()
  await fastify.register(wsEvents, {
    env: false,
    globalEvents: true,
    stockResume: way === 'stock',
    defaultConfig: { enabled: true },
    socketio: PINGS,
    verify: async ({ apikey }) => {
      await checking()
      const events = GRANTS[apikey ?? '']
      return events === undefined ? true : { events }
    }
  })
  const port = await listen(fastify)
  return { fastify, url: `http://127.0.0.1:${port}`, way, io: fastify.io, emit: (...event) => fastify.wsEvents.emit(...event) }
}

/** Socket.IO with connection state recovery, and the same check of keys. @param skipMiddlewares `true`, its default: who is recovered is not checked */
export async function startRecovery (skipMiddlewares: boolean): Promise<DropPeer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server, { ...PINGS, connectionStateRecovery: { maxDisconnectionDuration: 2 * MINUTE, skipMiddlewares } })
  const check = (_socket: Socket, next: () => void): void => { void checking().then(next) }
  const root = io.use(check)
  const namespaces = new Map(INSTANCES.map(instance => [instance, io.of(`/${instance}`).use(check)]))
  fastify.addHook('preClose', async () => { await io.close() })
  const port = await listen(fastify)
  return {
    fastify,
    url: `http://127.0.0.1:${port}`,
    way: 'recovery',
    io,
    emit: (instance, event, data) => {
      const message = { event, instance, data }
      root.emit(event, message)
      namespaces.get(instance)?.emit(event, message)
    }
  }
}
