/**
 * Keeps or releases the HTTP request that opened a connection. Socket.IO keeps the request for as long as the
 * connection lives, which is about a tenth of the memory of an idle connection. This file has all knowledge of where
 * Socket.IO and Engine.IO keep it; test/gateway/handshake-request.test.ts fails when a new version changes that.
 */
import { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server } from 'socket.io'
import type { HandshakeRequestOption } from '../../types.js'
import type { EngineConnection } from './engine.js'
import type { Namespaces } from './namespaces.js'

type Query = Record<string, string | string[] | undefined>

/** A request with the fields that Engine.IO adds. */
interface EngineRequest extends IncomingMessage {
  readonly _query?: Query
}

/** The parts of the request that Socket.IO reads when a client joins another namespace, under the same names. */
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

  /** An older name of `socket` in Node. */
  get connection (): ReleasedRequest['socket'] {
    return this.socket
  }
}

/** Keeps the handshake requests of connections, or releases them after their clients are connected. */
export class HandshakeRequests {
  readonly #io: Server
  readonly #namespaces: Namespaces
  readonly #option: HandshakeRequestOption | null
  readonly #own: boolean

  /**
   * @param option `null`: released on the plugin's own server if the application does not use that server
   * @param own whether this plugin created the server
   */
  constructor (io: Server, namespaces: Namespaces, option: HandshakeRequestOption | null, own: boolean) {
    this.#io = io
    this.#namespaces = namespaces
    this.#option = option
    this.#own = own
  }

  /** A client of the connection has connected. */
  admitted (connection: EngineConnection): void {
    // Release later: listeners of the application that run after this one may read the request.
    if (this.#releases) setImmediate(() => { releaseRequest(connection) })
  }

  get #releases (): boolean {
    if (this.#option !== null) return this.#option === 'release'
    return this.#own && !hasMiddlewares(this.#io) && !this.#namespaces.isUsedByHost
  }
}

/** Replaces the request of a connection by the parts that are still needed. Fallback: the request stays. */
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
 * Passes an upgrade to Engine.IO. For its middlewares, Engine.IO creates a response that listens for the end of the
 * socket, which keeps the request in memory until then. Without middlewares the response is not used, so its listener
 * is removed. Fallback: the listener stays.
 */
export function upgradeByEngine (io: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const before = stream.rawListeners('close')
  io.engine.handleUpgrade(request, stream, head)
  if (hasMiddlewares(io)) return
  // The response is created before anything else adds a listener, and adds exactly one.
  const first = stream.rawListeners('close').find(listener => !before.includes(listener))
  const { listener } = (first ?? {}) as { listener?: () => void }
  if (listener !== undefined) stream.off('close', listener)
}
