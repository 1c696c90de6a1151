import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
export const collectGarbage = runInNewContext('gc') as () => void

function held (): number {
  collectGarbage()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  // Node reserves three bytes for each character of a text that it writes, which counts as `arrayBuffers` alone.
  return heapUsed + Math.max(external, arrayBuffers)
}

const SETTLED = 512 * 1024

/** Bytes that something in this process still refers to, when no more of them are released by themselves. */
export async function heldBytes (): Promise<number> {
  let before = Infinity
  let now = held()
  while (before - now > SETTLED) {
    // What a collection finds may release more in the next turn of the event loop.
    for (let turns = 0; turns < 10; turns++) await setImmediate()
    before = now
    now = held()
  }
  return now
}
