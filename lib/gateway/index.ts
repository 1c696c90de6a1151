import type { FastifyBaseLogger } from 'fastify'
import type { Server } from 'socket.io'
import type { Access } from '../access/access.js'
import type { Catalogue } from '../events/catalogue.js'
import type { InstanceNames } from '../limits/instance-names.js'
import type { Instances, InstanceListener } from '../instances/instances.js'
import type { LimitCounters } from '../limits/limits.js'
import type { Traffic } from '../metrics/traffic.js'
import type { DisconnectRequest } from '../instances/nodes.js'
import type { Settings } from '../options.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'
import type { OpenStore } from '../stores/store.js'
import type { ClientInfo, Limits, Stats } from '../types.js'
import { Admission } from './admission.js'
import { Backpressure } from './backpressure.js'
import { Claims } from './claims.js'
import { Commands } from './commands.js'
import { Delivery } from './delivery.js'
import { GapNotices } from './gap-notices.js'
import type { Handlers } from './handlers.js'
import { HistoryCache } from './history.js'
import { Pages } from './http/pages.js'
import { Streams } from './http/streams.js'
import { Notices } from './notices.js'
import { OffsetNotices } from './offset-notices.js'
import { type Queues, queuesOf } from './queues.js'
import { Quotas } from './quotas.js'
import { Reauthorization } from './reauthorization.js'
import { Recovery } from './recovery.js'
import { type RecentRefusal, Refusals } from './refusals.js'
import { Registry } from './registry.js'
import type { SessionServices } from './session.js'
import { Sessions } from './sessions.js'
import { pingTimeout, usesStockParser } from './socketio/engine.js'
import { HandshakeRequests } from './socketio/handshake-request.js'
import { IdleConnections } from './socketio/idle.js'
import { Namespaces } from './socketio/namespaces.js'
import { Sockets } from './socketio/sockets.js'
import { StockResume } from './socketio/stock-resume.js'
import { Subscriptions } from './subscriptions.js'
import { Telemetry } from './telemetry.js'
import { Writer } from './writer.js'

interface Parts {
  readonly settings: Settings
  readonly access: Access
  readonly refused: RefusedAddresses
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly names: InstanceNames
  readonly store: Pick<OpenStore, 'log' | 'health'>
  readonly handlers: Handlers
  readonly limited: LimitCounters
  /** Counts events for metrics; `null` if the option `metrics` is not set. */
  readonly traffic: Traffic | null
  readonly logger: FastifyBaseLogger
}

/** Maximum connects on one connection in a second. A client that reconnects joins all its namespaces at once. */
const connectsPerSecond = ({ inboundPerSecond, namespacesPerConnection }: Limits): number =>
  inboundPerSecond === 0 || namespacesPerConnection === 0 ? 0 : Math.max(inboundPerSecond, namespacesPerConnection)

/** Whether frames are written directly to the sockets. If not, the log says why. */
function isDirect (io: Server, fastPath: boolean, telemetry: Telemetry): boolean {
  const isStock = usesStockParser(io)
  if (fastPath && !isStock) telemetry.fastPathOff('the Socket.IO server has another parser than its own')
  return fastPath && isStock
}

/** The parts of the stats that describe clients. */
export type GatewayStats = Pick<Stats, 'clients' | 'delivery'>

/** The sessions of this node: admits clients, and delivers events to them. */
export class Gateway implements InstanceListener {
  /** The sessions of HTTP clients. */
  readonly streams: Streams
  readonly #io: Server
  readonly #drainMs: number
  readonly #access: Access
  readonly #namespaces: Namespaces
  readonly #quotas: Quotas
  readonly #registry: Registry
  readonly #writer: Writer
  readonly #delivery: Delivery
  readonly #notices: Notices
  readonly #recovery: Recovery
  readonly #offsetNotices: OffsetNotices
  readonly #refusals: Refusals
  readonly #telemetry: Telemetry
  readonly #admission: Admission
  readonly #commands: Commands
  readonly #sessions: Sessions
  readonly #sockets: Sockets
  #closing: Promise<unknown> | null = null

  /**
   * Builds the parts in order: each part gets only parts that exist already.
   *
   * @param own whether this plugin created the server
   */
  constructor (io: Server, own: boolean, parts: Parts) {
    const { settings, access, refused, catalogue, instances, names, store, handlers, limited, traffic, logger } = parts
    const { limits, mode, fastPath, evolution, retention } = settings
    const { log } = store
    this.#io = io
    this.#drainMs = settings.drainMs
    this.#access = access

    // Resources that sessions acquire.
    const telemetry = this.#telemetry = new Telemetry(logger)
    const registry = this.#registry = new Registry()
    const quotas = this.#quotas = new Quotas(limits)
    const subscriptions = new Subscriptions(log)
    const claims = new Claims()
    const namespaces = this.#namespaces = new Namespaces(io, claims)

    // Delivery of events to sessions.
    const history = new HistoryCache({ log, catalogue, instances, subscriptions })
    const direct = isDirect(io, fastPath, telemetry)
    const writer = this.#writer = new Writer(direct, {
      backpressure: new Backpressure(limits), limited, traffic, telemetry
    })
    const notices = this.#notices = new Notices({ mode, instances, telemetry })
    const gaps = new GapNotices(notices)
    const delivery = this.#delivery = new Delivery({ subscriptions, catalogue, writer, gaps, traffic })
    this.#offsetNotices = new OffsetNotices({ log, subscriptions, delivery, notices, retention, logger })
    const recovery = this.#recovery = new Recovery({
      log, history, delivery, notices, instances, queuedBytes: limits.queuedBytes
    })

    // Admission and lifecycle of sessions.
    const refusals = this.#refusals = new Refusals({ refused, limited, telemetry })
    const reauthorization = new Reauthorization({ access, catalogue, delivery, refusals })
    const admission = this.#admission = new Admission({
      mode, evolution, access, refused, catalogue, instances, names, reauthorization, store
    })
    const perSecond = limits.inboundPerSecond
    const commands = this.#commands = new Commands({
      catalogue, delivery, writer, perSecond, evolution, handlers, refusals, limited, telemetry, logger
    })
    const sessions = this.#sessions = new Sessions({
      log, catalogue, instances, evolution, registry, claims, delivery, writer, history, recovery, telemetry, logger
    })

    // The transports that create sessions.
    const services = { registry, quotas, subscriptions, delivery, telemetry } satisfies SessionServices
    const shared = { access, admission, sessions, refusals, writer }
    this.#sockets = new Sockets({
      ...shared,
      io,
      own,
      withRoot: own || mode === 'global',
      services: { ...services, namespaces },
      commands,
      stockResume: new StockResume({ log, clients: settings.stockResume, telemetry }),
      idle: new IdleConnections(limits.idleMs, limited),
      requests: new HandshakeRequests(io, namespaces, settings.handshakeRequest, own),
      limited,
      maxRefusals: limits.namespacesPerConnection,
      perSecond: connectsPerSecond(limits)
    })
    const pages = new Pages(log, catalogue, instances)
    this.streams = new Streams({ ...shared, services, namespaces, pages, stallTimeout: pingTimeout(io) })
  }

  /** The path of the Socket.IO server, such as `/socket.io`. */
  get path (): string {
    return this.#io.path()
  }

  /** Whether the namespace with an instance's name belongs to the application. */
  isHosts (instance: string): boolean {
    return this.#namespaces.isHosts(instance)
  }

  /** @param instance whose clients to list; left out: all */
  clients (instance?: string): ClientInfo[] {
    return this.#sessions.list(instance)
  }

  /** The clients that were refused last, by instance and code: see {@link Refusals.recent}. */
  refusals (): RecentRefusal[] {
    return this.#refusals.recent
  }

  /** The bytes that are queued for clients. */
  queues (): Queues {
    return queuesOf(this.#registry.all())
  }

  stats (): GatewayStats {
    let atRoot = 0
    let inInstances = 0
    for (const { instance } of this.#sessions.open()) {
      if (instance === null) atRoot++
      else inInstances++
    }
    return {
      clients: {
        atRoot,
        inInstances,
        connections: this.#quotas.connections,
        namespaces: this.#namespaces.size,
        admitted: this.#telemetry.admitted,
        refused: this.#refusals.counts,
        received: { handled: this.#commands.handled, dropped: this.#commands.dropped }
      },
      delivery: { ...this.#writer.counters, resumed: this.#notices.resumed, replayed: this.#recovery.replayed }
    }
  }

  async configChanged (instance: string): Promise<void> {
    await this.#sessions.configChanged(instance)
  }

  async instanceRemoved (instance: string): Promise<void> {
    await this.#sessions.instanceRemoved(instance)
  }

  instanceRemovedElsewhere (instance: string): void {
    this.#sessions.instanceRemovedElsewhere(instance)
  }

  /** Disconnects clients. Stock clients do not reconnect by themselves. */
  disconnect (target: DisconnectRequest): void {
    this.#sessions.disconnect(target)
  }

  /** Sends events that were emitted, and ends every connection. The clients reconnect, to this node or another one. */
  async close (): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  async #close (): Promise<void> {
    this.#admission.close()
    this.#delivery.flushAll()
    this.#offsetNotices.close()
    this.#access.close()
    this.#sessions.closePending()
    await Promise.all([this.#sockets.close(this.#drainMs), this.streams.close(this.#drainMs)])
  }
}
