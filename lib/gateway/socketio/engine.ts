/**
 * Access to internals of Socket.IO and Engine.IO. Only the fast path for events has its own, in wire.ts. Each function
 * checks that the internals are as expected, and has a safe fallback; test/gateway/engine.test.ts fails when a new
 * version changes them.
 */
import type { Server as HttpServer } from 'node:http'
import type { Namespace, Server, ServerOptions, Socket } from 'socket.io'

/** The Engine.IO connection that carries a client. */
export type EngineConnection = Socket['conn']

type Matcher = (name: string, auth: Record<string, unknown>, next: (err: Error | null, allow: boolean) => void) => void

interface ServerInternals {
  _nsps?: unknown
  parentNsps?: unknown
  opts?: { connectionStateRecovery?: unknown }
}

const inside = (io: Server): ServerInternals => io as unknown as ServerInternals

/** The namespaces by name. Socket.IO has no public way to list or delete them. */
function namespacesIn (io: Server): Map<string, Namespace> | undefined {
  const found = inside(io)._nsps
  return found instanceof Map ? found : undefined
}

/** Whether a namespace with this name exists. Fallback: no. */
export function hasNamespace (io: Server, name: string): boolean {
  return namespacesIn(io)?.has(name) === true
}

/**
 * The number of namespaces, and of functions and patterns that create more. Fallback: `NaN`, for which every comparison
 * is false.
 */
export function namespaceCounts (io: Server): { made: number, dynamic: number } {
  const { parentNsps } = inside(io)
  return { made: namespacesIn(io)?.size ?? NaN, dynamic: parentNsps instanceof Map ? parentNsps.size : NaN }
}

/** Deletes a namespace without clients. Fallback: the empty namespace stays. */
export function deleteNamespace (io: Server, namespace: Namespace): void {
  const namespaces = namespacesIn(io)
  if (namespaces?.get(namespace.name) !== namespace) return
  namespaces.delete(namespace.name)
  void namespace.adapter.close()
}

/** The number of middlewares of a namespace, including the application's. Fallback: one. */
export function middlewareCount (namespace: Namespace): number {
  const { _fns: middlewares } = namespace as unknown as { _fns?: unknown }
  return Array.isArray(middlewares) ? middlewares.length : 1
}

/**
 * Whether a client may still connect, because a later middleware has not answered yet. Fallback: yes, until its
 * connection ends.
 */
export function isArriving (socket: Socket): boolean {
  const { _preConnectSockets: arriving } = socket.nsp as unknown as { _preConnectSockets?: unknown }
  return arriving instanceof Map ? arriving.has(socket.id) : !socket.connected
}

/**
/**
 * Calls a function when Socket.IO releases a client: a middleware has refused it, or it has disconnected.
 * Fallback: never.
 *
 * @returns whether the function will be called
 */
export function onRelease (socket: Socket, released: () => void): boolean {
  const inner = socket as unknown as { _cleanup?: (this: object) => void }
  const { _cleanup: cleanUp } = inner
  if (typeof cleanUp !== 'function') return false
  inner._cleanup = function () {
    cleanUp.call(this)
    released()
  }
  return true
}

/**
 * Moves a function that was given to `io.of` behind functions that were given later. Socket.IO calls them in the order
 * of this map. A function that is moved during that iteration is called again at the end.
 *
 * @returns whether the function was moved; `false` if it is the last or (fallback) if the map does not exist
 */
export function moveMatcherLast (io: Server, matcher: Matcher): boolean {
  const matchers = inside(io).parentNsps
  if (!(matchers instanceof Map) || !matchers.has(matcher)) return false
  if ([...matchers.keys()].at(-1) === matcher) return false
  const namespace: unknown = matchers.get(matcher)
  matchers.delete(matcher)
  matchers.set(matcher, namespace)
  return true
}

/**
 * Whether connection state recovery is on. Fallback: no; recovered clients are then recognized by `socket.recovered`.
 */
export function recoversConnections (io: Server): boolean {
  return Boolean(inside(io).opts?.connectionStateRecovery)
}

/** The internals that write a client's first packet. */
interface FirstPacket {
  _onconnect?: (this: object) => void
}

/**
 * Whether the CONNECT packet of a client has the `pid` of its socket. From the pid, Socket.IO's own client knows
 * whether it has recovered. Without connection state recovery there is no public way to send one. Fallback: no pid is
 * sent.
 */
export function carriesPid (socket: Socket): boolean {
  const { _onconnect: writeFirst } = socket as unknown as FirstPacket
  if (typeof writeFirst !== 'function') return false
  let written: { data?: { sid?: unknown, pid?: unknown } } | undefined
  const packet = (first: typeof written): void => { written = first }
  try {
    writeFirst.call({ id: 'a', pid: 'b', conn: { protocol: 4 }, join: () => {}, packet })
  } catch {
    // This version behaves differently from the known ones.
    return false
  }
  return written?.data?.sid === 'a' && written.data.pid === 'b'
}

/** Sets the `pid` for the CONNECT packet of a client that is not connected yet. */
export function givePid (socket: Socket, pid: string): void {
  (socket as unknown as { pid?: string }).pid = pid
}

/** Whether a connection ended because the client's message exceeded `maxHttpBufferSize`. Fallback: no. */
export function sentTooMuch (cause: unknown): boolean {
  return cause instanceof Error && cause.message.endsWith('Max payload size exceeded')
}

/**
 * The number of namespaces that a client's connection has joined, including the application's. Fallback: one, so that
 * the connection is not treated as unused.
 */
export function namespaceCount (socket: Socket): number {
  const joined: unknown = (socket.client as unknown as { nsps?: unknown }).nsps
  return joined instanceof Map ? joined.size : 1
}

/**
 * Sets how long the closing of a polling connection waits for the client's next poll. Engine.IO waits for 30 s, which
 * keeps the process alive for a client that has vanished. Fallback: 30 s.
 *
 * @returns whether the time was set
 */
export function closesWithin (connection: EngineConnection, ms: number): boolean {
  const { transport } = connection as unknown as { transport?: { closeTimeout?: number } }
  if (typeof transport?.closeTimeout !== 'number') return false
  transport.closeTimeout = ms
  return true
}

/** Answers the current poll, or the next one, with a close packet. Fallback: nothing. */
function closePolling (connection: EngineConnection, ms: number): void {
  connection.close(!closesWithin(connection, ms))
}

/**
 * Listens to all messages of a client, like `onAny`. The array that `onAny` creates has room for 17 listeners, which
 * costs 130 bytes for each client, so it is replaced by one for a single listener. Fallback: the original array.
 */
export function listenToAll (socket: Socket, listener: (event: string, ...args: unknown[]) => void): void {
  socket.onAny(listener)
  const holder = socket as unknown as { _anyListeners?: unknown }
  const listeners = holder._anyListeners
  if (Array.isArray(listeners) && listeners.length === 1 && listeners[0] === listener) holder._anyListeners = [listener]
}

interface WebSocketInternals {
  terminate?: () => void
  close?: (code: number) => void
}

/** The WebSocket of a connection, if it has one. */
function webSocketOf (connection: EngineConnection): WebSocketInternals | undefined {
  const { transport } = connection as unknown as { transport?: { name?: string, socket?: WebSocketInternals } }
  return transport?.name === 'websocket' ? transport.socket : undefined
}

/**
 * Ends a client's connection at once; a stock client reconnects by itself. Engine.IO's `close()` would wait for a
 * stalled client and keep its queued bytes. Fallback: `close()`.
 */
export function endConnection (connection: EngineConnection): void {
  const webSocket = webSocketOf(connection)
  if (typeof webSocket?.terminate === 'function') webSocket.terminate()
  else connection.close(true)
}

/** The WebSocket close code of a server that shuts down (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001

/**
 * Ends a client's connection after its queued bytes are sent; a stock client reconnects by itself. Resolves when the
 * connection has ended.
 *
 * @param ms timeout after which the connection is ended at once
 */
export async function endGently (connection: EngineConnection, ms: number): Promise<void> {
  if (connection.readyState === 'closed') return
  await new Promise<void>(resolve => {
    const timer = setTimeout(() => { endConnection(connection) }, ms)
    // The first listener, because one of the application's that throws would keep later listeners from being called.
    connection.prependOnceListener('close', () => {
      clearTimeout(timer)
      resolve()
    })
    const webSocket = webSocketOf(connection)
    if (webSocket === undefined) closePolling(connection, ms)
    // Close gently even if no bytes are queued here: after an abrupt end the kernel drops the bytes that it still has
    // for a client that is sending.
    else if (typeof webSocket.close === 'function') webSocket.close(GOING_AWAY)
    else endConnection(connection)
  })
}

/** Whether packets have Socket.IO's own format, and not that of another parser (such as msgpack). */
export function usesStockParser (io: Server): boolean {
  const { encoder } = io as unknown as { encoder?: { encode?: (packet: object) => unknown[] } }
  const encoded = encoder?.encode?.({ type: 2, nsp: '/a', data: ['b', { c: 1 }] })
  return encoded?.length === 1 && encoded[0] === '2/a,["b",{"c":1}]'
}

/** The connections of an Engine.IO server, including those that have joined no namespace. Fallback: none. */
export function connectionsOf (io: Server): EngineConnection[] {
  const { clients } = io.engine as unknown as { clients?: Readonly<Record<string, EngineConnection>> }
  return Object.values(clients ?? {})
}

/** The options with which Engine.IO was attached. Fallback: its defaults. */
function engineOptions (io: Server): Partial<ServerOptions> {
  const { engine } = io as unknown as { engine?: { opts?: Partial<ServerOptions> } }
  return engine?.opts ?? {}
}

/** The longest time between a ping and the end of a connection that does not answer it, in ms. */
export function pingTimeout (io: Server): number {
  const { pingInterval = 25_000, pingTimeout = 20_000 } = engineOptions(io)
  return pingInterval + pingTimeout
}

/** The prefix of the URLs that Engine.IO handles. Fallback: the path of the server, and a slash. */
export function enginePath (io: Server): string {
  const { path = io.path(), addTrailingSlash } = engineOptions(io)
  const bare = path.replace(/\/$/, '')
  return addTrailingSlash === false ? bare : `${bare}/`
}

/** Whether Engine.IO handles WebSocket upgrades. Fallback: yes. */
export function takesWebSockets (io: Server): boolean {
  const { transports } = engineOptions(io)
  return transports === undefined || transports.includes('websocket')
}

/** Whether Engine.IO ends upgrades to other paths that are not answered within a second. Fallback: yes. */
export function endsUpgradesOfOthers (io: Server): boolean {
  return takesWebSockets(io) && engineOptions(io).destroyUpgrade !== false
}

/** Whether a Socket.IO server is attached to an HTTP server. Fallback: no, so that its upgrades are not touched. */
export function isAttachedTo (io: Server, server: HttpServer): boolean {
  return (io as unknown as { httpServer?: unknown }).httpServer === server
}
