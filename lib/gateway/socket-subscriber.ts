import type { Namespace, Socket } from 'socket.io'
import type { Position, Ready } from '../types.js'
import { type Handshake, handshakeOf } from './handshake.js'
import type { SocketLink } from './socket-link.js'
import { type Admitted, Subscriber } from './subscriber.js'

/** A Socket.IO client in one of our namespaces. */
export class SocketSubscriber extends Subscriber {
  declare readonly link: SocketLink
  readonly socket: Socket

  constructor (socket: Socket, admitted: Admitted & { readonly link: SocketLink }) {
    super(admitted, handshakeOf(socket))
    this.socket = socket
  }

  get client (): Socket {
    return this.socket
  }

  get handshake (): Handshake {
    return handshakeOf(this.socket)
  }

  get since (): Date {
    return new Date(this.socket.handshake.issued)
  }

  /** A client may have spelled it in its own way. */
  get namespace (): string {
    return asWritten(this.socket.nsp)
  }

  tell (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    this.socket.emit(name, content)
  }

  dismiss (): void {
    this.socket.disconnect()
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
