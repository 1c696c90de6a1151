import type { LogChoice } from '../lib/log-stores.js'

/** A way of sending an event to all clients. */
export interface Peer {
  readonly port: number
  /** Sends an event of the instance to everybody who is connected; of several instances, of each in turn. */
  emit (data: object): unknown
  connections (): number
}

export const peerNames = ['socketio', 'evolution', 'ws', 'ours'] as const
export type PeerName = typeof peerNames[number]

/** As the tables call them. */
export const peerTitles: Readonly<Record<PeerName, string>> = {
  socketio: 'Socket.IO namespace.emit',
  evolution: 'Evolution\'s way',
  ws: 'plain ws loop',
  ours: 'fastify-ws-events'
}

export interface PeerOptions {
  /** Events go to the root as well. */
  readonly global: boolean
  /** What remembers events, for ours alone; left out: as the plugin comes. */
  readonly log?: LogChoice
  /** Whether there are metrics, at `/metrics`; for ours alone. */
  readonly metrics?: boolean
  /** How many instances there are, each with clients of its own; left out: one. Not for Evolution's way. */
  readonly instances?: number
  /** Whether browsers resume by `stockResume`; for ours alone. */
  readonly stockResume?: boolean
}
