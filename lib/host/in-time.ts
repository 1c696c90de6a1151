/** What {@link inTime} rejects with when it has taken too long. */
export class TookTooLong extends Error {}

/** How long is waited for a store, in ms, before things go on without it. */
export const STORE_PATIENCE = 5000
/** The same for each step of the registration, which Fastify lets take 10 s by default. */
export const START_PATIENCE = 3000
/** How long a function of the host's may take, in ms. */
export const HOST_TIMEOUT = 10_000

/**
 * Settles as `promise` does; rejects when that takes too long, or when `signal` is aborted. What `promise` rejects with
 * later on is passed over.
 *
 * @param ms how long it may take
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
    const timer = setTimeout(() => { fail(new TookTooLong(`no answer within ${ms} ms`)) }, ms)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) abort()
    promise.then(value => { settle(() => { resolve(value) }) }, fail)
  })
}
