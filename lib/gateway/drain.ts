import { setTimeout as after } from 'node:timers/promises'

/** A Node timer of less than this, in ms, fires late by as much as its own delay. */
const SHORTEST = 1

/**
 * Ends connections at even intervals, the first at once, so that their clients do not all reconnect to the next node at
 * the same moment. Resolves when all have ended.
 *
 * @param ms when to start ending the last one; 0: all at once
 * @param end ends one connection; resolves when it has ended
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
