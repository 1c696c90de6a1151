import { errors } from '../errors.js'
import { HOST_TIMEOUT, inTime } from './in-time.js'

/**
 * Calls a function of the application, for a route or a call of `fastify.wsEvents`.
 *
 * @param what name of the option and the function, for the message
 * @throws STORE_UNAVAILABLE when the function throws, rejects or exceeds its time
 */
export async function callHost<Answer> (what: string, call: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await inTime((async () => await call())(), HOST_TIMEOUT)
  } catch (cause) {
    throw hostFailed(what, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

export const hostFailed = (what: string, why: string, cause?: unknown): Error =>
  Object.assign(new errors.STORE_UNAVAILABLE(`the option ${what} failed: ${why}`), { cause })
