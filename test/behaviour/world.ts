import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket as NodeSocket } from 'node:net'
import type { WsEventsOptions } from '../../lib/index.js'
import { connectionsOf } from '../../lib/gateway/socketio/engine.js'
import '../../lib/gateway/io.js'
import { memoryStore } from '../../lib/stores/memory/index.js'
import { eventually, latch } from '../helpers/latch.js'
import { type LogLine, recordLog } from '../helpers/log.js'
import { startNetwork, type Network } from '../helpers/network.js'
import { type Scope, startServer, type TestServer } from '../helpers/server.js'
import { SharedStore } from '../helpers/shared-store.js'
import { later } from '../helpers/stores.js'
import { Checks, KEY, OTHER } from './checks.js'
import { type Client, clientOf } from './clients.js'
import { StoreGates } from './gates.js'
import type { Way } from './rows.js'
import { connectionsIn, countersOf, growth } from './stats.js'

/** What a state, or what happens, needs of the server. */
export interface Needs {
  readonly options?: WsEventsOptions
  readonly limits?: WsEventsOptions['limits']
  /** The ms after which keys are asked for again. */
  readonly ttl?: number
  /** A second server on the same store. */
  readonly secondNode?: boolean
  /** Whether the client resumes from an id. */
  readonly resumes?: boolean
  /** What the instance remembers: so many events, of so many bytes. */
  readonly past?: { readonly events: number, readonly bytes: number }
}

/** Room for one client beside the one that stays: if its place is not given back, the next one is refused. */
const LIMITS = { connections: 2, connectionsPerAddress: 2, connectionsPerInstance: 1 }

/** How many requests the server may answer before it has let go of a client. */
const REQUESTS = 20

interface Parts {
  readonly scope: Scope
  readonly checks: Checks
  readonly store: StoreGates
  readonly server: TestServer
  readonly network: Network
  readonly secondNode: FastifyInstance | undefined
  readonly lines: LogLine[]
  readonly way: Way
  /** Resolves when the server begins to close. */
  readonly preClose: Promise<void>
  /** TCP sockets of clients. */
  readonly sockets: ReadonlySet<NodeSocket>
  /** Polls that wait for an answer. */
  readonly polls: ReadonlySet<ServerResponse>
}

/** A server, the client that a row is about, and a client of another instance that nothing happens to. */
export class World {
  /** Set when the server is being closed. */
  closing: Promise<unknown> | undefined
  /** What a client that has left has not let go of at once. */
  leftEarly: string | undefined
  readonly parts: Parts
  readonly client: Client
  /** The id of the event before those that the instance remembers. */
  readonly before: string
  readonly #bystander: ReadonlySet<unknown>
  #counters: ReadonlyMap<string, number> = new Map()
  readonly #returns = latch()
  #countedFirst: string | undefined
  #first = { line: 0, told: 0, got: 0, return: 0 }

  private constructor (parts: Parts, client: Client, before: string) {
    this.parts = parts
    this.client = client
    this.before = before
    client.mayReturn = this.#returns.opened
    this.#bystander = new Set(this.#connections())
    parts.scope.teardown(() => {
      this.openGates()
      parts.network.flow()
      client.close()
    })
  }

  static async start (scope: Scope, way: Way, needs: Needs): Promise<World> {
    const { options, limits, ttl, secondNode, past = { events: 1, bytes: 0 } } = needs
    const shared = secondNode === true ? new SharedStore() : undefined
    const checks = new Checks(ttl)
    const store = new StoreGates('acme')
    const all: WsEventsOptions = { verify: checks.verify, ...options, limits: { ...LIMITS, ...limits } }
    const { lines, fastify } = recordLog('debug')
    const gated = store.around(shared?.node() ?? memoryStore())
    const sockets = new Set<NodeSocket>()
    const polls = new Set<ServerResponse>()
    const closing = latch()
    const before = (fastify: FastifyInstance) => {
      fastify.server.on('connection', (socket: NodeSocket) => { sockets.add(socket) })
      fastify.addHook('preClose', async () => { closing.open() })
    }
    const server = await startServer(scope, { ...all, store: gated }, { fastify, before })
    // First: Engine.IO keeps what is its own from the others.
    server.fastify.server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.method !== 'GET' || request.url?.includes('transport=polling') !== true) return
      polls.add(response)
      response.once('close', () => { polls.delete(response) })
    })
    const second = shared === undefined ? undefined : await startServer(scope, { ...all, store: shared.node() })
    const network = await startNetwork(scope, server.port)
    const ends = { server, network, secondNode: second?.fastify, sockets, polls }
    const parts: Parts = { scope, checks, store, ...ends, lines, way, preClose: closing.opened }
    for (const instance of ['acme', 'other', 'third']) await server.fastify.wsEvents.set(instance, { enabled: true })
    await comeIn(parts, 'other')
    const id = await remember(parts, past)
    // A page always begins somewhere.
    const lastEventId = needs.resumes === true || way === 'page' ? id : undefined
    return new World(parts, clientOf(way, { url: network.url, apikey: KEY, instance: 'acme', lastEventId }), id)
  }

  get wsEvents (): FastifyInstance['wsEvents'] {
    return this.parts.server.fastify.wsEvents
  }

  /** Another client that is in, or what it was told instead. */
  async another (instance = 'acme'): Promise<Client> {
    return await comeIn(this.parts, instance)
  }

  /** Connections as the server sees them: of Engine.IO, or of TCP for those that come by HTTP. */
  #connections (): Array<{ readonly readyState: string }> {
    const { way, server, sockets } = this.parts
    return way === 'websocket' || way === 'polling' ? connectionsOf(server.fastify.io) : [...sockets]
  }

  /** Returns what tells whether the client's connections of now have ended, as the server sees it. */
  connection (): () => boolean {
    const open = this.#connections().filter(connection => !this.#bystander.has(connection))
    return () => open.every(({ readyState }) => readyState === 'closed')
  }

  /** Resolves when the server has a poll to answer: only then it sees at once that a polling client has gone. */
  async polled (): Promise<void> {
    const { way, polls } = this.parts
    if (way === 'polling') await eventually(() => polls.size > 0)
  }

  openGates (): void {
    this.#returns.open()
    this.parts.checks.gate.open()
    this.parts.store.watch.open()
    this.parts.store.read.open()
  }

  /** From here on is what a row is about. */
  mark (): void {
    this.#counters = countersOf(this.wsEvents.stats())
    const { told, got, returns } = this.client
    this.#countedFirst = undefined
    this.client.onTold = () => { this.#countedFirst ??= growth(this.#counters, countersOf(this.wsEvents.stats())) }
    this.#first = { line: this.parts.lines.length, told: told.length, got: got.length, return: returns }
  }

  get told (): readonly string[] {
    return this.client.told.slice(this.#first.told)
  }

  get got (): readonly string[] {
    return this.client.got.slice(this.#first.got)
  }

  get returns (): number {
    return this.client.returns - this.#first.return
  }

  /** Until the client is told what becomes of it: if it comes back, more may be counted. */
  get counted (): string {
    const now = () => growth(this.#counters, countersOf(this.wsEvents.stats()))
    return this.returns > 0 ? this.#countedFirst ?? now() : now()
  }

  /** What is left when the server has had the time to see that a client has gone: that of some requests. */
  async leftAtLast (): Promise<string> {
    for (let request = 0; request < REQUESTS && this.left !== 'yes'; request++) {
      await (await fetch(`${this.parts.server.url}/nowhere`)).text()
    }
    return this.left
  }

  /** For a client that has left: what it has left behind before anything else has happened. */
  async releasedEarly (): Promise<void> {
    const left = await this.leftAtLast()
    if (left !== 'yes') this.leftEarly = left
  }

  /** What is left on the server but for the bystander; `yes` if nothing is. */
  get left (): string {
    const { closing, wsEvents, parts: { store } } = this
    const left = {
      clients: wsEvents.clients({ instance: 'acme' }).length,
      connections: connectionsIn(wsEvents.stats()) - (closing === undefined ? 1 : 0),
      watches: store.watches
    }
    const some = Object.entries(left).filter(([, count]) => count !== 0)
    return some.length === 0 ? 'yes' : `no: ${some.map(([what, count]) => `${count} ${what}`).join(', ')}`
  }

  /** The lines about the instance. */
  get logged (): LogLine[] {
    const isAbout = ({ instance, instances, plugin, msg }: LogLine) =>
      plugin === 'fastify-ws-events' && msg !== 'client connected' &&
      (instance === 'acme' || (instances as string[] | undefined)?.includes('acme') === true)
    return this.parts.lines.slice(this.#first.line).filter(isAbout)
  }
}

/** A client with a connection of its own, when it is in or was told why not. */
async function comeIn ({ scope, server }: Parts, instance: string): Promise<Client> {
  const client = clientOf('websocket', { url: server.url, apikey: OTHER, instance })
  scope.teardown(() => { client.close() })
  client.join()
  await client.until(() => client.isIn || client.told.length > 0)
  return client
}

/** Has the instance remember something. Resolves to the id of the event before that. */
async function remember (parts: Parts, { events, bytes }: Required<Needs>['past']): Promise<string> {
  const { wsEvents } = parts.server.fastify
  const client = await comeIn(parts, 'acme')
  const { id } = await wsEvents.emit('acme', 'call', 'before')
  const extra = { padding: 'x'.repeat(bytes) }
  for (let event = 0; event < events; event++) await wsEvents.emit('acme', 'call', 'past', { extra })
  client.close()
  await eventually(() => wsEvents.clients({ instance: 'acme' }).length === 0)
  return id ?? ''
}

/** Lets some turns of the event loop pass: what needs no network is done then. */
export async function turns (count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await later()
}
