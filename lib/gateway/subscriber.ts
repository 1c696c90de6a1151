import type { Namespace, Socket } from 'socket.io'
import { type Grant, SILENT } from '../access.js'
import type { Filter } from './filter.js'
import { lastEventIdOf } from './handshake.js'
import type { Link } from './link.js'

/** Whom a namespace serves, as its middleware found out. */
export interface Admitted {
  /** `null` at the root. */
  readonly instance: string | null
  readonly link: Link
  readonly grant: Grant
  readonly filter: Filter
}

/** A client in one of our namespaces. There may be very many, so every field counts. */
export class Subscriber {
  readonly socket: Socket
  readonly instance: string | null
  readonly link: Link
  /** Changed only by who has asked for it again. */
  grant: Grant
  /** Whether it keeps ids to resume from, and so wants to be told where it stands. */
  readonly resumes: boolean
  /** Changed only by who moves it from one group of its channel to the other. */
  filter: Filter

  constructor (socket: Socket, { instance, link, grant, filter }: Admitted) {
    this.socket = socket
    this.instance = instance
    this.link = link
    this.grant = grant
    this.filter = filter
    this.resumes = lastEventIdOf(socket) !== undefined
  }

  /** When it asked to come in. */
  get since (): Date {
    return new Date(this.socket.handshake.issued)
  }

  /** `false` for a client that is let in and gets nothing: Evolution's at the root in traditional mode. */
  get listens (): boolean {
    return this.grant !== SILENT
  }

  /** Its namespace as the protocol writes it before a packet's data. A client may have spelled it in its own way. */
  get namespace (): string {
    return asWritten(this.socket.nsp)
  }
}

// Map(namespace -> as written)
const written = new WeakMap<Namespace, string>()

/** One string for all clients of a namespace. */
function asWritten (namespace: Namespace): string {
  const known = written.get(namespace)
  if (known !== undefined) return known
  const text = namespace.name === '/' ? '' : `${namespace.name},`
  written.set(namespace, text)
  return text
}
