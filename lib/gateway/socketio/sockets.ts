import type { Server, Socket } from 'socket.io'
import type { Access } from '../../access/access.js'
import { errorName, errors } from '../../errors.js'
import { type LimitCounters, limitOf, limitReached } from '../../limits/limits.js'
import { excerpt, instanceOfNamespace } from '../../instances/names.js'
import type { Admission } from '../admission.js'
import { checkRepeated, SOCKET_PARAMETERS } from '../handshake.js'
import type { Commands } from '../commands.js'
import { drain } from '../drain.js'
import { isTemporary, type Refusals } from '../refusals.js'
import type { Sessions } from '../sessions.js'
import type { Writer } from '../writer.js'
import { SocketConnection } from './connection.js'
import {
  closesWithin, connectionsOf, type EngineConnection, endConnection, endGently, isArriving, listenToAll, namespaceCount,
  sentTooMuch, onRelease
} from './engine.js'
import type { HandshakeRequests } from './handshake-request.js'
import type { IdleConnections } from './idle.js'
import { SocketSession, type SocketServices } from './session.js'
import type { StockResume } from './stock-resume.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 3000

interface Parts {
  readonly io: Server
  /** Whether this plugin created the server. */
  readonly own: boolean
  /** Whether the plugin serves the root. */
  readonly withRoot: boolean
  readonly services: SocketServices
  readonly access: Access
  readonly admission: Admission
  readonly sessions: Sessions
  readonly refusals: Refusals
  readonly commands: Commands
  readonly writer: Writer
  readonly stockResume: StockResume
  readonly idle: IdleConnections
  readonly requests: HandshakeRequests
  readonly limited: LimitCounters
  /** Refusals after which a connection without a session is ended; 0 is no limit. */
  readonly maxRefusals: number
  /** Connect requests on one connection in a second; 0 is no limit. */
  readonly perSecond: number
}

/** The sessions of Socket.IO clients: admits clients, and closes sessions with their sockets and connections. */
export class Sockets {
  readonly #parts: Parts
  // One function for all clients, because there may be many.
  readonly #onDisconnect: (this: Socket, reason: string) => void
  readonly #onAny: (this: Socket, event: string, ...args: unknown[]) => void
  readonly #onClose: (this: EngineConnection, reason: string, cause?: unknown) => void
  #closing = false

  constructor (parts: Parts) {
    const { io, own, withRoot, services, commands, idle } = parts
    this.#parts = parts
    const left = (socket: Socket, word: string) => { this.#left(socket, word) }
    const closed = (engine: EngineConnection, word: string, cause: unknown) => { this.#closed(engine, word, cause) }
    this.#onDisconnect = function (reason) { left(this, reason) }
    this.#onAny = function (event, ...args) {
      const session = SocketSession.of(this)
      if (session !== undefined) commands.receive(session, event, args)
    }
    this.#onClose = function (reason, cause) { closed(this, reason, cause) }
    services.namespaces.serve({
      guard: async socket => await this.#guard(socket),
      connected: socket => { this.#connected(socket) }
    }, withRoot)
    if (!own) return
    io.engine.prependListener('connection', (engine: EngineConnection) => { idle.opened(engine) })
    io.engine.on('connection', (engine: EngineConnection) => { this.#came(engine) })
  }

  #came (engine: EngineConnection): void {
    closesWithin(engine, END_TIMEOUT)
    // A new connection during the shutdown would keep the server from closing.
    if (this.#closing) endConnection(engine)
  }

  /** Authorizes a client. Resolves to the error that refuses it, or to `undefined` to accept it. */
  async #guard (socket: Socket): Promise<Error | undefined> {
    const { access, admission, services, stockResume } = this.#parts
    const { conn, handshake, nsp } = socket
    let connection = SocketConnection.of(conn)
    let session: SocketSession | undefined
    try {
      // Use the connection's address: the request may have lost its socket by the time a second namespace is joined.
      const peer = access.peer(handshake.headers, conn.remoteAddress)
      connection ??= this.#connectionOf(conn, peer.address)
      this.#checkConnectRate(connection, nsp.name)
      admission.checkCaller(peer)
      access.checkOrigin(peer)
      session = new SocketSession(services, connection, requestedInstance(nsp.name), socket, stockResume.takes(socket))
      checkSpelling(session)
      if (session.instance !== null || admission.servesRoot) checkRepeated(handshake.url, SOCKET_PARAMETERS)
      await admission.admit(session, peer)
      if (session.byPid && session.subscription !== null) await stockResume.prepare(session)
      session.checkNotClosed()
      this.#closeIfRefusedByHost(session)
    } catch (error) {
      if (session === undefined) services.namespaces.release(socket)
      else session.close('refused')
      // The client disconnected before it was refused.
      if (session?.reason === 'left' && errorName(error) === 'CLOSED') return new Error('the client has left')
      connection ??= this.#connectionOf(conn, conn.remoteAddress ?? null)
      return await this.#refuse(socket, connection, error)
    }
  }

  #connectionOf (engine: EngineConnection, address: string | null): SocketConnection {
    // The first listener, because one of the application's that throws would keep later listeners from being called.
    engine.prependListener('close', this.#onClose)
    return new SocketConnection(engine, address, this.#parts.services.telemetry)
  }

  /** @throws LIMIT_REACHED on a connection that is being ended, or that sends too many connect requests */
  #checkConnectRate (connection: SocketConnection, namespace: string): void {
    const { perSecond } = this.#parts
    if (namespace !== '/') connection.asksForInstance = true
    if (connection.ended) throw limitReached('namespacesPerConnection')
    if (perSecond !== 0 && connection.asked(performance.now()) > perSecond) throw limitReached('inboundPerSecond')
  }

  /**
   * Closes the session of a client that a middleware of the application has refused, or refuses later on.
   */
  #closeIfRefusedByHost (session: SocketSession): void {
    const { socket } = session
    const close = (): void => { if (session.state === 'subscribing') session.close('left') }
    setImmediate(() => {
      if (session.state !== 'subscribing') return
      if (isArriving(socket)) onRelease(socket, close)
      else close()
    })
  }

  /** Refuses a client. After a temporary fault its connection is ended, so that a stock client reconnects by itself. */
  async #refuse (socket: Socket, connection: SocketConnection, error: unknown): Promise<Error> {
    const { refusals, writer } = this.#parts
    // Socket.IO still handles packets that arrived before the connection was ended, and there may be many.
    if (connection.ended) return new Error('the connection is ended')
    const name = errorName(error) ?? 'VERIFY_FAILED'
    // Python clients and Socket.IO 2 join the root by default, before their instance: see `#closed`.
    const isRoot = name === 'GLOBAL_DISABLED'
    if (isRoot) connection.rootRefusals++
    const refusal = refusals.add(error, requestedForLog(socket), connection.address, !isRoot)
    // A coded error can be changed, because it was created for this client only.
    const answer = errorName(error) === undefined ? new Error(refusal.message) : error as Error
    Object.assign(answer, { data: refusal })
    const limit = limitOf(error)
    // At the limit of namespaces a reconnect would end in the same refusal.
    const comesBack = isTemporary(name) && limit !== 'namespacesPerConnection'
    if (limit === 'inboundPerSecond') connection.end('tooManyMessages')
    else if (comesBack && !servesAnother(socket, connection)) await ended(connection)
    else if (!this.#endIfRefusedTooOften(connection)) writer.checkAnswers(connection)
    return answer
  }

  /** Ends a connection without a session after too many refusals. */
  #endIfRefusedTooOften (connection: SocketConnection): boolean {
    const { maxRefusals, limited } = this.#parts
    connection.refusals++
    if (maxRefusals === 0 || connection.refusals <= maxRefusals || connection.isServed) return false
    limited.count('namespacesPerConnection')
    connection.end('tooManyMessages')
    return true
  }

  #connected (socket: Socket): void {
    const { sessions, idle, requests } = this.#parts
    const session = SocketSession.of(socket)
    if (session === undefined) {
      // Socket.IO skips middlewares for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    idle.joined(socket.conn)
    if (session.state !== 'subscribing') {
      // The session was closed before the client connected.
      socket.disconnect()
      return
    }
    this.#replaceOlder(session)
    // The first listener, because one of the application's that throws would keep later listeners from being called.
    socket.prependListener('disconnect', this.#onDisconnect)
    listenToAll(socket, this.#onAny)
    sessions.start(session)
    requests.admitted(socket.conn)
  }

  /**
   * Replaces the session of a client that requests its namespace again while its first request is still being checked.
   * Socket.IO connects it twice, and the client knows only the last socket. Ending the older socket would end both, so
   * it is closed without a packet.
   */
  #replaceOlder (session: SocketSession): void {
    for (const older of session.connection.sessions) {
      const isSame = older instanceof SocketSession && older.socket.nsp === session.socket.nsp
      if (isSame && older !== session && older.isOpen) older.close('replaced')
    }
  }

  #left (socket: Socket, word: string): void {
    const { services: { namespaces } } = this.#parts
    const session = SocketSession.of(socket)
    if (session?.reason === 'replaced') namespaces.release(socket)
    else session?.close('left', { word })
    namespaces.removed(socket)
    if (!this.#closing) this.#parts.idle.watch(socket)
  }

  /** @param cause error of a connection that has failed */
  #closed (engine: EngineConnection, word: string, cause: unknown): void {
    const connection = SocketConnection.of(engine)
    if (connection === undefined) return
    this.#parts.writer.closed(connection)
    connection.endPolls(END_TIMEOUT, !this.#closing)
    // `idle` counts connections without a session.
    if (sentTooMuch(cause) && connection.isServed) this.#parts.limited.count('inboundBytes')
    for (const session of connection.sessions) session.close(this.#closing ? 'closing' : 'left', { word })
    if (!connection.asksForInstance) this.#parts.refusals.countFaults(connection.address, connection.rootRefusals)
  }

  /**
   * Ends every connection. The clients reconnect.
   *
   * @param ms the time over which the ends are spread
   */
  async close (ms: number): Promise<void> {
    this.#closing = true
    const { io, own, sessions, idle } = this.#parts
    idle.close()
    const engines = new Set<EngineConnection>()
    for (const session of sessions.open()) if (session instanceof SocketSession) engines.add(session.connection.engine)
    // On the plugin's own server also those that have joined no namespace, or one of the application's: they too would
    // keep the server from closing.
    if (own) for (const engine of connectionsOf(io)) engines.add(engine)
    await drain([...engines], ms, async engine => { await endGently(engine, END_TIMEOUT) })
  }
}

/** The instance that a client requests by its namespace; `null` is the root. @throws INVALID_NAME */
const requestedInstance = (namespace: string): string | null =>
  namespace === '/' ? null : instanceOfNamespace(namespace)

/**
 * Checks that a connection uses only one spelling of an instance's name. Another client with the same spelling replaces
 * the first one, as Socket.IO's own client expects.
 *
 * @throws ALREADY_JOINED
 */
function checkSpelling ({ instance, socket, connection }: SocketSession): void {
  if (instance === null) return
  for (const other of connection.sessions) {
    if (!(other instanceof SocketSession) || other.instance !== instance) continue
    const { name } = other.socket.nsp
    if (name !== socket.nsp.name) throw new errors.ALREADY_JOINED(instance, excerpt(name))
  }
}

/** The instance that a client requests, for the log: `null` for the root, or an excerpt of an invalid name. */
function requestedForLog ({ nsp: { name } }: Socket): string | null {
  try {
    return requestedInstance(name)
  } catch {
    // The part after `?` may contain a key.
    return excerpt((name.split('?', 1)[0] ?? '').slice(1))
  }
}

/**
 * Whether a connection has another session, which must not be ended. A session at Evolution's silent root does not
 * count.
 */
function servesAnother (socket: Socket, { sessions }: SocketConnection): boolean {
  const open = sessions.filter(({ isOpen }) => isOpen)
  return namespaceCount(socket) > open.length || open.some(({ subscription }) => subscription !== null)
}

/** Ends a connection. Resolves when it has ended. */
async function ended (connection: SocketConnection): Promise<void> {
  const { engine } = connection
  if (engine.readyState === 'closed') return
  await new Promise<void>(resolve => {
    // The first listener, because one of the application's that throws would keep later listeners from being called.
    engine.prependOnceListener('close', () => { resolve() })
    endConnection(engine)
  })
}
