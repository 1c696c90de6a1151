import type { Emitter } from './emitter.js'
import { errors } from '../errors.js'
import type { KeyTable } from '../log/event-log.js'
import { instanceName } from '../instances/names.js'
import type { EmitResult } from '../types.js'
import type { IntakeCounters } from './counters.js'

/** A message as a program outside of the process publishes it. */
export interface PublishedMessage {
  readonly event: string
  readonly data: unknown
  readonly sender?: string | null | undefined
  readonly date_time?: string | undefined
  readonly extra?: Readonly<Record<string, unknown>> | undefined
}

/** What makes a request the same as one before. */
export interface RequestKey {
  readonly key: string
  /** Of its body. */
  readonly fingerprint: string
}

/** Keys that publishers give. */
const KEYS: KeyTable = { name: 'publish', maxKeys: 100_000, maxAge: 3_600_000 }

/** Takes messages from outside of the process and emits them. Any source may call it. */
export class Intake {
  readonly #emitter: Emitter
  readonly #counters: IntakeCounters

  constructor (emitter: Emitter, counters: IntakeCounters) {
    this.#emitter = emitter
    this.#counters = counters
  }

  /**
   * Emits messages of an instance: none if one of them is not valid, and with a key all of them or none, once.
   *
   * @returns what became of each, in their order
   * @throws what is wrong with a message, and which; IDEMPOTENCY_KEY_REUSED, PENDING_FULL, and what `emit` rejects with
   */
  async publish (
    instance: string,
    messages: readonly PublishedMessage[],
    requestKey: RequestKey | null
  ): Promise<readonly EmitResult[]> {
    const name = instanceName(instance)
    const events = messages.map((message, at) => {
      const prepare = () => this.#emitter.prepare({ instance: name, ...publicationOf(message) })
      return messages.length === 1 ? prepare() : inList(at, prepare)
    })
    if (requestKey === null) {
      const results = await this.#emitter.sendEach(events)
      this.#counters.accepted(results.length)
      return results
    }
    const { key, fingerprint } = requestKey
    const done = await this.#emitter.sendOnce({ table: KEYS, key: `${name}/${key}`, fingerprint }, events)
    if (done.outcome === 'conflict') throw new errors.IDEMPOTENCY_KEY_REUSED()
    if (!('results' in done)) throw tableFull(KEYS)
    if (done.outcome === 'repeated') this.#counters.repeated()
    else this.#counters.accepted(events.length)
    return done.results
  }
}

/** The error for a request whose key has no room. */
export function tableFull ({ maxKeys, maxAge }: KeyTable): Error {
  return Object.assign(new errors.PENDING_FULL(), {
    message: `the store keeps ${maxKeys} keys of requests already, each for ${maxAge / 60_000} minutes: send it again later`
  })
}

function publicationOf ({ event, data, sender, date_time: dateTime, extra }: PublishedMessage) {
  return { event, data, options: { sender, dateTime, extra } }
}

/** Says of an error in which message of a list it is. */
function inList<Result> (at: number, prepare: () => Result): Result {
  try {
    return prepare()
  } catch (error) {
    if (error instanceof Error) error.message = `body/${at}: ${error.message}`
    throw error
  }
}
