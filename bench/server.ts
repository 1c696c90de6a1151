/** The server's process: one peer, told what to do by run.ts. */
import { Control } from './lib/control.js'
import { burst, type BurstOptions, cpuMicroseconds, steady, type SteadyOptions } from './lib/emission.js'
import { emptyEmit, type EmptyEmitOptions } from './lib/empty-emit.js'
import { type EmitToEach, emitToEach } from './lib/instances.js'
import { awaitedEmit, type AwaitedOptions, type Cost, emitCost, type EmitCostOptions } from './lib/log-emission.js'
import { fill, type FillOptions, type Past, readPast, type ReadOptions } from './lib/log-past.js'
import { type Memory, settledMemory } from './lib/memory.js'
import { retainedBy } from './lib/retained.js'
import { serve } from './lib/rpc.js'
import { startEvolution } from './peers/evolution.js'
import { type OurPeer, startOurs } from './peers/ours.js'
import type { Peer, PeerName, PeerOptions } from './peers/peer.js'
import { startSocketIO } from './peers/socketio.js'
import { startWs } from './peers/ws.js'

const start: Readonly<Record<PeerName, (options: PeerOptions) => Promise<Peer>>> = {
  socketio: startSocketIO,
  evolution: startEvolution,
  ws: startWs,
  ours: startOurs
}

const control = new Control()
let started: Peer | undefined

function peer (): Peer {
  if (started === undefined) throw new Error('no peer was started')
  return started
}

const ours = (): OurPeer => peer() as OurPeer

const api = {
  async start ({ peer, ...options }: PeerOptions & { readonly peer: PeerName }): Promise<{ port: number, controlPort: number }> {
    await control.listen()
    started = await start[peer](options)
    return { port: started.port, controlPort: control.port }
  },
  burst: async (options: BurstOptions) => await burst(peer(), control, options),
  steady: async (options: SteadyOptions) => await steady(peer(), control, options),
  emptyEmit: async (options: EmptyEmitOptions) => await emptyEmit(peer(), options),
  emitToEach: async (options: EmitToEach) => { await emitToEach(ours().wsEvents, options) },
  emitCost: async (options: EmitCostOptions): Promise<Cost> => await emitCost(ours(), options),
  awaitedEmit: async (options: AwaitedOptions) => await awaitedEmit(ours(), options),
  fill: async (options: FillOptions): Promise<Past> => await fill(ours(), options),
  readPast: async (options: ReadOptions): Promise<Cost> => await readPast(ours(), options),
  scrapeCost: async ({ scrapes }: { readonly scrapes: number }): Promise<{ cpu: number, bytes: number }> => {
    const before = cpuMicroseconds()
    let bytes = 0
    for (let i = 0; i < scrapes; i++) bytes = (await ours().scrape()).length
    return { cpu: (cpuMicroseconds() - before) / scrapes, bytes }
  },
  cpu: (_: null): number => cpuMicroseconds(),
  connections: (_: null): number => peer().connections(),
  memory: async (_: null): Promise<Memory> => await settledMemory(),
  retained: async (name: string): Promise<number> => await retainedBy(name)
}

export type ServerApi = typeof api

serve(api)
