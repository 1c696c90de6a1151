import type { Emitter } from './emitter.js'
import { errors } from '../errors.js'
import type { KeyTable } from '../log/event-log.js'
import { instanceName } from '../instances/names.js'
import type { EmitResult } from '../types.js'
import type { IntakeCounters } from './counters.js'

/** A message that a program outside of this process publishes. */
export interface PublishedMessage {
  readonly event: string
  readonly data: unknown
  readonly sender?: string | null | undefined
  readonly date_time?: string | undefined
  readonly extra?: Readonly<Record<string, unknown>> | undefined
}

/** Identifies a request, so that a repetition of it is recognized. */
export interface RequestKey {
  readonly key: string
  /** Hash of the request's body. */
  readonly fingerprint: string
}

/** The table of the idempotency keys that publishers send. */
const KEYS: KeyTable = { name: 'publish', maxKeys: 100_000, maxAge: 3_600_000 }

/** Emits messages that programs outside of this process publish, over HTTP or any other protocol. */
export class Intake {
  readonly #emitter: Emitter
  readonly #counters: IntakeCounters

  constructor (emitter: Emitter, counters: IntakeCounters) {
    this.#emitter = emitter
    this.#counters = counters
  }

  /**
   * Emits messages of an instance. If one of them is invalid, none is emitted. With a key, they are emitted as one
   * unit, and only once.
   *
   * @returns the results of the messages, in their order
   * @throws an error that names the invalid message; IDEMPOTENCY_KEY_REUSED, PENDING_FULL, and the errors of `emit`
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

/** The error for a request when the table of its key is full. */
export function tableFull ({ maxKeys, maxAge }: KeyTable): Error {
  return Object.assign(new errors.PENDING_FULL(), {
    message: `the store keeps ${maxKeys} keys of requests already, each for ${maxAge / 60_000} minutes: send it again later`
  })
}

function publicationOf ({ event, data, sender, date_time: dateTime, extra }: PublishedMessage) {
  return { event, data, options: { sender, dateTime, extra } }
}

/** Adds the position in the list to the error of an invalid message. */
function inList<Result> (at: number, prepare: () => Result): Result {
  try {
    return prepare()
  } catch (error) {
    if (error instanceof Error) error.message = `body/${at}: ${error.message}`
    throw error
  }
}
