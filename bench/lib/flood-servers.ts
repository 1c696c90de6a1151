import wsEvents, { type WsEventsOptions } from 'fastify-ws-events'
import { timingSafeEqual } from 'node:crypto'
import { Server } from 'socket.io'
import { listen, makeFastify } from '../peers/http.js'
import type { Peer } from '../peers/peer.js'
import { envelope, EVENT, INSTANCE, SENDER } from './payload.js'

/** Who is flooded, where it is a server with a healthy client. */
export const floodedNames = ['ours', 'limited', 'socketio'] as const
export type FloodedName = typeof floodedNames[number]

/** The same healthy client while a process beside its server is flooded: what the machine does to it, however good the server is. */
export const ELSEWHERE = 'elsewhere'
export type RoundName = FloodedName | typeof ELSEWHERE
export const roundNames: readonly RoundName[] = [...floodedNames, ELSEWHERE]

/** As the tables call them. */
export const floodedTitles: Readonly<Record<RoundName, string>> = {
  ours: 'fastify-ws-events',
  limited: 'with refusalsPerMinute: 60',
  socketio: 'Socket.IO with io.use',
  elsewhere: 'flood of another process'
}

export const KEY = 'the-key-of-the-healthy-client'

/** Little, so that the log does not grow while memory is compared. */
const RETENTION = { maxEvents: 1000 }

async function startPlugin (options: WsEventsOptions): Promise<Peer> {
  const fastify = makeFastify()
  await fastify.register(wsEvents, { env: false, apikey: KEY, retention: RETENTION, ...options })
  const port = await listen(fastify)
  await fastify.wsEvents.set(INSTANCE, { enabled: true })
  return {
    port,
    emit: data => fastify.wsEvents.emit(INSTANCE, EVENT, data, { sender: SENDER }),
    connections: () => fastify.wsEvents.stats().clients.connections
  }
}

const isKey = (given: unknown): boolean => typeof given === 'string' && given.length === KEY.length && timingSafeEqual(Buffer.from(given), Buffer.from(KEY))

/** The same check as Socket.IO's documentation shows it, and the same time for one that joins nothing. */
async function startSocketIO (): Promise<Peer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server, { connectTimeout: 10_000 })
  const namespace = io.of(`/${INSTANCE}`)
  namespace.use(({ handshake }, next) => { next(isKey(handshake.auth['apikey']) ? undefined : new Error('forbidden')) })
  const port = await listen(fastify)
  return {
    port,
    emit: data => namespace.emit(EVENT, envelope(data)),
    connections: () => io.engine.clientsCount
  }
}

export const startFlooded: Readonly<Record<FloodedName, () => Promise<Peer>>> = {
  ours: async () => await startPlugin({}),
  limited: async () => await startPlugin({ limits: { refusalsPerMinute: 60 } }),
  socketio: startSocketIO
}
