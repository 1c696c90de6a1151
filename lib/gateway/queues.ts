import type { Session } from './session.js'

/** Bytes that are queued for clients in this process. */
export interface Queues {
  /** Sum of all connections. */
  readonly bytes: number
  /** The largest queue of one connection. */
  readonly most: number
}

export const NO_QUEUES: Queues = { bytes: 0, most: 0 }

/** The queues of the connections of some sessions. Each connection counts once. */
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
