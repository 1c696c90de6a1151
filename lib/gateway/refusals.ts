import { CODE_PREFIX, type CodedError, errorName, type ErrorName, errors } from '../errors.js'
import type { LimitCounters } from '../limits/limits.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'
import type { Refusal } from '../types.js'
import type { Telemetry } from './telemetry.js'

/** Faults that pass by themselves. Their clients come back when the connection is ended, and only then. */
const PASSING: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'VERIFY_FAILED', 'LIMIT_REACHED', 'DISABLED', 'STORE_UNAVAILABLE', 'CLOSED'
])
/** Refusals that end when somebody changes a config. */
const RETRY: ReadonlySet<ErrorName> = new Set<ErrorName>(['GLOBAL_DISABLED', 'NOT_SET', 'INSTANCE_DISABLED'])

export const isPassing = (name: ErrorName): boolean => PASSING.has(name)

/** A coded error as clients get it. */
export function refusalOf (error: CodedError, name: ErrorName): Refusal {
  // A handler of the application may have made it, or changed it.
  const { statusCode, message } = error as { statusCode?: unknown, message: unknown }
  return {
    code: `${CODE_PREFIX}${name}`,
    statusCode: typeof statusCode === 'number' ? statusCode : 500,
    message: String(message),
    retry: PASSING.has(name) || RETRY.has(name)
  }
}

interface Parts {
  readonly refused: RefusedAddresses
  readonly limited: LimitCounters
  readonly telemetry: Telemetry
}

/** Counts and logs the clients that are refused, for every way in. */
export class Refusals {
  readonly #parts: Parts
  // Map(error name -> clients)
  readonly #counts = new Map<string, number>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Clients refused, or disconnected with a code, by the code without its prefix. */
  get counts (): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }

  /**
   * Counts and logs a client that is not let in.
   *
   * @param instance what it asked for
   * @param isFault whether it counts towards the ban of its address
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

  /** Counts refusals towards the ban of an address that were counted as such already. */
  countFaults (address: string | null, count: number): void {
    for (let fault = 0; fault < count; fault++) this.#parts.refused.add(address)
  }

  /** Counts a client that is refused or disconnected with a code. */
  count (name: ErrorName, address: string | null): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    // Server-side failures (`verify` is down) do not count towards the address ban.
    if (!isPassing(name)) this.#parts.refused.add(address)
  }
}
