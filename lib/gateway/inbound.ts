import { errorName, errors } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import { refusalOf } from './admission.js'
import type { Delivery } from './delivery.js'
import { type AskedFilter, eventNames, makeFilter } from './filter.js'
import type { Subscriber } from './subscriber.js'
import type { Writer } from './writer.js'

interface Parts {
  readonly catalogue: Catalogue
  readonly delivery: Delivery
  readonly writer: Writer
  /** Messages from one client in a second; 0 is no limit. */
  readonly perSecond: number
  readonly evolution: boolean
  /** Told of a client that is sent away. */
  readonly tooFast: (subscriber: Subscriber) => void
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
  readonly #parts: Parts
  // Map(client -> its rate), of the few that send anything
  readonly #rates = new WeakMap<Subscriber, Rate>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  receive (subscriber: Subscriber, event: string, args: readonly unknown[]): void {
    // It is on its way out. What it sent before was read already.
    if (subscriber.link.ended) return
    if (this.#isTooFast(subscriber)) {
      this.#parts.tooFast(subscriber)
      return
    }
    const last = args.at(-1)
    const acknowledge = typeof last === 'function' ? last as Acknowledge : undefined
    this.#parts.writer.checkAnswers(subscriber.link)
    if (event === 'subscribe') this.#subscribe(subscriber, acknowledge === undefined ? args : args.slice(0, -1), acknowledge)
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
    const { catalogue, delivery } = this.#parts
    try {
      const asked = this.#readAsked(args)
      if (asked !== null && subscriber.listens) delivery.setFilter(subscriber, makeFilter(catalogue, asked, subscriber.grant, subscriber.instance))
      acknowledge?.(subscriber.listens ? eventNames(catalogue, subscriber.filter) : [])
    } catch (error) {
      const name = errorName(error)
      if (name === undefined) throw error
      this.dropped++
      acknowledge?.(refusalOf(error as InstanceType<typeof errors.INVALID_FILTER>, name))
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
