import type { FastifyBaseLogger } from 'fastify'
import { hashKey } from './access/access.js'
import type { AsyncApiDocument, AsyncApiInfo } from './asyncapi/document.js'
import { describeEvents } from './asyncapi/index.js'
import { Backlog, type Held } from './intake/startup-buffer.js'
import { emitChannel } from './diagnostics/channels.js'
import { errorName, errors, unreadable } from './errors.js'
import type { Catalogue, EventSchema, EventType } from './events/catalogue.js'
import { buildMessage, type MessageParts } from './events/message.js'
import type { Gateway, GatewayStats } from './gateway/index.js'
import type { Handlers } from './gateway/handlers.js'
import { encodeRecord } from './gateway/packet.js'
import { inTime, STORE_PATIENCE } from './host/in-time.js'
import type { Configs } from './instances/configs.js'
import type { Instances } from './instances/instances.js'
import { checkMessageSize, type LimitCounters } from './limits/limits.js'
import type { LogRecord, StreamName } from './log/event-log.js'
import type { Traffic } from './metrics/traffic.js'
import { excerpt, instanceName } from './instances/names.js'
import type { Nodes } from './instances/nodes.js'
import type { Settings } from './options.js'
import { RENAMED, withFormerNames } from './plugin/renamed.js'
import { namespacesOf, type Route, type Router } from './instances/router.js'
import type { OpenStore, StoreHealth } from './stores/store.js'
import type {
  ClientInfo,
  DisconnectTarget,
  EmitOptions,
  EmitResult,
  HandleOptions,
  InstanceConfig,
  InstanceConfigInput,
  Mode,
  SkipReason,
  Stats,
  WsEvents
} from './types.js'

interface Parts {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly configs: Configs
  readonly router: Router
  readonly store: Pick<OpenStore, 'log' | 'health'>
  readonly nodes: Nodes
  readonly handlers: Handlers
  readonly limited: LimitCounters
  /** `null` where nobody asks for metrics. */
  readonly traffic: Traffic | null
  /** `null` in disabled mode. */
  readonly gateway: Gateway | null
  readonly logger: FastifyBaseLogger
}

const NOBODY: GatewayStats = {
  clients: {
    atRoot: 0,
    inInstances: 0,
    connections: 0,
    namespaces: 0,
    admitted: 0,
    refused: {},
    received: { handled: 0, dropped: 0 }
  },
  delivery: { delivered: 0, replayed: 0, resumed: { recovered: 0, gap: 0, fresh: 0 }, slowConsumers: 0 }
}

/** A store that is never away. */
const AVAILABLE: StoreHealth = { available: true, pendingEvents: 0, pendingBytes: 0 }

/** What `fastify.wsEvents` is. */
export class WsEventsService implements WsEvents {
  readonly mode: Mode
  readonly #parts: Parts
  readonly #skipped: Record<SkipReason, number> = {
    disabled: 0,
    'not-set': 0,
    'instance-disabled': 0,
    filtered: 0,
    'host-namespace': 0
  }

  #emits = 0
  #rejections = 0
  #storeFailures = 0
  readonly #backlog: Backlog
  #closing: Promise<void> | null = null

  constructor (parts: Parts) {
    this.mode = parts.settings.mode
    this.#parts = parts
    this.#backlog = new Backlog(parts.settings.limits, !parts.instances.isLoaded, held => this.#send(held))
    parts.instances.whenLoaded(() => { this.#backlog.release() })
  }

  emit (instance: string, event: string, data: unknown, options?: EmitOptions | null): Promise<EmitResult> {
    if (!emitChannel.hasSubscribers) return this.#emitOrReject(instance, event, data, options)
    const trace = { instance: shown(instance), event: shown(event) }
    return harmless(emitChannel.tracePromise(() => this.#emitOrReject(instance, event, data, options), trace))
  }

  #emitOrReject (
    instance: string,
    event: string,
    data: unknown,
    options: EmitOptions | null | undefined
  ): Promise<EmitResult> {
    try {
      const result = this.#emit(instance, event, data, options ?? {})
      return result instanceof Promise ? harmless(result) : Promise.resolve(result)
    } catch (err) {
      return harmless(Promise.reject(this.#rejected(err, instance, event)))
    }
  }

  #emit (instance: string, spelling: string, data: unknown, options: EmitOptions): EmitResult | Promise<EmitResult> {
    const { catalogue, router, store, settings: { serverUrl } } = this.#parts
    this.#checkOpen()
    const name = instanceName(instance)
    const event = catalogue.get(spelling)
    if (this.mode === 'disabled') return this.#accepted(null, event, router.route(name, event))
    if (this.#backlog.isHolding) {
      catalogue.validate(event, data)
      return this.#hold({ name, event, record: this.#encoded({ event, instance: name, data, serverUrl, options }) })
    }
    const route = router.route(name, event)
    catalogue.validate(event, data)
    if (!store.log.wants(route.streams)) return this.#accepted(null, event, route)
    const record = this.#encoded({ event, instance: name, data, serverUrl, options })
    return this.#remember(route, { event, record }, spelling)
  }

  #encoded (parts: MessageParts): LogRecord {
    const { settings: { limits }, limited } = this.#parts
    const record = encodeRecord(buildMessage(parts))
    try {
      checkMessageSize(limits, record)
    } catch (err) {
      limited.countIn(err)
      throw err
    }
    return record
  }

  #hold (held: Held): Promise<EmitResult> {
    try {
      return this.#backlog.hold(held)
    } catch (err) {
      throw this.#storeFailure(err)
    }
  }

  /** Takes an event where it goes that has waited for the configs. */
  #send ({ name, event, record }: Held): EmitResult | Promise<EmitResult> {
    const route = this.#parts.router.route(name, event)
    try {
      return this.#parts.store.log.wants(route.streams)
        ? this.#remember(route, { event, record }, event.name)
        : this.#accepted(null, event, route)
    } catch (err) {
      throw this.#rejected(err, name, event.name)
    }
  }

  /** @param spelling of the event, as whoever emits it wrote it */
  #remember (
    route: Route,
    { event, record }: Pick<Held, 'event' | 'record'>,
    spelling: string
  ): EmitResult | Promise<EmitResult> {
    const id = this.#append(route.streams, record)
    if (typeof id === 'string') return this.#accepted(id, event, route)
    return Promise.resolve(id).then(
      id => this.#accepted(id, event, route),
      (err: unknown) => { throw this.#rejected(this.#storeFailure(err), record.instance, spelling) }
    )
  }

  #append (streams: readonly StreamName[], record: LogRecord): string | Promise<string> {
    try {
      return this.#parts.store.log.append(streams, record)
    } catch (err) {
      throw this.#storeFailure(err)
    }
  }

  #storeFailure (err: unknown): Error {
    this.#storeFailures++
    this.#parts.limited.countIn(err)
    if (errorName(err) !== undefined) return err as Error
    return Object.assign(new errors.STORE_UNAVAILABLE(err instanceof Error ? err.message : String(err)), { cause: err })
  }

  #accepted (id: string | null, event: EventType, route: Route): EmitResult {
    this.#emits++
    this.#parts.traffic?.emitted(event)
    const result: EmitResult = { id, routes: namespacesOf(route) }
    if (route.skipped !== null) {
      this.#skipped[route.skipped]++
      result.skipped = route.skipped
    }
    return result
  }

  /** Counts and logs what an emit is rejected with. */
  #rejected (err: unknown, instance: unknown, event: unknown): Error {
    this.#rejections++
    this.#parts.traffic?.rejected(err)
    this.#parts.logger.error({ err, instance: shown(instance), event: shown(event) }, 'an event was not emitted')
    return err instanceof Error ? err : new Error(String(err))
  }

  async set (instance: string, config: InstanceConfigInput): Promise<InstanceConfig> {
    this.#checkOpen()
    return (await this.#parts.configs.set(instance, config)).config
  }

  async find (instance: string): Promise<InstanceConfig | null> {
    return await this.#parts.configs.find(instance)
  }

  async remove (instance: string): Promise<boolean> {
    this.#checkOpen()
    return await this.#parts.configs.remove(instance)
  }

  list (): AsyncIterable<InstanceConfig> {
    return this.#parts.instances.list()
  }

  clients (target?: { instance?: string | undefined }): ClientInfo[] {
    const { instance } = readTarget(target)
    return this.#parts.gateway?.clients(instance === undefined ? undefined : instanceName(instance)) ?? []
  }

  async disconnect (target: DisconnectTarget): Promise<void> {
    const { instance, apikey } = readTarget(target)
    if (instance === undefined && apikey === undefined) {
      throw new errors.INVALID_DATA('disconnect needs an instance or an apikey: who is to go?')
    }
    if (apikey !== undefined && typeof apikey !== 'string') {
      throw new errors.INVALID_DATA('disconnect takes an apikey that is a text')
    }
    await this.#parts.nodes.disconnect({
      instance: instance === undefined ? undefined : instanceName(instance),
      keyHash: apikey === undefined ? undefined : hashKey(apikey)
    })
  }

  handle<Schema extends EventSchema | undefined = undefined> (event: string, options: HandleOptions<Schema>): void {
    this.#parts.handlers.add(event, options)
  }

  asyncapi (info: Partial<AsyncApiInfo> = {}): AsyncApiDocument {
    const { catalogue, handlers, gateway, settings: { serverUrl } } = this.#parts
    return describeEvents(
      { mode: this.mode, catalogue, handled: handlers.list(), serverUrl, path: gateway?.path ?? '' },
      info
    )
  }

  stats (): Stats {
    const { gateway, store } = this.#parts
    const { clients, delivery } = gateway?.stats() ?? NOBODY
    return withFormerNames('stats()', {
      emit: { accepted: this.#emits, rejected: this.#rejections, skipped: { ...this.#skipped } },
      clients,
      delivery,
      log: store.log.stats(),
      store: { ...this.#health(), failures: this.#storeFailures },
      limits: { ...this.#parts.limited.counts }
    }, RENAMED.stats)
  }

  #health (): Omit<Stats['store'], 'failures'> {
    const { available, pendingEvents, pendingBytes } = this.#parts.store.health?.() ?? AVAILABLE
    return {
      available,
      pendingEvents: pendingEvents + this.#backlog.events,
      pendingBytes: pendingBytes + this.#backlog.bytes
    }
  }

  #checkOpen (): void {
    if (this.#closing !== null) throw new errors.CLOSED()
  }

  /** Sends what was emitted, ends the connections, and takes nothing more. */
  async close (): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  async #close (): Promise<void> {
    const { store, gateway, logger } = this.#parts
    this.#backlog.reject(({ name, event }) => this.#rejected(new errors.CLOSED(), name, event.name))
    try {
      await inTime(store.log.drained(), STORE_PATIENCE)
    } catch (err) {
      logger.warn(
        { err, ...this.#health() },
        'the server is closed before the store has all that was emitted: what still waits is rejected'
      )
    }
    await gateway?.close()
  }
}

/**
 * From JavaScript, anything may come; what is no object has none of the properties that are looked for.
 *
 * @throws INVALID_DATA
 */
function readTarget (target: DisconnectTarget | undefined): DisconnectTarget {
  if (typeof target !== 'object' || target === null) return {}
  try {
    const { instance, apikey } = target
    return { instance, apikey }
  } catch (thrown) {
    throw unreadable('who is meant', thrown)
  }
}

/** What a caller gave as a name. From JavaScript, it may be none. */
const shown = (value: unknown): string => typeof value === 'string' ? excerpt(value) : typeof value

/** A rejection is in the log already. Most callers do not wait for it, and theirs must not end the process. */
function harmless<Result> (promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {})
  return promise
}
