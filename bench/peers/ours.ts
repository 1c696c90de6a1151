import wsEvents, { type WsEvents } from 'fastify-ws-events'
import { EVENT, INSTANCE, SENDER } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer, PeerOptions } from './peer.js'

export interface OurPeer extends Peer {
  readonly wsEvents: WsEvents
}

export async function startOurs ({ global }: PeerOptions): Promise<OurPeer> {
  const fastify = makeFastify()
  await fastify.register(wsEvents, { env: false, globalEvents: global })
  const port = await listen(fastify)
  await fastify.wsEvents.set(INSTANCE, { enabled: true })
  const options = { sender: SENDER }
  return {
    port,
    wsEvents: fastify.wsEvents,
    emit: data => fastify.wsEvents.emit(INSTANCE, EVENT, data, options),
    connections: () => fastify.wsEvents.stats().connections
  }
}
