import type { VerifyAnswer, VerifyRequest } from '../../lib/index.js'
import { Gate } from './gates.js'

/** The key of the client that a row is about. */
export const KEY = 'key-of-the-client'
/** The key of all others. */
export const OTHER = 'another-key'

/** The host's check of keys. */
export class Checks {
  /** Before the key of the row's client is accepted or not. */
  readonly gate = new Gate()
  /** Whether the key of the row's client opens nothing any more. */
  isRevoked = false
  /** How often the key of the row's client was asked for. */
  asked = 0
  /** How often it was said to open nothing. */
  denied = 0
  /** How often another key was asked for. */
  others = 0
  readonly #yes: VerifyAnswer

  /** @param ttl after which keys are asked for again, in ms; left out: never */
  constructor (ttl: number | undefined) {
    this.#yes = ttl === undefined ? true : { ttl }
  }

  readonly verify = async ({ apikey }: VerifyRequest): Promise<VerifyAnswer> => {
    if (apikey !== KEY) {
      this.others++
      return this.#yes
    }
    this.asked++
    await this.gate.pass()
    if (!this.isRevoked) return this.#yes
    this.denied++
    return false
  }
}
