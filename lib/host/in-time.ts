/** The rejection of {@link inTime} after its timeout. */
export class TimedOut extends Error {}

/** How long to wait for a store, in ms, before continuing without it. */
export const STORE_PATIENCE = 5000
/** The same for each step of the registration, which Fastify limits to 10 s by default. */
export const START_TIMEOUT = 3000
/** Timeout of a function of the application, in ms. */
export const HOST_TIMEOUT = 10_000

/**
 * Settles like `promise`, but rejects after `ms`, or when `signal` is aborted. A later rejection of `promise` is
 * ignored.
 *
 * @param ms timeout
 */
export async function inTime<T> (promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  return await new Promise((resolve, reject) => {
    const settle = (call: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      call()
    }
    const fail = (reason: Error) => { settle(() => { reject(reason) }) }
    const abort = () => { fail(new Error('the server is shutting down')) }
    const timer = setTimeout(() => { fail(new TimedOut(`no answer within ${ms} ms`)) }, ms)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) abort()
    promise.then(value => { settle(() => { resolve(value) }) }, fail)
  })
}
