/**
 * How the host's HTTP server upgrades connections, and what this plugin changes about that.
 *
 * Node emits an upgrade to every listener of the server, and no listener can tell the others that it has taken one. So
 * Socket.IO and `@fastify/websocket` both answer the same request, and what none of them serves is never answered. The
 * server's `emit` is the one place before all of them, whenever they were registered, and for both servers of
 * `localhost` (Fastify's second one emits its upgrades on the first). There each upgrade gets exactly one destination:
 *
 * - `Upgrade: h2c` alone: served as the plain HTTP request that it also is (RFC 9110, section 7.8: a server may ignore
 *   the header).
 * - A path of Socket.IO: Engine.IO, and no other listener.
 * - All else: the other listeners. An upgrade that none of them takes is answered.
 */
import { type IncomingMessage, type Server as HttpServer, ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import type { Server } from 'socket.io'
import { errors } from '../../errors.js'
import { endsUpgradesOfOthers, enginePath, isAttachedTo, takesWebSockets } from './engine.js'
import { upgradeByEngine } from './handshake-request.js'

/** How long the other listeners may take to touch an upgrade, in ms. */
const PATIENCE = 10_000
/** How long a client may take to close its side after an answer, in ms. */
const LINGER = 1000
/** Since this version Node parses the body of an upgrade; earlier ones leave it to the listener, unread. */
const PARSES_BODIES_SINCE = 26

const parsesBodies = Number(process.versions.node.split('.')[0]) >= PARSES_BODIES_SINCE

/** An upgrade as the server emits it. */
interface Upgrade {
  readonly request: IncomingMessage
  /** The socket of the request, or a stream around it while the request's body is read. */
  readonly stream: Duplex
  /** What came behind the request's head. */
  readonly head: Buffer
}

type Emit = (event: string, ...args: unknown[]) => boolean

/** Gives each upgrade of an HTTP server one destination. */
export class Upgrades {
  readonly #server: HttpServer
  readonly #io: Server
  readonly #emit: Emit
  // Those that nobody has answered yet, or that were answered here and are not closed.
  readonly #open = new Set<Duplex>()
  #isClosing = false

  constructor (server: HttpServer, io: Server) {
    this.#server = server
    this.#io = io
    this.#emit = server.emit.bind(server) as Emit
  }

  /**
   * Puts itself before the listeners of the server, those that come later too.
   *
   * @param own whether this plugin made the Socket.IO server. A host's may sit on another HTTP server; then upgrades
   *   that nobody listens for are left to Node
   */
  install (own: boolean): void {
    const emit: Emit = (event, ...args) => {
      if (event !== 'upgrade') return this.#emit(event, ...args)
      const [request, stream, head] = args as [IncomingMessage, Duplex, Buffer]
      afterResponses(request.socket, () => { this.#dispatch({ request, stream, head }) })
      return true
    }
    Object.defineProperty(this.#server, 'emit', { value: emit, configurable: true, writable: true })
    // Without a listener Node serves an upgrade as a plain request. Socket.IO has none when it has no WebSockets.
    if (own && !takesWebSockets(this.#io)) this.#server.on('upgrade', isListening)
  }

  /** Says what the host must set for the other listeners. To be called when all of them are there. */
  checkOthers (logger: FastifyBaseLogger): void {
    if (!this.#endsOthers() || this.#others() === 0) return
    logger.warn(
      'the Socket.IO server of the application ends upgrades of other listeners that take over a second: give it the option destroyUpgrade: false'
    )
  }

  /** Ends every upgrade that nobody serves, so that the server can close. */
  close (): void {
    this.#isClosing = true
    for (const stream of this.#open) stream.destroy()
  }

  #dispatch (upgrade: Upgrade): void {
    const { request, stream, head } = upgrade
    if (offersH2c(request)) servePlain(this.#server, upgrade)
    else if (this.#isClosing) this.#refuse(stream)
    else if (this.#isEngines(request)) {
      if (takesWebSockets(this.#io)) upgradeByEngine(this.#io, request, stream, head)
      else this.#answer(stream, 400, 'Transport unknown')
    } else if (this.#others() > 0) this.#offer(upgrade)
    else this.#answer(stream, 404, 'nothing on this path takes an upgrade')
  }

  #isEngines ({ url }: IncomingMessage): boolean {
    return isAttachedTo(this.#io, this.#server) && url?.startsWith(enginePath(this.#io)) === true
  }

  /** Listeners that are neither Engine.IO's nor ours. */
  #others (): number {
    const listeners = this.#server.listeners('upgrade').filter(listener => listener !== isListening)
    return listeners.length - (isAttachedTo(this.#io, this.#server) && takesWebSockets(this.#io) ? 1 : 0)
  }

  /** Whether Engine.IO ends what other listeners have not answered within a second. */
  #endsOthers (): boolean {
    return isAttachedTo(this.#io, this.#server) && endsUpgradesOfOthers(this.#io)
  }

  /**
   * Gives an upgrade to the other listeners. One of them has taken it when it has written something, or listens to the
   * socket: whoever takes a socket must listen to its errors. An asynchronous one may do so later.
   */
  #offer ({ request, stream, head }: Upgrade): void {
    const socket = request.socket as Socket | undefined
    const written = socket?.bytesWritten
    // Engine.IO listens for errors of what it is going to end.
    const untouched = listenerCountOf(stream) + (this.#endsOthers() ? 1 : 0)
    this.#emit('upgrade', request, stream, head)
    const isTaken = () => stream.destroyed || socket?.bytesWritten !== written || listenerCountOf(stream) > untouched
    // Not a connection of this server: an upgrade that a test injects, say.
    if (socket === undefined || isTaken()) return
    this.#open.add(stream)
    const timer = setTimeout(() => {
      settle(() => { this.#answer(stream, 404, 'nothing took this upgrade') })
    }, PATIENCE)
    const settle = (answer: () => void) => {
      clearTimeout(timer)
      this.#open.delete(stream)
      stream.off('close', closed)
      stream.off('finish', finished)
      if (!isTaken()) answer()
    }
    const closed = () => { settle(() => {}) }
    // By Engine.IO, which ends only its own side: a client that goes on sending would keep its socket for ever.
    const finished = () => { settle(() => { stream.destroy() }) }
    stream.once('close', closed)
    stream.once('finish', finished)
  }

  #refuse (stream: Duplex): void {
    const { statusCode = 503, code, message } = new errors.CLOSED()
    this.#answer(stream, statusCode, message, code)
  }

  /** Refuses an upgrade, and closes its socket. */
  #answer (stream: Duplex, status: number, message: string, code?: string): void {
    this.#open.add(stream)
    const timer = setTimeout(() => { stream.destroy() }, LINGER)
    stream.once('close', () => {
      clearTimeout(timer)
      this.#open.delete(stream)
    })
    // A client that resets the connection has no use for the answer.
    stream.on('error', () => { stream.destroy() })
    const error = STATUS_CODES[status] ?? ''
    const body = JSON.stringify({ statusCode: status, code, error, message })
    const headers = [
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`
    ]
    stream.end(`HTTP/1.1 ${status} ${error}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
    // What is left unread makes the kernel reset the connection, and the client may never see the answer.
    stream.resume()
  }
}

/** Makes Node emit upgrades. What is done with them is decided in `emit`. */
const isListening = (): void => {}

const listenerCountOf = (stream: Duplex): number =>
  stream.eventNames().reduce((count, name) => count + stream.listenerCount(name), 0)

/**
 * Calls when every response of earlier requests has been written: a client may have sent an upgrade behind them
 * (pipelining), and Node emits it at once.
 *
 * @param socket left out for an upgrade that is not of a connection
 */
function afterResponses (socket: Socket | undefined, call: () => void): void {
  // Node's own field, for which there is no public name.
  const { _httpMessage: response } = (socket ?? {}) as { _httpMessage?: ServerResponse | null }
  if (socket === undefined || response === undefined || response === null) {
    call()
    return
  }
  // Node no longer listens.
  const failed = () => { socket.destroy() }
  socket.on('error', failed)
  // Node's listener came first, and has begun the next response.
  response.once('finish', () => {
    socket.off('error', failed)
    afterResponses(socket, call)
  })
}

/** Whether a request offers HTTP/2 without TLS and nothing else, as Java's HttpClient and `curl --http2` do. */
function offersH2c ({ headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined &&
    headers.upgrade.split(',').every(token => token.trim().toLowerCase() === 'h2c')
}

/**
 * Serves an upgrade as the plain request that it also is. Node could do so by itself (`shouldUpgradeCallback`, from
 * 22.21 and 24.9 on), but not for the second server of `localhost`, and it drops what was read behind that request.
 */
function servePlain (server: HttpServer, upgrade: Upgrade): void {
  const { request, head } = upgrade
  const { socket } = request
  if (hasParsedBody(upgrade)) {
    serveParsed(server, upgrade)
    return
  }
  // Node adds its own once more.
  socket.removeAllListeners('timeout')
  // The parser of this request is gone. A new one reads the same request, without the offer, and what comes behind it.
  socket.unshift(Buffer.concat([plainHead(request), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}

/** The head of a request as it came, but for what belongs to the upgrade. */
function plainHead ({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method ?? ''} ${url ?? ''} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const value = withoutUpgrade(name.toLowerCase(), rawHeaders[at + 1] ?? '')
    if (value !== '') lines.push(`${name}: ${value}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

const OF_UPGRADE = new Set(['upgrade', 'http2-settings'])

/** @returns an empty string for a header that is left out */
function withoutUpgrade (name: string, value: string): string {
  if (OF_UPGRADE.has(name)) return ''
  if (name !== 'connection') return value
  return value.split(',').filter(token => !OF_UPGRADE.has(token.trim().toLowerCase())).join(',').trim()
}

/** Whether Node has begun to parse the body. Then the bytes of it are gone, and the request has them. */
function hasParsedBody ({ request: { headers, socket }, stream }: Upgrade): boolean {
  if (stream !== socket) return true
  return parsesBodies && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}

/** Serves a request whose body Node parses. It is the last one of its connection. */
function serveParsed (server: HttpServer, { request, stream }: Upgrade): void {
  const { socket, headers } = request
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => { socket.destroySoon() })
  for (const end of new Set([socket, stream])) end.on('error', () => { socket.destroy() })
  socket.once('close', () => {
    if (!request.complete) request.destroy()
  })
  if (headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
  server.emit('request', request, response)
}
