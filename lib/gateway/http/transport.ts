import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { type LargeWaiting, NO_LARGE } from '../backlog.js'
import type { Connection } from '../connection.js'
import { takenBytes } from '../kernel.js'

/** Maximum number of pages that are read at the same time for one HTTP/2 session, which many callers may share. */
const PAGES_PER_SESSION = 16

/** The part of a response's connection that its transport uses. */
export interface CarriedResponse extends Pick<Connection, 'queuedBytes' | 'backlog'> {
  /** Called when the transport has closed. */
  closed (): void
}

type Carrier = Socket | Http2Session

const isSession = (carrier: Carrier): carrier is Http2Session => 'socket' in carrier

const transports = new WeakMap<Carrier, Transport>()

/** The transport of a request. */
export function transportOf (request: IncomingMessage | Http2ServerRequest): Transport {
  const session = 'stream' in request ? request.stream.session : undefined
  const carrier = session ?? request.socket
  const known = transports.get(carrier)
  if (known !== undefined) return known
  const transport = new Transport(carrier)
  transports.set(carrier, transport)
  return transport
}

/**
 * The transport of HTTP responses: a TCP socket, which sends responses one after the other (a client may pipeline its
 * requests), or an HTTP/2 session, which sends many at the same time. The limits of queued bytes apply to all responses
 * of a transport together.
 */
export class Transport {
  readonly #carrier: Carrier
  readonly #responses = new Set<CarriedResponse>()
  /** Responses whose page is being read, or is queued for the client. */
  readonly #pages = new Set<CarriedResponse>()
  // Map(response waiting to read its page -> starts reading), the oldest first
  readonly #waitingPages = new Map<CarriedResponse, () => void>()
  #tick = -1
  /** Bytes that were queued at that tick. */
  #queued = 0

  constructor (carrier: Carrier) {
    this.#carrier = carrier
    // One listener for all responses: Node does not notify a response that is queued behind another one.
    const emitter: EventEmitter = carrier
    emitter.once('close', () => { for (const response of this.#responses) response.closed() })
  }

  add (response: CarriedResponse): void {
    this.#responses.add(response)
  }

  /** Removes a closed response. The next one may read its page. */
  delete (response: CarriedResponse): void {
    this.#responses.delete(response)
    this.#tick = -1
    this.#waitingPages.delete(response)
    if (!this.#pages.delete(response)) return
    const [next] = this.#waitingPages
    if (next === undefined) return
    const [waiting, begin] = next
    this.#waitingPages.delete(waiting)
    this.#pages.add(waiting)
    begin()
  }

  /** Queued bytes of all responses. */
  get queuedBytes (): number {
    let bytes = 0
    for (const response of this.#responses) bytes += response.queuedBytes
    return bytes
  }

  /** The same, calculated once for each tick of delivery, because an HTTP/2 session may have very many responses. */
  queuedIn (tick: number): number {
    if (tick !== this.#tick) this.#queued = this.queuedBytes
    this.#tick = tick
    return this.#queued
  }

  /**
   * Resolves when a response may read its page. Pages are read only as fast as the client reads them. A response blocks
   * others from reading until it closes.
   */
  async waitToRead (response: CarriedResponse): Promise<void> {
    if (this.#pages.size < (isSession(this.#carrier) ? PAGES_PER_SESSION : 1)) {
      this.#pages.add(response)
      return
    }
    await new Promise<void>(resolve => { this.#waitingPages.set(response, resolve) })
  }

  /** Large messages that are queued, of all responses. */
  get largeWaiting (): LargeWaiting {
    let count = 0
    let bytes = 0
    for (const { backlog, queuedBytes } of this.#responses) {
      const large = backlog?.large(queuedBytes) ?? NO_LARGE
      count += large.count
      bytes += large.bytes
    }
    return { count, bytes }
  }

  /** Bytes that the kernel has accepted; for an HTTP/2 session: of all its responses. */
  get takenBytes (): number {
    const carrier = this.#carrier
    if (!isSession(carrier)) return takenBytes(carrier)
    // A destroyed HTTP/2 session throws when its socket is read.
    return carrier.destroyed ? 0 : takenBytes(carrier.socket)
  }

  destroy (): void {
    this.#carrier.destroy()
  }
}
