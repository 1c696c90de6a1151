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
