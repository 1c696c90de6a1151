import type { FastifyBaseLogger } from 'fastify'
import { SILENT_ROOT_GRANT } from '../access/access.js'
import { type CodedError, errorName, errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import type { LimitCounters } from '../limits/limits.js'
import type { Refusal } from '../types.js'
import type { Delivery } from './delivery.js'
import { type AskedFilter, eventNames, makeFilter } from './filter.js'
import type { Handlers } from './handlers.js'
import { refusalOf, type Refusals } from './refusals.js'
import type { LiveSession } from './session.js'
import type { SocketSession } from './socketio/session.js'
import type { Telemetry } from './telemetry.js'
import type { Writer } from './writer.js'

interface Parts {
  readonly catalogue: Catalogue
  readonly delivery: Delivery
  readonly writer: Writer
  /** Messages that one client may send in a second; 0 is no limit. */
  readonly perSecond: number
  readonly evolution: boolean
  readonly handlers: Handlers
  readonly refusals: Refusals
  readonly limited: LimitCounters
  readonly telemetry: Telemetry
  readonly logger: FastifyBaseLogger
}

const SECOND = 1000

type Acknowledge = (answer: unknown) => void

/** Handles the messages of clients: `subscribe`, and those that the application has handlers for. */
export class Commands {
  /** Messages that have no handler, or that were refused. */
  dropped = 0
  /** Messages for which a handler was called. */
  handled = 0
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  receive (session: SocketSession, event: string, args: readonly unknown[]): void {
    // Socket.IO still emits messages that arrived before the connection was ended.
    if (!session.isOpen || session.connection.ended) return
    if (this.#countMessage(session)) {
      this.#endTooFast(session)
      return
    }
    const last = args.at(-1)
    const acknowledge = typeof last === 'function' ? last as Acknowledge : undefined
    const sent = acknowledge === undefined ? args : args.slice(0, -1)
    this.#parts.writer.checkAnswers(session.connection)
    if (event === 'subscribe') this.#subscribe(session, sent, acknowledge)
    else if (this.#parts.handlers.has(event)) void this.#handle(session, event, sent, acknowledge)
    else this.dropped++
  }

  /** @returns whether the client has exceeded its messages for this second */
  #countMessage (session: LiveSession): boolean {
    const { perSecond } = this.#parts
    if (perSecond === 0) return false
    const now = performance.now()
    const { rate } = session
    if (rate !== null && now - rate.since < SECOND) return ++rate.messages > perSecond
    session.rate = { since: now, messages: 1 }
    return false
  }

  #endTooFast ({ instance, connection }: SocketSession): void {
    const { refusals, limited, telemetry } = this.#parts
    refusals.count('LIMIT_REACHED', instance, connection.address)
    limited.count('inboundPerSecond')
    telemetry.tooManyMessages(instance, connection.address)
    connection.end('tooManyMessages')
  }

  /** Replaces the filter. The acknowledgement is the list of effective events, or a refusal as in `connect_error`. */
  #subscribe (session: SocketSession, args: readonly unknown[], acknowledge: Acknowledge | undefined): void {
    const { catalogue, delivery } = this.#parts
    const hears = session.grant !== SILENT_ROOT_GRANT
    try {
      const asked = this.#readAsked(args)
      if (asked !== null && hears) {
        delivery.setFilter(session, makeFilter(catalogue, asked, session.grant, session.instance))
        if (session.expiry !== null) session.expiry.asked = asked
      }
      acknowledge?.(hears ? eventNames(catalogue, session.filter) : [])
    } catch (error) {
      const refusal = refusalOrNone(error)
      if (refusal === undefined) throw error
      this.dropped++
      acknowledge?.(refusal)
    }
  }

  /** Calls the handler of a message, and acknowledges its result. Never rejects. */
  async #handle (
    session: SocketSession,
    event: string,
    args: readonly unknown[],
    acknowledge: Acknowledge | undefined
  ): Promise<void> {
    const { writer, logger } = this.#parts
    const { socket, connection, instance } = session
    const { address } = connection
    try {
      const answer = await this.#answerOf(session, event, args)
      // The client may have disconnected meanwhile.
      if (acknowledge === undefined || !socket.connected || connection.ended) return
      writer.answer(connection, () => { acknowledge(answer) })
    } catch (err) {
      logger.error({ err, event, instance, address }, 'a message of a client could not be acknowledged')
    }
  }

  async #answerOf (session: SocketSession, event: string, args: readonly unknown[]): Promise<unknown> {
    const { socket, instance } = session
    let isHandled = false
    try {
      checkMayCall(session)
      const run = this.#parts.handlers.prepare({ event, instance, args, socket })
      isHandled = true
      this.handled++
      return await run()
    } catch (error) {
      if (!isHandled) this.dropped++
      const refusal = refusalOrNone(error)
      if (refusal === undefined) throw error
      return refusal
    }
  }

  /** @returns `null` for the message of Evolution's clients, which only names the instance of their namespace */
  #readAsked (args: readonly unknown[]): AskedFilter | null {
    const asked = args[0] ?? {}
    if (args.length > 1 || typeof asked !== 'object' || Array.isArray(asked)) {
      throw new errors.INVALID_FILTER('must be one object { events?, instances? }')
    }
    const keys = Object.keys(asked)
    const { evolution } = this.#parts
    const unknown = keys.find(key => key !== 'events' && key !== 'instances' && !(evolution && key === 'instance'))
    if (keys.length === 1 && keys[0] === 'instance' && evolution) return null
    if (unknown !== undefined) {
      throw new errors.INVALID_FILTER(`has the unknown key "${unknown.slice(0, 60)}": events and instances are known`)
    }
    return asked
  }
}

/** At the root a message has no instance to which a restricted key could be limited. @throws UNAUTHORIZED, FORBIDDEN */
function checkMayCall ({ instance, grant }: SocketSession): void {
  if (instance !== null || (grant.global && grant.keyHash !== null)) return
  if (grant.keyHash === null) throw new errors.UNAUTHORIZED()
  throw new errors.FORBIDDEN('calls at the root, which need the global key')
}

/** The refusal for a coded error; `undefined` for an error that clients must not see. */
function refusalOrNone (error: unknown): Refusal | undefined {
  const name = errorName(error)
  return name === undefined ? undefined : refusalOf(error as CodedError, name)
}
