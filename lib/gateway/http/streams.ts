import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access, Peer } from '../../access/access.js'
import { errorName, errors } from '../../errors.js'
import type { Admission } from '../admission.js'
import { drain } from '../drain.js'
import type { Handshake } from '../handshake.js'
import type { Refusals } from '../refusals.js'
import type { Session, SessionServices } from '../session.js'
import type { Sessions } from '../sessions.js'
import type { Namespaces } from '../socketio/namespaces.js'
import type { Writer } from '../writer.js'
import { ResponseConnection } from './connection.js'
import type { PageQuery, Page, Pages } from './pages.js'
import { PageSession, StreamSession } from './sessions.js'
import { Sweep } from './sweep.js'

interface Parts {
  readonly services: SessionServices
  readonly access: Access
  readonly admission: Admission
  readonly sessions: Sessions
  readonly refusals: Refusals
  readonly namespaces: Pick<Namespaces, 'isHosts'>
  readonly pages: Pages
  readonly writer: Writer
  /**
   * How long a client may read nothing of its queued bytes, in ms: as long as a Socket.IO client may take to answer a
   * ping.
   */
  readonly stallTimeout: number
}

/** Interval of heartbeats, in ms. Up to twice as long may pass without a byte; nginx waits for 60 s. */
const HEARTBEAT_PERIOD = 15_000
/** Number of checks for stalled clients within `stallTimeout`. */
const STALL_CHECKS = 4

/** A request for an event stream or a page, and its response. */
export interface EventsRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The instance; `null` is the root. */
  readonly instance: string | null
  readonly handshake: Handshake
  /** Checks the rest of the query after the key is accepted. @throws for an invalid query */
  readonly checkQuery: () => void
}

/** True if the client disconnected before it was refused or accepted. */
const hasLeft = ({ reason }: Session, error: unknown): boolean => reason === 'left' && errorName(error) === 'CLOSED'

/** The sessions of HTTP clients: event streams and pages of history. */
export class Streams {
  readonly #parts: Parts
  /** Heartbeats, so that proxies do not end quiet streams. */
  readonly #heartbeats = new Sweep(HEARTBEAT_PERIOD, connection => { connection.sendHeartbeat() })
  readonly #stalls: Sweep
  #isClosing = false

  constructor (parts: Parts) {
    this.#parts = parts
    const { writer, stallTimeout } = parts
    this.#stalls = new Sweep(stallTimeout / STALL_CHECKS, connection => {
      const isStalled = connection.stalledFor(performance.now()) >= stallTimeout
      if (isStalled) writer.endStalled(connection, connection.queuedBytes)
    })
  }

  /**
   * Admits a client and streams events to it until the connection ends.
   *
   * @param begin writes the headers; after that the client cannot be refused any more
   * @throws a coded error, for the client, before anything is written
   */
  async open (asked: EventsRequest, begin: () => void): Promise<void> {
    const { services, sessions } = this.#parts
    const { instance, handshake } = asked
    const { connection, peer } = this.#connectionOf(asked)
    const session = new StreamSession(services, connection, instance, handshake)
    await this.#admit(session, connection, peer, asked)
    // No `await` may come between this check and the first byte, or a session that closes in between would get no
    // answer.
    if (!this.#isThere(session, peer)) return
    begin()
    this.#heartbeats.add(connection)
    connection.begin()
    sessions.start(session)
  }

  /**
   * Reads a page of history.
   *
   * @throws a coded error, for the caller
   */
  async page (asked: EventsRequest, page: PageQuery): Promise<Page> {
    const { services, pages, writer } = this.#parts
    const { instance, handshake } = asked
    const { connection, peer } = this.#connectionOf(asked)
    const session = new PageSession(services, connection, instance, handshake)
    await this.#admit(session, connection, peer, asked)
    try {
      session.checkNotClosed()
      session.open('recovering')
      await session.during(connection.transport.waitToRead(connection))
      // The page counts as queued bytes until its response is complete.
      const found = await session.during(pages.read(instance, session.filter, page))
      connection.reserve(found.events.reduce((sum, { length }) => sum + length, 0))
      writer.wrotePage(connection)
      return found
    } catch (error) {
      if (!hasLeft(session, error)) this.#refuse(session, peer, error)
      throw error
    }
  }

  #connectionOf ({ request, response, handshake }: EventsRequest): { connection: ResponseConnection, peer: Peer } {
    const { access, services, writer } = this.#parts
    const peer = access.requestPeer(handshake.headers, handshake.remoteAddress)
    const connection = new ResponseConnection(request, response, peer.address, services.telemetry)
    this.#stalls.add(connection)
    connection.whenClosed(() => { writer.closed(connection) })
    return { peer, connection }
  }

  async #admit (session: Session, connection: ResponseConnection, peer: Peer, asked: EventsRequest): Promise<void> {
    const { instance, checkQuery } = asked
    const { admission, namespaces } = this.#parts
    connection.whenClosed(() => {
      if (this.#isClosing) session.close('closing', { word: 'server shutting down' })
      else session.close(connection.isComplete ? 'complete' : 'left', { word: 'transport close' })
    })
    try {
      admission.checkCaller(peer)
      await admission.admit(session, peer, () => {
        checkQuery()
        // The plugin must not write to a namespace of the application.
        if (instance !== null && namespaces.isHosts(instance)) throw new errors.HOST_NAMESPACE(instance)
      })
    } catch (error) {
      if (hasLeft(session, error)) return
      this.#refuse(session, peer, error)
      throw error
    }
  }

  /**
   * @returns `false` if the client has disconnected. @throws the coded error for any other reason why the session
   *   closed
   */
  #isThere (session: Session, peer: Peer): boolean {
    try {
      session.checkNotClosed()
      return true
    } catch (error) {
      if (hasLeft(session, error)) return false
      this.#refuse(session, peer, error)
      throw error
    }
  }

  #refuse (session: Session, peer: Peer, error: unknown): void {
    session.close('refused')
    // Fastify answers and logs any other error.
    if (errorName(error) !== undefined) this.#parts.refusals.add(error, session.instance, peer.address)
  }

  /**
   * Ends every stream after its queued bytes. The clients reconnect.
   *
   * @param ms the time over which the ends are spread
   */
  async close (ms: number): Promise<void> {
    this.#isClosing = true
    const streams = [...this.#parts.sessions.open()].filter(session => session instanceof StreamSession)
    await drain(streams, ms, async ({ connection }) => { await connection.finish() })
  }
}
