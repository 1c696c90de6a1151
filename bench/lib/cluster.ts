import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientGroup, ClientsApi } from '../clients.js'
import type { NodeApi } from '../node.js'
import type { ClusterPeerName } from '../peers/cluster-peer.js'
import { Child } from './children.js'
import type { BurstResult } from './emission.js'
import { instanceOf } from './instances.js'
import { type OwnRedis, redisCpu } from './own-redis.js'
import { expectLoad } from './pair.js'
import type { Load } from './window.js'

/** Which nodes have clients; `a` is the one that emits. */
export type Place = 'b' | 'both'

/** Two nodes on one Redis, and the clients, each in a process of its own. */
export interface Cluster {
  readonly a: Child<NodeApi>
  readonly b: Child<NodeApi>
  readonly clients: Child<ClientsApi>
  readonly redis: OwnRedis
  /** Emits on A for so many ms, as fast as the clients follow, and sees that each event has arrived once. */
  readonly burst: (load: Load, wallMs: number) => Promise<BurstResult>
}

interface ClusterOptions {
  readonly peer: ClusterPeerName
  readonly instances: number
  /** On each instance and node. */
  readonly clients: number
  readonly place: Place
  /** Every how many clients the time of their events is read; 0: of none. */
  readonly timeEvery: number
}

/** Adapters do not tell when they have subscribed; in ms. */
const UNTIL_SUBSCRIBED = 700

/** Starts nodes on a Redis that is empty, connects the clients, has all of it used, and ends it. */
export async function withCluster<Result> (redis: OwnRedis, { peer, instances, clients: count, place, timeEvery }: ClusterOptions, use: (cluster: Cluster) => Promise<Result>): Promise<Result> {
  await redis.admin.flushall('SYNC')
  const [a, b] = [new Child<NodeApi>('node.ts'), new Child<NodeApi>('node.ts')]
  const clients = new Child<ClientsApi>('clients.ts')
  try {
    const { port, controlPort } = await a.call('start', { peer, instances, redisPort: redis.port })
    const { port: portOfB } = await b.call('start', { peer, instances, redisPort: redis.port })
    const groups = Array.from({ length: instances }, (_, index): ClientGroup => ({ count, namespace: `/${instanceOf(index)},` }))
    for (const each of place === 'both' ? [port, portOfB] : [portOfB]) await clients.call('connect', { port: each, controlPort, groups, timeEvery })
    await sleep(UNTIL_SUBSCRIBED)
    const burst = async (load: Load, wallMs: number): Promise<BurstResult> => {
      await expectLoad({ clients }, load)
      const result = await a.call('burst', { ...load, wallMs })
      const received = await clients.call('received', null)
      if (received !== result.events * load.clients) throw new Error(`${peer}: ${received} of ${result.events * load.clients} deliveries`)
      return result
    }
    return await use({ a, b, clients, redis, burst })
  } finally {
    await Promise.all([a.end(), b.end(), clients.end()])
  }
}

/** CPU in µs. */
export interface Cpu {
  readonly a: number
  readonly b: number
  readonly redis: number
}

/** What CPU something has cost each of them. */
export async function cpuOf<Result> ({ a, b, redis }: Cluster, work: () => Promise<Result>): Promise<{ readonly result: Result, readonly cpu: Cpu }> {
  const look = async (): Promise<Cpu> => ({ a: await a.call('cpu', null), b: await b.call('cpu', null), redis: await redisCpu(redis) })
  const before = await look()
  const result = await work()
  const after = await look()
  return { result, cpu: { a: after.a - before.a, b: after.b - before.b, redis: after.redis - before.redis } }
}
