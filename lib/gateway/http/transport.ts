import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { type LargeWaiting, NO_LARGE } from '../backlog.js'
import type { Connection } from '../connection.js'
import { takenBytes } from '../kernel.js'

/** Pages that are made at once for one HTTP/2 session, which may carry many callers. */
const PAGES_PER_SESSION = 16

/** What a transport knows of a response. */
export interface Carried extends Pick<Connection, 'queuedBytes' | 'backlog'> {
  /** The transport has closed. */
  closed (): void
}

type Carrier = Socket | Http2Session

const isSession = (carrier: Carrier): carrier is Http2Session => 'socket' in carrier

const transports = new WeakMap<Carrier, Transport>()

/** The transport that a request came by. */
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
 * What responses wait for: a TCP socket, which carries one after the other (a client may send its requests at once:
 * pipelining), or an HTTP/2 session, which carries many at once. What waits is bounded for all of them together.
 */
export class Transport {
  readonly #carrier: Carrier
  readonly #responses = new Set<Carried>()
  /** Those whose page is being made or waits for the client. */
  readonly #pages = new Set<Carried>()
  // Map(response -> begins its page), oldest first
  readonly #turns = new Map<Carried, () => void>()
  #tick = -1
  /** Bytes that waited in that tick. */
  #queued = 0

  constructor (carrier: Carrier) {
    this.#carrier = carrier
    // One listener for all responses. Node does not tell a response that waits behind another one.
    const emitter: EventEmitter = carrier
    emitter.once('close', () => { for (const response of this.#responses) response.closed() })
  }

  add (response: Carried): void {
    this.#responses.add(response)
  }

  /** A response has closed. The next page may begin. */
  delete (response: Carried): void {
    this.#responses.delete(response)
    this.#tick = -1
    this.#turns.delete(response)
    if (!this.#pages.delete(response)) return
    const [next] = this.#turns
    if (next === undefined) return
    const [waiting, begin] = next
    this.#turns.delete(waiting)
    this.#pages.add(waiting)
    begin()
  }

  /** Bytes that wait, of all its responses. */
  get queuedBytes (): number {
    let bytes = 0
    for (const response of this.#responses) bytes += response.queuedBytes
    return bytes
  }

  /** The same, counted once for a tick of delivery: a session of HTTP/2 may carry very many responses. */
  queuedIn (tick: number): number {
    if (tick !== this.#tick) this.#queued = this.queuedBytes
    this.#tick = tick
    return this.#queued
  }

  /**
   * Resolves when a page may be made for a response: pages are made as fast as they are read, not ahead. The response
   * has its turn until it closes.
   */
  async turn (response: Carried): Promise<void> {
    if (this.#pages.size < (isSession(this.#carrier) ? PAGES_PER_SESSION : 1)) {
      this.#pages.add(response)
      return
    }
    await new Promise<void>(resolve => { this.#turns.set(response, resolve) })
  }

  /** Large messages that wait, of all its responses. */
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

  /** Bytes that the kernel has taken. Of an HTTP/2 session: of all its responses. */
  get takenBytes (): number {
    const carrier = this.#carrier
    if (!isSession(carrier)) return takenBytes(carrier)
    // A session that is destroyed has no socket, and to read it would throw.
    return carrier.destroyed ? 0 : takenBytes(carrier.socket)
  }

  destroy (): void {
    this.#carrier.destroy()
  }
}
