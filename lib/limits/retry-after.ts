import type { FastifyReply, FastifyRequest, onErrorAsyncHookHandler } from 'fastify'
import { type ErrorName, errorName } from '../errors.js'

/** Seconds after which a refused request may succeed, by what refused it. */
const SECONDS: { readonly [Name in ErrorName]?: number } = {
  // Until somebody leaves. Of a limit that ends at a known time, the error says when.
  LIMIT_REACHED: 10,
  VERIFY_FAILED: 5,
  STORE_UNAVAILABLE: 5,
  PENDING_FULL: 5,
  // A restart, or the next node.
  CLOSED: 5,
  // Until somebody changes an option and restarts.
  DISABLED: 60
}

/** The `Retry-After` of an error, in seconds; `undefined` where a later try does not help. */
export function retryAfter (error: unknown): number | undefined {
  const name = errorName(error)
  if (name === undefined) return undefined
  const { retryAfter: known } = error as { retryAfter?: unknown }
  return typeof known === 'number' ? known : SECONDS[name]
}

/** For every route: Fastify calls it before the error is sent. */
export const retryAfterHook: onErrorAsyncHookHandler = async (request: FastifyRequest, reply: FastifyReply, error) => {
  const seconds = retryAfter(error)
  if (seconds !== undefined) void reply.header('retry-after', seconds)
}
