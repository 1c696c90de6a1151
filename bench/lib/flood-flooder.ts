/** The process of the flood, told what to do by sections/flood.ts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicroseconds } from './emission.js'
import { attempts, type Attempt, type Outcome, outcomes, tryTo } from './flood-attempts.js'
import { serve } from './rpc.js'

export interface Flood {
  /** In s. */
  readonly seconds: number
  /** µs of CPU that this process had for each. */
  readonly cpu: number
  readonly outcomes: Readonly<Record<Outcome, number>>
}

export interface FloodOptions {
  readonly port: number
  readonly count: number
  /** How many are on their way at once, at most. */
  readonly atOnce: number
  /** How many begin in a second. */
  readonly rate: number
  /** Which; left out: all in turn. */
  readonly only?: readonly Attempt[]
}

const api = {
  async flood ({ port, count, atOnce, rate, only = attempts }: FloodOptions): Promise<Flood> {
    const found = Object.fromEntries(outcomes.map(name => [name, 0])) as Record<Outcome, number>
    const start = performance.now()
    const cpuStart = cpuMicroseconds()
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count) {
        const index = next++
        const wait = start + index / rate * 1000 - performance.now()
        if (wait > 0) await sleep(wait)
        found[await tryTo(only[index % only.length] as Attempt, Math.floor(index / only.length), port)]++
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return { seconds: (performance.now() - start) / 1000, cpu: (cpuMicroseconds() - cpuStart) / count, outcomes: found }
  }
}

export type FlooderApi = typeof api

serve(api)
