import type { Namespace, Socket } from 'socket.io'
import type { Position, Ready } from '../../types.js'
import type { FrameBatch } from '../batch.js'
import { type Handshake, handshakeOf } from '../handshake.js'
import type { ReasonName } from '../reasons.js'
import { type CloseDetail, LiveSession, type SessionServices } from '../session.js'
import type { Writer } from '../writer.js'
import type { SocketConnection } from './connection.js'
import type { Namespaces } from './namespaces.js'
import { directSocket, whyNotDirect, writeByEngine } from './wire.js'

/** Where a socket keeps its session: a property takes less memory than a map of all sockets. */
const SESSION = Symbol('fastify-ws-events.session')

/** What sessions of sockets acquire from beside. */
export interface SocketServices extends SessionServices {
  readonly namespaces: Namespaces
}

type Holder = Socket & { [SESSION]?: SocketSession }

/** A Socket.IO client in one of our namespaces. */
export class SocketSession extends LiveSession {
  declare readonly connection: SocketConnection
  readonly socket: Socket
  readonly #namespaces: Namespaces

  /** The session of a socket; `undefined` for one that skipped our middleware. */
  static of (socket: Holder): SocketSession | undefined {
    return socket[SESSION]
  }

  constructor (services: SocketServices, connection: SocketConnection, instance: string | null, socket: Holder) {
    super(services, connection, instance, handshakeOf(socket))
    this.socket = socket
    this.#namespaces = services.namespaces
    socket[SESSION] = this
  }

  get handshake (): Handshake {
    return handshakeOf(this.socket)
  }

  get since (): Date {
    return new Date(this.socket.handshake.issued)
  }

  /** Straight to the TCP socket where that can be, and otherwise by Engine.IO or Socket.IO. */
  deliver (batch: FrameBatch, writer: Writer): boolean {
    const { connection } = this
    const direct = writer.direct ? directSocket(connection) : undefined
    if (direct === undefined && writer.direct && !this.services.telemetry.isFastPathOff) this.#reportSlowWay()
    if (writer.endIfSlow(connection, direct?.writableLength)) return false
    // A client may have spelled its namespace in its own way.
    if (direct !== undefined) direct.write(batch.framesFor(asWritten(this.socket.nsp)))
    else writer.guarded(connection, () => { this.#write(batch, writer) })
    return true
  }

  #reportSlowWay (): void {
    const why = whyNotDirect(this.connection)
    if (why !== undefined) this.services.telemetry.fastPathOff(why)
  }

  #write (batch: FrameBatch, { direct }: Writer): void {
    if (direct) writeByEngine(this.connection, asWritten(this.socket.nsp), batch)
    else for (const packet of batch.packets) this.socket.emit(...packet.decoded())
  }

  notify (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    this.socket.emit(name, content)
  }

  override close (reason: ReasonName, detail?: CloseDetail): void {
    if (this.state === 'closed') return
    super.close(reason, detail)
    this.#namespaces.release(this.socket)
  }

  protected disconnect (): void {
    this.socket.disconnect()
  }
}

// Map(namespace -> its name as the protocol writes it before a packet's data)
const written = new WeakMap<Namespace, string>()

/** One string for all clients of a namespace. */
function asWritten (namespace: Namespace): string {
  const known = written.get(namespace)
  if (known !== undefined) return known
  const text = namespace.name === '/' ? '' : `${namespace.name},`
  written.set(namespace, text)
  return text
}
