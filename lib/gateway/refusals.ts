import { CODE_PREFIX, type CodedError, errorName, type ErrorName, errors } from '../errors.js'
import type { LimitCounters } from '../limits/limits.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'
import { MAX_NAME_LENGTH } from '../instances/names.js'
import type { Refusal } from '../types.js'
import type { Telemetry } from './telemetry.js'

/** Temporary faults. A stock client retries only after its connection is ended, not after a refusal. */
const TEMPORARY: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'VERIFY_FAILED', 'LIMIT_REACHED', 'DISABLED', 'STORE_UNAVAILABLE', 'CLOSED'
])
/** Refusals that end when a config is changed. */
const RETRY: ReadonlySet<ErrorName> = new Set<ErrorName>(['GLOBAL_DISABLED', 'NOT_SET', 'INSTANCE_DISABLED'])

export const isTemporary = (name: ErrorName): boolean => TEMPORARY.has(name)

/** The refusal that a client gets for a coded error. */
export function refusalOf (error: CodedError, name: ErrorName): Refusal {
  // A handler of the application may have created or changed the error.
  const { statusCode, message } = error as { statusCode?: unknown, message: unknown }
  return {
    code: `${CODE_PREFIX}${name}`,
    statusCode: typeof statusCode === 'number' ? statusCode : 500,
    message: String(message),
    retry: TEMPORARY.has(name) || RETRY.has(name)
  }
}

interface Parts {
  readonly refused: RefusedAddresses
  readonly limited: LimitCounters
  readonly telemetry: Telemetry
}

/** Pairs of an instance and a code that are kept: clients choose the names that they ask for. */
const MAX_RECENT = 1000

/** Clients that were refused at one instance with one code. */
export interface RecentRefusal {
  /** `null` is the root. Cut where it is longer than a name may be. */
  readonly instance: string | null
  /** Without its prefix. */
  readonly code: string
  readonly count: number
  /** When the newest of them was refused, in ms since 1970, and from where. */
  readonly last: number
  readonly address: string | null
}

/** Counts and logs refused clients, for sockets, streams and pages alike. */
export class Refusals {
  readonly #parts: Parts
  // Map(error name -> clients)
  readonly #counts = new Map<string, number>()
  // Map(instance and code -> clients that were refused), the one refused last at the end
  readonly #recent = new Map<string, RecentRefusal>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Clients that were refused, or disconnected with an error, by the code without its prefix. */
  get counts (): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }

  /** The clients refused last, the newest first; at most {@link MAX_RECENT} pairs of an instance and a code. */
  get recent (): RecentRefusal[] {
    return [...this.#recent.values()].reverse()
  }

  #keep (code: ErrorName, asked: string | null, address: string | null): void {
    const instance = asked?.slice(0, MAX_NAME_LENGTH) ?? null
    const key = `${code} ${instance ?? '/'}`
    const count = (this.#recent.get(key)?.count ?? 0) + 1
    this.#recent.delete(key)
    if (this.#recent.size >= MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value ?? '')
    this.#recent.set(key, { instance, code, count, last: Date.now(), address })
  }

  /**
   * Counts and logs a refused client.
   *
   * @param instance the instance that the client requested
   * @param isFault whether the refusal counts towards the ban of its address
   */
  add (error: unknown, instance: string | null, address: string | null, isFault = true): Refusal {
    const { limited, telemetry } = this.#parts
    const known = errorName(error)
    const name = known ?? 'VERIFY_FAILED'
    if (known === undefined) telemetry.uncheckable({ name, instance, address }, error)
    else telemetry.refused({ name, instance, address })
    if (isFault) {
      this.count(name, instance, address)
    } else {
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
      this.#keep(name, instance, address)
    }
    limited.countIn(error)
    return refusalOf(known === undefined ? new errors.VERIFY_FAILED() : error as CodedError, name)
  }

  /** Counts refusals towards the ban of an address. They were counted as refusals before. */
  countFaults (address: string | null, count: number): void {
    for (let fault = 0; fault < count; fault++) this.#parts.refused.add(address)
  }

  /** Counts a client that is refused or disconnected with an error. */
  count (name: ErrorName, instance: string | null, address: string | null): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    this.#keep(name, instance, address)
    // Server-side failures (`verify` is down) do not count towards the address ban.
    if (!isTemporary(name)) this.#parts.refused.add(address)
  }
}
