/**
 * The plugin, its errors and its types. It decorates `fastify.wsEvents`, a {@link WsEvents}. `Type`, `Static` and
 * `TSchema` are exported too: they are those of `@sinclair/typebox`.
 *
 * @module fastify-ws-events
 */
import { Type } from '@sinclair/typebox'
import type { FastifyBaseLogger, FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { Access } from './access/access.js'
import { evolutionKeys } from './access/evolution-keys.js'
import { ConfigFollower } from './instances/config-follower.js'
import { Configs } from './instances/configs.js'
import { Emitter } from './intake/emitter.js'
import { errors } from './errors.js'
import { Catalogue } from './events/catalogue.js'
import { evolutionEvents } from './events/evolution.js'
import { Handlers } from './gateway/handlers.js'
import { Gateway } from './gateway/index.js'
import { NO_QUEUES } from './gateway/queues.js'
import {
  addDisabledRoute, addEngineRoute, addUpgrades, openServer, type OpenServer, watchTooLarge
} from './gateway/socketio/server.js'
import { inTime, START_TIMEOUT, TimedOut } from './host/in-time.js'
import { InstanceNames } from './limits/instance-names.js'
import { Instances } from './instances/instances.js'
import { Activity } from './intake/activity.js'
import { IntakeCounters } from './intake/counters.js'
import { EvolutionIntake } from './intake/evolution.js'
import { Intake } from './intake/index.js'
import { LimitCounters } from './limits/limits.js'
import type { EventLog, StreamName } from './log/event-log.js'
import { Metrics } from './metrics/index.js'
import { Nodes } from './instances/nodes.js'
import { MAX_BODIES, readSettings, type Settings } from './options.js'
import { PublishRate } from './limits/publish-rate.js'
import { RefusedAddresses } from './limits/refused-addresses.js'
import { remember } from './plugin/registered.js'
import { Router } from './instances/router.js'
import { Bodies } from './routes/bodies.js'
import type { Guard } from './routes/caller.js'
import { addEventsRoutes } from './routes/events.js'
import { addEvolutionRoutes } from './routes/evolution.js'
import { addInstanceRoutes } from './routes/instance.js'
import { withoutQuery } from './routes/log.js'
import { addPublishRoute, type PublishParts } from './routes/publish.js'
import { RefusedPublishers } from './routes/refused-publishers.js'
import { routeSchemas } from './routes/schemas.js'
import { addWebhookRoutes } from './routes/webhooks.js'
import { Shutdown } from './plugin/shutdown.js'
import { HostConfigStore } from './stores/host-configs.js'
import type { OpenStore } from './stores/store.js'
import type { WsEventsOptions } from './types.js'
import { WsEventsService } from './service.js'

const plugin: FastifyPluginAsync<WsEventsOptions> = async (fastify, options) => {
  const settings = readSettings(options as Readonly<Record<string, unknown>>)
  claim(fastify)
  const logger = fastify.log.child({ plugin: 'fastify-ws-events' })
  for (const { variable, option } of settings.unread) {
    logger.info(`the environment variable ${variable} is not read: set the option ${option}, or evolution: true`)
  }
  const catalogue = new Catalogue(settings.events)
  checkDefault(settings, catalogue)
  const metrics = settings.metrics === null ? null : await Metrics.load(settings.metrics.registry, catalogue)
  const store = await openStore(fastify, settings, logger)
  try {
    await serve(fastify, options, { settings, catalogue, store, metrics, logger })
  } catch (error) {
    // Close the store here: `onClose` does not run for a failed registration, and a retry must be able to open it
    // again.
    await store.close()
    throw error
  }
}

interface Parts {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly store: OpenStore
  readonly metrics: Metrics | null
  readonly logger: FastifyBaseLogger
}

async function serve (
  fastify: FastifyInstance,
  options: WsEventsOptions,
  { settings, catalogue, store, metrics, logger }: Parts
): Promise<void> {
  const { log, peers } = store
  const traffic = metrics?.traffic ?? null
  const access = new Access(settings, catalogue, logger)
  const instances = new Instances(catalogue, store.configs, log, settings.defaultConfig)
  const names = new InstanceNames(settings.limits.instances, instances, log)
  await loadConfigs(settings, store, instances, logger)

  const handlers = new Handlers(logger)
  const limited = new LimitCounters()
  const refused = new RefusedAddresses(settings.limits.refusalsPerMinute)
  const guard: Guard = { access, refused, limited }
  const shutdown = new Shutdown()
  const server = await openGatewayServer(fastify, settings, options.cors !== undefined, shutdown)
  const gateway = server === null
    ? null
    : new Gateway(server.io, server.own, {
      settings, access, refused, catalogue, instances, names, store, handlers, limited, traffic, logger
    })
  if (gateway !== null) instances.follow(gateway)
  if (server !== null) serveEngine(fastify, server, limited, logger)

  const router = new Router(settings.mode, instances, gateway)
  const nodes = new Nodes({ peers, gateway, logger })
  const configs = new Configs({ instances, names, limited, gateway, instanceExists: settings.instanceExists })
  const activity = new Activity()
  const emitter = new Emitter({
    settings, catalogue, instances, router, names, store, limited, traffic, activity, logger
  })
  const counters = new IntakeCounters()
  const service = new WsEventsService({
    settings, catalogue, instances, configs, emitter, counters, store, nodes, handlers, limited, gateway
  })
  shutdown.add(async () => { await service.close() })
  fastify.decorate('wsEvents', service)
  remember(fastify, { settings, guard, catalogue, log, counters, activity, gateway, path: gateway?.path ?? null })
  await addRoutes(fastify, settings, { guard, catalogue, configs, gateway, emitter, counters, logger })
  if (metrics !== null) addMetrics(fastify, metrics, service, gateway)
}

/** Reads the configs from the store, and follows changes that other nodes make. */
async function loadConfigs (
  settings: Settings,
  store: OpenStore,
  instances: Instances,
  logger: FastifyBaseLogger
): Promise<void> {
  const follower = new ConfigFollower({ instances, configs: store.configs, logger })
  await opening(settings.configs === null ? settings.store.name : 'of the option configs', async () => {
    await follower.start()
  })
  if (settings.mode === 'traditional') {
    await opening(settings.store.name, async () => { await breakOffRoot(store, instances.isLoaded, logger) })
  }
}

/** @returns the server; `null` in disabled mode */
async function openGatewayServer (
  fastify: FastifyInstance,
  settings: Settings,
  corsGiven: boolean,
  shutdown: Shutdown
): Promise<OpenServer | null> {
  const close = async () => { await shutdown.run() }
  if (settings.mode !== 'disabled') return await openServer(fastify, settings, corsGiven, close)
  addDisabledRoute(fastify, settings.socketio)
  fastify.addHook('preClose', close)
  return null
}

function serveEngine (
  fastify: FastifyInstance,
  { io, own }: OpenServer,
  limited: LimitCounters,
  logger: FastifyBaseLogger
): void {
  addEngineRoute(fastify, io.path())
  if (own) watchTooLarge(fastify, io, () => { limited.count('inboundBytes') })
  addUpgrades(fastify, io, own, logger)
}

/** Runs last, so that a failed registration leaves no metrics in the application's registry. */
function addMetrics (
  fastify: FastifyInstance,
  metrics: Metrics,
  service: WsEventsService,
  gateway: Gateway | null
): void {
  metrics.register(() => ({ stats: service.stats(), queues: gateway?.queues() ?? NO_QUEUES }))
  fastify.addHook('onClose', () => { metrics.close() })
}

/** Opens the store of events and configs. It is closed with the server. */
async function openStore (
  fastify: FastifyInstance,
  { store, retention, configs, limits: { pendingEvents, pendingBytes } }: Settings,
  logger: FastifyBaseLogger
): Promise<OpenStore> {
  const open = await store.open({ retention, limits: { pendingEvents, pendingBytes }, logger })
  let closed: Promise<void> | undefined
  const close = async () => { await (closed ??= open.close()) }
  // `onClose` runs after the routes have sent their answers, which need the store.
  fastify.addHook('onClose', close)
  if (store.name === 'memory:') {
    logger.info(
      `events${configs === null ? ' and configs' : ''} are kept in memory, and end with the process: the option store (WEBSOCKET_STORE) keeps them`
    )
  }
  return {
    log: open.log,
    configs: configs === null ? open.configs : new HostConfigStore(configs),
    peers: open.peers,
    ...(open.health !== undefined && { health: open.health.bind(open) }),
    close
  }
}

/**
 * Makes a gap in the root's history. If the store is unavailable, this happens when it is available again.
 *
 * @param isThere whether the store has answered
 */
async function breakOffRoot (store: OpenStore, isThere: boolean, logger: FastifyBaseLogger): Promise<void> {
  const broken = breakOff(store.log, null)
  const failed = (err: unknown) => {
    logger.error(
      { err },
      'the gap in the history of the root could not be stored: back in global mode, clients may miss events without a notice'
    )
  }
  if (!isThere || store.health?.().available === false) {
    broken.catch(failed)
    return
  }
  try {
    await inTime(broken, START_TIMEOUT)
  } catch (err) {
    if (err instanceof TimedOut) broken.catch(failed)
    // The store has become unavailable meanwhile.
    else if (store.health?.().available === false && err instanceof errors.STORE_UNAVAILABLE) failed(err)
    else throw err
  }
}

/**
 * Makes everything that is in a stream now unrecoverable, so that a client which resumes there gets a gap. In
 * traditional mode the root's events are not stored, so after a return to global mode its older history would look
 * complete without being so.
 */
async function breakOff (log: EventLog, stream: StreamName): Promise<void> {
  if (!log.wants([stream])) return
  // Removing this event at once leaves the gap. Should the process end before that, clients ignore events named `ws.…`.
  await log.append([stream], { instance: '', event: 'ws.gap', rest: Buffer.from('}'), attachments: [] })
  await log.remove(stream)
}

/** @throws STORE_OPEN when a step of opening the store fails */
async function opening (store: string, use: () => Promise<void>): Promise<void> {
  try {
    await use()
  } catch (error) {
    // An error of the application's own function has the clearest message.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error as Error
    throw Object.assign(new errors.STORE_OPEN(store, cause.message), { cause: error })
  }
}

function checkDefault ({ defaultConfig }: Settings, catalogue: Catalogue): void {
  const unknown = defaultConfig?.events?.find(name => catalogue.find(name) === undefined)
  if (unknown !== undefined) {
    throw new errors.INVALID_OPTION(`option "defaultConfig.events": ${catalogue.unknown(unknown).message}`)
  }
}

const CLAIMED = Symbol.for('fastify-ws-events.registered')

/**
 * Marks the HTTP server, which all contexts of an application share, as registered. @throws DUPLICATE if it is already
 */
function claim ({ server }: FastifyInstance): void {
  if (Object.hasOwn(server, CLAIMED)) throw new errors.DUPLICATE()
  Object.defineProperty(server, CLAIMED, { value: true })
}

interface RouteNeeds {
  readonly guard: Guard
  readonly catalogue: Catalogue
  readonly configs: Configs
  /** `null` in disabled mode. */
  readonly gateway: Gateway | null
  readonly emitter: Emitter
  readonly counters: IntakeCounters
  readonly logger: FastifyBaseLogger
}

async function addRoutes (
  fastify: FastifyInstance,
  settings: Settings,
  needs: RouteNeeds
): Promise<void> {
  const { mode, routes, evolution } = settings
  const { guard, catalogue, configs, gateway } = needs
  if (routes === null) return
  const parts = {
    prefix: routes.prefix,
    guard,
    schemas: routeSchemas(catalogue),
    configs,
    logSerializers: withoutQuery(fastify.log)
  }
  addInstanceRoutes(fastify, parts)
  addEventsRoutes(fastify, { ...parts, streams: gateway?.streams, hasRoot: mode === 'global' })
  if (evolution) addEvolutionRoutes(fastify, { ...parts, catalogue })
  if (routes.publish !== null) await addPublishing(fastify, settings, needs, { ...parts, ...routes.publish })
}

/** Adds the routes for publishing. */
async function addPublishing (
  fastify: FastifyInstance,
  { evolution, timeZone, limits }: Settings,
  { catalogue, configs, emitter, counters, logger }: RouteNeeds,
  parts: Pick<PublishParts, 'prefix' | 'guard' | 'schemas' | 'logSerializers' | 'bodyLimit'>
): Promise<void> {
  const common = {
    ...parts,
    rate: new PublishRate(limits.publishPerSecond),
    refusals: new RefusedPublishers(logger),
    bodies: new Bodies(MAX_BODIES)
  }
  await addPublishRoute(fastify, { ...common, intake: new Intake(emitter, counters) })
  if (!evolution) return
  if (!emitter.keepsKeys) {
    logger.warn('the store keeps no idempotency keys: a webhook that Evolution repeats is emitted again')
  }
  const intake = new EvolutionIntake({ emitter, catalogue, configs, timeZone, counters, logger })
  await addWebhookRoutes(fastify, { ...common, intake, logger })
}

/**
 * Streams an application's events to Socket.IO clients. Register it once, on the root instance; it decorates
 * `fastify.wsEvents`.
 */
const wsEvents = fp(plugin, { fastify: '5.x', name: 'fastify-ws-events' })

export default wsEvents
export { wsEvents, evolutionEvents, evolutionKeys, errors, Type }
export type { Static, TSchema } from '@sinclair/typebox'
export type { EvolutionKeysOptions } from './access/evolution-keys.js'
export type {
  AsyncApiChannel,
  AsyncApiDocument,
  AsyncApiInfo,
  AsyncApiMessage,
  AsyncApiOperation,
  AsyncApiReference,
  AsyncApiServer,
  JsonSchema
} from './asyncapi/document.js'
export type { DiagnosticsMessages, EmitTrace } from './diagnostics/messages.js'
export type { EventDefinitions, EventSchema } from './events/catalogue.js'
export type { SchemaData, TypeBoxSchema } from './events/schema-type.js'
export type { CodedError, ErrorName } from './errors.js'
export type { ClientSocket, SocketIOOption } from './gateway/socketio/option.js'
export type { LogStats, Retention } from './log/event-log.js'
export type { HostConfigs, Store, StoredConfig } from './stores/store.js'
export type * from './types.js'

/**
 * The result of `require`: the plugin, with all other exports as its properties, like Fastify's own plugins.
 *
 * @hidden
 */
const cjs = Object.assign(wsEvents, { default: wsEvents, wsEvents, evolutionEvents, evolutionKeys, errors, Type })
export { cjs as 'module.exports' }
