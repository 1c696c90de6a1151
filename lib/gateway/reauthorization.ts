import type { Access } from '../access/access.js'
import { errorName, type ErrorName } from '../errors.js'
import type { Catalogue } from '../events/catalogue.js'
import type { Delivery } from './delivery.js'
import { type AskedFilter, makeFilter } from './filter.js'
import type { Refusals } from './refusals.js'
import { LiveSession, type Session } from './session.js'

/** The longest delay of a Node timer, in ms. A key with a longer ttl is checked again after this time. */
const MAX_TIMEOUT = 2 ** 31 - 1

interface Parts {
  readonly access: Access
  readonly catalogue: Catalogue
  readonly delivery: Delivery
  readonly refusals: Refusals
}

/** Checks keys again when their grants expire, and closes the sessions of revoked keys. */
export class Reauthorization {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Schedules the next check of a session's key, at the expiry of its grant, in any state. Closing the session cancels
   * it.
   */
  schedule (session: Session, asked?: AskedFilter): void {
    const { expiresAt } = session.grant
    if (expiresAt === null) {
      session.expiry = null
      return
    }
    // A grant that has expired while the session waited for the store is checked at once.
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
      // A page keeps its filter, because it is read in one go.
      if (session instanceof LiveSession) {
        delivery.setFilter(session, makeFilter(catalogue, set ?? asked, grant, instance))
      }
      this.schedule(session, set)
    } catch (error) {
      // CLOSED means that the server is shutting down, which ends the connection by itself.
      if (session.state !== 'closed' && errorName(error) !== 'CLOSED') this.#lost(session, error)
    }
  }

  /** If the check itself failed, the client reconnects and is checked again then. */
  #lost (session: Session, error: unknown): void {
    const name: ErrorName = errorName(error) ?? 'VERIFY_FAILED'
    const isRevoked = name === 'UNAUTHORIZED' || name === 'FORBIDDEN'
    // A session that is not open yet, and a page, is refused by its admission, which counts it.
    if (session.isOpen && session instanceof LiveSession) {
      this.#parts.refusals.count(name, session.instance, session.connection.address)
    }
    session.close(isRevoked ? 'revoked' : 'unverified', { code: name })
  }
}
