import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Grant } from '../access/access.js'
import { includes } from '../events/event-set.js'
import { NO_QUEUES } from '../gateway/queues.js'
import type { Registered } from '../plugin/registered.js'
import type { ClientInfo, InstanceConfig, WsEvents } from '../types.js'

/** Instances that are listed at once: a page can show no more of use. */
const MOST = 1000
/** Names of skipped webhooks that are listed at once. */
const MOST_SKIPPED = 100
/** Refusals, by instance and code, that are listed at once. */
const MOST_REFUSED = 100
/** Clients of one instance that are listed at once. */
const MOST_CLIENTS = 100

const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

const instance = Type.Object({
  /** Its name. */
  instance: Type.String(),
  /** Whether it has a config of its own. */
  set: Type.Boolean(),
  /** Whether it is served. */
  enabled: Type.Boolean(),
  /** The events that it sends, in the spelling `MESSAGES_UPSERT`. */
  events: Type.Array(Type.String()),
  /** Its clients on this node. */
  clients: Type.Integer(),
  /** The id of its newest event; empty where nothing is watched. */
  head: Type.String(),
  /** Events that this node has emitted for it since the start. */
  emitted: Type.Integer(),
  /** When the newest of them was emitted: ISO 8601, UTC; `null`: none. */
  last: Nullable(Type.String()),
  /** The usual time between two of them, in ms; 0 before the second. */
  interval: Type.Number(),
  /** Of them, those that did not go to its namespace. */
  skipped: Type.Integer(),
  /** Why the newest of these did not, as `emit` says it; `null`: there is none. */
  skipReason: Nullable(Type.String())
})

const skipped = Type.Object({
  /** `unknown-event`, `invalid-name` or `removed`. */
  reason: Type.String(),
  /** Of the event for `unknown-event`, else of the instance. */
  name: Type.String(),
  /** How many there were. */
  count: Type.Integer(),
  /** When the newest of them arrived: ISO 8601, UTC. */
  last: Type.String()
})

const refusal = Type.Object({
  /** What was asked for; `null` is the root. */
  instance: Nullable(Type.String()),
  /** The code without its prefix. */
  code: Type.String(),
  /** How many there were. */
  count: Type.Integer(),
  /** When the newest of them arrived: ISO 8601, UTC. */
  last: Type.String(),
  /** The address of the newest; `null` for a limited key. */
  address: Nullable(Type.String())
})

const client = Type.Object({
  /** Its address; `null` for a limited key. */
  address: Nullable(Type.String()),
  /** When it connected: ISO 8601, UTC. */
  since: Type.String(),
  /** The events that it gets, in dotted names; `null`: all. */
  events: Nullable(Type.Array(Type.String())),
  /** Bytes that wait for it. */
  queuedBytes: Type.Integer()
})

const health = Type.Object({
  /** The name of the store. */
  store: Type.String(),
  /** Events that wait for the store. */
  pendingEvents: Type.Integer(),
  /** Their bytes. */
  pendingBytes: Type.Integer(),
  /** Events that the store has failed to take, since the start. */
  storeFailures: Type.Integer(),
  /** Streams that the log of this node has. */
  streams: Type.Integer(),
  /** Their events. */
  records: Type.Integer(),
  /** The bytes of these. */
  bytes: Type.Integer(),
  /** Connections that carry a client now. */
  connections: Type.Integer(),
  /** Clients that are connected now. */
  clients: Type.Integer(),
  /** Bytes that wait for all clients. */
  queuedBytes: Type.Integer(),
  /** Bytes that wait for the client for which the most waits. */
  queuedMost: Type.Integer(),
  /** Events emitted since the start. */
  emitted: Type.Integer(),
  /** Calls of `emit` that were rejected. */
  rejected: Type.Integer(),
  /** Messages handed to clients' connections, replayed ones too. */
  delivered: Type.Integer(),
  /** Messages replayed to clients that resumed. */
  replayed: Type.Integer(),
  /** Connections ended because too much waited for them. */
  slowConsumers: Type.Integer(),
  /** Clients refused since the start, by the code without its prefix. */
  refused: Type.Record(Type.String(), Type.Integer())
})

export const stateSchema = Type.Object({
  /** How the plugin serves. */
  mode: Type.Union([Type.Literal('disabled'), Type.Literal('traditional'), Type.Literal('global')]),
  /** The path of the Socket.IO server; `null`: there is none. */
  path: Nullable(Type.String()),
  /** The prefix of the routes that set an instance; `null`: there are none. */
  routes: Nullable(Type.String()),
  /** Whether the option `evolution` is on: an instance that is disabled mutes its clients and keeps them. */
  evolution: Type.Boolean(),
  /** The server's clock: ISO 8601, UTC. */
  now: Type.String(),
  /** Whether the store answers. */
  storeAvailable: Type.Boolean(),
  /** What the caller may see. */
  grant: Type.Object({
    /** Whether the request had a key. */
    key: Type.Boolean(),
    /** The instances, by name; `null`: all. */
    instances: Nullable(Type.Array(Type.String())),
    /** Whether it may see every event. */
    allEvents: Type.Boolean()
  }),
  /** The catalogue, in dotted names, as far as the key may see it. */
  events: Type.Array(Type.String()),
  /** The root. */
  root: Type.Object({
    /** Its clients on this node. */
    clients: Type.Integer(),
    /** The id of its newest event; empty where nothing is watched. */
    head: Type.String()
  }),
  /** The instances, by name: what they are set to, their clients, and what this node has emitted for them. */
  instances: Type.Array(instance),
  /** Whether there are instances that are not listed. */
  more: Type.Boolean(),
  /**
   * Webhooks of Evolution that this node has skipped, the newest first, each as `{ reason, name, count, last }`. Empty
   * for a limited key.
   */
  skipped: Type.Array(skipped),
  /** Clients that this node has refused, by instance and code, the newest first. */
  refused: Type.Array(refusal),
  /** The clients of the instance that was asked for; else empty. */
  clients: Type.Array(client),
  /** This node; `null` for a limited key. */
  health: Nullable(health)
})

/**
 * What the route `/state` of the monitor answers.
 *
 * @interface
 */
export type MonitorState = Static<typeof stateSchema>
type Listed = MonitorState['instances'][number]

/**
 * Reads what there is to see.
 *
 * @param only the instance that was asked for; `null`: all that the grant opens
 */
export async function readState (
  fastify: FastifyInstance,
  parts: Registered,
  grant: Grant,
  only: string | null
): Promise<MonitorState> {
  const { settings, catalogue, log, counters, path } = parts
  const { mode } = settings
  const { wsEvents } = fastify
  // A key that is limited to some instances learns nothing of others, and costs no more for their number.
  const names = only === null ? grant.instances : new Set([only])
  // What is of the whole server is shown to who may see all of it.
  const seesAll = grant.instances === null && grant.events === null
  const counts = countsOf(names === null ? wsEvents.clients() : clientsOf(wsEvents, names))
  const headOf = (stream: string | null): string => (counts.get(stream) ?? 0) > 0 ? log.head(stream) : ''
  const { listed, more } = await listOf(fastify, parts, { names, only, counts, headOf })
  const seen = catalogue.events.filter(event => grant.events === null || includes(grant.events, event))
  return {
    mode,
    path,
    routes: settings.routes === null ? null : settings.routes.prefix,
    evolution: settings.evolution,
    now: new Date().toISOString(),
    storeAvailable: wsEvents.stats().store.available,
    grant: {
      key: grant.keyHash !== null,
      instances: names === null ? null : [...names],
      allEvents: grant.events === null
    },
    events: seen.map(({ name }) => name),
    root: names === null
      ? { clients: counts.get(null) ?? 0, head: mode === 'global' ? headOf(null) : '' }
      : { clients: 0, head: '' },
    instances: listed,
    more,
    // What a webhook names is nobody's yet: it is shown to who may see all.
    skipped: names === null && seesAll
      ? counters.skippedNames.slice(0, MOST_SKIPPED).map(each => ({ ...each, last: iso(each.last) }))
      : [],
    refused: refusedOf(parts, names, seesAll),
    clients: only === null ? [] : connectedTo(wsEvents, only, seen.length, seesAll),
    health: names === null && seesAll ? healthOf(wsEvents, parts) : null
  }
}

const iso = (time: number): string => new Date(time).toISOString()

interface Wanted {
  readonly names: ReadonlySet<string> | null
  readonly only: string | null
  readonly counts: ReadonlyMap<string | null, number>
  readonly headOf: (stream: string) => string
}

async function listOf (
  { wsEvents }: FastifyInstance,
  { settings, activity }: Registered,
  { names, only, counts, headOf }: Wanted
): Promise<{ listed: Listed[], more: boolean }> {
  const listed = new Map<string, Listed>()
  const add = ({ instance, enabled, events }: InstanceConfig, set: boolean): void => {
    const { count = 0, last, interval = 0, skipped = 0, skipReason = null } = activity.of(instance) ?? {}
    listed.set(instance, {
      instance,
      set,
      enabled,
      events,
      clients: counts.get(instance) ?? 0,
      head: headOf(instance),
      emitted: count,
      last: last === undefined ? null : iso(last),
      interval: Math.round(interval),
      skipped,
      skipReason
    })
  }
  let more = false
  for await (const config of names === null ? wsEvents.list() : found(wsEvents, names)) {
    more = listed.size >= MOST
    if (more) break
    add(config, true)
  }
  // With defaultConfig, an instance that was never set may have clients.
  for (const name of [...counts.keys(), only]) {
    if (name !== null && !listed.has(name) && listed.size < MOST) add({ instance: name, ...unset(settings) }, false)
  }
  return { listed: [...listed.values()].sort((a, b) => a.instance < b.instance ? -1 : 1), more }
}

/** The recent refusals at the instances of a grant. The gateway keeps at most 1,000 pairs, so the cost is bounded. */
function refusedOf (
  { gateway }: Registered, names: ReadonlySet<string> | null, seesAll: boolean
): MonitorState['refused'] {
  const recent = gateway?.refusals() ?? []
  const own = names === null ? recent : recent.filter(({ instance }) => instance !== null && names.has(instance))
  return own.slice(0, MOST_REFUSED).map(each => ({
    ...each, last: iso(each.last), address: seesAll ? each.address : null
  }))
}

function connectedTo (
  wsEvents: WsEvents, instance: string, all: number, seesAll: boolean
): MonitorState['clients'] {
  return wsEvents.clients({ instance }).slice(0, MOST_CLIENTS).map(({ address, since, events, queuedBytes }) => ({
    address: seesAll ? address : null,
    since: since.toISOString(),
    events: events.length >= all ? null : events,
    queuedBytes
  }))
}

function healthOf (wsEvents: WsEvents, { gateway, settings }: Registered): NonNullable<MonitorState['health']> {
  const { emit, clients, delivery, log, store } = wsEvents.stats()
  const { bytes: queuedBytes, most: queuedMost } = gateway?.queues() ?? NO_QUEUES
  return {
    store: settings.store.name,
    pendingEvents: store.pendingEvents,
    pendingBytes: store.pendingBytes,
    storeFailures: store.failures,
    streams: log.streams,
    records: log.records,
    bytes: log.bytes,
    connections: clients.connections,
    clients: clients.atRoot + clients.inInstances,
    queuedBytes,
    queuedMost,
    emitted: emit.accepted,
    rejected: emit.rejected,
    delivered: delivery.delivered,
    replayed: delivery.replayed,
    slowConsumers: delivery.slowConsumers,
    refused: clients.refused
  }
}

/** Clients by instance; `null` is the root. */
function countsOf (clients: Iterable<ClientInfo>): ReadonlyMap<string | null, number> {
  const counts = new Map<string | null, number>()
  for (const { instance } of clients) counts.set(instance, (counts.get(instance) ?? 0) + 1)
  return counts
}

function * clientsOf (wsEvents: WsEvents, names: ReadonlySet<string>): Generator<ClientInfo> {
  for (const instance of names) yield * wsEvents.clients({ instance })
}

/** The configs of some instances, as far as they have one. */
async function * found (wsEvents: WsEvents, names: ReadonlySet<string>): AsyncGenerator<InstanceConfig> {
  for (const name of names) {
    const config = await wsEvents.find(name)
    if (config !== null) yield config
  }
}

const unset = ({ defaultConfig }: Registered['settings']): Pick<InstanceConfig, 'enabled' | 'events'> =>
  ({ enabled: defaultConfig?.enabled ?? false, events: [...defaultConfig?.events ?? []] })
