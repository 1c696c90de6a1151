import { Server } from 'socket.io'
import { envelope, EVENT, INSTANCE } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer, PeerOptions } from './peer.js'

/**
 * The way of Evolution API 2.3: for each event it reads the instance's config, emits to the root in global mode, and
 * emits to the namespace; each emit serializes anew. The look-up, a query there, costs nothing here.
 */
export async function startEvolution ({ global }: PeerOptions): Promise<Peer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server)
  io.of(`/${INSTANCE}`).use((_socket, next) => { next() })
  const port = await listen(fastify)
  const config = Promise.resolve({ enabled: true, events: [EVENT] })
  return {
    port,
    emit: async data => {
      const message = envelope(data)
      const { enabled, events } = await config
      if (global) io.emit(EVENT, message)
      if (enabled && events.includes(EVENT)) io.of(`/${INSTANCE}`).emit(EVENT, message)
    },
    connections: () => io.engine.clientsCount
  }
}
