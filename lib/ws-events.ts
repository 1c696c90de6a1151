import type { FastifyBaseLogger } from 'fastify'
import { errors } from './errors.js'
import type { Catalogue } from './events/catalogue.js'
import { buildMessage } from './events/message.js'
import type { Gateway, GatewayStats } from './gateway/index.js'
import { Packet } from './gateway/packet.js'
import type { Instances } from './instances.js'
import type { Ids } from './log/ids.js'
import { excerpt, instanceName } from './names.js'
import type { Settings } from './options.js'
import { namespacesOf, type Route, type Router } from './router.js'
import type { ClientInfo, DisconnectTarget, EmitOptions, EmitResult, InstanceConfig, InstanceConfigInput, Mode, SkipReason, Stats, WsEvents } from './types.js'

interface Parts {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly instances: Instances
  readonly router: Router
  readonly ids: Ids
  /** `null` in disabled mode. */
  readonly gateway: Gateway | null
  readonly log: FastifyBaseLogger
}

const NOBODY: GatewayStats = { delivered: 0, admitted: 0, refused: {}, dropped: 0, slow: 0, rootClients: 0, instanceClients: 0, connections: 0, namespaces: 0 }

/** What `fastify.wsEvents` is. */
export class WsEventsService implements WsEvents {
  readonly mode: Mode
  readonly #parts: Parts
  readonly #skipped: Record<SkipReason, number> = { disabled: 0, 'not-set': 0, 'instance-disabled': 0, filtered: 0, 'host-namespace': 0 }
  #emitted = 0
  #rejected = 0
  #closed = false

  constructor (parts: Parts) {
    this.mode = parts.settings.mode
    this.#parts = parts
  }

  emit (instance: string, event: string, data: unknown, options?: EmitOptions | null): Promise<EmitResult> {
    try {
      return Promise.resolve(this.#emit(instance, event, data, options ?? {}))
    } catch (err) {
      return this.#reject(err, instance, event)
    }
  }

  #emit (instance: string, spelling: string, data: unknown, options: EmitOptions): EmitResult {
    const { catalogue, router, gateway, ids, settings } = this.#parts
    this.#checkOpen()
    const name = instanceName(instance)
    const event = catalogue.get(spelling)
    const route = router.route(name, event)
    if (gateway === null) return this.#accepted(null, route, name)
    catalogue.validate(event, data)
    const channels = gateway.listening(route, name, event)
    if (channels.length === 0) return this.#accepted(null, route, name)
    const id = ids.next()
    const packet = new Packet(buildMessage({ id, event, instance: name, data, serverUrl: settings.serverUrl, options }))
    gateway.publish(channels, { event, instance: name, packet })
    return this.#accepted(id, route, name)
  }

  #accepted (id: string | null, route: Route, name: string): EmitResult {
    this.#emitted++
    const result: EmitResult = { id, routes: namespacesOf(route, name) }
    if (route.instance !== 'served') {
      this.#skipped[route.instance]++
      result.skipped = route.instance
    }
    return result
  }

  #reject (err: unknown, instance: unknown, event: unknown): Promise<never> {
    this.#rejected++
    const shown = (value: unknown) => typeof value === 'string' ? excerpt(value) : typeof value
    this.#parts.log.error({ err, instance: shown(instance), event: shown(event) }, 'an event was not emitted')
    const rejected = Promise.reject(err instanceof Error ? err : new Error(String(err)))
    // The rejection is in the log already. Most callers do not await, and theirs must not end the process.
    rejected.catch(() => {})
    return rejected
  }

  async set (instance: string, config: InstanceConfigInput): Promise<InstanceConfig> {
    this.#checkOpen()
    return (await this.#parts.instances.set(instance, config)).config
  }

  async find (instance: string): Promise<InstanceConfig | null> {
    return await this.#parts.instances.find(instance)
  }

  async remove (instance: string): Promise<boolean> {
    this.#checkOpen()
    return await this.#parts.instances.remove(instance)
  }

  list (): AsyncIterable<InstanceConfig> {
    return this.#parts.instances.list()
  }

  clients ({ instance }: { instance?: string | undefined } = {}): ClientInfo[] {
    return this.#parts.gateway?.clients(instance === undefined ? undefined : instanceName(instance)) ?? []
  }

  async disconnect (target: DisconnectTarget): Promise<void> {
    this.#parts.gateway?.disconnect(target)
  }

  stats (): Stats {
    const { gateway } = this.#parts
    return { emitted: this.#emitted, rejected: this.#rejected, skipped: { ...this.#skipped }, ...gateway?.stats() ?? NOBODY }
  }

  #checkOpen (): void {
    if (this.#closed) throw new errors.CLOSED()
  }

  /** Sends what was emitted, ends the connections, and takes nothing more. */
  async close (): Promise<void> {
    this.#closed = true
    await this.#parts.gateway?.close()
  }
}
