import { errors } from '../errors.js'
import type { LogRecord } from '../log/event-log.js'
import type { PendingLimits } from '../stores/store.js'
import type { Limits } from '../types.js'

export type LimitName = keyof Limits

/** An error with the name of the limit that it is about. */
const about = <Failure extends Error>(limit: LimitName, error: Failure): Failure => Object.assign(error, { limit })

/** @param retryAfter seconds after which the limit is reached no more; left out: not known */
export function limitReached (limit: LimitName, retryAfter?: number): Error {
  return Object.assign(about(limit, new errors.LIMIT_REACHED(limit)), retryAfter !== undefined && { retryAfter })
}

/**
 * Checks the size of a message, with its binary parts. Its `id` is not there yet, and does not count.
 *
 * @throws MESSAGE_TOO_LARGE
 */
export function checkMessageSize (
  { messageBytes }: Pick<Limits, 'messageBytes'>,
  { event, rest, attachments }: LogRecord
): void {
  const bytes = attachments.reduce((sum, { length }) => sum + length, rest.length)
  if (messageBytes === 0 || bytes <= messageBytes) return
  throw about('messageBytes', new errors.MESSAGE_TOO_LARGE(event, bytes, `limits.messageBytes allows ${messageBytes}`))
}

/** The limit that an error is about; `undefined` for any other error. */
export function limitOf (error: unknown): LimitName | undefined {
  const isOurs = error instanceof errors.LIMIT_REACHED || error instanceof errors.PENDING_FULL ||
    error instanceof errors.MESSAGE_TOO_LARGE
  if (isOurs && 'limit' in error) return error.limit as LimitName
  // Of a store of the host's, which need not say which of its two bounds it was.
  return error instanceof errors.PENDING_FULL ? 'pendingEvents' : undefined
}

/**
 * What keeps one more event from waiting for the store.
 *
 * @param events that wait already
 * @param bytes of these and of one more
 * @returns PENDING_FULL, or `undefined` when it may wait
 */
export function pendingFull (
  { pendingEvents, pendingBytes }: PendingLimits,
  events: number,
  bytes: number
): Error | undefined {
  if (pendingEvents !== 0 && events >= pendingEvents) return about('pendingEvents', new errors.PENDING_FULL())
  if (pendingBytes !== 0 && bytes > pendingBytes) return about('pendingBytes', new errors.PENDING_FULL())
}

/** Counts how often each limit was reached. */
export class LimitCounters {
  readonly counts: Record<LimitName, number> = {
    connections: 0,
    connectionsPerInstance: 0,
    connectionsPerAddress: 0,
    refusalsPerMinute: 0,
    namespacesPerConnection: 0,
    idleMs: 0,
    queuedBytes: 0,
    queuedBytesMax: 0,
    queuedBytesTotal: 0,
    messageBytes: 0,
    instances: 0,
    inboundBytes: 0,
    inboundPerSecond: 0,
    publishPerSecond: 0,
    pendingEvents: 0,
    pendingBytes: 0
  }

  count (limit: LimitName): void {
    this.counts[limit]++
  }

  /** Counts the limit that an error is about, if it is about one. */
  countIn (error: unknown): void {
    const limit = limitOf(error)
    if (limit !== undefined) this.count(limit)
  }
}
