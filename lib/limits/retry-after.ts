import type { FastifyReply, FastifyRequest, onErrorAsyncHookHandler } from 'fastify'
import { type ErrorName, errorName } from '../errors.js'

/** Seconds after which a refused request may succeed, by error. */
const SECONDS: { readonly [Name in ErrorName]?: number } = {
  // Until another client disconnects. If the limit has a known end, the error itself has the time.
  LIMIT_REACHED: 10,
  VERIFY_FAILED: 5,
  STORE_UNAVAILABLE: 5,
  PENDING_FULL: 5,
  // The server restarts, or another node answers.
  CLOSED: 5,
  // Until the option is changed and the server restarted.
  DISABLED: 60
}

/** The value of `Retry-After` for an error, in seconds; `undefined` if a retry cannot succeed. */
export function retryAfter (error: unknown): number | undefined {
  const name = errorName(error)
  if (name === undefined) return undefined
  const { retryAfter: known } = error as { retryAfter?: unknown }
  return typeof known === 'number' ? known : SECONDS[name]
}

/** A hook for every route: Fastify calls it before it sends an error. */
export const retryAfterHook: onErrorAsyncHookHandler = async (request: FastifyRequest, reply: FastifyReply, error) => {
  const seconds = retryAfter(error)
  if (seconds !== undefined) void reply.header('retry-after', seconds)
}
