import { instanceOf } from '../lib/instances.js'
import type { Peer } from './peer.js'

export const clusterPeerNames = ['ours', 'streams', 'pubsub'] as const
export type ClusterPeerName = typeof clusterPeerNames[number]

/** As the tables call them. */
export const clusterPeerTitles: Readonly<Record<ClusterPeerName, string>> = {
  ours: 'fastify-ws-events',
  streams: '@socket.io/redis-streams-adapter',
  pubsub: '@socket.io/redis-adapter'
}

/** One node of several that share a Redis. Its `emit` takes the instances in turn. */
export type StartNode = (options: NodeOptions) => Promise<Peer>

export interface NodeOptions {
  readonly redisPort: number
  /** How many there are. */
  readonly instances: number
}

export const namesOf = ({ instances }: NodeOptions): string[] => Array.from({ length: instances }, (_, index) => instanceOf(index))

/** @returns a function that answers the items one after the other, and again */
export function inTurn<Item> (items: readonly Item[]): () => Item {
  let next = 0
  return () => items[next++ % items.length] as Item
}
