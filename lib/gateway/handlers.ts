import type { ValidateFunction } from 'ajv'
import type { FastifyBaseLogger } from 'fastify'
import type { Socket } from 'socket.io'
import type { HandledEvent } from '../asyncapi/index.js'
import { errorName, errors, reasonOf, unreadable } from '../errors.js'
import { type EventSchema, nameFault } from '../events/catalogue.js'
import { inTime, TimedOut } from '../host/in-time.js'
import { faultIn, SchemaCompiler, schemaFault } from '../host/json-schema.js'
import { excerpt } from '../instances/names.js'
import type { HandleOptions, Handler } from '../types.js'
import { asReceived } from './packet.js'

/** Default timeout of a handler, in ms. */
const DEFAULT_TIMEOUT = 10_000
/** The longest delay of a Node timer, in ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

const KNOWN = ['schema', 'handler', 'timeout']

interface Entry {
  readonly schema: EventSchema | undefined
  readonly handler: Handler<unknown>
  readonly validate: ValidateFunction | null
  /** Timeout in ms; 0 is no limit. */
  readonly timeout: number
}

/** A message from a client, for the handler of its event. */
export interface Call {
  readonly event: string
  /** The instance of the client's namespace; `null` at the root. */
  readonly instance: string | null
  /** The arguments of the Socket.IO event. */
  readonly args: readonly unknown[]
  readonly socket: Socket
}

/** The application's handlers of messages from clients. */
export class Handlers {
  readonly #log: FastifyBaseLogger
  // Map(event -> its handler)
  readonly #entries = new Map<string, Entry>()

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  has (event: string): boolean {
    return this.#entries.has(event)
  }

  /** The events that clients may send, and the schemas of their data. */
  list (): HandledEvent[] {
    return [...this.#entries].map(([event, { schema }]) => ({ event, schema }))
  }

  /** @throws INVALID_OPTION naming what is wrong */
  add (event: string, options: HandleOptions<EventSchema | undefined>): void {
    const fault = nameFault(event)
    if (fault !== undefined) {
      throw new errors.INVALID_OPTION(
        `handle: the name ${typeof event === 'string' ? JSON.stringify(excerpt(event)) : 'of an event'} ${fault}`
      )
    }
    if (this.#entries.has(event)) throw new errors.INVALID_OPTION(`handle: "${event}" has a handler already`)
    try {
      this.#entries.set(event, readEntry(event, options))
    } catch (thrown) {
      throw unreadable(`handle: the options of "${event}"`, thrown, errors.INVALID_OPTION)
    }
  }

  /**
   * Validates a message.
   *
   * @returns a function that calls the handler with the message
   * @throws INVALID_DATA
   */
  prepare (call: Call): () => Promise<unknown> {
    const { event, args } = call
    const entry = this.#entries.get(event)
    if (entry === undefined) throw new TypeError(`"${event}" has no handler`)
    if (args.length > 1) throw new errors.INVALID_DATA(`"${event}" takes one argument, got ${args.length}`)
    const { validate } = entry
    const fault = validate === null ? undefined : faultIn(validate, args[0], 'data')
    if (fault !== undefined) throw new errors.INVALID_DATA(`the data of "${event}" does not match its schema: ${fault}`)
    return async () => await this.#run(entry, call)
  }

  /**
   * @returns the result of the handler
   * @throws HANDLER_FAILED, HANDLER_TIMEOUT, NOT_SERIALIZABLE, or an error of this package that the handler throws
   */
  async #run ({ handler, timeout }: Entry, { event, instance, args: [data], socket }: Call): Promise<unknown> {
    const handled = Promise.resolve().then(() => handler({ instance, data, socket }))
    try {
      const answer = await (timeout === 0 ? handled : inTime(handled, timeout)) ?? null
      // Serialize the result here: Socket.IO's own encoder reads it twice, and differs from JSON in some values.
      return asReceived(event, answer)
    } catch (err) {
      // Coded errors are for the client. Of any other error the client gets no details.
      const failure = err instanceof TimedOut
        ? new errors.HANDLER_TIMEOUT(event, timeout)
        : errorName(err) === undefined ? new errors.HANDLER_FAILED(event) : err
      this.#log[failure === err ? 'info' : 'error'](
        { err, event, instance },
        'a handler has failed, and its client is told so'
      )
      throw failure
    }
  }
}

function readEntry (event: string, options: unknown): Entry {
  const wrong = (why: string) => new errors.INVALID_OPTION(`handle: ${why} of "${event}"`)
  if (typeof options !== 'object' || options === null) throw wrong('{ schema?, handler, timeout? } must be the options')
  const { schema, handler, timeout = DEFAULT_TIMEOUT } = options as Partial<HandleOptions<EventSchema | undefined>>
  const unknown = Object.keys(options).find(name => !KNOWN.includes(name))
  if (unknown !== undefined) throw wrong(`"${unknown}" is unknown beside ${KNOWN.join(', ')} in the options`)
  if (typeof handler !== 'function') throw wrong('a function must be the handler')
  if (!Number.isInteger(timeout) || timeout < 0 || timeout > MAX_TIMEOUT) {
    throw wrong(`whole milliseconds up to ${MAX_TIMEOUT}, 0 for no limit, must be the timeout`)
  }
  return { schema, handler, timeout, validate: schema === undefined ? null : compile(event, schema) }
}

function compile (event: string, schema: EventSchema): ValidateFunction {
  const wrong = (why: string) => new errors.INVALID_OPTION(`handle: the schema of "${event}" ${why}`)
  const fault = schemaFault(schema)
  if (fault !== undefined) throw wrong(fault)
  try {
    return new SchemaCompiler().compile(schema)
  } catch (cause) {
    throw Object.assign(wrong(`cannot be compiled: ${reasonOf(cause)}`), { cause })
  }
}
