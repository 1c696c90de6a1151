import type { FastifyBaseLogger } from 'fastify'
import { type CodedError, errorName, errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import { refusalOf } from './admission.js'
import type { Delivery } from './delivery.js'
import type { Refusal } from '../types.js'
import { type AskedFilter, eventNames, makeFilter } from './filter.js'
import type { Handlers } from './handlers.js'
import type { Renewals } from './renewals.js'
import type { SocketSubscriber } from './socket-subscriber.js'
import type { Subscriber } from './subscriber.js'
import type { Writer } from './writer.js'

interface Parts {
  readonly catalogue: Catalogue
  readonly delivery: Delivery
  readonly writer: Writer
  /** Messages from one client in a second; 0 is no limit. */
  readonly perSecond: number
  readonly evolution: boolean
  readonly handlers: Handlers
  readonly renewals: Renewals
  readonly logger: FastifyBaseLogger
  /** Told of a client that is sent away. */
  readonly tooFast: (subscriber: SocketSubscriber) => void
}

const SECOND = 1000

/** Messages of a client in the second that began at `since`. */
interface Rate {
  readonly since: number
  messages: number
}

type Acknowledge = (answer: unknown) => void

/** What clients send. */
export class Inbound {
  /** Messages that nothing handles, or that were refused. */
  dropped = 0
  /** Messages that a handler was called with. */
  handled = 0
  readonly #parts: Parts
  // Map(client -> its rate), of the few that send anything
  readonly #rates = new WeakMap<Subscriber, Rate>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  receive (subscriber: SocketSubscriber, event: string, args: readonly unknown[]): void {
    // It is on its way out. What it sent before was read already.
    if (subscriber.link.ended) return
    if (this.#isTooFast(subscriber)) {
      this.#parts.tooFast(subscriber)
      return
    }
    const last = args.at(-1)
    const acknowledge = typeof last === 'function' ? last as Acknowledge : undefined
    const sent = acknowledge === undefined ? args : args.slice(0, -1)
    this.#parts.writer.checkAnswers(subscriber.link)
    if (event === 'subscribe') this.#subscribe(subscriber, sent, acknowledge)
    else if (this.#parts.handlers.has(event)) void this.#handle(subscriber, event, sent, acknowledge)
    else this.dropped++
  }

  #isTooFast (subscriber: Subscriber): boolean {
    const { perSecond } = this.#parts
    if (perSecond === 0) return false
    const now = Date.now()
    const rate = this.#rates.get(subscriber)
    if (rate !== undefined && now - rate.since < SECOND) return ++rate.messages > perSecond
    this.#rates.set(subscriber, { since: now, messages: 1 })
    return false
  }

  /** Sets the whole filter. The acknowledgement is the list in force, or a refusal as in `connect_error`. */
  #subscribe (subscriber: Subscriber, args: readonly unknown[], acknowledge: Acknowledge | undefined): void {
    const { catalogue, delivery, renewals } = this.#parts
    try {
      const asked = this.#readAsked(args)
      if (asked !== null && subscriber.listens) {
        delivery.setFilter(subscriber, makeFilter(catalogue, asked, subscriber.grant, subscriber.instance))
        renewals.asked(subscriber, asked)
      }
      acknowledge?.(subscriber.listens ? eventNames(catalogue, subscriber.filter) : [])
    } catch (error) {
      const refusal = refusalFor(error)
      if (refusal === undefined) throw error
      this.dropped++
      acknowledge?.(refusal)
    }
  }

  /** Has a message handled, and acknowledges it with what came of it. Never rejects. */
  async #handle (subscriber: SocketSubscriber, event: string, args: readonly unknown[], acknowledge: Acknowledge | undefined): Promise<void> {
    const { writer, logger } = this.#parts
    const { socket, link, instance } = subscriber
    try {
      const answer = await this.#answerOf(subscriber, event, args)
      // Who has left in the meantime waits for no answer.
      if (acknowledge === undefined || !socket.connected || link.ended) return
      acknowledge(answer)
      writer.checkAnswers(link)
    } catch (err) {
      logger.error({ err, event, instance, address: link.address }, 'a message of a client could not be acknowledged')
    }
  }

  async #answerOf (subscriber: SocketSubscriber, event: string, args: readonly unknown[]): Promise<unknown> {
    const { socket, instance } = subscriber
    let isHandled = false
    try {
      checkMayCall(subscriber)
      const run = this.#parts.handlers.prepare({ event, instance, args, socket })
      isHandled = true
      this.handled++
      return await run()
    } catch (error) {
      if (!isHandled) this.dropped++
      const refusal = refusalFor(error)
      if (refusal === undefined) throw error
      return refusal
    }
  }

  /** @returns `null` for what Evolution's clients send, which says only what their namespace has said already */
  #readAsked (args: readonly unknown[]): AskedFilter | null {
    const asked = args[0] ?? {}
    if (args.length > 1 || typeof asked !== 'object' || Array.isArray(asked)) throw new errors.INVALID_FILTER('must be one object { events?, instances? }')
    const keys = Object.keys(asked)
    const { evolution } = this.#parts
    const unknown = keys.find(key => key !== 'events' && key !== 'instances' && !(evolution && key === 'instance'))
    if (keys.length === 1 && keys[0] === 'instance' && evolution) return null
    if (unknown !== undefined) throw new errors.INVALID_FILTER(`has the unknown key "${unknown.slice(0, 60)}": events and instances are known`)
    return asked
  }
}

/** At the root there is no instance that a key could be held to. @throws UNAUTHORIZED, FORBIDDEN */
function checkMayCall ({ instance, grant }: Subscriber): void {
  if (instance !== null || (grant.global && grant.keyHash !== null)) return
  throw grant.keyHash === null ? new errors.UNAUTHORIZED() : new errors.FORBIDDEN('calls at the root, which need the global key')
}

/** What a client is told of an error; `undefined` for one that is not for it. */
function refusalFor (error: unknown): Refusal | undefined {
  const name = errorName(error)
  return name === undefined ? undefined : refusalOf(error as CodedError, name)
}
