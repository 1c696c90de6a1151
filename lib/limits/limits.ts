import { errors } from '../errors.js'
import type { LogRecord } from '../log/event-log.js'
import type { PendingLimits } from '../stores/store.js'
import type { Limits } from '../types.js'

export type LimitName = keyof Limits

/** Adds the name of the limit to an error. */
const withLimit = <Failure extends Error>(limit: LimitName, error: Failure): Failure => Object.assign(error, { limit })

/** @param retryAfter seconds until the limit allows another request; left out: not known */
export function limitReached (limit: LimitName, retryAfter?: number): Error {
  return Object.assign(withLimit(limit, new errors.LIMIT_REACHED(limit)), retryAfter !== undefined && { retryAfter })
}

/**
 * Checks the size of a message, including its binary parts. The message has no `id` yet; its bytes do not count.
 *
 * @throws MESSAGE_TOO_LARGE
 */
export function checkMessageSize (
  { messageBytes }: Pick<Limits, 'messageBytes'>,
  { event, rest, attachments }: LogRecord
): void {
  const bytes = attachments.reduce((sum, { length }) => sum + length, rest.length)
  if (messageBytes === 0 || bytes <= messageBytes) return
  const tooLarge = new errors.MESSAGE_TOO_LARGE(event, bytes, `limits.messageBytes allows ${messageBytes}`)
  throw withLimit('messageBytes', tooLarge)
}

/** The limit that an error is about; `undefined` for any other error. */
export function limitOf (error: unknown): LimitName | undefined {
  const isOurs = error instanceof errors.LIMIT_REACHED || error instanceof errors.PENDING_FULL ||
    error instanceof errors.MESSAGE_TOO_LARGE
  if (isOurs && 'limit' in error) return error.limit as LimitName
  // An application's own store may reject with PENDING_FULL without naming one of the two limits.
  return error instanceof errors.PENDING_FULL ? 'pendingEvents' : undefined
}

/**
 * Checks whether one more event may be queued for the store.
 *
 * @param events that are queued already
 * @param bytes of the queued events and the new one
 * @returns PENDING_FULL; `undefined` if the event may be queued
 */
export function pendingFull (
  { pendingEvents, pendingBytes }: PendingLimits,
  events: number,
  bytes: number
): Error | undefined {
  if (pendingEvents !== 0 && events >= pendingEvents) return withLimit('pendingEvents', new errors.PENDING_FULL())
  if (pendingBytes !== 0 && bytes > pendingBytes) return withLimit('pendingBytes', new errors.PENDING_FULL())
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

  /** Counts the limit that an error names, if it names one. */
  countIn (error: unknown): void {
    const limit = limitOf(error)
    if (limit !== undefined) this.count(limit)
  }
}
