import type { Access } from '../access/access.js'
import { errorName, type ErrorName } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import type { Delivery } from './delivery.js'
import { type AskedFilter, makeFilter } from './filter.js'
import type { Refusals } from './refusals.js'
import { LiveSession, type Session } from './session.js'

/** The longest time that a timer of Node can wait, in ms. A key is checked again then, whatever its time. */
const MAX_TIMEOUT = 2 ** 31 - 1

interface Parts {
  readonly access: Access
  readonly catalogue: Catalogue
  readonly delivery: Delivery
  readonly refusals: Refusals
}

/** Checks keys again when their time is over, and closes the sessions of those that were revoked. */
export class Reauthorization {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Checks the key of a session again when its grant says so, in whatever state it is then. Closing cancels it. */
  schedule (session: Session, asked?: AskedFilter): void {
    const { expiresAt } = session.grant
    if (expiresAt === null) {
      session.expiry = null
      return
    }
    // What is over already, while the session waited for the store, is checked at once.
    const left = Math.min(Math.max(expiresAt - performance.now(), 0), MAX_TIMEOUT)
    session.expiry = { asked, timer: setTimeout(() => { void this.#check(session) }, left) }
  }

  async #check (session: Session): Promise<void> {
    const { access, catalogue, delivery } = this.#parts
    const { instance, handshake: { apikey, headers, remoteAddress, asked } } = session
    try {
      const grant = await access.authorize(apikey, instance, access.peer(headers, remoteAddress), headers)
      if (session.state === 'closed') return
      session.grant = grant
      const set = session.expiry?.asked
      // A page that is being read keeps its filter: it is made at once.
      if (session instanceof LiveSession) {
        delivery.setFilter(session, makeFilter(catalogue, set ?? asked, grant, instance))
      }
      this.schedule(session, set)
    } catch (error) {
      // The server shuts down, and ends the connection gently.
      if (session.state !== 'closed' && errorName(error) !== 'CLOSED') this.#lost(session, error)
    }
  }

  /** A client that could not be checked comes back, and is checked then. */
  #lost (session: Session, error: unknown): void {
    const name: ErrorName = errorName(error) ?? 'VERIFY_FAILED'
    const isRevoked = name === 'UNAUTHORIZED' || name === 'FORBIDDEN'
    // One that is not open yet, and a page, is refused and so counted by what lets it in.
    if (session.isOpen && session instanceof LiveSession) this.#parts.refusals.count(name, session.connection.address)
    session.close(isRevoked ? 'revoked' : 'unverified', { code: name })
  }
}
