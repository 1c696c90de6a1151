import type { Namespace, Socket } from 'socket.io'
import type { Position, Ready } from '../../types.js'
import type { FrameBatch } from '../batch.js'
import type { Shared } from '../connection.js'
import { type Handshake, handshakeOf, offsetOf } from '../handshake.js'
import type { CloseDetail, ReasonName } from '../reasons.js'
import { type DeliveryWriter, LiveSession, type SessionServices } from '../session.js'
import type { Telemetry } from '../telemetry.js'
import type { SocketConnection } from './connection.js'
import type { Namespaces } from './namespaces.js'
import { directSocket, whyNotDirect, writeByEngine } from './wire.js'

/** Where a socket keeps its session: a property takes less memory than a map of all sockets. */
const SESSION = Symbol('fastify-ws-events.session')

/** What sessions of sockets acquire from beside. */
export interface SocketServices extends SessionServices {
  readonly namespaces: Namespaces
  readonly telemetry: SessionServices['telemetry'] & Pick<Telemetry, 'isFastPathOff' | 'fastPathOff'>
}

type Holder = Socket & { [SESSION]?: SocketSession }

/** A Socket.IO client in one of our namespaces. */
export class SocketSession extends LiveSession {
  declare readonly connection: SocketConnection
  declare protected readonly services: SocketServices
  readonly socket: Socket

  /** The session of a socket; `undefined` for one that skipped our middleware. */
  static of (socket: Holder): SocketSession | undefined {
    return socket[SESSION]
  }

  /** @param byPid whether it is a stock client that resumes by its pid */
  constructor (
    services: SocketServices,
    connection: SocketConnection,
    instance: string | null,
    socket: Holder,
    byPid = false
  ) {
    const handshake = handshakeOf(socket)
    const ofStock = byPid ? { ...handshake, lastEventId: offsetOf(socket, instance), byPid } : handshake
    super(services, connection, instance, ofStock)
    this.socket = socket
    socket[SESSION] = this
  }

  get handshake (): Handshake {
    return handshakeOf(this.socket)
  }

  get since (): Date {
    return new Date(this.socket.handshake.issued)
  }

  /** Straight to the TCP socket where that can be, and otherwise by Engine.IO or Socket.IO. */
  deliver (batch: FrameBatch, writer: DeliveryWriter): boolean {
    const { connection } = this
    const direct = writer.direct ? directSocket(connection) : undefined
    if (direct === undefined && writer.direct && !this.services.telemetry.isFastPathOff) this.#reportSlowWay()
    if (writer.endIfSlow(connection, direct?.writableLength)) return false
    // A client may have spelled its namespace in its own way.
    if (direct !== undefined) direct.write(batch.framesFor(asWritten(this.socket.nsp), this.byPid))
    else writer.guarded(connection, () => { this.#write(batch, writer) })
    return true
  }

  /** Frames are made once for a namespace. What Engine.IO writes is made for each connection. */
  override get shared (): Shared | null {
    const { connection, filter: { key }, byPid, socket: { nsp } } = this
    if (!this.isReceiving || connection.way?.fast === undefined) return null
    return { stream: nsp, filter: byPid ? `++${key}` : key }
  }

  #reportSlowWay (): void {
    const why = whyNotDirect(this.connection)
    if (why !== undefined) this.services.telemetry.fastPathOff(why)
  }

  #write (batch: FrameBatch, { direct }: DeliveryWriter): void {
    const { connection, socket, byPid } = this
    if (direct) writeByEngine(connection, asWritten(socket.nsp), batch, byPid)
    else for (const packet of batch.packets) socket.emit(...packet.decoded(), ...(byPid ? [packet.entry.id] : []))
  }

  /** To a stock client with the id as its offset, which it takes from any event. */
  notify (name: 'ws.ready' | 'ws.position', content: Ready | Position): void {
    this.socket.emit(name, content, ...(this.byPid ? [content.lastEventId] : []))
  }

  override close (reason: ReasonName, detail?: CloseDetail): void {
    if (this.state === 'closed') return
    super.close(reason, detail)
    // Socket.IO keeps a socket that was replaced until its connection ends, and so it holds its namespace.
    if (reason !== 'replaced') this.services.namespaces.release(this.socket)
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
