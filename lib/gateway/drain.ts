import { setTimeout as after } from 'node:timers/promises'

/** Below this a timer is late by as much as it waits, in ms. */
const SHORTEST = 1

/**
 * Ends connections spread evenly over a time, the first at once, so that their clients do not all come back to the next
 * node in the same moment. Resolves when each has ended.
 *
 * @param ms the time in which the last one begins to end; 0: all at once
 * @param end ends one; resolves when it has ended
 */
export async function drain<Connection> (
  connections: readonly Connection[],
  ms: number,
  end: (connection: Connection) => Promise<void>
): Promise<void> {
  const began = performance.now()
  const ending: Array<Promise<void>> = []
  for (const [at, connection] of connections.entries()) {
    const wait = began + ms * at / connections.length - performance.now()
    if (wait >= SHORTEST) await after(wait)
    ending.push(end(connection))
  }
  await Promise.all(ending)
}
