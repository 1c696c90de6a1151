import type { ClientGroup, ClientsApi } from '../clients.js'
import type { PeerName, PeerOptions } from '../peers/peer.js'
import type { ServerApi } from '../server.js'
import { Child } from './children.js'
import { INSTANCE } from './payload.js'
import { type Load, windowOf } from './window.js'

/** A server and its clients, each in a process of its own. */
export interface Pair {
  readonly server: Child<ServerApi>
  readonly clients: Child<ClientsApi>
  readonly ports: { readonly port: number, readonly controlPort: number }
}

interface PairOptions extends PeerOptions {
  readonly peer: PeerName
  readonly nodeOptions?: readonly string[]
}

/** Starts both, has them used, and ends them. */
export async function withPair<Result> ({ nodeOptions, ...options }: PairOptions, use: (pair: Pair) => Promise<Result>): Promise<Result> {
  const server = new Child<ServerApi>('server.ts', nodeOptions)
  const clients = new Child<ClientsApi>('clients.ts')
  try {
    return await use({ server, clients, ports: await server.call('start', options) })
  } finally {
    await Promise.all([server.end(), clients.end()])
  }
}

/** The clients of a peer: all in the instance's namespace, or half of them at the root in global mode. */
export function groupsFor (peer: PeerName, global: boolean, count: number, filters: readonly object[] = []): ClientGroup[] {
  const namespace = peer === 'ws' ? null : `/${INSTANCE},`
  if (global) return [{ count: Math.ceil(count / 2), namespace: '' }, { count: Math.floor(count / 2), namespace }]
  if (filters.length === 0) return [{ count, namespace }]
  return filters.map((auth, index) => ({ count: Math.floor(count / filters.length) + (index < count % filters.length ? 1 : 0), namespace, auth }))
}

/** Tells the clients when to acknowledge, as the server will wait for it. */
export async function expectLoad ({ clients }: Pick<Pair, 'clients'>, load: Load, counted = load.clients): Promise<void> {
  await clients.call('expect', { deliveries: windowOf(load).block * counted })
}
