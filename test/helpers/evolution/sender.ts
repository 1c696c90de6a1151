import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Readable } from 'node:stream'

/** What Evolution 2.3.7 does by default, in ms. Its time is shortened by this: ten attempts last a minute, not twenty. */
const SCALE = 1 / 20
const FIRST_DELAY = 5000 * SCALE
const MAX_DELAY = 300_000 * SCALE
const JITTER = 0.2
const ATTEMPTS = 10
/** After these it gives up. */
const FINAL: ReadonlySet<number> = new Set([400, 401, 403, 404, 422])
/** Webhooks under way at once. */
const AT_ONCE = 20

/** How an attempt fails on the way, whatever the server does. */
export type Loss = 'none' | 'answer lost' | 'time-out'

export interface Webhook {
  readonly number: number
  readonly url: string
  readonly body: string
  /** Of its first attempt. */
  readonly loss: Loss
}

export interface Delivered {
  readonly number: number
  /** `null`: it gave up. */
  readonly status: number | null
  readonly attempts: number
}

/**
 * One attempt, which follows a redirect as a GET as Evolution does.
 *
 * @returns the status; `null` when no answer came
 */
async function attempt (url: string, method: 'POST' | 'GET', body: string, loss: Loss): Promise<number | null> {
  return await new Promise(resolve => {
    const { username, password } = new URL(url)
    const outgoing = request(url, {
      method,
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      ...username !== '' && { auth: `${username}:${decodeURIComponent(password)}` },
      timeout: 20_000
    })
    outgoing.on('error', () => { resolve(null) })
    outgoing.on('timeout', () => { outgoing.destroy() })
    outgoing.on('response', (response: Readable & { statusCode?: number, headers: { location?: string } }) => {
      response.on('error', () => {}).resume()
      const { statusCode = 0, headers: { location } } = response
      if (loss !== 'none') resolve(null)
      else if (location === undefined || statusCode < 300 || statusCode > 399) resolve(statusCode)
      else void attempt(location, 'GET', '', 'none').then(resolve)
    })
    outgoing.end(body)
    // The server has it, or has it in part.
    if (loss === 'time-out') outgoing.once('finish', () => { setTimeout(() => { outgoing.destroy() }, 2) })
  })
}

async function deliver (webhook: Webhook): Promise<Delivered> {
  const { number, url, body } = webhook
  for (let attempts = 1; ; attempts++) {
    const status = await attempt(url, 'POST', body, attempts === 1 ? webhook.loss : 'none')
    const isDone = status !== null && (status < 300 || FINAL.has(status))
    if (isDone) return { number, status, attempts }
    if (attempts === ATTEMPTS) return { number, status: null, attempts }
    const delay = Math.min(FIRST_DELAY * 2 ** (attempts - 1), MAX_DELAY)
    await sleep(delay * (1 + JITTER * (2 * Math.random() - 1)))
  }
}

/**
 * Sends webhooks as Evolution does, which waits for none of them.
 *
 * @param perSecond that begin
 */
export async function sendAll (
  webhooks: readonly Webhook[],
  perSecond: number,
  delivered: (delivered: Delivered) => void
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  const began = performance.now()
  for (const [index, webhook] of webhooks.entries()) {
    const early = began + index / perSecond * 1000 - performance.now()
    if (early > 0) await sleep(early)
    while (underWay.size >= AT_ONCE) await Promise.race(underWay)
    const done = deliver(webhook).then(delivered).finally(() => { underWay.delete(done) })
    underWay.add(done)
  }
  await Promise.all(underWay)
}

/** Sends webhooks as a program that waits for each. */
export async function sendInTurn (
  webhooks: readonly Webhook[],
  perSecond: number,
  delivered: (delivered: Delivered) => void
): Promise<void> {
  for (const webhook of webhooks) {
    delivered(await deliver(webhook))
    await sleep(1000 / perSecond)
  }
}
