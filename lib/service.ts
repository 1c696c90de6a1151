import { hashKey } from './access/access.js'
import type { AsyncApiDocument, AsyncApiInfo } from './asyncapi/document.js'
import { describeEvents } from './asyncapi/index.js'
import type { Configs } from './instances/configs.js'
import type { Emitter } from './intake/emitter.js'
import { errors, unreadable } from './errors.js'
import type { Catalogue, EventSchema } from './events/catalogue.js'
import type { Gateway, GatewayStats } from './gateway/index.js'
import type { Handlers } from './gateway/handlers.js'
import type { Instances } from './instances/instances.js'
import type { IntakeCounters } from './intake/counters.js'
import type { LimitCounters } from './limits/limits.js'
import { instanceName } from './instances/names.js'
import type { Nodes } from './instances/nodes.js'
import type { Settings } from './options.js'
import { RENAMED, withFormerNames } from './plugin/renamed.js'
import type { OpenStore } from './stores/store.js'
import type {
  ClientInfo,
  DisconnectTarget,
  EmitOptions,
  EmitResult,
  HandleOptions,
  InstanceConfig,
  InstanceConfigInput,
  Mode,
  Stats,
  WsEvents
} from './types.js'

interface Parts {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly configs: Configs
  readonly emitter: Emitter
  readonly counters: IntakeCounters
  readonly store: Pick<OpenStore, 'log'>
  readonly nodes: Nodes
  readonly handlers: Handlers
  readonly limited: LimitCounters
  /** `null` in disabled mode. */
  readonly gateway: Gateway | null
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

/** The implementation of `fastify.wsEvents`. */
export class WsEventsService implements WsEvents {
  readonly mode: Mode
  readonly #parts: Parts
  #closing: Promise<void> | null = null

  constructor (parts: Parts) {
    this.mode = parts.settings.mode
    this.#parts = parts
  }

  emit (instance: string, event: string, data: unknown, options?: EmitOptions | null): Promise<EmitResult> {
    return this.#parts.emitter.emit(instance, event, data, options)
  }

  async set (instance: string, config: InstanceConfigInput): Promise<InstanceConfig> {
    this.#parts.emitter.checkOpen()
    return (await this.#parts.configs.set(instance, config)).config
  }

  async find (instance: string): Promise<InstanceConfig | null> {
    return await this.#parts.configs.find(instance)
  }

  async remove (instance: string): Promise<boolean> {
    this.#parts.emitter.checkOpen()
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
      throw new errors.INVALID_DATA('disconnect needs an instance or an apikey')
    }
    if (apikey !== undefined && typeof apikey !== 'string') {
      throw new errors.INVALID_DATA('disconnect: apikey must be a string')
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
    const { gateway, store, emitter, counters } = this.#parts
    const { clients, delivery } = gateway?.stats() ?? NOBODY
    return withFormerNames('stats()', {
      emit: emitter.stats,
      publish: counters.stats,
      clients,
      delivery,
      log: store.log.stats(),
      store: emitter.storeStats,
      limits: { ...this.#parts.limited.counts }
    }, RENAMED.stats)
  }

  /**
   * Stops the service: `emit` rejects from now on, events that were emitted before are sent, and all connections end.
   */
  async close (): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  async #close (): Promise<void> {
    await this.#parts.emitter.close()
    await this.#parts.gateway?.close()
  }
}

/**
 * Validates the target. Callers in JavaScript may pass any value; a value that is not an object has neither property.
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
