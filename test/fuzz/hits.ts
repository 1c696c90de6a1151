import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import '../../lib/gateway/io.js'
import { Commands } from '../../lib/gateway/commands.js'
import type { Connection } from '../../lib/gateway/connection.js'
import { PageSession, StreamSession } from '../../lib/gateway/http/sessions.js'
import { Streams } from '../../lib/gateway/http/streams.js'
import type { ReasonName } from '../../lib/gateway/reasons.js'
import { Session } from '../../lib/gateway/session.js'
import { SocketConnection } from '../../lib/gateway/socketio/connection.js'
import { connectionsOf, type EngineConnection } from '../../lib/gateway/socketio/engine.js'
import { IdleConnections } from '../../lib/gateway/socketio/idle.js'
import { Namespaces } from '../../lib/gateway/socketio/namespaces.js'
import { Writer } from '../../lib/gateway/writer.js'
import { InstanceNames } from '../../lib/limits/instance-names.js'
import { LimitCounters, type LimitName, limitOf } from '../../lib/limits/limits.js'
import { cellOf, type State, type Way } from './cells.js'

// Counts in the attacked server which limit was reached by which way, in which state of the session, and why sessions
// have closed in which state. For that it wraps methods of the library's classes.

/** Who is being served: of sockets, streams and pages as long as they are let in. */
interface Caller {
  readonly way: Way
  state: State
}

const callers = new AsyncLocalStorage<Caller>()
// Map(cell -> how often)
const counts = new Map<string, number>()

const add = (way: Way, what: LimitName | ReasonName, state: State): void => {
  const cell = cellOf(way, what, state)
  counts.set(cell, (counts.get(cell) ?? 0) + 1)
}

/** How often each cell was hit. */
export const hits = (): Record<string, number> => Object.fromEntries(counts)

const wayOfEngine = (engine: EngineConnection): Way => (engine as unknown as { transport: { name: string } }).transport.name === 'websocket' ? 'websocket' : 'polling'
/** How the sessions of responses have come; those of sockets may change their transport. */
const ways = new WeakMap<Connection, Way>()
const wayOf = (connection: Connection): Way => connection instanceof SocketConnection ? wayOfEngine(connection.engine) : ways.get(connection) ?? 'stream'

/** The states of the open sessions of a connection: a limit of the connection is reached in each of them. */
function openStates (connection: Connection | undefined): State[] {
  const states = (connection?.sessions as readonly Session[] | undefined ?? []).filter(({ isOpen }) => isOpen).map(({ state }) => state as State)
  return states.length === 0 ? ['none'] : states
}

/** What the next count of a limit is about, where no caller is being served. */
let about: { readonly way: Way, readonly states: readonly State[] } | null = null
/** The limit that the connection which is ended next has reached. */
let slowBy: LimitName | null = null
/** Connections that are ended next because they are idle. */
let idle = 0

const OF_WAITING: ReadonlySet<LimitName> = new Set<LimitName>(['queuedBytes', 'queuedBytesMax', 'queuedBytesTotal'])

function reached (limit: LimitName): void {
  const caller = callers.getStore()
  if (OF_WAITING.has(limit)) slowBy = limit
  else if (limit === 'idleMs' && about === null) idle++
  else if (about !== null) for (const state of about.states) add(about.way, limit, state)
  else if (caller !== undefined) add(caller.way, limit, caller.state)
}

type Given<Method> = Method extends (...given: infer List) => unknown ? List : never
type Result<Method> = Method extends (...given: never[]) => infer Value ? Value : never

/** Replaces a method of a prototype by one that is given the former. */
function wrap<Owner extends object, Name extends keyof Owner> (
  prototype: Owner,
  name: Name,
  replacement: (self: Owner, former: (...given: Given<Owner[Name]>) => Result<Owner[Name]>, given: Given<Owner[Name]>) => Result<Owner[Name]>
): void {
  const former = prototype[name] as (...given: Given<Owner[Name]>) => Result<Owner[Name]>
  prototype[name] = function (this: Owner, ...given: Given<Owner[Name]>) {
    return replacement(this, (...given) => former.apply(this, given), given)
  } as Owner[Name]
}

/** Notes the state in which a caller has reached a limit. */
function noting<Result> (state: State, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    const caller = callers.getStore()
    const isSession = caller !== undefined && caller.way !== 'route' && caller.way !== 'monitor' && caller.way !== 'call'
    if (isSession && limitOf(error) !== undefined) caller.state = state
    throw error
  }
}

function watchSessions (): void {
  wrap(Session.prototype, 'begin', (self, begin, given) => {
    if (self instanceof PageSession) ways.set(self.connection, 'page')
    else if (self instanceof StreamSession) ways.set(self.connection, 'stream')
    noting('connecting', () => { begin(...given) })
  })
  wrap(Session.prototype, 'subscribe', (self, subscribe, given) => { noting('authorizing', () => { subscribe(...given) }) })
  wrap(InstanceNames.prototype, 'use', (self, use, given) => { noting('authorizing', () => { use(...given) }) })
  wrap(Session.prototype, 'close', (self, close, given) => {
    const { state } = self
    if (state !== 'closed') add(wayOf(self.connection), given[0], state)
    close(...given)
  })
  wrap(Commands.prototype, 'receive', (self, receive, given) => {
    const [{ connection, state }] = given
    about = { way: wayOf(connection), states: [state as State] }
    receive(...given)
    about = null
  })
  wrap(Writer.prototype, 'endStalled', (self, end, given) => {
    const [connection] = given
    if (slowBy !== null) for (const state of openStates(connection)) add(wayOf(connection), slowBy, state)
    slowBy = null
    end(...given)
  })
}

/** What is counted as a connection of Engine.IO closes. */
function watchEngines (): void {
  let isWatched = false
  wrap(IdleConnections.prototype, 'opened', (self, opened, given) => {
    opened(...given)
    if (isWatched) return
    isWatched = true
    const EngineSocket = (given[0] as object).constructor as { prototype: { onClose: (...given: unknown[]) => void } }
    wrap(EngineSocket.prototype, 'onClose', (self, onClose, given) => {
      const engine = self as unknown as EngineConnection
      const way = wayOfEngine(engine)
      about = { way, states: openStates(SocketConnection.of(engine)) }
      onClose(...given)
      about = null
      if (idle === 0) return
      idle--
      add(way, 'idleMs', 'none')
    })
  })
}

/** Counts from now on. To be called before the plugin is registered. */
export function watchHits (fastify: FastifyInstance): void {
  wrap(LimitCounters.prototype, 'count', (self, count, given) => {
    count(...given)
    reached(given[0])
  })
  watchSessions()
  watchEngines()
  wrap(Namespaces.prototype, 'serve', (self, serve, [{ guard, ...others }, withRoot]) => {
    serve({ ...others, guard: async socket => await callers.run({ way: wayOfEngine(socket.conn), state: 'none' }, async () => await guard(socket)) }, withRoot)
  })
  wrap(Streams.prototype, 'open', async (self, open, given) => { await callers.run({ way: 'stream', state: 'connecting' }, async () => { await open(...given) }) })
  wrap(Streams.prototype, 'page', async (self, page, given) => await callers.run({ way: 'page', state: 'connecting' }, async () => await page(...given)))
  // Twice, since what reads a body goes on without the caller.
  const serve = ({ url }: FastifyRequest, reply: FastifyReply, done: () => void): void => { callers.run({ way: url.startsWith('/monitor') ? 'monitor' : 'route', state: 'none' }, done) }
  fastify.addHook('onRequest', serve)
  fastify.addHook('preValidation', serve)
}

/** Counts bodies of polling that are too large, which Engine.IO answers by itself. To be called when the plugin is registered. */
export function watchBodies (fastify: FastifyInstance): void {
  fastify.server.prependListener('request', (request, response) => {
    const sid = /[?&]sid=([^&]+)/.exec(request.url ?? '')?.[1]
    if (sid === undefined) return
    response.once('finish', () => {
      if (response.statusCode !== 413) return
      const engine = connectionsOf(fastify.io).find(engine => (engine as unknown as { id: string }).id === sid)
      about = { way: 'polling', states: openStates(engine === undefined ? undefined : SocketConnection.of(engine)) }
      process.nextTick(() => { about = null })
    })
  })
}

/** Runs what the application does by itself. */
export async function asCall<Result> (work: () => Promise<Result>): Promise<Result> {
  return await callers.run({ way: 'call', state: 'none' }, work)
}
