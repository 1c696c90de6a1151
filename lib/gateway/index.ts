import type { FastifyBaseLogger } from 'fastify'
import type { Server } from 'socket.io'
import type { Access } from '../access.js'
import type { Catalogue } from '../events/catalogue.js'
import type { Instances } from '../instances.js'
import type { LimitCounters } from '../limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { Dismissal } from '../nodes.js'
import type { Settings } from '../options.js'
import type { OpenStore } from '../stores/store.js'
import type { ClientInfo, Limits, Stats } from '../types.js'
import { Admission } from './admission.js'
import { Arrivals } from './arrivals.js'
import { Clients } from './clients.js'
import { Delivery } from './delivery.js'
import type { Handlers } from './handlers.js'
import { Holds } from './holds.js'
import { PastPages } from './http/past-pages.js'
import { Streams } from './http/streams.js'
import { IdleConnections } from './idle.js'
import { Inbound } from './inbound.js'
import { usesStockParser } from './internals.js'
import { Places } from './places.js'
import { Past } from './past.js'
import { Positions } from './positions.js'
import { type Queues, queuesOf } from './queues.js'
import { Renewals } from './renewals.js'
import { Reports } from './reports.js'
import { Resumption } from './resume.js'
import { Sockets } from './sockets.js'
import type { SocketSubscriber } from './socket-subscriber.js'
import { Writer } from './writer.js'

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

/** The groups of the stats that are about clients. */
export type GatewayStats = Pick<Stats, 'clients' | 'delivery'>

/** The clients of this node: lets them in, and brings them the events that they are entitled to. */
export class Gateway {
  /** Those that come by HTTP. */
  readonly streams: Streams
  readonly #parts: Parts
  readonly #io: Server
  readonly #reports: Reports
  readonly #places: Places
  readonly #arrivals: Arrivals
  readonly #writer: Writer
  readonly #delivery: Delivery
  readonly #past: Past
  readonly #resumption: Resumption
  readonly #positions: Positions
  readonly #renewals: Renewals
  readonly #inbound: Inbound
  readonly #clients: Clients
  readonly #sockets: Sockets
  #closing = false

  /** @param own whether this plugin made the server */
  constructor (io: Server, own: boolean, parts: Parts) {
    const { settings: { limits, mode, fastPath, evolution, retention }, access, catalogue, instances, store, handlers, limited, traffic, logger } = parts
    const { log } = store
    const { queuedBytes } = limits
    this.#parts = parts
    this.#io = io
    const reports = this.#reports = new Reports(logger)
    this.#places = new Places(limits)
    const isStock = usesStockParser(io)
    if (fastPath && !isStock) reports.fastPathOff('the Socket.IO server has another parser than its own')
    this.#writer = new Writer({ queuedBytes, direct: fastPath && isStock }, { limited, traffic, reports })
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
    const isClosing = () => this.#closing
    const admission = new Admission({
      ...parts,
      places: this.#places,
      holds: new Holds(log),
      isAvailable: () => store.health?.().available !== false,
      isHosts: instance => this.isHosts(instance),
      isClosing
    })
    this.#arrivals = new Arrivals({
      access,
      admission,
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
      dismiss: subscriber => { this.#clients.dismiss(subscriber) },
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
    this.#clients = new Clients({
      log,
      catalogue,
      instances,
      evolution,
      admission,
      delivery: this.#delivery,
      resumption: this.#resumption,
      renewals: this.#renewals,
      joined: instance => { this.#sockets.namespaces.claim(instance) },
      reports,
      logger
    })
    this.#sockets = new Sockets({
      io,
      own,
      arrivals: this.#arrivals,
      clients: this.#clients,
      idle: new IdleConnections(limits.idleMs, limited),
      inbound: this.#inbound,
      limited,
      reports
    }, own || mode === 'global')
    this.streams = new Streams({ access, admission, arrivals: this.#arrivals, clients: this.#clients, pages: new PastPages(log, catalogue), isClosing })
  }

  #sendAway ({ instance, link }: SocketSubscriber): void {
    const { address } = link
    this.#arrivals.count('LIMIT_REACHED', address)
    this.#parts.limited.count('inboundPerSecond')
    this.#reports.refused({ name: 'LIMIT_REACHED', instance, address }, 'tooFast')
    this.#writer.end(link)
  }

  /** Of the Socket.IO server, such as `/socket.io`. */
  get path (): string {
    return this.#io.path()
  }

  /** Whether the namespace of an instance's name is the host's own. */
  isHosts (instance: string): boolean {
    return this.#sockets.namespaces.isHosts(instance)
  }

  /** @param instance of which to list the clients; left out: all */
  clients (instance?: string): ClientInfo[] {
    return this.#clients.list(instance)
  }

  /** What waits for the clients. */
  queues (): Queues {
    return queuesOf(this.#clients.all())
  }

  stats (): GatewayStats {
    const atRoot = this.#clients.all().filter(({ instance }) => instance === null).length
    return {
      clients: {
        atRoot,
        inInstances: this.#clients.size - atRoot,
        connections: this.#places.connections,
        namespaces: this.#sockets.namespaces.size,
        admitted: this.#clients.admitted,
        refused: this.#arrivals.refused,
        received: { handled: this.#inbound.handled, dropped: this.#inbound.dropped }
      },
      delivery: { ...this.#writer.counters, ...this.#resumption.counters }
    }
  }

  /** Ends those clients of an instance that its config in force no longer serves, after what was emitted before. */
  async configChanged (instance: string): Promise<void> {
    await this.#clients.configChanged(instance)
  }

  /** Ends the clients of an instance, after what was emitted before. */
  async instanceRemoved (instance: string): Promise<void> {
    await this.#clients.sendEmitted(instance)
    this.instanceGone(instance)
  }

  /** Ends the clients of an instance that another node has removed. What was emitted before has been told. */
  instanceGone (instance: string): void {
    this.#clients.instanceGone(instance)
    this.#past.forget(instance)
    this.#sockets.namespaces.release(instance)
  }

  /** Ends clients so that they stay away. */
  disconnect (target: Dismissal): void {
    this.#clients.disconnect(target)
    this.#arrivals.sendAway(target.instance, target.keyHash)
  }

  /** Sends what was emitted, and ends every connection so that its client comes back, to this node or another. */
  async close (): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#delivery.flushAll()
    this.#positions.close()
    this.#renewals.close()
    this.#parts.access.close()
    await Promise.all([this.#sockets.close(), this.streams.close()])
  }
}
