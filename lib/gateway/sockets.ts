import type { Server, Socket } from 'socket.io'
import type { LimitCounters } from '../limits.js'
import type { Arrivals } from './arrivals.js'
import type { Clients } from './clients.js'
import type { IdleConnections } from './idle.js'
import type { Inbound } from './inbound.js'
import { closesWithin, type Connection, connectionsOf, endConnection, endGently, listenToAll, sentTooMuch } from './internals.js'
import { Namespaces } from './namespaces.js'
import type { Reports } from './reports.js'
import { SocketLink } from './socket-link.js'
import { SocketSubscriber } from './socket-subscriber.js'

/** How long a connection may take to end when the server closes, in ms. */
const END_TIMEOUT = 1000

interface Parts {
  readonly io: Server
  /** Whether this plugin made the server. */
  readonly own: boolean
  readonly arrivals: Arrivals
  readonly clients: Clients
  readonly idle: IdleConnections
  readonly inbound: Inbound
  readonly limited: LimitCounters
  readonly reports: Reports
}

/** The clients that come by Socket.IO. */
export class Sockets {
  readonly namespaces: Namespaces
  readonly #parts: Parts
  // One function each for all clients, because there may be many.
  readonly #onDisconnect: (this: Socket, reason: string, cause?: unknown) => void
  readonly #onAny: (this: Socket, event: string, ...args: unknown[]) => void
  #closing = false

  /** @param servesRoot whether the root is ours */
  constructor (parts: Parts, servesRoot: boolean) {
    const { io, own, arrivals } = parts
    this.#parts = parts
    const received = (socket: Socket, event: string, args: unknown[]) => { this.#received(socket, event, args) }
    const left = (socket: Socket, reason: string, cause: unknown) => { this.#left(socket, reason, cause) }
    this.#onDisconnect = function (reason, cause) { left(this, reason, cause) }
    this.#onAny = function (event, ...args) { received(this, event, args) }
    this.namespaces = new Namespaces(io, {
      guard: async socket => await arrivals.check(socket),
      connected: socket => { this.#connected(socket) },
      settled: socket => {
        SocketLink.of(socket.conn, null).settled(socket)
        arrivals.settled(socket)
      }
    })
    if (servesRoot) this.namespaces.serveRoot()
    if (own) io.engine.on('connection', (connection: Connection) => { this.#came(connection) })
  }

  #came (connection: Connection): void {
    closesWithin(connection, END_TIMEOUT)
    // One that arrives while the others are being ended would keep the server from closing.
    if (this.#closing) endConnection(connection)
    else this.#parts.idle.came(connection)
  }

  #connected (socket: Socket): void {
    const { arrivals, clients, idle, reports } = this.#parts
    const arrival = arrivals.take(socket)
    if (arrival === null) {
      // Socket.IO skipped the middleware, as it does for a client whose state it recovered.
      socket.disconnect(true)
      return
    }
    const subscriber = new SocketSubscriber(socket, { ...arrival.admitted, link: SocketLink.of(socket.conn, arrival.admitted.link.address) })
    this.#replaceOlder(subscriber)
    clients.add(subscriber)
    idle.joined(socket.conn)
    // First, because a listener of the host's that throws keeps those after it from being called.
    socket.prependListener('disconnect', this.#onDisconnect)
    listenToAll(socket, this.#onAny)
    // A config or a key may have changed since the client was checked.
    if (arrival.isSentAway || !clients.isWelcome(subscriber)) socket.disconnect()
    else if (subscriber.listens) clients.join(subscriber)
    else reports.atSilentRoot(subscriber)
  }

  /**
   * A client that asks for a namespace again while it is still being checked there gets in twice, as Socket.IO sees
   * it, and knows of the last one only. To end the older one would be to end both, so it is let go in silence.
   */
  #replaceOlder ({ link, socket }: SocketSubscriber): void {
    for (const older of link.subscribers) {
      if ((older as SocketSubscriber).socket.nsp === socket.nsp) this.#parts.clients.forget(older, 'replaced')
    }
  }

  #subscriberOf (socket: Socket): SocketSubscriber | undefined {
    return this.#parts.clients.of(socket) as SocketSubscriber | undefined
  }

  #received (socket: Socket, event: string, args: readonly unknown[]): void {
    const subscriber = this.#subscriberOf(socket)
    if (subscriber !== undefined) this.#parts.inbound.receive(subscriber, event, args)
  }

  /** @param cause of a connection that has failed */
  #left (socket: Socket, reason: string, cause: unknown): void {
    const { clients, limited, idle } = this.#parts
    this.namespaces.left(socket)
    const subscriber = this.#subscriberOf(socket)
    if (subscriber !== undefined) clients.forget(subscriber, reason)
    // Once for a connection, in however many namespaces it was.
    if (sentTooMuch(cause) && subscriber?.link.subscribers.length === 0) limited.count('inboundBytes')
    if (!this.#closing) idle.watch(socket)
  }

  /** Ends every connection so that its client comes back. */
  async close (): Promise<void> {
    this.#closing = true
    const { io, own, clients, idle } = this.#parts
    idle.close()
    const connections = new Set(clients.all().filter(subscriber => subscriber instanceof SocketSubscriber).map(({ socket }) => socket.conn))
    // Those of a server of ours that are in no namespace, or in one of the host's, would keep it from closing too.
    if (own) for (const connection of connectionsOf(io)) connections.add(connection)
    await Promise.all([...connections].map(async connection => { await endGently(connection, END_TIMEOUT) }))
  }
}
