/** The process of a server that is flooded, told what to do by sections/flood.ts. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Peer } from '../peers/peer.js'
import { Control } from './control.js'
import { cpuMicroseconds, STAMP_DIGITS } from './emission.js'
import { type FloodedName, startFlooded } from './flood-servers.js'
import { type Memory, settledMemory } from './memory.js'
import { payload } from './payload.js'
import { serve } from './rpc.js'

const BYTES = 300

const control = new Control()

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n)

/** Emits at a rate. Each event carries the time at which it was due: a server that is late cannot hide it. */
async function emitAt (peer: Peer, rate: number): Promise<void> {
  const start = microseconds()
  const data = payload(BYTES)
  for (let events = 0; ;) {
    const due = Math.floor((microseconds() - start) / 1e6 * rate)
    for (; events <= due; events++) {
      const stamp = start + Math.floor(events / rate * 1e6)
      void peer.emit({ t: String(stamp).padStart(STAMP_DIGITS, '0'), ...data })
    }
    await sleep(Math.max(1, (start + events / rate * 1e6 - microseconds()) / 1000))
  }
}

const api = {
  async start ({ name, rate }: { readonly name: FloodedName, readonly rate: number }): Promise<{ port: number, controlPort: number }> {
    await control.listen()
    const peer = await startFlooded[name]()
    void emitAt(peer, rate)
    return { port: peer.port, controlPort: control.port }
  },
  cpu: (_: null): number => cpuMicroseconds(),
  memory: async (_: null): Promise<Memory> => await settledMemory()
}

export type FloodServerApi = typeof api

serve(api)
