import { errors } from '../../errors.js'

/** What Redis answers while it cannot just now, and will by itself: starting, failing over, changing hands, busy. */
const NAMES = 'LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOSCRIPT|UNKILLABLE|NOREPLICAS'
const PASSING = matching(NAMES)

// Answers that say nothing of the connection or of the log: a later call may be answered, by the same server.
const CONNECTED = matching('NOREPLICAS|TRYAGAIN')
// It reads, and writes nothing.
const READ_ONLY = matching('OOM|MISCONF|NOREPLICAS|READONLY|NOPERM')

/** It is a Redis that lacks what is needed. */
export class TooOld extends Error {}

/** The keys are of a format that this version does not know. */
export class OtherFormat extends Error {}

/** Redis 6.2 puts what a command in a script has answered behind the place where that was. */
function matching (names: string): RegExp {
  return new RegExp(`^(?:ERR Error running script .*-)?(?:${names})\\b`)
}

const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** Whether it is an answer of Redis, and not that of a connection that has failed. */
const isAnswer = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/**
 * Whether a call that failed may be made again: it will be answered when Redis is back. What we said ourselves stands.
 */
export const isPassing = (error: unknown): boolean =>
  !(error instanceof errors.STORE_UNAVAILABLE) && (!isAnswer(error) || PASSING.test(textOf(error)))

/** Whether Redis turns us away, and will do so the next time. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof TooOld || error instanceof OtherFormat ||
  (error instanceof Error && error.cause !== undefined && isRefusal(error.cause)) ||
  (isAnswer(error) &&
    /^(NOAUTH|WRONGPASS|NOPERM|ERR (invalid password|AUTH|DB index|Client sent AUTH|unknown command|SELECT))/
      .test(textOf(error)))

/** Whether an answer leaves the connection and the log as they were, so that there is nothing to attach again. */
export const staysAttached = (error: unknown): boolean => isAnswer(error) && CONNECTED.test(textOf(error))

/** Whether Redis has refused to write: too few replicas, no memory, a full disk, a replica, no permission. */
export const isWriteRefusal = (error: unknown): boolean =>
  (isAnswer(error) && READ_ONLY.test(textOf(error))) ||
  (error instanceof Error && error.cause !== undefined && isWriteRefusal(error.cause))

export const unavailable = (error: unknown): Error =>
  new errors.STORE_UNAVAILABLE(`Redis: ${textOf(error)}`, { cause: error })
