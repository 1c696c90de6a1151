import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'socket.io'
import { bearerKey, readKey } from '../access/access.js'
import { errors } from '../errors.js'
import type { AskedFilter } from './filter.js'
import { idOfPid, resumeAfter } from './pid.js'

/** What a client sends when it connects. It is kept, because the key is checked again when the grant expires. */
export interface Handshake {
  readonly apikey: string | null
  readonly headers: IncomingHttpHeaders
  /** Address of the connection that carries the client. */
  readonly remoteAddress: string | undefined
  /** The filter that the client requests. */
  readonly asked: AskedFilter
  /**
   * The id after which the client resumes: any text. Empty: the client starts with the events published from now on,
   * and will resume later. `undefined`: the client does not use resume.
   */
  readonly lastEventId: string | undefined
  /** True for a stock client that resumes by its pid. Its CONNECT packet says whether it has recovered. */
  readonly byPid?: true
}

/** The handshake of a Socket.IO client. Made on demand, because there may be very many clients. */
export function handshakeOf (socket: Socket): Handshake {
  const { headers } = socket.handshake
  const { remoteAddress } = socket.conn
  return {
    apikey: keyOf(socket),
    headers,
    remoteAddress,
    asked: askedFilter(socket),
    lastEventId: lastEventIdOf(socket)
  }
}

const authOf = (socket: Socket): Readonly<Record<string, unknown>> => socket.handshake.auth ?? {}

/**
 * The key of a client: the first that is present of `auth.apikey`, the query, the header and the bearer token. Query
 * and headers belong to the connection, so they are the same for each namespace that is joined over it.
 */
export function keyOf (socket: Socket): string | null {
  const { query, headers } = socket.handshake
  return readKey(authOf(socket).apikey) ?? readKey(query.apikey) ?? readKey(headers.apikey) ?? bearerKey(headers)
}

/** The filter that a client requests in its handshake. */
function askedFilter (socket: Socket): AskedFilter {
  const { events, instances } = authOf(socket)
  const { query } = socket.handshake
  return { events: events ?? query.events, instances: instances ?? query.instances }
}

/** The query parameters of a Socket.IO connection that the plugin reads. */
export const SOCKET_PARAMETERS: readonly string[] = ['apikey', 'events', 'instances']

/** Brackets as some other servers use them for lists: `events[]`, `events[0]`. */
const LIST = /^\[\d{0,4}\]$/

/**
 * Refuses a query that has a parameter more than once, or as `events[]`. Engine.IO uses only the last value, and does
 * not know brackets. So the client would get another filter than it requested, or be checked by another key.
 *
 * @param parameters the parameters to check
 * @throws INVALID_FILTER naming the parameter
 */
export function checkRepeated (url: string | undefined, parameters: readonly string[]): void {
  const start = url?.indexOf('?') ?? -1
  if (url === undefined || start === -1) return
  const seen = new Set<string>()
  for (const name of new URLSearchParams(url.slice(start + 1)).keys()) {
    const [parameter = ''] = name.split('[', 1)
    if (!parameters.includes(parameter)) continue
    if (parameter !== name) {
      // The text in the brackets may be a key, and this message is logged.
      const shown = LIST.test(name.slice(parameter.length)) ? name : `${parameter}[…]`
      throw new errors.INVALID_FILTER(
        `has "${shown}" in the query: a list is one parameter, with commas between the names`
      )
    }
    if (seen.has(name)) throw new errors.INVALID_FILTER(`has "${name}" more than once in the query`)
    seen.add(name)
  }
}

/** An id that no log has. */
const UNKNOWN_ID = '-'
/** Longest id that is read. The ids of all stores are much shorter. */
const MAX_ID_LENGTH = 200

/** Reads an id from a client. An invalid one becomes an id that no log has, so that it leads to a gap. */
export const readId = (value: unknown): string =>
  typeof value === 'string' && value.length <= MAX_ID_LENGTH ? value : UNKNOWN_ID

/** Not read from the query, which a stock client repeats unchanged at each reconnect. */
export function lastEventIdOf (socket: Socket): string | undefined {
  const { lastEventId } = authOf(socket)
  return lastEventId === undefined || lastEventId === null ? undefined : readId(lastEventId)
}

/**
 * The resume position of a stock client. It sends the pid that it was given and, as its offset, the last event argument
 * that was a text. Empty if the client sends no pid.
 *
 * @param instance `null`: the root
 */
export function offsetOf (socket: Socket, instance: string | null): string {
  const { pid, offset } = authOf(socket)
  if (pid === undefined || pid === null) return ''
  const joined = idOfPid(pid, instance)
  return joined === null ? UNKNOWN_ID : resumeAfter(joined, offset)
}
