import type { Peer } from '../access.js'
import { type Connection, endConnection } from './internals.js'
import type { FastSocket } from './wire.js'

/** A client's connection, with what we keep about it. Several namespaces may share one. */
export class Link {
  readonly connection: Connection
  readonly peer: Peer
  /** Ended by us. Its close is reported later, and nothing more is written until then. */
  ended = false
  /** Namespaces that it is in and that serve nothing: Evolution's root in traditional mode. */
  silent = 0
  /** The turn of the event loop in which it was last written to. */
  turn = 0
  /** The transport that `fast` was found for. */
  transport: unknown
  fast: FastSocket | undefined

  constructor (connection: Connection, peer: Peer) {
    this.connection = connection
    this.peer = peer
  }

  /** Ends the connection at once, so that a stock client comes back by itself. */
  end (): void {
    this.ended = true
    endConnection(this.connection)
  }
}
