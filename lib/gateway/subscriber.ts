import type { Socket } from 'socket.io'
import type { Grant } from '../access.js'
import type { Filter } from './filter.js'
import type { Place } from './limits.js'
import type { Link } from './link.js'

/** Whom a namespace serves, as its middleware found out. */
export interface Admitted {
  /** `null` at the root. */
  readonly instance: string | null
  readonly link: Link
  readonly grant: Grant
  readonly filter: Filter
  readonly place: Place
  /** `false` for a client that is let in and gets nothing: Evolution's at the root in traditional mode. */
  readonly listens: boolean
}

/** A client in one of our namespaces. */
export class Subscriber {
  readonly socket: Socket
  readonly instance: string | null
  readonly link: Link
  readonly grant: Grant
  readonly place: Place
  readonly listens: boolean
  readonly since = Date.now()
  /** As the protocol writes it before a packet's data. A client may have spelled it in its own way. */
  readonly namespace: string
  /** Changed only by who moves it from one group of its channel to the other. */
  filter: Filter
  /** Messages from this client in the second that began at `inboundSince`. */
  inbound = 0
  inboundSince = 0

  constructor (socket: Socket, { instance, link, grant, filter, place, listens }: Admitted) {
    this.socket = socket
    this.instance = instance
    this.link = link
    this.grant = grant
    this.filter = filter
    this.place = place
    this.listens = listens
    this.namespace = socket.nsp.name === '/' ? '' : `${socket.nsp.name},`
  }
}
