import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'socket.io'
import { bearerKey, readKey } from '../access/access.js'
import { errors } from '../errors.js'
import type { AskedFilter } from './filter.js'
import { idOfPid, resumeAfter } from './pid.js'

/** What a client brings as it asks to come in. It is asked for its key again when its grant runs out. */
export interface Handshake {
  readonly apikey: string | null
  readonly headers: IncomingHttpHeaders
  /** Of the connection that carries it. */
  readonly remoteAddress: string | undefined
  /** The filter that it asks for. */
  readonly asked: AskedFilter
  /**
   * The id that it wants to resume after: any text, an empty one to take part from now on, `undefined` when it does
   * not take part.
   */
  readonly lastEventId: string | undefined
  /** True for a stock client that resumes by its pid. The CONNECT packet says whether it has. */
  readonly byPid?: true
}

/** What a Socket.IO client brings. Made when it is asked for, because there may be very many clients. */
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
 * The key of a client: the first that is there of `auth.apikey`, the query, the header and the bearer token. Query
 * and headers belong to the connection, so a namespace joined later over the same one brings the same.
 */
export function keyOf (socket: Socket): string | null {
  const { query, headers } = socket.handshake
  return readKey(authOf(socket).apikey) ?? readKey(query.apikey) ?? readKey(headers.apikey) ?? bearerKey(headers)
}

/** The filter that a client asks for as it connects. */
function askedFilter (socket: Socket): AskedFilter {
  const { events, instances } = authOf(socket)
  const { query } = socket.handshake
  return { events: events ?? query.events, instances: instances ?? query.instances }
}

/** The parameters of a socket's query that the plugin reads. */
export const SOCKET_PARAMETERS: readonly string[] = ['apikey', 'events', 'instances']

/** How a list is written elsewhere: `events[]`, `events[0]`. */
const LIST = /^\[\d{0,4}\]$/

/**
 * Refuses a query in which a parameter comes more than once, or as `events[]`. Engine.IO keeps the last of several,
 * and knows no brackets: the client would get another filter than it asked for, or be checked by another key.
 *
 * @param parameters that are looked at
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
      // What stands in the brackets may have been meant as a key, and the message goes to the log.
      const shown = LIST.test(name.slice(parameter.length)) ? name : `${parameter}[…]`
      throw new errors.INVALID_FILTER(
        `has "${shown}" in the query: a list is one parameter, with commas between the names`
      )
    }
    if (seen.has(name)) throw new errors.INVALID_FILTER(`has "${name}" more than once in the query`)
    seen.add(name)
  }
}

/** No log gives it. */
const RUBBISH = '-'
/** The ids of every store are far shorter. */
const MAX_ID_LENGTH = 200

/** An id as a client gave it. What cannot be one is an id that no log knows. */
export const readId = (value: unknown): string =>
  typeof value === 'string' && value.length <= MAX_ID_LENGTH ? value : RUBBISH

/** Never from the query, which a stock client sends unchanged when it comes back. */
export function lastEventIdOf (socket: Socket): string | undefined {
  const { lastEventId } = authOf(socket)
  return lastEventId === undefined || lastEventId === null ? undefined : readId(lastEventId)
}

/**
 * The same of a stock client, which brings the pid that it was given and, as its offset, the last text that was an
 * event's last argument. Empty for one that brings no pid.
 *
 * @param instance `null`: the root
 */
export function offsetOf (socket: Socket, instance: string | null): string {
  const { pid, offset } = authOf(socket)
  if (pid === undefined || pid === null) return ''
  const joined = idOfPid(pid, instance)
  return joined === null ? RUBBISH : resumeAfter(joined, offset)
}
