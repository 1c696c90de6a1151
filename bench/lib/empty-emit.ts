import { setImmediate as nextTick } from 'node:timers/promises'
import type { Peer } from '../peers/peer.js'
import { cpuMicroseconds } from './emission.js'
import { payloads } from './payload.js'

export interface EmptyEmitOptions {
  readonly bytes: number
  readonly awaited: boolean
  /** How much CPU to spend, in ms. */
  readonly cpuMs: number
}

/** What is emitted between two looks at the clock takes about so long, in µs. */
const TURN = 5000

/** Emits with nobody there. @returns µs of CPU for each */
export async function emptyEmit (peer: Peer, { bytes, awaited, cpuMs }: EmptyEmitOptions): Promise<number> {
  const pool = payloads(bytes)
  const measure = async (ms: number, inTurn: number): Promise<number> => {
    const start = cpuMicroseconds()
    let events = 0
    let spent = 0
    while (spent < ms * 1000) {
      for (let i = 0; i < inTurn; i++) {
        const emitted = peer.emit(pool[events++ & 15] as object)
        if (awaited) await emitted
      }
      await nextTick()
      spent = cpuMicroseconds() - start
    }
    return spent / events
  }
  const rough = await measure(cpuMs / 4, 10)
  const inTurn = Math.ceil(TURN / rough)
  await measure(cpuMs / 4, inTurn)
  return await measure(cpuMs, inTurn)
}
