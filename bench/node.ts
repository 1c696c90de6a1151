/** One node of a cluster, told what to do by cluster.ts. */
import { Control } from './lib/control.js'
import { burst, type BurstOptions, cpuMicroseconds, steady, type SteadyOptions } from './lib/emission.js'
import { type Memory, settledMemory } from './lib/memory.js'
import { serve } from './lib/rpc.js'
import { type AppendOptions, StoreUser } from './lib/watching.js'
import { startOurNode } from './peers/cluster-ours.js'
import type { ClusterPeerName, NodeOptions, StartNode } from './peers/cluster-peer.js'
import { startPubSub, startStreams } from './peers/cluster-socketio.js'
import type { Peer } from './peers/peer.js'

const start: Readonly<Record<ClusterPeerName, StartNode>> = {
  ours: startOurNode,
  streams: startStreams,
  pubsub: startPubSub
}

const control = new Control()
let started: Peer | undefined

function peer (): Peer {
  if (started === undefined) throw new Error('no peer was started')
  return started
}

let user: StoreUser | undefined

function storeUser (): StoreUser {
  if (user === undefined) throw new Error('no store was opened')
  return user
}

const api = {
  async start ({ peer, ...options }: NodeOptions & { readonly peer: ClusterPeerName }): Promise<{ port: number, controlPort: number }> {
    await control.listen()
    started = await start[peer](options)
    return { port: started.port, controlPort: control.port }
  },
  burst: async (options: BurstOptions) => await burst(peer(), control, options),
  steady: async (options: SteadyOptions) => await steady(peer(), control, options),
  cpu: (_: null): number => cpuMicroseconds(),
  memory: async (_: null): Promise<Memory> => await settledMemory(),

  openStore: async ({ url }: { readonly url: string }): Promise<void> => { user = await StoreUser.open(url) },
  watch: async ({ streams }: { readonly streams: number }): Promise<number> => await storeUser().watch(streams),
  append: async (options: AppendOptions) => { await storeUser().append(options) },
  heard: (_: null): number => storeUser().heard
}

export type NodeApi = typeof api

serve(api)
