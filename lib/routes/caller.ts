import type { IncomingMessage } from 'node:http'
import { type Access, bearerKey, type Grant, type Peer, publisherKeys, readKey } from '../access/access.js'
import { errorName } from '../errors.js'
import type { LimitCounters } from '../limits/limits.js'
import type { RefusedAddresses } from '../limits/refused-addresses.js'

/** The checks of a request's caller. */
export interface Guard {
  readonly access: Access
  readonly refused: RefusedAddresses
  readonly limited: LimitCounters
}

/**
 * Determines the permissions of a route's caller. A refused key counts for its address like one of a Socket.IO client.
 *
 * @param instance the instance that the caller wants to access; `null` is the root
 * @throws LIMIT_REACHED, UNAUTHORIZED, FORBIDDEN, VERIFY_FAILED, CLOSED
 */
export async function authorizeCaller (
  guard: Guard,
  request: IncomingMessage,
  instance: string | null
): Promise<Grant> {
  const { headers } = request
  const apikey = readKey(headers.apikey) ?? bearerKey(headers)
  return await checked(guard, request, peer => guard.access.authorize(apikey, instance, peer, headers))
}

/** A caller that may publish. */
export interface Publisher {
  readonly grant: Grant
  /** The key by which its events are counted for `publishPerSecond`; without a key, its address. */
  readonly key: string
}

/**
 * Checks whether the caller of a route may publish.
 *
 * @param instance the instance to publish for; `null`: not known yet
 * @throws the errors of {@link authorizeCaller}
 */
export async function authorizePublisher (
  guard: Guard,
  request: IncomingMessage,
  instance: string | null
): Promise<Publisher> {
  const { headers } = request
  let address: string | null = null
  const grant = await checked(guard, request, peer => {
    address = peer.address
    return guard.access.authorizePublisher(publisherKeys(headers), instance, peer, headers)
  })
  return { grant, key: grant.keyHash ?? `from ${String(address)}` }
}

async function checked (
  { access, refused, limited }: Guard,
  { headers, socket }: IncomingMessage,
  check: (peer: Peer) => Promise<Grant>
): Promise<Grant> {
  const peer = access.peer(headers, socket.remoteAddress)
  try {
    refused.check(peer.address)
    return await check(peer)
  } catch (error) {
    const name = errorName(error)
    if (name === 'UNAUTHORIZED' || name === 'FORBIDDEN') refused.add(peer.address)
    limited.countIn(error)
    throw error
  }
}
