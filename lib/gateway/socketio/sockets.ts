import type { Server, Socket } from 'socket.io'
import type { Access } from '../../access/access.js'
import { errorName, errors } from '../../errors.js'
import { type LimitCounters, limitOf, limitReached } from '../../limits/limits.js'
import { excerpt, instanceOfNamespace } from '../../instances/names.js'
import type { Admission } from '../admission.js'
import { checkRepeated, SOCKET_PARAMETERS } from '../handshake.js'
import type { Commands } from '../commands.js'
import { drain } from '../drain.js'
import { isPassing, type Refusals } from '../refusals.js'
import type { Sessions } from '../sessions.js'
import type { Writer } from '../writer.js'
import { SocketConnection } from './connection.js'
import {
  closesWithin, connectionsOf, type EngineConnection, endConnection, endGently, isArriving, listenToAll, namespaceCount,
  sentTooMuch, whenLetGo
} from './engine.js'
import type { HandshakeRequests } from './handshake-request.js'
import type { IdleConnections } from './idle.js'
import { SocketSession, type SocketServices } from './session.js'
import type { StockResume } from './stock-resume.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 3000

interface Parts {
  readonly io: Server
  /** Whether this plugin made the server. */
  readonly own: boolean
  /** Whether the root is ours. */
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
  /** Refusals after which a connection that serves nobody is ended; 0 is never. */
  readonly maxRefusals: number
  /** Clients that may ask to be let in on one connection in a second; 0 is no limit. */
  readonly perSecond: number
}

/** The sessions of Socket.IO clients: lets them in, and closes them with their sockets and connections. */
export class Sockets {
  readonly #parts: Parts
  // One function each for all clients, because there may be many.
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
    io.engine.prependListener('connection', (engine: EngineConnection) => { idle.came(engine) })
    io.engine.on('connection', (engine: EngineConnection) => { this.#came(engine) })
  }

  #came (engine: EngineConnection): void {
    closesWithin(engine, END_TIMEOUT)
    // One that comes while the others are being ended would keep the server from closing.
    if (this.#closing) endConnection(engine)
  }

  /** Resolves to what refuses a client, and `undefined` when it may come in. */
  async #guard (socket: Socket): Promise<Error | undefined> {
    const { access, admission, services, stockResume } = this.#parts
    const { conn, handshake, nsp } = socket
    let connection = SocketConnection.of(conn)
    let session: SocketSession | undefined
    try {
      // Not from the request: it may have lost its socket by the time that a second namespace is joined.
      const peer = access.peer(handshake.headers, conn.remoteAddress)
      connection ??= this.#connectionOf(conn, peer.address)
      this.#checkAsk(connection, nsp.name)
      admission.checkCaller(peer)
      access.checkOrigin(peer)
      session = new SocketSession(services, connection, targetOf(nsp.name), socket, stockResume.takes(socket))
      checkSpelling(session)
      if (session.instance !== null || admission.servesRoot) checkRepeated(handshake.url, SOCKET_PARAMETERS)
      await admission.admit(session, peer)
      if (session.byPid && session.subscription !== null) await stockResume.prepare(session)
      session.checkNotClosed()
      this.#closeIfRefusedByHost(session)
    } catch (error) {
      if (session === undefined) services.namespaces.release(socket)
      else session.close('refused')
      // It has left meanwhile, and nothing refused it.
      if (session?.reason === 'left' && errorName(error) === 'CLOSED') return new Error('the client has left')
      connection ??= this.#connectionOf(conn, conn.remoteAddress ?? null)
      return await this.#refuse(socket, connection, error)
    }
  }

  #connectionOf (engine: EngineConnection, address: string | null): SocketConnection {
    // First, because a listener of the host's that throws keeps those after it from being called.
    engine.prependListener('close', this.#onClose)
    return new SocketConnection(engine, address, this.#parts.services.telemetry)
  }

  /** @throws LIMIT_REACHED on a connection that is ended, or that asks faster than any use of it would */
  #checkAsk (connection: SocketConnection, namespace: string): void {
    const { perSecond } = this.#parts
    if (namespace !== '/') connection.asksForInstance = true
    if (connection.ended) throw limitReached('namespacesPerConnection')
    if (perSecond !== 0 && connection.asked(performance.now()) > perSecond) throw limitReached('inboundPerSecond')
  }

  /**
   * By then it is in, or was refused, or waits for a middleware of the host's that may refuse it later on.
   */
  #closeIfRefusedByHost (session: SocketSession): void {
    const { socket } = session
    const close = (): void => { if (session.state === 'subscribing') session.close('left') }
    setImmediate(() => {
      if (session.state !== 'subscribing') return
      if (isArriving(socket)) whenLetGo(socket, close)
      else close()
    })
  }

  /** Refuses a client so that the stock client does what is right: stays away, or comes back by itself. */
  async #refuse (socket: Socket, connection: SocketConnection, error: unknown): Promise<Error> {
    const { refusals, writer } = this.#parts
    // What an ended connection had sent before is read on, and there may be much of it.
    if (connection.ended) return new Error('the connection is ended')
    const name = errorName(error) ?? 'VERIFY_FAILED'
    // Python clients and Socket.IO 2 join the root unasked, before their instance: see `#closed`.
    const isRoot = name === 'GLOBAL_DISABLED'
    if (isRoot) connection.rootRefusals++
    const refusal = refusals.add(error, askedOf(socket), connection.address, !isRoot)
    // A coded error was made for this client alone.
    const answer = errorName(error) === undefined ? new Error(refusal.message) : error as Error
    Object.assign(answer, { data: refusal })
    const limit = limitOf(error)
    // Coming back would change nothing where it has as many namespaces as it may have.
    const comesBack = isPassing(name) && limit !== 'namespacesPerConnection'
    if (limit === 'inboundPerSecond') connection.end('tooManyMessages')
    else if (comesBack && !servesAnother(socket, connection)) await ended(connection)
    else if (!this.#endIfRefusedTooOften(connection)) writer.checkAnswers(connection)
    return answer
  }

  /** A connection that serves nobody cannot be refused for ever. */
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
      // Socket.IO skipped the middleware, as it does for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    idle.joined(socket.conn)
    if (session.state !== 'subscribing') {
      // It was closed on its way in.
      socket.disconnect()
      return
    }
    this.#replaceOlder(session)
    // First, because a listener of the host's that throws keeps those after it from being called.
    socket.prependListener('disconnect', this.#onDisconnect)
    listenToAll(socket, this.#onAny)
    sessions.start(session)
    requests.admitted(socket.conn)
  }

  /**
   * A client that asks for a namespace again while it is still being checked there gets in twice, as Socket.IO sees
   * it, and knows of the last one only. To end the older one would be to end both, so it is let go in silence.
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

  /** @param cause of a connection that has failed */
  #closed (engine: EngineConnection, word: string, cause: unknown): void {
    const connection = SocketConnection.of(engine)
    if (connection === undefined) return
    this.#parts.writer.closed(connection)
    connection.endPolls(END_TIMEOUT, !this.#closing)
    // Those that served nobody are counted by `idle`.
    if (sentTooMuch(cause) && connection.isServed) this.#parts.limited.count('inboundBytes')
    for (const session of connection.sessions) session.close(this.#closing ? 'closing' : 'left', { word })
    if (!connection.asksForInstance) this.#parts.refusals.countFaults(connection.address, connection.rootRefusals)
  }

  /**
   * Ends every connection so that its client comes back.
   *
   * @param ms the time over which they are spread
   */
  async close (ms: number): Promise<void> {
    this.#closing = true
    const { io, own, sessions, idle } = this.#parts
    idle.close()
    const engines = new Set<EngineConnection>()
    for (const session of sessions.open()) if (session instanceof SocketSession) engines.add(session.connection.engine)
    // Those of a server of ours that are in no namespace, or in one of the host's, would keep it from closing too.
    if (own) for (const engine of connectionsOf(io)) engines.add(engine)
    await drain([...engines], ms, async engine => { await endGently(engine, END_TIMEOUT) })
  }
}

/** What a client asks for by its namespace; `null` is the root. @throws INVALID_NAME */
const targetOf = (namespace: string): string | null => namespace === '/' ? null : instanceOfNamespace(namespace)

/**
 * Checks that a connection is in an instance by one spelling of its name. The same spelling takes the place of the
 * first, as Socket.IO's own client expects.
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

/** What a client asks for: an instance, `null` for the root, or an excerpt of what is neither. */
function askedOf ({ nsp: { name } }: Socket): string | null {
  try {
    return targetOf(name)
  } catch {
    // It may have put a key behind it.
    return excerpt((name.split('?', 1)[0] ?? '').slice(1))
  }
}

/** Whether a connection serves another namespace, which must not suffer. Evolution's silent root is none. */
function servesAnother (socket: Socket, { sessions }: SocketConnection): boolean {
  const open = sessions.filter(({ isOpen }) => isOpen)
  return namespaceCount(socket) > open.length || open.some(({ subscription }) => subscription !== null)
}

/** Ends a connection; resolves when it has ended. */
async function ended (connection: SocketConnection): Promise<void> {
  const { engine } = connection
  if (engine.readyState === 'closed') return
  await new Promise<void>(resolve => {
    // First, because a listener of the host's that throws keeps those after it from being called.
    engine.prependOnceListener('close', () => { resolve() })
    endConnection(engine)
  })
}
