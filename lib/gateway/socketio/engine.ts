/**
 * What this package uses of Socket.IO and Engine.IO beyond their public interfaces, but for the way of the events to
 * the sockets, which is in wire.ts. Each function tests for what it needs and falls back to something safe;
 * test/gateway/engine.test.ts fails when a new version changes one.
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

/** Namespaces by name. There is no public way to list them, nor to delete one. */
function namespacesIn (io: Server): Map<string, Namespace> | undefined {
  const found = inside(io)._nsps
  return found instanceof Map ? found : undefined
}

/** Whether there is a namespace of this name. Fallback: no. */
export function hasNamespace (io: Server, name: string): boolean {
  return namespacesIn(io)?.has(name) === true
}

/**
 * How many namespaces there are, and how many functions and patterns by which more are made. Fallback: no number, which
 * is neither more nor less than any other.
 */
export function namespaceCounts (io: Server): { made: number, dynamic: number } {
  const { parentNsps } = inside(io)
  return { made: namespacesIn(io)?.size ?? NaN, dynamic: parentNsps instanceof Map ? parentNsps.size : NaN }
}

/** Deletes a namespace that nobody is in. Fallback: it stays, empty. */
export function deleteNamespace (io: Server, namespace: Namespace): void {
  const namespaces = namespacesIn(io)
  if (namespaces?.get(namespace.name) !== namespace) return
  namespaces.delete(namespace.name)
  void namespace.adapter.close()
}

/** How many middlewares a namespace has, the host's too. Fallback: one. */
export function middlewareCount (namespace: Namespace): number {
  const { _fns: middlewares } = namespace as unknown as { _fns?: unknown }
  return Array.isArray(middlewares) ? middlewares.length : 1
}

/**
 * Whether a client that is not in yet may still come in, because a middleware after ours has not answered. Fallback:
 * yes, until its connection ends.
 */
export function isArriving (socket: Socket): boolean {
  const { _preConnectSockets: arriving } = socket.nsp as unknown as { _preConnectSockets?: unknown }
  return arriving instanceof Map ? arriving.has(socket.id) : !socket.connected
}

/**
 * Calls when Socket.IO lets go of a client: a middleware has refused it, or it is gone. Fallback: never.
 *
 * @returns whether it will
 */
export function whenLetGo (socket: Socket, letGo: () => void): boolean {
  const inner = socket as unknown as { _cleanup?: (this: object) => void }
  const { _cleanup: cleanUp } = inner
  if (typeof cleanUp !== 'function') return false
  inner._cleanup = function () {
    cleanUp.call(this)
    letGo()
  }
  return true
}

/**
 * Moves a function that was given to `io.of` behind those that were given later. Socket.IO asks them in the order of
 * this map and comes to one that moved once more, at its end.
 *
 * @returns whether it moved; `false` when it is the last, or (fallback) when the map is not there
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

/** Whether connection state recovery is on. Fallback: a client that was recovered tells (`socket.recovered`). */
export function recoversConnections (io: Server): boolean {
  return Boolean(inside(io).opts?.connectionStateRecovery)
}

/** What writes a client's first packet, as far as it is known. */
interface FirstPacket {
  _onconnect?: (this: object) => void
}

/**
 * Whether the first packet of a client has the `pid` of its socket, by which Socket.IO's own client knows that it was
 * recovered. There is no public way to give one without connection state recovery. Fallback: clients get none.
 */
export function carriesPid (socket: Socket): boolean {
  const { _onconnect: writeFirst } = socket as unknown as FirstPacket
  if (typeof writeFirst !== 'function') return false
  let written: { data?: { sid?: unknown, pid?: unknown } } | undefined
  const packet = (first: typeof written): void => { written = first }
  try {
    writeFirst.call({ id: 'a', pid: 'b', conn: { protocol: 4 }, join: () => {}, packet })
  } catch {
    // It does something else than it is known to do.
    return false
  }
  return written?.data?.sid === 'a' && written.data.pid === 'b'
}

/** Gives a client that is not in yet the `pid` of its first packet. */
export function givePid (socket: Socket, pid: string): void {
  (socket as unknown as { pid?: string }).pid = pid
}

/** Whether a connection has ended because the client sent a message over `maxHttpBufferSize`. Fallback: no. */
export function sentTooMuch (cause: unknown): boolean {
  return cause instanceof Error && cause.message.endsWith('Max payload size exceeded')
}

/** How many namespaces the connection of a client is in, the host's too. Fallback: one, so that it is left alone. */
export function namespaceCount (socket: Socket): number {
  const joined: unknown = (socket.client as unknown as { nsps?: unknown }).nsps
  return joined instanceof Map ? joined.size : 1
}

/**
 * Says how long a polling client that is being closed may take to ask once more. Engine.IO waits for 30 s, and keeps
 * the process that long, for a client that has vanished. Fallback: that.
 *
 * @returns whether it counts
 */
export function closesWithin (connection: EngineConnection, ms: number): boolean {
  const { transport } = connection as unknown as { transport?: { closeTimeout?: number } }
  if (typeof transport?.closeTimeout !== 'number') return false
  transport.closeTimeout = ms
  return true
}

/** Answers the poll under way, or the next one. Fallback: none. */
function closePolling (connection: EngineConnection, ms: number): void {
  connection.close(!closesWithin(connection, ms))
}

/**
 * Listens to all that a client sends, as `onAny` does. The list that `onAny` makes has room for 17 listeners, which
 * is 130 bytes for each client; one for a single listener takes its place. Fallback: the list as it is.
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

/** The WebSocket under a connection, if it has one. */
function webSocketOf (connection: EngineConnection): WebSocketInternals | undefined {
  const { transport } = connection as unknown as { transport?: { name?: string, socket?: WebSocketInternals } }
  return transport?.name === 'websocket' ? transport.socket : undefined
}

/**
 * Ends the connection of a client at once, so that a stock client comes back by itself. `close()` of Engine.IO waits
 * for a client that has stalled, and holds what is queued for it. Fallback: that.
 */
export function endConnection (connection: EngineConnection): void {
  const webSocket = webSocketOf(connection)
  if (typeof webSocket?.terminate === 'function') webSocket.terminate()
  else connection.close(true)
}

/** What a client is told when the server ends (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001

/**
 * Ends the connection of a client after what waits for it has gone out, and so that a stock client comes back by
 * itself. Resolves when it has ended.
 *
 * @param ms how long that may take; then it is ended at once
 */
export async function endGently (connection: EngineConnection, ms: number): Promise<void> {
  if (connection.readyState === 'closed') return
  await new Promise<void>(resolve => {
    const timer = setTimeout(() => { endConnection(connection) }, ms)
    // First, because a listener of the host's that throws keeps those after it from being called.
    connection.prependOnceListener('close', () => {
      clearTimeout(timer)
      resolve()
    })
    const webSocket = webSocketOf(connection)
    if (webSocket === undefined) closePolling(connection, ms)
    // Not at once, even when nothing waits here: the kernel drops what it still holds for a client that is sending.
    else if (typeof webSocket.close === 'function') webSocket.close(GOING_AWAY)
    else endConnection(connection)
  })
}

/** Whether packets are written in Socket.IO's own format, and not in that of another parser (msgpack, say). */
export function usesStockParser (io: Server): boolean {
  const { encoder } = io as unknown as { encoder?: { encode?: (packet: object) => unknown[] } }
  const encoded = encoder?.encode?.({ type: 2, nsp: '/a', data: ['b', { c: 1 }] })
  return encoded?.length === 1 && encoded[0] === '2/a,["b",{"c":1}]'
}

/** The connections of an Engine.IO server, also those that are in no namespace. Fallback: none. */
export function connectionsOf (io: Server): EngineConnection[] {
  const { clients } = io.engine as unknown as { clients?: Readonly<Record<string, EngineConnection>> }
  return Object.values(clients ?? {})
}

/** The options that Engine.IO was attached with. Fallback: its defaults. */
function engineOptions (io: Server): Partial<ServerOptions> {
  const { engine } = io as unknown as { engine?: { opts?: Partial<ServerOptions> } }
  return engine?.opts ?? {}
}

/** How long a client may leave a ping unanswered until its connection ends, in ms, from one ping on. */
export function pingTimeout (io: Server): number {
  const { pingInterval = 25_000, pingTimeout = 20_000 } = engineOptions(io)
  return pingInterval + pingTimeout
}

/** With what the URL of a request begins that Engine.IO takes. Fallback: the path of the server, and a slash. */
export function enginePath (io: Server): string {
  const { path = io.path(), addTrailingSlash } = engineOptions(io)
  const bare = path.replace(/\/$/, '')
  return addTrailingSlash === false ? bare : `${bare}/`
}

/** Whether Engine.IO listens for upgrades. Fallback: yes. */
export function takesWebSockets (io: Server): boolean {
  const { transports } = engineOptions(io)
  return transports === undefined || transports.includes('websocket')
}

/** Whether Engine.IO ends an upgrade of another path that nobody has answered within a second. Fallback: yes. */
export function endsUpgradesOfOthers (io: Server): boolean {
  return takesWebSockets(io) && engineOptions(io).destroyUpgrade !== false
}

/**
 * Whether a Socket.IO server serves the clients of an HTTP server. Fallback: no, so that its upgrades are left alone.
 */
export function isAttachedTo (io: Server, server: HttpServer): boolean {
  return (io as unknown as { httpServer?: unknown }).httpServer === server
}
