import type { Session } from './session.js'

/** What waits for clients in this process, in bytes. */
export interface Queues {
  /** For all connections together. */
  readonly bytes: number
  /** For the one for which the most waits. */
  readonly most: number
}

export const NO_QUEUES: Queues = { bytes: 0, most: 0 }

/** What waits for the connections of some sessions, each counted once. */
export function queuesOf (sessions: Iterable<Session>): Queues {
  let bytes = 0
  let most = 0
  for (const session of sessions) {
    const { connection } = session
    if (connection.sessions[0] !== session) continue
    const queued = connection.queuedBytes
    bytes += queued
    most = Math.max(most, queued)
  }
  return { bytes, most }
}
