import { errors } from '../errors.js'
import { isInstanceName } from '../instances/names.js'
import type { Verify, VerifyAnswer, VerifyRequest } from '../types.js'
import { hashKey } from './access.js'

/** An answer holds for so long, in ms, if the option says nothing else. */
const TTL = 10 * 60_000
/** And by up to this share shorter, so that keys that came at once are not asked for at once again. */
const JITTER = 0.2
/** How long a refusal and a failed question hold, in ms: they are cheap to bring about. */
const SHORT_TTL = 10_000
/** Refusals and failures that are kept; the oldest go. */
const MAX_SHORT = 10_000
/** Accepted keys that are kept; those asked for the longest time ago go. */
const MAX_ACCEPTED = 100_000
/** While Evolution cannot be asked, a key that it has accepted stays good for so long, in ms. */
const GRACE = 60 * 60_000
/** An accepted key is taken back after so many refusals, over at least so long, in ms. */
const REFUSALS = 3
const REFUSED_FOR = 5 * 60_000
/** Between two questions for a key that is in doubt, in ms. */
const DOUBT_TTL = 100_000
/** For a question, in ms. The plugin waits 10 s for `verify`. */
const PATIENCE = 4000
/** Questions at once, and questions that may wait. Both end within the plugin's 10 s. */
const MAX_ASKING = 20
const MAX_WAITING = 1000

/** Between two warnings, in ms. */
const WARN_PERIOD = 60_000

/** What Evolution has answered. */
type Answer =
  /** `instances`: `null` for the one that was asked for. */
  | { readonly outcome: 'accepted', readonly instances: readonly string[] | null }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'failed', readonly error: Error }

/** A key that Evolution has accepted. Times in ms, by `performance.now()`. */
interface Accepted {
  readonly instances: readonly string[] | null
  readonly acceptedAt: number
  /** When it is asked for again. */
  readonly expiresAt: number
  /** Refusals since. */
  readonly refusals: number
  readonly refusedAt: number | null
}

/** A refusal of a key that was never accepted, or a failure. */
interface Short {
  readonly answer: Exclude<Answer, { outcome: 'accepted' }>
  readonly expiresAt: number
}

/** Options of `evolutionKeys`. */
export interface EvolutionKeysOptions {
  /** The URL of the Evolution API, without a user and password, such as `http://evolution:8080`. */
  readonly url: string
  /**
   * Milliseconds for which an answer holds, at most.
   * @default 600000
   */
  readonly ttl?: number | undefined
  /**
   * Told when Evolution cannot be asked, and when it can again.
   * @default none
   */
  readonly logger?: {
    /** Evolution cannot be asked. */
    warn (message: string): void
    /** It can be asked again. */
    info (message: string): void
  } | undefined
}

/**
 * Makes a `verify` that checks keys at an Evolution API: the token of an instance opens that instance, and at the root
 * the instances that Evolution lists for it. It grants no publishing.
 *
 * An answer holds for `ttl`; a refusal for 10 s. While Evolution cannot be asked, a key that it has accepted within the
 * last hour stays good. A key that it has accepted is taken back after three refusals over five minutes, because
 * Evolution also refuses good keys while its database is away. Keys are kept as hashes.
 *
 * @param options where Evolution is, and how long an answer holds
 * @returns a function for the option `verify`
 * @throws INVALID_OPTION when `url` or `ttl` cannot be used
 */
export function evolutionKeys (options: EvolutionKeysOptions): Verify {
  const { url, ttl = TTL, logger } = options
  if (typeof ttl !== 'number' || !(ttl > 0) || !Number.isFinite(ttl)) {
    throw new errors.INVALID_OPTION('evolutionKeys: option "ttl" must be a number of milliseconds, more than 0')
  }
  const keys = new EvolutionKeys(baseUrl(url), ttl, logger)
  return async request => await keys.verify(request)
}

/** With a slash at the end, so that a path in it stays. @throws INVALID_OPTION */
function baseUrl (text: string): URL {
  // Not shown: it may have a password in it.
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
  /** By the hash of key and instance; the one asked for last at the end. */
  readonly #accepted = new Map<string, Accepted>()
  /** Apart from the accepted ones, so that made-up keys push nothing out. */
  readonly #short = new Map<string, Short>()
  /** One question at a time for each key. */
  readonly #asking = new Map<string, Promise<Answer>>()
  readonly #places = new Places(MAX_ASKING, MAX_WAITING)
  #isFailing = false
  #warnedAt = -Infinity

  constructor (url: URL, ttl: number, logger: EvolutionKeysOptions['logger']) {
    this.#url = url
    this.#ttl = ttl
    this.#logger = logger
  }

  /** @throws what kept Evolution from answering: the plugin tells the caller to try again */
  async verify ({ apikey, instance }: VerifyRequest): Promise<VerifyAnswer> {
    if (apikey === null || !isHeader(apikey)) return false
    const id = hashKey(`${instance ?? ''}\n${apikey}`)
    const now = performance.now()
    const accepted = this.#accepted.get(id)
    if (accepted !== undefined && now < accepted.expiresAt) return grant(accepted, now)
    const short = this.#short.get(id)
    const answer = short !== undefined && now < short.expiresAt
      ? short.answer
      : await this.#askOnce(id, apikey, instance)
    return this.#conclude(id, answer)
  }

  /** What an answer means for a key, beside what Evolution has said before. */
  #conclude (id: string, answer: Answer): VerifyAnswer {
    const now = performance.now()
    const known = this.#accepted.get(id)
    if (known !== undefined && (answer.outcome === 'accepted' || now < known.expiresAt)) return grant(known, now)
    if (answer.outcome === 'failed') throw answer.error
    return false
  }

  async #askOnce (id: string, apikey: string, instance: string | null): Promise<Answer> {
    const asking = this.#asking.get(id)
    if (asking !== undefined) return await asking
    const asked = this.#ask(id, apikey, instance)
    this.#asking.set(id, asked)
    try {
      return await asked
    } finally {
      this.#asking.delete(id)
    }
  }

  /** Asks, and remembers what comes of it. */
  async #ask (id: string, apikey: string, instance: string | null): Promise<Answer> {
    const answer = await this.#question(apikey, instance)
    const now = performance.now()
    this.#report(answer, now)
    const known = this.#accepted.get(id)
    if (answer.outcome === 'accepted') {
      const expiresAt = now + this.#ttl * (1 - JITTER * Math.random())
      this.#short.delete(id)
      this.#accept(id, { instances: answer.instances, acceptedAt: now, expiresAt, refusals: 0, refusedAt: null })
    } else if (known !== undefined && holds(known, answer, now)) {
      const refused = answer.outcome === 'refused'
      this.#accept(id, {
        ...known,
        expiresAt: now + Math.min(this.#ttl, DOUBT_TTL),
        refusals: known.refusals + (refused ? 1 : 0),
        refusedAt: known.refusedAt ?? (refused ? now : null)
      })
    } else {
      this.#accepted.delete(id)
      this.#short.delete(id)
      this.#short.set(id, { answer, expiresAt: now + SHORT_TTL })
      dropOldest(this.#short, MAX_SHORT)
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
        `the Evolution API cannot be asked for keys (${answer.error.message}): keys that it accepted within the last hour stay good, others are told to try again`
      )
    }
  }

  async #question (apikey: string, instance: string | null): Promise<Answer> {
    const path = instance === null
      ? 'instance/fetchInstances'
      : `instance/connectionState/${encodeURIComponent(instance)}`
    try {
      return await this.#places.during(async () => {
        const response = await fetch(new URL(path, this.#url), {
          headers: { apikey, accept: 'application/json' },
          // A key goes to the host that was named, and to no other.
          redirect: 'manual',
          signal: AbortSignal.timeout(PATIENCE)
        })
        return await readAnswer(response, instance)
      })
    } catch (error) {
      return { outcome: 'failed', error: fault(error) }
    }
  }
}

/** Whether an accepted key stays good after an answer that does not accept it. */
function holds (known: Accepted, answer: Answer, now: number): boolean {
  if (answer.outcome === 'failed') return now - known.acceptedAt < GRACE
  return known.refusals + 1 < REFUSALS || known.refusedAt === null || now - known.refusedAt < REFUSED_FOR
}

function grant ({ instances, expiresAt }: Accepted, now: number): VerifyAnswer {
  // At least a moment, so that it is asked for after the answer has expired here.
  const ttl = Math.max(1, Math.ceil(expiresAt - now))
  return instances === null ? { ttl } : { instances, ttl }
}

/** Evolution's own shapes. Whatever else answers, such as a proxy's page, says nothing of the key. */
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
      // One with a name that cannot be served here must not keep the others away.
      return { outcome: 'accepted', instances: names.filter(isInstanceName) }
    }
  }
  throw new Error(`it answered ${status} with something else than an Evolution API does`)
}

/** The name of an instance in a list of version 2, or of version 1. */
function nameOf (item: unknown): string | undefined {
  if (!isRecord(item)) return undefined
  const name = item.name ?? (isRecord(item.instance) ? item.instance.instanceName : undefined)
  return typeof name === 'string' ? name : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What can stand in a header: fetch would throw for anything else. */
const isHeader = (apikey: string): boolean => /^[\t\x20-\x7e\x80-\xff]+$/.test(apikey)

/** As one line that has no key in it. */
function fault (error: unknown): Error {
  const { name, message, cause } = error as Error
  if (name === 'TimeoutError') return new Error(`it did not answer within ${PATIENCE / 1000} s`)
  // What fetch itself throws has the reason behind it.
  const { code, message: why } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
  return new Error(code ?? why ?? message, { cause: error })
}

function dropOldest (map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** Bounds how many do something at once. */
class Places {
  #free: number
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()

  constructor (count: number, maxWaiting: number) {
    this.#free = count
    this.#maxWaiting = maxWaiting
  }

  /** @throws when too many wait already, or nothing becomes free in time */
  async during<Result> (work: () => Promise<Result>): Promise<Result> {
    await this.#take()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  async #take (): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return
    }
    if (this.#waiting.size >= this.#maxWaiting) throw new Error('too many keys wait to be asked for')
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(next)
        reject(new Error(`too many keys were asked for: no turn within ${PATIENCE / 1000} s`))
      }, PATIENCE)
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
