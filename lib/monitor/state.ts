import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Grant } from '../access/access.js'
import { includes } from '../events/event-set.js'
import type { Registered } from '../plugin/registered.js'
import type { ClientInfo, InstanceConfig, WsEvents } from '../types.js'

/** Instances that are listed at once: a page can show no more of use. */
const MOST = 1000
/** Names of skipped webhooks that are listed at once. */
const MOST_SKIPPED = 100

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
  head: Type.String()
})

const skipped = Type.Object({
  /** `unknown-event`, `invalid-name` or `removed`. */
  reason: Type.String(),
  /** Of the event for `unknown-event`, else of the instance. */
  name: Type.String(),
  /** How many there were. */
  count: Type.Integer(),
  /** When the newest of them came: ISO 8601, UTC. */
  last: Type.String()
})

export const stateSchema = Type.Object({
  /** How the plugin serves. */
  mode: Type.Union([Type.Literal('disabled'), Type.Literal('traditional'), Type.Literal('global')]),
  /** The path of the Socket.IO server; `null`: there is none. */
  path: Type.Union([Type.String(), Type.Null()]),
  /** The prefix of the routes that set an instance; `null`: there are none. */
  routes: Type.Union([Type.String(), Type.Null()]),
  /** The catalogue, in dotted names, as far as the key may see it. */
  events: Type.Array(Type.String()),
  /** The root. */
  root: Type.Object({
    /** Its clients on this node. */
    clients: Type.Integer(),
    /** The id of its newest event; empty where nothing is watched. */
    head: Type.String()
  }),
  /** The instances, by name, each as `{ instance, set, enabled, events, clients, head }`. */
  instances: Type.Array(instance),
  /** Whether there are instances that are not listed. */
  more: Type.Boolean(),
  /**
   * Webhooks of Evolution that this node has skipped, the newest first, each as `{ reason, name, count, last }`. Empty
   * for a limited key.
   */
  skipped: Type.Array(skipped)
})

/**
 * What the route `/state` of the monitor answers.
 *
 * @interface
 */
export type MonitorState = Static<typeof stateSchema>
type Listed = Static<typeof instance>

/**
 * Reads what there is to see.
 *
 * @param only the instance that was asked for; `null`: all that the grant opens
 */
export async function readState (
  fastify: FastifyInstance,
  { settings, catalogue, log, counters, path }: Registered,
  grant: Grant,
  only: string | null
): Promise<MonitorState> {
  const { mode } = settings
  const { wsEvents } = fastify
  // A key that is limited to some instances learns nothing of others, and costs no more for their number.
  const names = only === null ? grant.instances : new Set([only])
  const counts = countsOf(names === null ? wsEvents.clients() : clientsOf(wsEvents, names))
  const headOf = (stream: string | null): string => (counts.get(stream) ?? 0) > 0 ? log.head(stream) : ''
  const listed = new Map<string, Listed>()
  const add = ({ instance, enabled, events }: InstanceConfig, set: boolean): void => {
    listed.set(instance, { instance, set, enabled, events, clients: counts.get(instance) ?? 0, head: headOf(instance) })
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
  const seen = catalogue.events.filter(event => grant.events === null || includes(grant.events, event))
  return {
    mode,
    path,
    routes: settings.routes === null ? null : settings.routes.prefix,
    events: seen.map(({ name }) => name),
    root: names === null
      ? { clients: counts.get(null) ?? 0, head: mode === 'global' ? headOf(null) : '' }
      : { clients: 0, head: '' },
    instances: [...listed.values()].sort((a, b) => a.instance < b.instance ? -1 : 1),
    more,
    // What a webhook names is nobody's yet: it is shown to who may see all.
    skipped: names === null && grant.events === null
      ? counters.skippedNames.slice(0, MOST_SKIPPED).map(each => ({ ...each, last: new Date(each.last).toISOString() }))
      : []
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
