import type { Socket } from 'socket.io'
import type { Grant, Peer } from '../access.js'
import type { Filter } from './filter.js'
import type { Place } from './limits.js'
import type { Packet } from './packet.js'

/** Whom a namespace serves, as the middleware found out. */
export interface Admitted {
  /** `null` at the root. */
  readonly instance: string | null
  readonly peer: Peer
  readonly grant: Grant
  readonly filter: Filter
  readonly place: Place
  /** `false` for a client that is let in and gets nothing: Evolution's at the root in traditional mode. */
  readonly listens: boolean
}

/** A client in one of our namespaces. One connection may carry several. */
export class Subscriber {
  readonly socket: Socket
  readonly instance: string | null
  readonly peer: Peer
  readonly grant: Grant
  readonly place: Place
  readonly listens: boolean
  readonly since = Date.now()
  /** The namespace as the protocol writes it before a packet's data; a client may have spelled it in its own way. */
  readonly prefix: string
  readonly filter: Filter
  /** Messages from this client in the second that began at `inboundSince`. */
  inbound = 0
  inboundSince = 0

  constructor (socket: Socket, { instance, peer, grant, filter, place, listens }: Admitted) {
    this.socket = socket
    this.instance = instance
    this.peer = peer
    this.grant = grant
    this.filter = filter
    this.place = place
    this.listens = listens
    this.prefix = socket.nsp.name === '/' ? '' : `${socket.nsp.name},`
  }

  /** Hands events to the connection, in their order. */
  send (packets: readonly Packet[], encoded: boolean): void {
    for (const packet of packets) {
      if (encoded) this.#write(packet)
      else this.socket.emit(...packet.decoded())
    }
  }

  #write (packet: Packet): void {
    const { conn } = this.socket
    conn.write(packet.textFor(this.prefix))
    for (const attachment of packet.attachments) conn.write(attachment)
  }
}
