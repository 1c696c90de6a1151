import type { Access } from '../access.js'
import { errorName, type ErrorName } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import type { Arrivals } from './arrivals.js'
import type { Delivery } from './delivery.js'
import { type AskedFilter, makeFilter } from './filter.js'
import type { Reports } from './reports.js'
import type { Subscriber } from './subscriber.js'
import type { Writer } from './writer.js'

/** The longest time that a timer of Node can wait, in ms. A key is asked for again then, whatever its time. */
const MAX_TIMEOUT = 2 ** 31 - 1

interface Parts {
  readonly access: Access
  readonly catalogue: Catalogue
  readonly arrivals: Pick<Arrivals, 'count'>
  readonly delivery: Delivery
  readonly writer: Writer
  /** Ends a client so that it stays away. */
  readonly dismiss: (subscriber: Subscriber) => void
  readonly reports: Reports
}

/** A client whose grant runs out. */
interface Term {
  timer: NodeJS.Timeout | undefined
  /** The filter that it has set since it came in; `undefined`: the one that it brought. */
  asked: AskedFilter | undefined
}

/** Asks again for keys whose time has run out, and ends the clients of those that lost their right. */
export class Renewals {
  readonly #parts: Parts
  // Map(client -> its term), of those alone whose grant runs out
  readonly #terms = new Map<Subscriber, Term>()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Looks after a client that has come in. */
  watch (subscriber: Subscriber): void {
    if (subscriber.grant.expiresAt === null) return
    const term: Term = { timer: undefined, asked: undefined }
    this.#terms.set(subscriber, term)
    this.#begin(subscriber, term)
  }

  /** Notes the filter that a client has set, for the grant that comes next. */
  asked (subscriber: Subscriber, filter: AskedFilter): void {
    const term = this.#terms.get(subscriber)
    if (term !== undefined) term.asked = filter
  }

  /** Asks no more for a client that is gone. */
  forget (subscriber: Subscriber): void {
    clearTimeout(this.#terms.get(subscriber)?.timer)
    this.#terms.delete(subscriber)
  }

  close (): void {
    for (const { timer } of this.#terms.values()) clearTimeout(timer)
    this.#terms.clear()
  }

  #begin (subscriber: Subscriber, term: Term): void {
    const { expiresAt } = subscriber.grant
    if (expiresAt === null) {
      this.#terms.delete(subscriber)
      return
    }
    // What has run out already, while the client waited for the store, is asked for at once.
    const left = Math.min(Math.max(expiresAt - performance.now(), 0), MAX_TIMEOUT)
    term.timer = setTimeout(() => { void this.#renew(subscriber, term) }, left)
  }

  async #renew (subscriber: Subscriber, term: Term): Promise<void> {
    const { access, catalogue, delivery } = this.#parts
    const { instance, handshake: { apikey, headers, remoteAddress, asked } } = subscriber
    try {
      const grant = await access.authorize(apikey, instance, access.peer(headers, remoteAddress), headers)
      // It may have left, and the server may have closed.
      if (this.#terms.get(subscriber) !== term) return
      subscriber.grant = grant
      delivery.setFilter(subscriber, makeFilter(catalogue, term.asked ?? asked, grant, instance))
      this.#begin(subscriber, term)
    } catch (error) {
      if (this.#terms.get(subscriber) === term) this.#lost(subscriber, error)
    }
  }

  /** A key that opens nothing any more ends its client; whoever cannot be checked may come back, and is checked then. */
  #lost (subscriber: Subscriber, error: unknown): void {
    const { arrivals, writer, dismiss, reports } = this.#parts
    const { instance, link } = subscriber
    this.forget(subscriber)
    const name: ErrorName = errorName(error) ?? 'VERIFY_FAILED'
    const isOver = name === 'UNAUTHORIZED' || name === 'FORBIDDEN'
    arrivals.count(name, link.address)
    reports.refused({ name, instance, address: link.address }, isOver ? 'lostRight' : 'uncheckable')
    if (isOver) dismiss(subscriber)
    else writer.end(link)
  }
}
