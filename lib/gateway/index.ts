import type { FastifyBaseLogger } from 'fastify'
import type { Server, Socket } from 'socket.io'
import type { Access } from '../access.js'
import type { Catalogue } from '../events/catalogue.js'
import { inTime, STORE_PATIENCE } from '../in-time.js'
import type { Instances } from '../instances.js'
import type { LimitCounters } from '../limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { Dismissal } from '../nodes.js'
import type { Settings } from '../options.js'
import type { OpenStore } from '../stores/store.js'
import type { ClientInfo, Limits, Stats } from '../types.js'
import { Admission } from './admission.js'
import { Arrivals } from './arrivals.js'
import { clientInfo } from './client-info.js'
import { Delivery } from './delivery.js'
import type { Handlers } from './handlers.js'
import { Holds } from './holds.js'
import { IdleConnections } from './idle.js'
import { Inbound } from './inbound.js'
import { closesWithin, type Connection, connectionsOf, endConnection, endGently, listenToAll, sentTooMuch, usesStockParser } from './internals.js'
import { Places } from './places.js'
import { Past } from './past.js'
import { Positions } from './positions.js'
import { Namespaces } from './namespaces.js'
import { type Queues, queuesOf } from './queues.js'
import { Renewals } from './renewals.js'
import { Reports } from './reports.js'
import { Resumption } from './resume.js'
import { Subscriber } from './subscriber.js'
import { Writer } from './writer.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 1000

interface Parts {
  readonly settings: Settings
  readonly access: Access
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly store: Pick<OpenStore, 'log' | 'health'>
  readonly handlers: Handlers
  readonly limited: LimitCounters
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  readonly logger: FastifyBaseLogger
}

/** A client that comes back joins all its namespaces in one go. */
const connectsPerSecond = ({ inboundPerSecond, namespacesPerConnection }: Limits): number =>
  inboundPerSecond === 0 || namespacesPerConnection === 0 ? 0 : Math.max(inboundPerSecond, namespacesPerConnection)

/** The part of the stats that is about clients. */
export type GatewayStats = Omit<Stats, 'emitted' | 'rejected' | 'storeFailures' | 'skipped' | 'log' | 'store' | 'limited'>

/** The clients of this node: lets them in, and brings them the events that they are entitled to. */
export class Gateway {
  readonly #parts: Parts
  readonly #io: Server
  readonly #own: boolean
  readonly #reports: Reports
  readonly #places: Places
  readonly #admission: Admission
  readonly #arrivals: Arrivals
  readonly #namespaces: Namespaces
  readonly #writer: Writer
  readonly #delivery: Delivery
  readonly #past: Past
  readonly #resumption: Resumption
  readonly #positions: Positions
  readonly #inbound: Inbound
  readonly #renewals: Renewals
  readonly #idle: IdleConnections
  // Map(client -> subscriber)
  readonly #subscribers = new Map<Socket, Subscriber>()
  // One function each for all clients, because there may be many.
  readonly #onDisconnect: (this: Socket, reason: string, cause?: unknown) => void
  readonly #onAny: (this: Socket, event: string, ...args: unknown[]) => void
  #admissions = 0
  #closing = false

  /** @param own whether this plugin made the server */
  constructor (io: Server, own: boolean, parts: Parts) {
    const { settings: { limits, mode, fastPath, evolution, retention }, access, catalogue, instances, store, handlers, limited, traffic, logger } = parts
    const { log } = store
    const { queuedBytes } = limits
    this.#parts = parts
    this.#io = io
    this.#own = own
    this.#reports = new Reports(logger)
    const reports = this.#reports
    this.#places = new Places(limits)
    this.#idle = new IdleConnections(limits.idleMs, limited)
    this.#writer = new Writer({ queuedBytes, direct: fastPath && usesStockParser(io) }, { limited, traffic, reports })
    this.#delivery = new Delivery({
      log,
      catalogue,
      writer: this.#writer,
      traffic,
      passed: (stream, channel, bytes) => { this.#positions.passed(stream, channel, bytes) },
      broken: stream => { this.#past.forget(stream) },
      tellGap: (subscriber, head) => { this.#resumption.tellGap(subscriber, head) }
    })
    this.#past = new Past(log, catalogue)
    this.#resumption = new Resumption({ log, past: this.#past, mode, instances, delivery: this.#delivery, writer: this.#writer, queuedBytes, logger })
    this.#positions = new Positions({ log, delivery: this.#delivery, retention, tell: (subscriber, id) => { this.#resumption.tellPosition(subscriber, id) }, logger })
    this.#admission = new Admission({
      ...parts,
      places: this.#places,
      holds: new Holds(log),
      isAvailable: () => store.health?.().available !== false,
      isClosing: () => this.#closing
    })
    this.#arrivals = new Arrivals({
      access,
      admission: this.#admission,
      places: this.#places,
      maxRefusals: limits.namespacesPerConnection,
      perSecond: connectsPerSecond(limits),
      limited,
      writer: this.#writer,
      reports
    })
    this.#renewals = new Renewals({
      access,
      catalogue,
      arrivals: this.#arrivals,
      delivery: this.#delivery,
      writer: this.#writer,
      dismiss: subscriber => { this.#dismiss(subscriber) },
      reports
    })
    this.#inbound = new Inbound({
      catalogue,
      delivery: this.#delivery,
      writer: this.#writer,
      handlers,
      renewals: this.#renewals,
      perSecond: limits.inboundPerSecond,
      evolution,
      tooFast: subscriber => { this.#sendAway(subscriber) },
      logger
    })
    const received = (socket: Socket, event: string, args: unknown[]) => { this.#received(socket, event, args) }
    const left = (socket: Socket, reason: string, cause: unknown) => { this.#left(socket, reason, cause) }
    this.#onDisconnect = function (reason, cause) { left(this, reason, cause) }
    this.#onAny = function (event, ...args) { received(this, event, args) }
    this.#namespaces = new Namespaces(io, {
      guard: async socket => await this.#arrivals.check(socket),
      connected: socket => { this.#connected(socket) },
      settled: socket => { this.#arrivals.settled(socket) }
    })
    if (own || mode === 'global') this.#namespaces.serveRoot()
    if (own) io.engine.on('connection', (connection: Connection) => { this.#came(connection) })
  }

  #came (connection: Connection): void {
    closesWithin(connection, END_TIMEOUT)
    // One that arrives while the others are being ended would keep the server from closing.
    if (this.#closing) endConnection(connection)
    else this.#idle.came(connection)
  }

  #connected (socket: Socket): void {
    const arrival = this.#arrivals.take(socket)
    if (arrival === null) {
      // Socket.IO skipped the middleware, as it does for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    const subscriber = new Subscriber(socket, arrival.admitted)
    this.#replaceOlder(subscriber)
    this.#subscribers.set(socket, subscriber)
    subscriber.link.add(subscriber)
    this.#idle.joined(socket.conn)
    this.#admissions++
    this.#reports.connected(subscriber)
    // First, because a listener of the host's that throws keeps those after it from being called.
    socket.prependListener('disconnect', this.#onDisconnect)
    listenToAll(socket, this.#onAny)
    // A config or a key may have changed since the client was checked.
    if (arrival.isSentAway || !this.#isWelcome(subscriber)) socket.disconnect()
    else if (subscriber.listens) this.#join(subscriber)
    else this.#reports.atSilentRoot(subscriber)
  }

  /**
   * A client that asks for a namespace again while it is still being checked there gets in twice, as Socket.IO sees
   * it, and knows of the last one only. To end the older one would be to end both, so it is let go in silence.
   */
  #replaceOlder ({ link, socket }: Subscriber): void {
    for (const older of link.subscribers) {
      if (older.socket.nsp === socket.nsp) this.#forget(older, 'replaced')
    }
  }

  #join (subscriber: Subscriber): void {
    if (subscriber.instance !== null) this.#namespaces.claim(subscriber.instance)
    this.#resumption.enter(subscriber)
    this.#renewals.watch(subscriber)
  }

  #isWelcome ({ instance }: Subscriber): boolean {
    if (instance === null) return true
    const standing = this.#parts.instances.standing(instance)
    return standing === 'served' || (standing === 'instance-disabled' && this.#parts.settings.evolution)
  }

  /** Sends a client away. Listeners of the host's hear of it at once, and one that throws must not keep us from others. */
  #dismiss (subscriber: Subscriber): void {
    try {
      subscriber.socket.disconnect()
    } catch (err) {
      this.#reports.listenerFailed(err, subscriber)
    }
  }

  #received (socket: Socket, event: string, args: readonly unknown[]): void {
    const subscriber = this.#subscribers.get(socket)
    if (subscriber !== undefined) this.#inbound.receive(subscriber, event, args)
  }

  /** @param cause of a connection that has failed */
  #left (socket: Socket, reason: string, cause: unknown): void {
    this.#namespaces.left(socket)
    const subscriber = this.#subscribers.get(socket)
    if (subscriber !== undefined) this.#forget(subscriber, reason)
    // Once for a connection, in however many namespaces it was.
    if (sentTooMuch(cause) && subscriber?.link.subscribers.length === 0) this.#parts.limited.count('inboundBytes')
    if (!this.#closing) this.#idle.watch(socket)
  }

  #forget (subscriber: Subscriber, reason: string): void {
    this.#reports.disconnected(subscriber, reason)
    this.#subscribers.delete(subscriber.socket)
    subscriber.link.delete(subscriber)
    this.#delivery.leave(subscriber)
    this.#renewals.forget(subscriber)
    this.#admission.forget(subscriber)
  }

  #sendAway ({ instance, link }: Subscriber): void {
    const { address } = link
    this.#arrivals.count('LIMIT', address)
    this.#parts.limited.count('inboundPerSecond')
    this.#reports.refused({ name: 'LIMIT', instance, address }, 'tooFast')
    this.#writer.end(link)
  }

  /** Of the Socket.IO server, such as `/socket.io`. */
  get path (): string {
    return this.#io.path()
  }

  /** Whether the namespace of an instance's name is the host's own. */
  isHosts (instance: string): boolean {
    return this.#namespaces.isHosts(instance)
  }

  /** @param instance of which to list the clients; left out: all */
  clients (instance?: string): ClientInfo[] {
    return [...this.#subscribers.values()]
      .filter(subscriber => instance === undefined || subscriber.instance === instance)
      .map(subscriber => clientInfo(subscriber, this.#parts.catalogue))
  }

  /** What waits for the clients. */
  queues (): Queues {
    return queuesOf(this.#subscribers.values())
  }

  stats (): GatewayStats {
    const rootClients = [...this.#subscribers.values()].filter(({ instance }) => instance === null).length
    return {
      ...this.#writer.counters,
      ...this.#resumption.counters,
      admitted: this.#admissions,
      refused: this.#arrivals.refused,
      dropped: this.#inbound.dropped,
      handled: this.#inbound.handled,
      rootClients,
      instanceClients: this.#subscribers.size - rootClients,
      connections: this.#places.connections,
      namespaces: this.#namespaces.size
    }
  }

  /** Ends those clients of an instance that its config in force no longer serves, after what was emitted before. */
  async configChanged (instance: string): Promise<void> {
    await this.#sendEmitted(instance)
    for (const subscriber of this.#delivery.subscribersOf(instance)) {
      if (!this.#isWelcome(subscriber)) this.#dismiss(subscriber)
    }
  }

  /** Ends the clients of an instance, after what was emitted before. */
  async instanceRemoved (instance: string): Promise<void> {
    await this.#sendEmitted(instance)
    this.instanceGone(instance)
  }

  /** Ends the clients of an instance that another node has removed. What was emitted before has been told. */
  instanceGone (instance: string): void {
    this.#delivery.flushInstance(instance)
    for (const subscriber of this.#delivery.subscribersOf(instance)) this.#dismiss(subscriber)
    this.#past.forget(instance)
    this.#namespaces.release(instance)
  }

  /** Sends what was emitted for an instance. A store that is away has until its time is over. */
  async #sendEmitted (instance: string): Promise<void> {
    try {
      await inTime(this.#parts.store.log.drained(), STORE_PATIENCE)
    } catch (err) {
      this.#parts.logger.warn({ err, instance }, 'a config has changed before all that was emitted could be sent: the store has not taken it')
    }
    this.#delivery.flushInstance(instance)
  }

  /** Ends clients so that they stay away. */
  disconnect ({ instance: name, keyHash }: Dismissal): void {
    this.#delivery.flushAll()
    for (const subscriber of [...this.#subscribers.values()]) {
      const isMeant = (name === undefined || subscriber.instance === name) && (keyHash === undefined || subscriber.grant.keyHash === keyHash)
      if (isMeant) this.#dismiss(subscriber)
    }
    this.#arrivals.sendAway(name, keyHash)
  }

  /** Sends what was emitted, and ends every connection so that its client comes back, to this node or another. */
  async close (): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#delivery.flushAll()
    this.#idle.close()
    this.#positions.close()
    this.#renewals.close()
    this.#parts.access.close()
    const connections = new Set([...this.#subscribers.keys()].map(({ conn }) => conn))
    // Those of a server of ours that are in no namespace, or in one of the host's, would keep it from closing too.
    if (this.#own) for (const connection of connectionsOf(this.#io)) connections.add(connection)
    await Promise.all([...connections].map(async connection => { await endGently(connection, END_TIMEOUT) }))
  }
}
