/**
 * Decides which listener gets an upgrade of the application's HTTP server.
 *
 * Node emits an upgrade to every listener of the server, and a listener cannot tell the others that it has handled it.
 * So Socket.IO and `@fastify/websocket` would both answer the same request, and an upgrade that none of them serves
 * would never be answered. The server's `emit` is the one place that runs before all listeners, whenever they were
 * added, and for both servers of `localhost` (Fastify's second one emits its upgrades on the first). There each upgrade
 * gets exactly one destination:
 *
 * - `Upgrade: h2c` alone: served as a plain HTTP request (RFC 9110, section 7.8: a server may ignore the header).
 * - A path of Socket.IO: Engine.IO, and no other listener.
 * - All else: the other listeners. An upgrade that none of them handles is answered here.
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

/** How long the other listeners may take to react to an upgrade, in ms. */
const LISTENER_TIMEOUT = 10_000
/** How long a client may take to close its side of the connection after an answer, in ms. */
const CLOSE_TIMEOUT = 1000
/** The Node version since which Node parses the body of an upgrade. Earlier versions leave it unread. */
const PARSES_BODIES_SINCE = 26

const parsesBodies = Number(process.versions.node.split('.')[0]) >= PARSES_BODIES_SINCE

/** The arguments of the server's `upgrade` event. */
interface Upgrade {
  readonly request: IncomingMessage
  /** The socket of the request; while Node reads the request's body, a stream around the socket. */
  readonly stream: Duplex
  /** The bytes after the head of the request. */
  readonly head: Buffer
}

type Emit = (event: string, ...args: unknown[]) => boolean

/** Routes each upgrade of an HTTP server to one destination. */
export class Upgrades {
  readonly #server: HttpServer
  readonly #io: Server
  readonly #emit: Emit
  // Upgrades that are not answered yet, or were answered here and are not closed yet.
  readonly #open = new Set<Duplex>()
  #isClosing = false

  constructor (server: HttpServer, io: Server) {
    this.#server = server
    this.#io = io
    this.#emit = server.emit.bind(server) as Emit
  }

  /**
   * Intercepts the upgrades of the server, before all listeners.
   *
   * @param own whether this plugin created the Socket.IO server. The application's may be attached to another HTTP
   *   server; then upgrades without a listener are left to Node
   */
  install (own: boolean): void {
    const emit: Emit = (event, ...args) => {
      if (event !== 'upgrade') return this.#emit(event, ...args)
      const [request, stream, head] = args as [IncomingMessage, Duplex, Buffer]
      afterResponses(request.socket, () => { this.#dispatch({ request, stream, head }) })
      return true
    }
    Object.defineProperty(this.#server, 'emit', { value: emit, configurable: true, writable: true })
    // Node serves an upgrade as a plain request if there is no listener. Socket.IO adds none when WebSockets are off.
    if (own && !takesWebSockets(this.#io)) this.#server.on('upgrade', isListening)
  }

  /**
   * Logs what the application must set so that its other listeners work. Must be called after all listeners are added.
   */
  checkOthers (logger: FastifyBaseLogger): void {
    if (!this.#endsOthers() || this.#others() === 0) return
    logger.warn(
      'the Socket.IO server of the application ends upgrades of other listeners that take over a second: give it the option destroyUpgrade: false'
    )
  }

  /** Ends every upgrade that no listener serves, so that the server can close. */
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
    } else if (this.#others() > 0) this.#emitToOthers(upgrade)
    else this.#answer(stream, 404, 'nothing on this path takes an upgrade')
  }

  #isEngines ({ url }: IncomingMessage): boolean {
    return isAttachedTo(this.#io, this.#server) && url?.startsWith(enginePath(this.#io)) === true
  }

  /** Number of listeners that belong to neither Engine.IO nor this plugin. */
  #others (): number {
    const listeners = this.#server.listeners('upgrade').filter(listener => listener !== isListening)
    return listeners.length - (isAttachedTo(this.#io, this.#server) && takesWebSockets(this.#io) ? 1 : 0)
  }

  /** Whether Engine.IO ends upgrades that other listeners do not answer within a second. */
  #endsOthers (): boolean {
    return isAttachedTo(this.#io, this.#server) && endsUpgradesOfOthers(this.#io)
  }

  /**
   * Emits an upgrade to the other listeners. A listener has handled it if it has written to the socket or listens to
   * the socket, because every user of a socket must listen to its errors. An asynchronous listener may do so later.
   */
  #emitToOthers ({ request, stream, head }: Upgrade): void {
    const socket = request.socket as Socket | undefined
    const written = socket?.bytesWritten
    // Engine.IO adds one error listener to an upgrade that it is going to end.
    const untouched = listenerCountOf(stream) + (this.#endsOthers() ? 1 : 0)
    this.#emit('upgrade', request, stream, head)
    const isTaken = () => stream.destroyed || socket?.bytesWritten !== written || listenerCountOf(stream) > untouched
    // Without a socket the upgrade is not a real connection: a test may have injected it.
    if (socket === undefined || isTaken()) return
    this.#open.add(stream)
    const timer = setTimeout(() => {
      settle(() => { this.#answer(stream, 404, 'nothing took this upgrade') })
    }, LISTENER_TIMEOUT)
    const settle = (answer: () => void) => {
      clearTimeout(timer)
      this.#open.delete(stream)
      stream.off('close', closed)
      stream.off('finish', finished)
      if (!isTaken()) answer()
    }
    const closed = () => { settle(() => {}) }
    // Engine.IO has ended its own side only. A client that keeps sending would keep the socket forever.
    const finished = () => { settle(() => { stream.destroy() }) }
    stream.once('close', closed)
    stream.once('finish', finished)
  }

  #refuse (stream: Duplex): void {
    const { statusCode = 503, code, message } = new errors.CLOSED()
    this.#answer(stream, statusCode, message, code)
  }

  /** Answers an upgrade with an error, and closes its socket. */
  #answer (stream: Duplex, status: number, message: string, code?: string): void {
    this.#open.add(stream)
    const timer = setTimeout(() => { stream.destroy() }, CLOSE_TIMEOUT)
    stream.once('close', () => {
      clearTimeout(timer)
      this.#open.delete(stream)
    })
    // The client may reset the connection before the answer is sent.
    stream.on('error', () => { stream.destroy() })
    const error = STATUS_CODES[status] ?? ''
    const body = JSON.stringify({ statusCode: status, code, error, message })
    const headers = [
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`
    ]
    stream.end(`HTTP/1.1 ${status} ${error}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
    // Read what the client still sends: unread bytes make the kernel reset the connection, and the answer may be lost.
    stream.resume()
  }
}

/** A listener that only makes Node emit upgrades. `emit` decides what happens to them. */
const isListening = (): void => {}

const listenerCountOf = (stream: Duplex): number =>
  stream.eventNames().reduce((count, name) => count + stream.listenerCount(name), 0)

/**
 * Calls when the responses to all earlier requests are written. With pipelining a client may send an upgrade behind
 * other requests, and Node emits it at once.
 *
 * @param socket left out for an upgrade that is not a real connection
 */
function afterResponses (socket: Socket | undefined, call: () => void): void {
  // Node has no public name for this field.
  const { _httpMessage: response } = (socket ?? {}) as { _httpMessage?: ServerResponse | null }
  if (socket === undefined || response === undefined || response === null) {
    call()
    return
  }
  // Node has removed its own error listener.
  const failed = () => { socket.destroy() }
  socket.on('error', failed)
  // Node's own listener runs first, and has started the next response.
  response.once('finish', () => {
    socket.off('error', failed)
    afterResponses(socket, call)
  })
}

/** Whether a request offers only HTTP/2 without TLS, as Java's HttpClient and `curl --http2` do. */
function offersH2c ({ headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined &&
    headers.upgrade.split(',').every(token => token.trim().toLowerCase() === 'h2c')
}

/**
 * Serves an upgrade as a plain request. Node's own option (`shouldUpgradeCallback`, from 22.21 and 24.9 on) does not
 * work for the second server of `localhost`, and drops the bytes after the request.
 */
function servePlain (server: HttpServer, upgrade: Upgrade): void {
  const { request, head } = upgrade
  const { socket } = request
  if (hasParsedBody(upgrade)) {
    serveParsed(server, upgrade)
    return
  }
  // Node adds this listener again.
  socket.removeAllListeners('timeout')
  // Node has removed the parser of this request. A new one reads the same request, without the upgrade, and the bytes
  // after it.
  socket.unshift(Buffer.concat([plainHead(request), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}

/** The head of a request as it was received, without the headers of the upgrade. */
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

/** @returns an empty string for a header that must be left out */
function withoutUpgrade (name: string, value: string): string {
  if (OF_UPGRADE.has(name)) return ''
  if (name !== 'connection') return value
  return value.split(',').filter(token => !OF_UPGRADE.has(token.trim().toLowerCase())).join(',').trim()
}

/** Whether Node has started to parse the body. Its bytes are then in the request, and no longer in the socket. */
function hasParsedBody ({ request: { headers, socket }, stream }: Upgrade): boolean {
  if (stream !== socket) return true
  return parsesBodies && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}

/** Serves a request whose body Node parses. It must be the last request of its connection. */
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
