import { setTimeout as sleep } from 'node:timers/promises'
import type { WsEventsOptions } from '../../../lib/index.js'
import type { RedisServer } from '../../helpers/redis.js'
import type { Scope } from '../../helpers/server.js'
import { type Roamer, RoamingClient, RoamingStockClient } from './client.js'
import { Draw } from './draw.js'
import { type Battlefield, rage, type Tally } from './faults.js'
import { Fleet } from './fleet.js'
import { describeLosses, type Faults, instanceOf, judgeAll, truthOf } from './verdict.js'

interface Plan {
  readonly seed: number
  readonly nodes: number
  readonly clients: number
  /** How many of the clients are at the root. */
  readonly roots: number
  /** Whether they are stock clients that keep nothing; left out: the client of this package. */
  readonly stock?: true
  readonly instances: number
  /** Events a second, of all nodes together. */
  readonly rate: number
  readonly seconds: number
  /** Redis is paused for so long, in ms. */
  readonly pause: number
}

export interface Outcome {
  readonly tally: Tally
  /** Whether every client had its newest event in time: after the last fault, and after one more event for each instance. */
  readonly arrivals: boolean[]
  readonly faults: Faults
  /** What is known of the events that were lost. */
  readonly losses: string[]
  /** Events whose `emit` has resolved. */
  readonly resolved: number
  /** Others that were received all the same: the node was killed before it could tell. */
  readonly untold: number
  readonly deliveries: number
  /** How often a client came back. */
  readonly returns: number
  /** Events that came once more, because a stock client had received them when its connection broke. */
  readonly repeated: number
  /** Codes that an `emit` was rejected with. */
  readonly rejected: string[]
  readonly surprises: string[]
}

/** What has not arrived by then is lost, in ms. */
const PATIENCE = 30_000

/** The newest event that a client must have. */
function newestOf ({ instance }: Roamer, fleet: Fleet, instances: number): string {
  return fleet.resolved.reduce((newest, [number, id]) => (instance === null || instanceOf(number, instances) === instance) && id > newest ? id : newest, '')
}

/**
 * Waits until every client has the newest of its events, and no longer than for one that is lost.
 *
 * @returns whether every client has it
 */
async function arrival (clients: readonly Roamer[], fleet: Fleet, instances: number): Promise<boolean> {
  const waiting = new AbortController()
  const arrived = Promise.all(clients.map(async client => {
    const newest = newestOf(client, fleet, instances)
    await client.until(() => (client.ids.at(-1) ?? '') >= newest)
  })).then(() => true)
  const lost = sleep(PATIENCE, false, { signal: waiting.signal }).catch(() => false)
  const isComplete = await Promise.race([arrived, lost])
  waiting.abort()
  return isComplete
}

/** Emits on all nodes while nodes, Redis and connections come and go, and tells what the clients have seen. */
export async function runChaos (t: Scope, redis: RedisServer, options: WsEventsOptions, plan: Plan): Promise<Outcome> {
  const { instances, seconds, pause } = plan
  const draw = new Draw(plan.seed)
  const fleet = await Fleet.start(t, plan.nodes, options)
  const names = Array.from({ length: instances }, (empty, at) => instanceOf(at, instances))
  await fleet.set(names)
  const Client = plan.stock === true ? RoamingStockClient : RoamingClient
  const clients: readonly Roamer[] = Array.from({ length: plan.clients }, (empty, at) => new Client({
    urls: fleet.urls,
    instance: at < plan.roots ? null : instanceOf(at, instances),
    draw: draw.branch()
  }))
  t.teardown(() => { for (const client of clients) client.close() })
  await Promise.all(clients.map(async client => { await client.until(() => client.readies.length > 0) }))
  await fleet.emit(plan.rate, instances)
  const field: Battlefield = { fleet, redis, clients, pause, until: performance.now() + seconds * 1000 }
  const tally = await rage(field, draw)
  await fleet.stop()
  const arrivals = [await arrival(clients, fleet, instances)]
  // What came too often, or was never told, would have come before these.
  await fleet.last()
  arrivals.push(await arrival(clients, fleet, instances))
  const truth = truthOf(fleet.resolved, clients)
  return {
    tally,
    arrivals,
    faults: judgeAll(clients, truth, instances),
    losses: describeLosses(clients, truth, new Set(fleet.resolved.map(([number]) => number)), instances),
    resolved: fleet.resolved.length,
    untold: truth.size - fleet.resolved.length,
    deliveries: clients.reduce((sum, { ids }) => sum + ids.length, 0),
    returns: clients.reduce((sum, { readies }) => sum + readies.length - 1, 0),
    repeated: clients.reduce((sum, { repeated }) => sum + repeated, 0),
    rejected: fleet.rejected.map(([, code]) => code),
    surprises: clients.flatMap(client => client.surprises)
  }
}
