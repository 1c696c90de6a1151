import Fastify from 'fastify'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, type Socket as ServerSocket } from 'socket.io'
import { connect, type ConnectOptions, type EventsClient, type IdStorage, type Message } from '../../lib/client/index.js'
import wsEvents, { type Ready, type WsEventsOptions } from '../../lib/index.js'
import { eventually } from '../helpers/latch.js'
import type { Scope, TestServer } from '../helpers/server.js'

export const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }

/** A client with all that its handlers were called with. */
export interface Reader {
  readonly events: EventsClient
  readonly messages: Message[]
  /** In the order that they came in: the data of each message, and `gap`. */
  readonly heard: unknown[]
  readonly errors: Error[]
  /** Resolves to the data of all messages as soon as there are so many. */
  got (count: number): Promise<unknown[]>
}

/** A client that comes back fast, closed when the test ends. */
export function read (t: Scope, url: string, options: ConnectOptions = {}): Reader {
  const messages: Message[] = []
  const heard: unknown[] = []
  const errors: Error[] = []
  const events = connect(url, {
    forceNew: true,
    transports: ['websocket'],
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    retryDelayMax: 50,
    onGap: () => { heard.push('gap') },
    onError: error => { errors.push(error) },
    ...options
  })
  t.teardown(() => { events.close() })
  events.onAny(message => {
    messages.push(message)
    heard.push(message.data)
  })
  const got = async (count: number) => await eventually(() => messages.length >= count && messages.map(({ data }) => data))
  return { events, messages, heard, errors, got }
}

/** Resolves to what a client is told at its next connect. */
export const nextReady = async ({ events }: Reader): Promise<Ready> =>
  await new Promise(resolve => { events.socket.once('ws.ready', resolve) })

/** Like a `localStorage` of its own. */
export class Shelf implements IdStorage {
  // Map(name -> text)
  readonly kept = new Map<string, string>()
  getItem = (key: string) => this.kept.get(key) ?? null
  setItem = (key: string, value: string) => { this.kept.set(key, value) }
}

/** A server with the plugin on a given port, closed when the test ends. */
export async function startAt (t: Scope, port: number, options: WsEventsOptions = enabled): Promise<TestServer> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, ...options })
  await fastify.listen({ port, host: '127.0.0.1' })
  return { fastify, url: `http://127.0.0.1:${port}`, port }
}

/**
 * A server without the plugin that says what the test wants; closed when the test ends.
 *
 * @param refuses whether the so-many-th client is to try later
 */
export async function startFake (t: Scope, onClient: (socket: ServerSocket, count: number) => void, refuses: (count: number) => boolean = () => false): Promise<{ io: Server, url: string }> {
  const http = createServer()
  const io = new Server(http)
  t.teardown(async () => { await io.close() })
  let count = 0
  let asked = 0
  io.of('/acme').use((socket, next) => { next(refuses(++asked) ? Object.assign(new Error('not yet'), { data: { retry: true } }) : undefined) })
  io.of('/acme').on('connection', socket => { onClient(socket, ++count) })
  await new Promise<void>(resolve => { http.listen(0, '127.0.0.1', resolve) })
  return { io, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/acme` }
}

/** What the server sends as a client's first. */
export const readyOf = (recovered: boolean | null, lastEventId: string): Ready => ({ instance: 'acme', mode: 'traditional', enabled: true, recovered, lastEventId })

/** A message whose data is its id. */
export const messageOf = (id: string, event = 'call'): Message => ({ id, event, instance: 'acme', data: id, server_url: null, date_time: '2026-01-01T00:00:00.000Z', sender: null })
