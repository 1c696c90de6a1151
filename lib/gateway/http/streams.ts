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
import type { AskedPage, Page, Pages } from './pages.js'
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
  /** How long a client may take nothing of what waits for it, in ms: as long as one may leave a ping unanswered. */
  readonly stallTimeout: number
}

/** Period in ms. Twice as much may pass without a byte, and nginx waits for 60 s. */
const HEARTBEAT_PERIOD = 15_000
/** Of the time in which a client may take nothing, it is looked at so many times. */
const STALL_CHECKS = 4

/** A request for a stream or a page, and where it is answered. */
export interface EventsRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** `null` is the root. */
  readonly instance: string | null
  readonly handshake: Handshake
  /** Called when the key is accepted. @throws what is wrong with what else it asks for */
  readonly checkQuery: () => void
}

/** Whether the client has gone meanwhile, and nothing refused it. */
const hasLeft = ({ reason }: Session, error: unknown): boolean => reason === 'left' && errorName(error) === 'CLOSED'

/** The clients that come by HTTP: with an event stream of their own, or for a page of history. */
export class Streams {
  readonly #parts: Parts
  /** Keeps proxies from ending streams that have nothing to say. */
  readonly #heartbeats = new Sweep(HEARTBEAT_PERIOD, connection => { connection.beat() })
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
   * Lets a client in, and writes to it until it goes or is ended.
   *
   * @param begin writes the headers, after which there is no refusing any more
   * @throws a coded error, for the client, before anything was written
   */
  async open (asked: EventsRequest, begin: () => void): Promise<void> {
    const { services, sessions } = this.#parts
    const { instance, handshake } = asked
    const { connection, peer } = this.#connectionOf(asked)
    const session = new StreamSession(services, connection, instance, handshake)
    await this.#admit(session, connection, peer, asked)
    // With no `await` between this and the first byte: who is closed in between must be answered, too.
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
  async page (asked: EventsRequest, page: AskedPage): Promise<Page> {
    const { services, pages, writer } = this.#parts
    const { instance, handshake } = asked
    const { connection, peer } = this.#connectionOf(asked)
    const session = new PageSession(services, connection, instance, handshake)
    await this.#admit(session, connection, peer, asked)
    try {
      session.checkNotClosed()
      session.open('recovering')
      await session.during(connection.transport.turn(connection))
      // It counts until its response is complete.
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
        // Nothing of ours goes to a namespace of the host's.
        if (instance !== null && namespaces.isHosts(instance)) throw new errors.HOST_NAMESPACE(instance)
      })
    } catch (error) {
      if (hasLeft(session, error)) return
      this.#refuse(session, peer, error)
      throw error
    }
  }

  /** @returns `false` for a client that has gone. @throws the coded error for what else has closed its session */
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
    // What is not coded is answered by Fastify, which logs it.
    if (errorName(error) !== undefined) this.#parts.refusals.add(error, session.instance, peer.address)
  }

  /**
   * Ends every stream so that its client comes back, after what waits for it.
   *
   * @param ms the time over which they are spread
   */
  async close (ms: number): Promise<void> {
    this.#isClosing = true
    const streams = [...this.#parts.sessions.open()].filter(session => session instanceof StreamSession)
    await drain(streams, ms, async ({ connection }) => { await connection.finish() })
  }
}
