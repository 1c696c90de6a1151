import type { FastifyBaseLogger } from 'fastify'
import type { Server, Socket } from 'socket.io'
import { type Access, hashKey, type Peer } from '../access.js'
import { errorName, errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { listEvents } from '../events/event-set.js'
import type { Instances } from '../instances.js'
import { instanceName } from '../names.js'
import type { Settings } from '../options.js'
import type { Route } from '../router.js'
import type { ClientInfo, DisconnectTarget } from '../types.js'
import { Admission, isPassing, refusalOf } from './admission.js'
import { Channel } from './channel.js'
import { type Connection, endConnection, namespaceCount, queuedBytes, usesStockParser } from './internals.js'
import { Places } from './limits.js'
import { Namespaces } from './namespaces.js'
import type { Packet } from './packet.js'
import { type Admitted, Subscriber } from './subscriber.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 1000

interface Parts {
  readonly settings: Settings
  readonly access: Access
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly log: FastifyBaseLogger
}

export interface GatewayCounters {
  delivered: number
  admitted: number
  refused: Record<string, number>
  dropped: number
  slow: number
}

/** The clients of this node: lets them in, and brings them the events that they are entitled to. */
export class Gateway {
  readonly counters: GatewayCounters = { delivered: 0, admitted: 0, refused: {}, dropped: 0, slow: 0 }
  readonly #parts: Parts
  readonly #io: Server
  readonly #own: boolean
  readonly #encoded: boolean
  readonly #places: Places
  readonly #admission: Admission
  readonly #namespaces: Namespaces
  // Map(instance, or null for the root -> channel)
  readonly #channels = new Map<string | null, Channel>()
  readonly #subscribers = new Set<Subscriber>()
  // Peers are read once: the request of a connection loses its socket.
  readonly #peers = new WeakMap<Connection, Peer>()
  readonly #admitted = new WeakMap<Socket, Admitted>()
  readonly #bySocket = new WeakMap<Socket, Subscriber>()
  readonly #idle = new Map<Connection, NodeJS.Timeout>()
  #due: Channel[] = []
  #closing = false
  #rootHinted = false

  constructor (io: Server, own: boolean, parts: Parts) {
    const { settings, access, catalogue, instances } = parts
    this.#parts = parts
    this.#io = io
    this.#own = own
    this.#encoded = usesStockParser(io)
    this.#places = new Places(settings.limits)
    this.#admission = new Admission({ settings, access, catalogue, instances, places: this.#places, isClosing: () => this.#closing })
    this.#namespaces = new Namespaces(io, {
      guard: async socket => await this.#guard(socket),
      connected: socket => { this.#connected(socket) },
      vanished: socket => { this.#admitted.get(socket)?.place.release() }
    })
    if (own || settings.mode === 'global') this.#namespaces.serveRoot()
    // A connection that arrives while the others are being ended would keep the server from closing.
    if (own) io.engine.on('connection', (connection: Connection) => { if (this.#closing) endConnection(connection) })
  }

  // The way in

  async #guard (socket: Socket): Promise<Error | undefined> {
    const peer = this.#peerOf(socket)
    try {
      this.#admitted.set(socket, await this.#admission.admit(socket, peer))
    } catch (error) {
      return await this.#refuse(socket, peer, error)
    }
  }

  #peerOf ({ conn, handshake }: Socket): Peer {
    const known = this.#peers.get(conn)
    if (known !== undefined) return known
    const peer = this.#parts.access.peer(handshake.headers, conn.remoteAddress)
    this.#peers.set(conn, peer)
    return peer
  }

  async #refuse (socket: Socket, peer: Peer, error: unknown): Promise<Error> {
    const { log } = this.#parts
    const name = errorName(error)
    if (name === undefined) log.error({ err: error, namespace: socket.nsp.name }, 'a client could not be admitted')
    const coded = name === undefined ? new errors.VERIFY_FAILED() : error as InstanceType<typeof errors.VERIFY_FAILED>
    const refusal = refusalOf(coded, name ?? 'VERIFY_FAILED')
    this.#countRefusal(name ?? 'VERIFY_FAILED', peer)
    log.info({ code: refusal.code, namespace: socket.nsp.name, address: peer.address }, 'client refused')
    // Its connection serves another namespace, which must not suffer.
    if (isPassing(name ?? 'VERIFY_FAILED') && namespaceCount(socket) === 0) await this.#end(socket.conn)
    return Object.assign(new Error(refusal.message), { data: refusal })
  }

  #countRefusal (name: string, peer: Peer): void {
    this.counters.refused[name] = (this.counters.refused[name] ?? 0) + 1
    if (name !== 'LIMIT') this.#places.refused(peer.address)
  }

  #connected (socket: Socket): void {
    const admitted = this.#admitted.get(socket)
    if (admitted === undefined) {
      // Socket.IO skipped the middleware, as it does for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    const subscriber = new Subscriber(socket, admitted)
    this.#subscribers.add(subscriber)
    this.#bySocket.set(socket, subscriber)
    this.counters.admitted++
    socket.once('disconnect', () => { this.#left(subscriber) })
    socket.onAny((event: string, ...args: unknown[]) => { this.#received(subscriber, event, args) })
    if (!this.#stillWelcome(subscriber)) return
    if (subscriber.listens) this.#join(subscriber)
    else this.#hintAtRoot(subscriber)
    this.#parts.log.debug({ namespace: socket.nsp.name, address: subscriber.peer.address }, 'client connected')
  }

  /** A config may change between a client's admission and its first moment inside. */
  #stillWelcome (subscriber: Subscriber): boolean {
    try {
      if (subscriber.instance !== null) this.#admission.checkStanding(subscriber.instance)
      return true
    } catch {
      subscriber.socket.disconnect()
      return false
    }
  }

  #hintAtRoot (subscriber: Subscriber): void {
    if (this.#rootHinted) return
    this.#rootHinted = true
    this.#parts.log.warn({ address: subscriber.peer.address }, 'a client joined the root, which gets no events in traditional mode: it must connect to /INSTANCE, or set WEBSOCKET_GLOBAL_EVENTS=true')
  }

  // Channels

  #join (subscriber: Subscriber): void {
    const channel = this.#channels.get(subscriber.instance) ?? new Channel()
    this.#channels.set(subscriber.instance, channel)
    // What waits was emitted before this client was here.
    this.#flush(channel)
    channel.join(subscriber)
  }

  #leave (subscriber: Subscriber): void {
    const channel = this.#channels.get(subscriber.instance)
    if (channel === undefined) return
    channel.leave(subscriber)
    if (channel.size === 0) this.#channels.delete(subscriber.instance)
  }

  #left (subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    this.#leave(subscriber)
    subscriber.place.release()
    this.#watchIdle(subscriber.socket)
  }

  /** A connection whose last namespace was left is ended after a while, as one that never joined any. */
  #watchIdle (socket: Socket): void {
    const { idleMs } = this.#parts.settings.limits
    const { conn } = socket
    if (idleMs === 0 || this.#closing || conn.readyState !== 'open' || this.#idle.has(conn)) return
    const stop = () => {
      clearTimeout(timer)
      this.#idle.delete(conn)
    }
    const timer = setTimeout(() => {
      conn.off('close', stop)
      stop()
      if (namespaceCount(socket) === 0) endConnection(conn)
    }, idleMs)
    this.#idle.set(conn, timer)
    conn.once('close', stop)
  }

  // Events

  /** The channels that have somebody for an event. */
  listening (route: Route, instance: string, event: EventType): Channel[] {
    const channels: Channel[] = []
    const add = (channel: Channel | undefined) => { if (channel?.wants(event, instance) === true) channels.push(channel) }
    if (route.root) add(this.#channels.get(null))
    if (route.instance === 'served') add(this.#channels.get(instance))
    return channels
  }

  /** Sends an event to channels, with all others of this turn of the event loop. */
  publish (channels: readonly Channel[], event: EventType, instance: string, packet: Packet): void {
    for (const channel of channels) {
      if (!channel.push({ event, instance, packet })) continue
      if (this.#due.push(channel) === 1) setImmediate(() => { this.#flushDue() })
    }
  }

  #flushDue (): void {
    const due = this.#due
    this.#due = []
    for (const channel of due) this.#flush(channel)
  }

  #flush (channel: Channel): void {
    channel.flush((subscriber, packets) => {
      this.counters.delivered += packets.length
      subscriber.send(packets, this.#encoded)
      this.#checkQueue(subscriber)
    })
  }

  #checkQueue (subscriber: Subscriber): void {
    const { queuedBytes: limit } = this.#parts.settings.limits
    const { conn } = subscriber.socket
    if (limit === 0) return
    const queued = queuedBytes(conn)
    if (queued <= limit) return
    this.counters.slow++
    this.#parts.log.warn({ namespace: subscriber.socket.nsp.name, address: subscriber.peer.address, queued }, 'a client reads too slowly: its connection is ended, and it will come back')
    endConnection(conn)
  }

  // What clients send

  #received (subscriber: Subscriber, event: string, args: readonly unknown[]): void {
    if (this.#tooFast(subscriber)) {
      this.#countRefusal('LIMIT', subscriber.peer)
      this.#parts.log.info({ namespace: subscriber.socket.nsp.name, address: subscriber.peer.address }, 'a client sends more than limits.inboundPerSecond: its connection is ended')
      endConnection(subscriber.socket.conn)
    } else if (event === 'subscribe' && this.#parts.settings.evolution) {
      const ack = args.at(-1)
      // Evolution's clients say which instance they want; their namespace has said it already.
      if (typeof ack === 'function') ack(this.#eventNames(subscriber))
    } else {
      this.counters.dropped++
    }
  }

  #tooFast (subscriber: Subscriber): boolean {
    const { inboundPerSecond } = this.#parts.settings.limits
    if (inboundPerSecond === 0) return false
    const now = Date.now()
    if (now - subscriber.inboundSince >= 1000) {
      subscriber.inboundSince = now
      subscriber.inbound = 0
    }
    return ++subscriber.inbound > inboundPerSecond
  }

  // Who is here

  isHosts (instance: string): boolean {
    return this.#namespaces.isHosts(instance)
  }

  clients (instance?: string): ClientInfo[] {
    return [...this.#subscribers]
      .filter(subscriber => instance === undefined || subscriber.instance === instance)
      .map(subscriber => ({
        instance: subscriber.instance,
        address: subscriber.peer.address,
        since: new Date(subscriber.since),
        events: subscriber.listens ? this.#eventNames(subscriber) : [],
        ...(subscriber.instance === null && { instances: namesOrNull(subscriber.filter.instances) }),
        queuedBytes: queuedBytes(subscriber.socket.conn)
      }))
  }

  #eventNames (subscriber: Subscriber): string[] {
    return listEvents(this.#parts.catalogue, subscriber.filter.events).map(({ name }) => name)
  }

  get sizes (): { rootClients: number, instanceClients: number, connections: number, namespaces: number } {
    const rootClients = [...this.#subscribers].filter(({ instance }) => instance === null).length
    return { rootClients, instanceClients: this.#subscribers.size - rootClients, connections: this.#places.connections, namespaces: this.#namespaces.size }
  }

  // The way out

  /** Ends those clients of an instance that its config in force no longer serves. */
  configChanged (instance: string): void {
    this.#flushInstance(instance)
    for (const subscriber of this.#of(instance)) this.#stillWelcome(subscriber)
  }

  /** Ends the clients of an instance, after what was emitted before. */
  instanceRemoved (instance: string): void {
    this.#flushInstance(instance)
    for (const subscriber of this.#of(instance)) subscriber.socket.disconnect()
  }

  #of (instance: string): Subscriber[] {
    return [...this.#channels.get(instance)?.subscribers() ?? []]
  }

  #flushInstance (instance: string): void {
    for (const channel of [this.#channels.get(null), this.#channels.get(instance)]) {
      if (channel !== undefined) this.#flush(channel)
    }
  }

  disconnect ({ instance, apikey }: DisconnectTarget): void {
    if (instance === undefined && apikey === undefined) throw new errors.INVALID_DATA('disconnect needs an instance or an apikey: who is to go?')
    const name = instance === undefined ? undefined : instanceName(instance)
    const keyHash = apikey === undefined ? undefined : hashKey(apikey)
    this.#flushAll()
    for (const subscriber of [...this.#subscribers]) {
      const meant = (name === undefined || subscriber.instance === name) && (keyHash === undefined || subscriber.grant.keyHash === keyHash)
      if (meant) subscriber.socket.disconnect()
    }
  }

  #flushAll (): void {
    for (const channel of this.#channels.values()) this.#flush(channel)
  }

  /** Sends what was emitted, and ends every connection so that its client comes back, to this node or another. */
  async close (): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#flushAll()
    const connections = new Set([...this.#subscribers].map(({ socket }) => socket.conn))
    if (this.#own) for (const connection of Object.values((this.#io.engine as unknown as { clients: Record<string, Connection> }).clients)) connections.add(connection)
    await Promise.all([...connections].map(async connection => { await this.#end(connection) }))
    for (const timer of this.#idle.values()) clearTimeout(timer)
    this.#idle.clear()
  }

  /** Ends a connection; resolves when it has ended. */
  async #end (connection: Connection): Promise<void> {
    if (connection.readyState === 'closed') return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, END_TIMEOUT)
      connection.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      endConnection(connection)
    })
  }
}

const namesOrNull = (names: ReadonlySet<string> | null): string[] | null => names === null ? null : [...names]
