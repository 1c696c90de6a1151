import { setTimeout as sleep } from 'node:timers/promises'

/** In bytes. */
export interface Memory {
  /** What JavaScript holds, buffers included, after a garbage collection. */
  readonly held: number
  /** What the operating system counts. */
  readonly rss: number
}

/** The memory of this process after garbage collections, which need `--expose-gc`. */
export async function settledMemory (): Promise<Memory> {
  // Finalizers run after a collection, and what they let go falls to the next one.
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
  // Node reserves three bytes for each character of a text that it writes, which counts as `arrayBuffers` alone.
  return { held: heapUsed + Math.max(external, arrayBuffers), rss }
}
