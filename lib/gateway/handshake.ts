import type { Socket } from 'socket.io'
import { bearerKey, readKey } from '../access.js'
import type { AskedFilter } from './filter.js'

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
export function askedFilter (socket: Socket): AskedFilter {
  const { events, instances } = authOf(socket)
  const { query } = socket.handshake
  return { events: events ?? query.events, instances: instances ?? query.instances }
}

/** No log gives it. */
const RUBBISH = '-'
/** The ids of every store are far shorter. */
const MAX_ID_LENGTH = 200

/**
 * The id that a client wants to resume after: any text, an empty one to take part from now on, `undefined` when it
 * does not take part. Never from the query, which a stock client sends unchanged when it comes back.
 */
export function lastEventIdOf (socket: Socket): string | undefined {
  const { lastEventId } = authOf(socket)
  if (lastEventId === undefined || lastEventId === null) return undefined
  return typeof lastEventId === 'string' && lastEventId.length <= MAX_ID_LENGTH ? lastEventId : RUBBISH
}
