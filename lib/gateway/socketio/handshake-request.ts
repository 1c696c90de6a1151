/**
 * What a connection keeps of the HTTP request that it began with. Socket.IO keeps all of it for as long as the
 * connection lives, which is about a tenth of what an idle connection holds. Here is what this package knows of who
 * holds a request in Socket.IO and Engine.IO; test/gateway/handshake-request.test.ts fails when a new version changes
 * it.
 */
import { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server } from 'socket.io'
import type { HandshakeRequestOption } from '../../types.js'
import type { EngineConnection } from './engine.js'
import type { Namespaces } from './namespaces.js'

type Query = Record<string, string | string[] | undefined>

/** A request as Engine.IO leaves it. */
interface EngineRequest extends IncomingMessage {
  readonly _query?: Query
}

/** What Socket.IO reads of the request when a client joins one more namespace, under the same names. */
class ReleasedRequest {
  readonly headers: IncomingMessage['headers']
  readonly method: string | undefined
  readonly url: string | undefined
  readonly _query: Query
  readonly socket: { readonly remoteAddress: string | undefined, readonly encrypted: boolean }

  constructor ({ headers, method, url, socket }: EngineRequest, query: Query, remoteAddress: string) {
    this.headers = headers
    this.method = method
    this.url = url
    this._query = query
    this.socket = { remoteAddress, encrypted: 'encrypted' in socket && socket.encrypted === true }
  }

  /** Node's older name of it. */
  get connection (): ReleasedRequest['socket'] {
    return this.socket
  }
}

/** Keeps the requests of connections, or releases them once their clients are in. */
export class HandshakeRequests {
  readonly #io: Server
  readonly #namespaces: Namespaces
  readonly #option: HandshakeRequestOption | null
  readonly #own: boolean

  /**
   * @param option `null`: released on a server of ours that the application does not use
   * @param own whether this plugin made the server
   */
  constructor (io: Server, namespaces: Namespaces, option: HandshakeRequestOption | null, own: boolean) {
    this.#io = io
    this.#namespaces = namespaces
    this.#option = option
    this.#own = own
  }

  /** A client of a connection is in. */
  admitted (connection: EngineConnection): void {
    // Not in this turn: listeners of the application that come after ours may read the request.
    if (this.#releases) setImmediate(() => { releaseRequest(connection) })
  }

  get #releases (): boolean {
    if (this.#option !== null) return this.#option === 'release'
    return this.#own && !hasMiddlewares(this.#io) && !this.#namespaces.isUsedByHost
  }
}

/** Puts what is needed of its request in place of it. Fallback: the request stays. */
function releaseRequest (connection: EngineConnection): void {
  const holder = connection as unknown as { request?: EngineRequest | ReleasedRequest, remoteAddress?: unknown }
  const { request, remoteAddress } = holder
  if (!(request instanceof IncomingMessage) || typeof remoteAddress !== 'string') return
  const { _query: query } = request
  if (typeof query === 'object') holder.request = new ReleasedRequest(request, query, remoteAddress)
}

/** Whether the application has middlewares on Engine.IO (`io.engine.use`). Fallback: yes. */
function hasMiddlewares (io: Server): boolean {
  const { middlewares } = io.engine as unknown as { middlewares?: unknown }
  return !Array.isArray(middlewares) || middlewares.length > 0
}

/**
 * Hands an upgrade over to Engine.IO. For its middlewares that makes a response, which listens for the end of the
 * socket and so holds the request until then. Where there are none, nobody has that response, and it need not listen.
 * Fallback: it does.
 */
export function upgradeByEngine (io: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const before = stream.rawListeners('close')
  io.engine.handleUpgrade(request, stream, head)
  if (hasMiddlewares(io)) return
  // It is made before anything else listens, and listens once.
  const first = stream.rawListeners('close').find(listener => !before.includes(listener))
  const { listener } = (first ?? {}) as { listener?: () => void }
  if (listener !== undefined) stream.off('close', listener)
}
