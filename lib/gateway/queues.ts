import type { Subscriber } from './subscriber.js'

/** What waits for clients in this process, in bytes. */
export interface Queues {
  /** For all connections together. */
  readonly bytes: number
  /** For the one for which the most waits. */
  readonly most: number
}

export const NO_QUEUES: Queues = { bytes: 0, most: 0 }

/** What waits for the connections of some clients, each counted once in however many namespaces it is. */
export function queuesOf (subscribers: Iterable<Subscriber>): Queues {
  let bytes = 0
  let most = 0
  for (const subscriber of subscribers) {
    const { link } = subscriber
    if (link.subscribers[0] !== subscriber) continue
    const queued = link.queuedBytes
    bytes += queued
    most = Math.max(most, queued)
  }
  return { bytes, most }
}
