import { errors } from '../errors.js'
import { isInstanceName } from '../instances/names.js'
import type { Verify, VerifyAnswer, VerifyRequest } from '../types.js'
import { hashKey } from './access.js'

/** How long an accepted key is cached by default, in ms. */
const TTL = 10 * 60_000
/**
 * The cache time is shortened by a random share up to this one, so that keys cached together do not expire together.
 */
const JITTER = 0.2
/** How long a refusal or a failed request is cached, in ms. It is short because any caller can cause refusals. */
const SHORT_TTL = 10_000
/** Size of the cache of refusals and failures. The oldest entry is evicted. */
const MAX_REFUSALS = 10_000
/** Size of the cache of accepted keys. The least recently used key is evicted. */
const MAX_ACCEPTED = 100_000
/** How long an accepted key stays valid while Evolution is unavailable, in ms. */
const GRACE = 60 * 60_000
/** An accepted key is revoked after `REFUSALS` refusals over at least `REFUSED_FOR` ms. */
const REFUSALS = 3
const REFUSED_FOR = 5 * 60_000
/** Delay between two requests for an accepted key that was refused since, in ms. */
const DOUBT_TTL = 100_000
/** Timeout of one request, in ms. The plugin gives `verify` 10 s. */
const REQUEST_TIMEOUT = 4000
/** Concurrent requests, and requests that may wait for one of them. All finish within the 10 s of `verify`. */
const MAX_REQUESTS = 20
const MAX_WAITING = 1000

/** Minimum time between two warnings, in ms. */
const WARN_PERIOD = 60_000

/** An answer of Evolution about a key. */
type Answer =
  /** `instances`: `null` means the one instance that was checked. */
  | { readonly outcome: 'accepted', readonly instances: readonly string[] | null }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'failed', readonly error: Error }

/** A cache entry for a key that Evolution has accepted. Times in ms, by `performance.now()`. */
interface Accepted {
  readonly instances: readonly string[] | null
  readonly acceptedAt: number
  /** When Evolution must be asked again. */
  readonly expiresAt: number
  /** Consecutive refusals since the key was last accepted. */
  readonly refusals: number
  readonly refusedAt: number | null
}

/** A cache entry for a refusal of a key that was never accepted, or for a failed request. */
interface CachedRefusal {
  readonly answer: Exclude<Answer, { outcome: 'accepted' }>
  readonly expiresAt: number
}

/** Options of `evolutionKeys`. */
export interface EvolutionKeysOptions {
  /** The URL of the Evolution API, without user and password, such as `http://evolution:8080`. */
  readonly url: string
  /**
   * Longest time that an accepted key is cached, in milliseconds.
   * @default 600000
   */
  readonly ttl?: number | undefined
  /**
   * Logs when Evolution becomes unavailable and when it is available again.
   * @default none
   */
  readonly logger?: {
    /** Called when Evolution is unavailable. */
    warn (message: string): void
    /** Called when Evolution is available again. */
    info (message: string): void
  } | undefined
}

/**
 * Makes a `verify` function that checks keys at an Evolution API. An instance's token grants access to that instance,
 * and at the root to the instances that Evolution lists for the token. It does not grant publishing.
 *
 * Accepted keys are cached for `ttl`, refusals for 10 s. While Evolution is unavailable, a key that it accepted within
 * the last hour stays valid. An accepted key is revoked after three refusals over five minutes, because Evolution also
 * refuses valid keys while its database is unavailable. Keys are stored as hashes.
 *
 * @param options the URL of Evolution, and how long to cache accepted keys
 * @returns a function for the option `verify`
 * @throws INVALID_OPTION when `url` or `ttl` is invalid
 */
export function evolutionKeys (options: EvolutionKeysOptions): Verify {
  const { url, ttl = TTL, logger } = options
  if (typeof ttl !== 'number' || !(ttl > 0) || !Number.isFinite(ttl)) {
    throw new errors.INVALID_OPTION('evolutionKeys: option "ttl" must be a number of milliseconds, more than 0')
  }
  const keys = new EvolutionKeys(baseUrl(url), ttl, logger)
  return async request => await keys.verify(request)
}

/** Parses the URL and adds a slash at its end, so that relative URLs keep its path. @throws INVALID_OPTION */
function baseUrl (text: string): URL {
  // The message does not show the URL: it may contain a password.
  const fault = 'evolutionKeys: option "url" must be the URL of an Evolution API, such as http://evolution:8080'
  if (typeof text !== 'string' || !/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw new errors.INVALID_OPTION(fault)
  }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') {
    throw new errors.INVALID_OPTION(`${fault}, without a user and password`)
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  url.search = ''
  url.hash = ''
  return url
}

class EvolutionKeys {
  readonly #url: URL
  readonly #ttl: number
  readonly #logger: EvolutionKeysOptions['logger']
  /** Map(hash of key and instance -> accepted key), the most recently used last. */
  readonly #accepted = new Map<string, Accepted>()
  /** Separate from the accepted keys, so that invented keys cannot evict them. */
  readonly #refusals = new Map<string, CachedRefusal>()
  /** Requests under way, at most one for each key. */
  readonly #requests = new Map<string, Promise<Answer>>()
  readonly #places = new ConcurrencyLimit(MAX_REQUESTS, MAX_WAITING)
  #isFailing = false
  #warnedAt = -Infinity

  constructor (url: URL, ttl: number, logger: EvolutionKeysOptions['logger']) {
    this.#url = url
    this.#ttl = ttl
    this.#logger = logger
  }

  /** @throws the failure of the request to Evolution; the caller then gets VERIFY_FAILED with `retry: true` */
  async verify ({ apikey, instance }: VerifyRequest): Promise<VerifyAnswer> {
    if (apikey === null || !isHeader(apikey)) return false
    const id = hashKey(`${instance ?? ''}\n${apikey}`)
    const now = performance.now()
    const accepted = this.#accepted.get(id)
    if (accepted !== undefined && now < accepted.expiresAt) return grant(accepted, now)
    const short = this.#refusals.get(id)
    const answer = short !== undefined && now < short.expiresAt
      ? short.answer
      : await this.#askOnce(id, apikey, instance)
    return this.#decide(id, answer)
  }

  /** Combines an answer with what the cache knows about the key. */
  #decide (id: string, answer: Answer): VerifyAnswer {
    const now = performance.now()
    const known = this.#accepted.get(id)
    if (known !== undefined && (answer.outcome === 'accepted' || now < known.expiresAt)) return grant(known, now)
    if (answer.outcome === 'failed') throw answer.error
    return false
  }

  async #askOnce (id: string, apikey: string, instance: string | null): Promise<Answer> {
    const asking = this.#requests.get(id)
    if (asking !== undefined) return await asking
    const asked = this.#ask(id, apikey, instance)
    this.#requests.set(id, asked)
    try {
      return await asked
    } finally {
      this.#requests.delete(id)
    }
  }

  /** Asks Evolution, and caches the answer. */
  async #ask (id: string, apikey: string, instance: string | null): Promise<Answer> {
    const answer = await this.#question(apikey, instance)
    const now = performance.now()
    this.#report(answer, now)
    const known = this.#accepted.get(id)
    if (answer.outcome === 'accepted') {
      const expiresAt = now + this.#ttl * (1 - JITTER * Math.random())
      this.#refusals.delete(id)
      this.#accept(id, { instances: answer.instances, acceptedAt: now, expiresAt, refusals: 0, refusedAt: null })
    } else if (known !== undefined && staysValid(known, answer, now)) {
      const refused = answer.outcome === 'refused'
      this.#accept(id, {
        ...known,
        expiresAt: now + Math.min(this.#ttl, DOUBT_TTL),
        refusals: known.refusals + (refused ? 1 : 0),
        refusedAt: known.refusedAt ?? (refused ? now : null)
      })
    } else {
      this.#accepted.delete(id)
      this.#refusals.delete(id)
      this.#refusals.set(id, { answer, expiresAt: now + SHORT_TTL })
      dropOldest(this.#refusals, MAX_REFUSALS)
    }
    return answer
  }

  #accept (id: string, accepted: Accepted): void {
    this.#accepted.delete(id)
    this.#accepted.set(id, accepted)
    dropOldest(this.#accepted, MAX_ACCEPTED)
  }

  #report (answer: Answer, now: number): void {
    if (answer.outcome !== 'failed') {
      if (this.#isFailing) this.#logger?.info('the Evolution API answers again')
      this.#isFailing = false
    } else if (!this.#isFailing && now - this.#warnedAt >= WARN_PERIOD) {
      this.#isFailing = true
      this.#warnedAt = now
      this.#logger?.warn(
        `the Evolution API is unavailable (${answer.error.message}): keys that it accepted within the last hour stay valid, others are refused with retry: true`
      )
    }
  }

  async #question (apikey: string, instance: string | null): Promise<Answer> {
    const path = instance === null
      ? 'instance/fetchInstances'
      : `instance/connectionState/${encodeURIComponent(instance)}`
    try {
      return await this.#places.run(async () => {
        const response = await fetch(new URL(path, this.#url), {
          headers: { apikey, accept: 'application/json' },
          // Do not follow redirects: the key must only be sent to the configured host.
          redirect: 'manual',
          signal: AbortSignal.timeout(REQUEST_TIMEOUT)
        })
        return await readAnswer(response, instance)
      })
    } catch (error) {
      return { outcome: 'failed', error: fault(error) }
    }
  }
}

/** Whether an accepted key stays valid after a refusal or a failure. */
function staysValid (known: Accepted, answer: Answer, now: number): boolean {
  if (answer.outcome === 'failed') return now - known.acceptedAt < GRACE
  return known.refusals + 1 < REFUSALS || known.refusedAt === null || now - known.refusedAt < REFUSED_FOR
}

function grant ({ instances, expiresAt }: Accepted, now: number): VerifyAnswer {
  // At least 1 ms, so that `verify` is called again after this cache entry has expired.
  const ttl = Math.max(1, Math.ceil(expiresAt - now))
  return instances === null ? { ttl } : { instances, ttl }
}

/**
 * Reads the response formats of Evolution. Any other response, such as an error page of a proxy, counts as a failure.
 */
async function readAnswer (response: Response, instance: string | null): Promise<Answer> {
  const { status } = response
  let body: unknown
  try {
    body = await response.json()
  } catch (error) {
    throw new Error(`it answered ${status} without JSON`, { cause: error })
  }
  if ([401, 403, 404].includes(status) && isRecord(body) && body.status === status && typeof body.error === 'string') {
    return { outcome: 'refused' }
  }
  if (status === 200 && instance !== null && isRecord(body) && isRecord(body.instance) &&
    typeof body.instance.state === 'string') {
    return { outcome: 'accepted', instances: null }
  }
  if (status === 200 && instance === null && Array.isArray(body)) {
    const names = body.map(nameOf)
    if (names.every(name => name !== undefined)) {
      // Skip instances with a name that this server cannot serve; the others stay accessible.
      return { outcome: 'accepted', instances: names.filter(isInstanceName) }
    }
  }
  throw new Error(`it answered ${status} with something else than an Evolution API does`)
}

/** The name of an instance in a list of Evolution 2 or 1. */
function nameOf (item: unknown): string | undefined {
  if (!isRecord(item)) return undefined
  const name = item.name ?? (isRecord(item.instance) ? item.instance.instanceName : undefined)
  return typeof name === 'string' ? name : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Whether a key is a valid header value; `fetch` throws for any other. */
const isHeader = (apikey: string): boolean => /^[\t\x20-\x7e\x80-\xff]+$/.test(apikey)

/** Reduces an error to one line without the key. */
function fault (error: unknown): Error {
  const { name, message, cause } = error as Error
  if (name === 'TimeoutError') return new Error(`it did not answer within ${REQUEST_TIMEOUT / 1000} s`)
  // Errors of `fetch` have the reason in `cause`.
  const { code, message: why } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
  return new Error(code ?? why ?? message, { cause: error })
}

function dropOldest (map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** Limits the number of concurrent operations. */
class ConcurrencyLimit {
  #free: number
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()

  constructor (count: number, maxWaiting: number) {
    this.#free = count
    this.#maxWaiting = maxWaiting
  }

  /** @throws when too many operations are waiting, or this one has waited too long */
  async run<Result> (work: () => Promise<Result>): Promise<Result> {
    await this.#acquire()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  async #acquire (): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return
    }
    if (this.#waiting.size >= this.#maxWaiting) throw new Error('too many requests to the Evolution API are waiting')
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(next)
        reject(new Error(`no request to the Evolution API could start within ${REQUEST_TIMEOUT / 1000} s`))
      }, REQUEST_TIMEOUT)
      const next = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiting.add(next)
    })
  }

  #release (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
    } else {
      this.#waiting.delete(next)
      next()
    }
  }
}
