import type { FastifyBaseLogger } from 'fastify'
import type { Server, Socket } from 'socket.io'
import { type Access, hashKey } from '../access.js'
import { type CodedError, errorName, type ErrorName, errors } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import type { Instances } from '../instances.js'
import { instanceName } from '../names.js'
import type { Settings } from '../options.js'
import type { Route } from '../router.js'
import type { ClientInfo, DisconnectTarget } from '../types.js'
import { Admission, isPassing, refusalOf } from './admission.js'
import type { Outgoing } from './batch.js'
import type { Channel } from './channel.js'
import { Delivery } from './delivery.js'
import { eventNames } from './filter.js'
import { IdleConnections } from './idle.js'
import { Inbound } from './inbound.js'
import { type Connection, connectionsOf, endConnection, endGently, listenToAll, namespaceCount, usesStockParser } from './internals.js'
import { isOwnLimit, Places } from './limits.js'
import { Link } from './link.js'
import { Namespaces } from './namespaces.js'
import { type Admitted, Subscriber } from './subscriber.js'
import { queuedBytes } from './wire.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 1000

interface Parts {
  readonly settings: Settings
  readonly access: Access
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly log: FastifyBaseLogger
}

export interface GatewayStats {
  delivered: number
  admitted: number
  refused: Record<string, number>
  dropped: number
  slow: number
  rootClients: number
  instanceClients: number
  connections: number
  namespaces: number
}

/** The clients of this node: lets them in, and brings them the events that they are entitled to. */
export class Gateway {
  readonly #parts: Parts
  readonly #io: Server
  readonly #own: boolean
  readonly #places: Places
  readonly #admission: Admission
  readonly #namespaces: Namespaces
  readonly #delivery: Delivery
  readonly #inbound: Inbound
  readonly #idle: IdleConnections
  // Map(client -> subscriber)
  readonly #subscribers = new Map<Socket, Subscriber>()
  // Map(client -> what it was admitted with), between its check and its first moment inside
  readonly #admitted = new WeakMap<Socket, Admitted>()
  // One function each for all clients, because there may be many.
  readonly #onDisconnect: (this: Socket) => void
  readonly #onAny: (this: Socket, event: string, ...args: unknown[]) => void
  // Map(error name -> clients)
  readonly #refused = new Map<string, number>()
  #admissions = 0
  #closing = false
  #rootHinted = false

  /** @param own whether this plugin made the server */
  constructor (io: Server, own: boolean, parts: Parts) {
    const { settings: { limits, mode, fastPath, evolution }, log, catalogue } = parts
    this.#parts = parts
    this.#io = io
    this.#own = own
    this.#places = new Places(limits)
    this.#idle = new IdleConnections(limits.idleMs)
    this.#delivery = new Delivery({ queuedBytes: limits.queuedBytes, direct: fastPath && usesStockParser(io) }, log)
    this.#inbound = new Inbound({ catalogue, delivery: this.#delivery, perSecond: limits.inboundPerSecond, evolution, tooFast: subscriber => { this.#sendAway(subscriber) } })
    this.#admission = new Admission({ ...parts, places: this.#places, isClosing: () => this.#closing })
    const received = (socket: Socket, event: string, args: unknown[]) => { this.#received(socket, event, args) }
    const left = (socket: Socket) => { this.#left(socket) }
    this.#onDisconnect = function () { left(this) }
    this.#onAny = function (event, ...args) { received(this, event, args) }
    this.#namespaces = new Namespaces(io, {
      guard: async socket => await this.#guard(socket),
      connected: socket => { this.#connected(socket) },
      vanished: socket => { this.#vanished(socket) }
    })
    if (own || mode === 'global') this.#namespaces.serveRoot()
    // A connection that arrives while the others are being ended would keep the server from closing.
    if (own) io.engine.on('connection', (connection: Connection) => { if (this.#closing) endConnection(connection) })
  }

  /** Resolves to what refuses a client, and `undefined` when it may come in. */
  async #guard (socket: Socket): Promise<Error | undefined> {
    const { conn, handshake } = socket
    try {
      // Not from the request: it may have lost its socket by the time that a second namespace is joined.
      const peer = this.#parts.access.peer(handshake.headers, conn.remoteAddress)
      this.#admitted.set(socket, await this.#admission.admit(socket, Link.of(conn, peer.address), peer))
    } catch (error) {
      return await this.#refuse(socket, Link.of(conn, conn.remoteAddress ?? null), error)
    }
  }

  async #refuse (socket: Socket, link: Link, error: unknown): Promise<Error> {
    const { log } = this.#parts
    const { address } = link
    const known = errorName(error)
    if (known === undefined) log.error({ err: error, namespace: socket.nsp.name }, 'a client could not be checked')
    const name = known ?? 'VERIFY_FAILED'
    const refusal = refusalOf(known === undefined ? new errors.VERIFY_FAILED() : error as CodedError, name)
    this.#countRefusal(name, address)
    log.info({ code: refusal.code, namespace: socket.nsp.name, address }, 'client refused')
    if (isPassing(name) && !isOwnLimit(error) && !this.#servesAnother(socket, link)) await ended(link.connection)
    return Object.assign(new Error(refusal.message), { data: refusal })
  }

  /** Whether a connection serves another namespace, which must not suffer. Evolution's silent root is none. */
  #servesAnother (socket: Socket, link: Link): boolean {
    const joined = namespaceCount(socket)
    if (joined === 0) return false
    const silent = [...this.#subscribers.values()].filter(subscriber => subscriber.link === link && !subscriber.listens)
    return joined > silent.length
  }

  #countRefusal (name: ErrorName, address: string | null): void {
    this.#refused.set(name, (this.#refused.get(name) ?? 0) + 1)
    if (name !== 'LIMIT') this.#places.refused(address)
  }

  #connected (socket: Socket): void {
    const admitted = this.#admitted.get(socket)
    if (admitted === undefined) {
      // Socket.IO skipped the middleware, as it does for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    this.#admitted.delete(socket)
    const subscriber = new Subscriber(socket, admitted)
    this.#subscribers.set(socket, subscriber)
    this.#admissions++
    socket.on('disconnect', this.#onDisconnect)
    listenToAll(socket, this.#onAny)
    // A config may have changed since the client was checked.
    if (!this.#isWelcome(subscriber)) socket.disconnect()
    else if (subscriber.listens) this.#join(subscriber)
    else this.#hintAtRoot(subscriber)
    this.#parts.log.debug({ namespace: socket.nsp.name, address: subscriber.link.address }, 'client connected')
  }

  #join (subscriber: Subscriber): void {
    if (subscriber.instance !== null) this.#namespaces.claim(subscriber.instance)
    this.#delivery.join(subscriber)
  }

  #isWelcome ({ instance }: Subscriber): boolean {
    if (instance === null) return true
    const standing = this.#parts.instances.standing(instance)
    return standing === 'served' || (standing === 'instance-disabled' && this.#parts.settings.evolution)
  }

  #hintAtRoot ({ link }: Subscriber): void {
    if (this.#rootHinted) return
    this.#rootHinted = true
    this.#parts.log.warn({ address: link.address }, 'a client joined the root, which gets no events in traditional mode: it must connect to /INSTANCE, or set WEBSOCKET_GLOBAL_EVENTS=true')
  }

  /** A client that was let in was gone before it was in. */
  #vanished (socket: Socket): void {
    const admitted = this.#admitted.get(socket)
    if (admitted !== undefined) this.#admission.forget(admitted)
  }

  #received (socket: Socket, event: string, args: readonly unknown[]): void {
    const subscriber = this.#subscribers.get(socket)
    if (subscriber !== undefined) this.#inbound.receive(subscriber, event, args)
  }

  #left (socket: Socket): void {
    const subscriber = this.#subscribers.get(socket)
    if (subscriber === undefined) return
    this.#subscribers.delete(socket)
    this.#namespaces.left(socket)
    this.#delivery.leave(subscriber)
    this.#admission.forget(subscriber)
    if (!this.#closing) this.#idle.watch(socket)
  }

  #sendAway ({ socket, link }: Subscriber): void {
    const { address } = link
    this.#countRefusal('LIMIT', address)
    this.#parts.log.info({ namespace: socket.nsp.name, address }, 'a client sends more than limits.inboundPerSecond: its connection is ended')
    link.end()
  }

  /** The channels that have somebody for an event. */
  listening (route: Route, instance: string, event: EventType): Channel[] {
    return this.#delivery.listening(route, instance, event)
  }

  /** Sends an event to channels. */
  publish (channels: readonly Channel[], outgoing: Outgoing): void {
    this.#delivery.publish(channels, outgoing)
  }

  /** Whether the namespace of an instance's name is the host's own. */
  isHosts (instance: string): boolean {
    return this.#namespaces.isHosts(instance)
  }

  /** @param instance of which to list the clients; left out: all */
  clients (instance?: string): ClientInfo[] {
    return [...this.#subscribers.values()]
      .filter(subscriber => instance === undefined || subscriber.instance === instance)
      .map(subscriber => this.#shown(subscriber))
  }

  #shown ({ instance, link, since, listens, filter }: Subscriber): ClientInfo {
    return {
      instance,
      address: link.address,
      since,
      events: listens ? eventNames(this.#parts.catalogue, filter) : [],
      ...(instance === null && { instances: filter.instances === null ? null : [...filter.instances] }),
      queuedBytes: queuedBytes(link)
    }
  }

  stats (): GatewayStats {
    const rootClients = [...this.#subscribers.values()].filter(({ instance }) => instance === null).length
    return {
      ...this.#delivery.counters,
      admitted: this.#admissions,
      refused: Object.fromEntries(this.#refused),
      dropped: this.#inbound.dropped,
      rootClients,
      instanceClients: this.#subscribers.size - rootClients,
      connections: this.#places.connections,
      namespaces: this.#namespaces.size
    }
  }

  /** Ends those clients of an instance that its config in force no longer serves. */
  configChanged (instance: string): void {
    this.#delivery.flushInstance(instance)
    for (const subscriber of this.#delivery.subscribersOf(instance)) {
      if (!this.#isWelcome(subscriber)) subscriber.socket.disconnect()
    }
  }

  /** Ends the clients of an instance, after what was emitted before. */
  instanceRemoved (instance: string): void {
    this.#delivery.flushInstance(instance)
    for (const { socket } of this.#delivery.subscribersOf(instance)) socket.disconnect()
    this.#namespaces.release(instance)
  }

  /** @throws INVALID_DATA when nobody is named */
  disconnect ({ instance, apikey }: DisconnectTarget): void {
    if (instance === undefined && apikey === undefined) throw new errors.INVALID_DATA('disconnect needs an instance or an apikey: who is to go?')
    const name = instance === undefined ? undefined : instanceName(instance)
    const keyHash = apikey === undefined ? undefined : hashKey(apikey)
    this.#delivery.flushAll()
    for (const subscriber of [...this.#subscribers.values()]) {
      const isMeant = (name === undefined || subscriber.instance === name) && (keyHash === undefined || subscriber.grant.keyHash === keyHash)
      if (isMeant) subscriber.socket.disconnect()
    }
  }

  /** Sends what was emitted, and ends every connection so that its client comes back, to this node or another. */
  async close (): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#delivery.flushAll()
    this.#idle.close()
    this.#parts.access.close()
    const connections = new Set([...this.#subscribers.keys()].map(({ conn }) => conn))
    // Those of a server of ours that are in no namespace, or in one of the host's, would keep it from closing too.
    if (this.#own) for (const connection of connectionsOf(this.#io)) connections.add(connection)
    await Promise.all([...connections].map(async connection => { await endGently(connection, END_TIMEOUT) }))
  }
}

/** Ends a connection; resolves when it has ended. */
async function ended (connection: Connection): Promise<void> {
  if (connection.readyState === 'closed') return
  await new Promise<void>(resolve => {
    connection.once('close', () => { resolve() })
    endConnection(connection)
  })
}
