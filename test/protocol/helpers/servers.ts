import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type DefaultEventsMap, Server, type ServerOptions, type Socket } from 'socket.io'
import '../../../lib/gateway/io.js'
import { closesWithin, type EngineConnection } from '../../../lib/gateway/socketio/engine.js'
import { eventually } from '../../helpers/latch.js'
import { type Scope, startServer } from '../../helpers/server.js'

/** The instances that are served, in every spelling of a namespace that clients of these tests use. */
export const INSTANCES = ['acme', 'other', 'ação 01'] as const
export const MAX_PAYLOAD = 65_536
export const DATE = '2026-01-02T03:04:05.678Z'
/** An id of the plugin's has so many characters; what the reference sends has one as long. */
export const ID = 'i'.repeat(19)

/** What refuses a client, as the contract says it; the reference is told to say the same. */
export const REFUSALS: Readonly<Record<string, { code: string, statusCode: number, message: string, retry: boolean }>> = {
  '/': { code: 'FST_ERR_WS_EVENTS_GLOBAL_DISABLED', statusCode: 404, message: 'the root namespace serves no events in traditional mode: connect to /INSTANCE, or start the service with WEBSOCKET_GLOBAL_EVENTS=true', retry: true },
  '/nobody': { code: 'FST_ERR_WS_EVENTS_NOT_SET', statusCode: 404, message: 'the instance "nobody" was never set: PUT /instance/nobody/websocket with {"enabled":true} first', retry: true },
  '/off': { code: 'FST_ERR_WS_EVENTS_INSTANCE_DISABLED', statusCode: 403, message: 'the events of instance "off" are disabled: PUT /instance/off/websocket with {"enabled":true}', retry: true }
}

/** The message of an event, whose id a test does not know. */
export const messageOf = (instance: string, event: string, data: unknown): object =>
  ({ id: ID, event, instance, data, server_url: null, date_time: DATE, sender: null })

/** A server to talk to. */
export interface Spoken {
  readonly name: string
  readonly port: number
  readonly io: Server
  /** Sends an event to the clients of an instance, and to those of the root. */
  emit (instance: string, event: string, data: unknown): void
  /** Resolves to why Engine.IO closed the connections since it was asked last, as soon as all are closed. */
  reasons (): Promise<string[]>
}

type Options = Partial<Pick<ServerOptions, 'pingInterval' | 'pingTimeout' | 'upgradeTimeout' | 'connectTimeout' | 'perMessageDeflate'>> & {
  /** `false`: the root refuses. */
  readonly root?: boolean
}

/**
 * A plain Socket.IO server, which is the reference; and ours, by both of its ways. All let anybody into the root, the
 * namespaces of `INSTANCES` and `/host`, which is the host's own, and refuse the others of `REFUSALS`.
 */
export async function startServers (t: Scope, options: Options = {}): Promise<Spoken[]> {
  return [await startReference(t, options), await startOurs(t, options, true), await startOurs(t, options, false)]
}

async function startReference (t: Scope, { root = true, ...options }: Options): Promise<Spoken> {
  const http = createServer()
  const io = new Server(http, { ...options, maxHttpBufferSize: MAX_PAYLOAD })
  t.teardown(async () => { await io.close() })
  for (const name of ['/', ...INSTANCES.flatMap(spellings)]) io.of(name).on('connection', answer)
  for (const [name, data] of Object.entries(REFUSALS).filter(([name]) => name !== '/' || !root)) io.of(name).use((socket, next) => { next(Object.assign(new Error(data.message), { data })) })
  addHost(io)
  // Engine.IO waits for 30 s, and keeps the process, for a client that has stopped polling.
  io.engine.on('connection', (connection: EngineConnection) => { closesWithin(connection, 1000) })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const emit: Spoken['emit'] = (instance, event, data) => {
    for (const name of ['/', ...spellings(instance)]) io.of(name).emit(event, messageOf(instance, event, data))
  }
  return { name: 'the reference', port, io, emit, reasons: watch(io) }
}

/** What ours answer: the filter that a client sets, and what a handler returns. */
function answer (socket: Socket): void {
  socket.on('subscribe', ({ events }: { events: string[] }, acknowledge?: (events: string[]) => void) => { acknowledge?.(events) })
  socket.on('say', (data: unknown, acknowledge?: (data: unknown) => void) => { acknowledge?.(data) })
}

async function startOurs (t: Scope, { root = true, connectTimeout = 45_000, ...socketio }: Options, fastPath: boolean): Promise<Spoken> {
  // The limits that Socket.IO has too, and none of those that only we have.
  const limits = { inboundBytes: MAX_PAYLOAD, idleMs: connectTimeout, inboundPerSecond: 0, queuedBytes: 0 }
  const { fastify, port } = await startServer(t, { globalEvents: root, fastPath, limits, socketio })
  const { io, wsEvents } = fastify
  addHost(io)
  wsEvents.handle('say', { handler: ({ data }) => data })
  for (const instance of INSTANCES) await wsEvents.set(instance, { enabled: true })
  await wsEvents.set('off', { enabled: false })
  const emit: Spoken['emit'] = (instance, event, data) => { void wsEvents.emit(instance, event, data, { dateTime: DATE }) }
  return { name: fastPath ? 'ours' : 'ours without the fast path', port, io, emit, reasons: watch(io) }
}

/** The two ways to write the namespace of an instance. */
const spellings = (instance: string): string[] => [...new Set([`/${instance}`, `/${encodeURIComponent(instance)}`])]

type Echo = (...args: unknown[]) => void

/** The host's own: an echo in its namespace and at the root, with an acknowledgement where one is asked for. */
function addHost (io: Server): void {
  for (const name of ['/', '/host']) {
    io.of(name).on('connection', (socket: Socket<DefaultEventsMap>) => {
      socket.on('echo', (...args: unknown[]) => {
        const last = args.at(-1)
        if (typeof last === 'function') (last as Echo)(...args.slice(0, -1))
        else socket.emit('echo', ...args)
      })
    })
  }
}

/** Watches the connections of a server from now on. The result is `reasons` of `Spoken`. */
export function watch (io: Server): () => Promise<string[]> {
  let reasons: string[] = []
  io.engine.on('connection', (connection: EngineConnection) => {
    connection.on('close', (reason: string) => { reasons.push(reason) })
  })
  return async () => {
    await eventually(() => io.engine.clientsCount === 0)
    const told = reasons
    reasons = []
    return told
  }
}
