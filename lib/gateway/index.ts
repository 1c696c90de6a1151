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
import { type Connection, connectionsOf, endConnection, namespaceCount, usesStockParser } from './internals.js'
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
  readonly #subscribers = new Set<Subscriber>()
  readonly #links = new WeakMap<Connection, Link>()
  readonly #admitted = new WeakMap<Socket, Admitted>()
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
    this.#namespaces = new Namespaces(io, {
      guard: async socket => await this.#guard(socket),
      connected: socket => { this.#connected(socket) },
      vanished: socket => { this.#admitted.get(socket)?.place.release() }
    })
    if (own || mode === 'global') this.#namespaces.serveRoot()
    // A connection that arrives while the others are being ended would keep the server from closing.
    if (own) io.engine.on('connection', (connection: Connection) => { if (this.#closing) endConnection(connection) })
  }

  /** Resolves to what refuses a client, and `undefined` when it may come in. */
  async #guard (socket: Socket): Promise<Error | undefined> {
    const link = this.#linkOf(socket)
    try {
      this.#admitted.set(socket, await this.#admission.admit(socket, link))
    } catch (error) {
      return await this.#refuse(socket, link, error)
    }
  }

  /** What is known of a connection is read once: its first request loses its socket. */
  #linkOf ({ conn, handshake }: Socket): Link {
    const known = this.#links.get(conn)
    if (known !== undefined) return known
    const link = new Link(conn, this.#parts.access.peer(handshake.headers, conn.remoteAddress))
    this.#links.set(conn, link)
    return link
  }

  async #refuse (socket: Socket, link: Link, error: unknown): Promise<Error> {
    const { log } = this.#parts
    const { address } = link.peer
    const known = errorName(error)
    if (known === undefined) log.error({ err: error, namespace: socket.nsp.name }, 'a client could not be checked')
    const name = known ?? 'VERIFY_FAILED'
    const refusal = refusalOf(known === undefined ? new errors.VERIFY_FAILED() : error as CodedError, name)
    this.#countRefusal(name, address)
    log.info({ code: refusal.code, namespace: socket.nsp.name, address }, 'client refused')
    // Unless its connection serves another namespace, which must not suffer.
    if (isPassing(name) && !isOwnLimit(error) && namespaceCount(socket) <= link.silent) await end(link.connection)
    return Object.assign(new Error(refusal.message), { data: refusal })
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
    const subscriber = new Subscriber(socket, admitted)
    this.#subscribers.add(subscriber)
    this.#admissions++
    socket.once('disconnect', () => { this.#left(subscriber) })
    socket.onAny((event: string, ...args: unknown[]) => { this.#inbound.receive(subscriber, event, args) })
    // A config may have changed since the client was checked.
    if (!this.#isWelcome(subscriber)) socket.disconnect()
    else if (subscriber.listens) this.#delivery.join(subscriber)
    else this.#joinSilently(subscriber)
    this.#parts.log.debug({ namespace: socket.nsp.name, address: subscriber.link.peer.address }, 'client connected')
  }

  #isWelcome ({ instance }: Subscriber): boolean {
    if (instance === null) return true
    const standing = this.#parts.instances.standing(instance)
    return standing === 'served' || (standing === 'instance-disabled' && this.#parts.settings.evolution)
  }

  /** A client of Evolution's at the root in traditional mode. */
  #joinSilently ({ link }: Subscriber): void {
    link.silent++
    if (this.#rootHinted) return
    this.#rootHinted = true
    this.#parts.log.warn({ address: link.peer.address }, 'a client joined the root, which gets no events in traditional mode: it must connect to /INSTANCE, or set WEBSOCKET_GLOBAL_EVENTS=true')
  }

  #left (subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    this.#delivery.leave(subscriber)
    subscriber.place.release()
    if (!subscriber.listens) subscriber.link.silent--
    if (!this.#closing) this.#idle.watch(subscriber.socket)
  }

  #sendAway ({ socket, link }: Subscriber): void {
    const { address } = link.peer
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
    return [...this.#subscribers]
      .filter(subscriber => instance === undefined || subscriber.instance === instance)
      .map(subscriber => this.#shown(subscriber))
  }

  #shown ({ instance, link, since, listens, filter }: Subscriber): ClientInfo {
    return {
      instance,
      address: link.peer.address,
      since: new Date(since),
      events: listens ? eventNames(this.#parts.catalogue, filter) : [],
      ...(instance === null && { instances: filter.instances === null ? null : [...filter.instances] }),
      queuedBytes: queuedBytes(link)
    }
  }

  stats (): GatewayStats {
    const rootClients = [...this.#subscribers].filter(({ instance }) => instance === null).length
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
  }

  /** @throws INVALID_DATA when nobody is named */
  disconnect ({ instance, apikey }: DisconnectTarget): void {
    if (instance === undefined && apikey === undefined) throw new errors.INVALID_DATA('disconnect needs an instance or an apikey: who is to go?')
    const name = instance === undefined ? undefined : instanceName(instance)
    const keyHash = apikey === undefined ? undefined : hashKey(apikey)
    this.#delivery.flushAll()
    for (const subscriber of [...this.#subscribers]) {
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
    const connections = new Set([...this.#subscribers].map(({ socket }) => socket.conn))
    // Those of a server of ours that are in no namespace, or in one of the host's, would keep it from closing too.
    if (this.#own) for (const connection of connectionsOf(this.#io)) connections.add(connection)
    await Promise.all([...connections].map(end))
  }
}

/** Ends a connection; resolves when it has ended. */
async function end (connection: Connection): Promise<void> {
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
