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
  instance: Type.String(),
  set: Type.Boolean({ description: 'Whether it has a config of its own' }),
  enabled: Type.Boolean(),
  events: Type.Array(Type.String(), { description: 'In the spelling MESSAGES_UPSERT' }),
  clients: Type.Integer({ description: 'On this node' }),
  head: Type.String({ description: 'The id of its newest event; empty where nothing is watched' })
})

const skipped = Type.Object({
  reason: Type.String({ description: 'unknown-event, invalid-name, removed' }),
  name: Type.String({ description: 'Of the event for unknown-event, else of the instance' }),
  count: Type.Integer(),
  last: Type.String({ description: 'When the newest of them came' })
})

export const stateSchema = Type.Object({
  mode: Type.Union([Type.Literal('disabled'), Type.Literal('traditional'), Type.Literal('global')]),
  path: Type.Union([Type.String(), Type.Null()], { description: 'Of the Socket.IO server' }),
  routes: Type.Union([Type.String(), Type.Null()], {
    description: 'Prefix of the routes that set an instance; null: there are none'
  }),
  events: Type.Array(Type.String(), { description: 'The catalogue, in dotted names, as far as the key may see it' }),
  root: Type.Object({ clients: Type.Integer(), head: Type.String() }),
  instances: Type.Array(instance),
  more: Type.Boolean({ description: 'Whether there are instances that are not listed' }),
  skipped: Type.Array(skipped, {
    description: 'Webhooks of Evolution that this node has skipped, the newest first; empty for a limited key'
  })
}, { description: 'What the monitor shows beside the stream' })

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
