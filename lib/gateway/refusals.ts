import { CODE_PREFIX, type CodedError, errorName, type ErrorName, errors } from '../errors.js'
import type { LimitCounters } from '../limits/limits.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'
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

/** Counts and logs refused clients, for sockets, streams and pages alike. */
export class Refusals {
  readonly #parts: Parts
  // Map(error name -> clients)
  readonly #counts = new Map<string, number>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Clients that were refused, or disconnected with an error, by the code without its prefix. */
  get counts (): Record<string, number> {
    return Object.fromEntries(this.#counts)
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
    if (isFault) this.count(name, address)
    else this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    limited.countIn(error)
    return refusalOf(known === undefined ? new errors.VERIFY_FAILED() : error as CodedError, name)
  }

  /** Counts refusals towards the ban of an address. They were counted as refusals before. */
  countFaults (address: string | null, count: number): void {
    for (let fault = 0; fault < count; fault++) this.#parts.refused.add(address)
  }

  /** Counts a client that is refused or disconnected with an error. */
  count (name: ErrorName, address: string | null): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    // Server-side failures (`verify` is down) do not count towards the address ban.
    if (!isTemporary(name)) this.#parts.refused.add(address)
  }
}
