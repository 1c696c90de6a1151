import { Server } from 'socket.io'
import { inTurn, namesOf } from '../lib/instances.js'
import { envelope, EVENT } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer, PeerOptions } from './peer.js'

/** Socket.IO as its documentation shows it: a namespace with a middleware, and `namespace.emit`. */
export async function startSocketIO ({ instances }: PeerOptions): Promise<Peer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server)
  const names = namesOf(instances)
  for (const name of names) io.of(`/${name}`).use((_socket, next) => { next() })
  const next = inTurn(names)
  const port = await listen(fastify)
  return {
    port,
    emit: data => {
      const name = next()
      io.of(`/${name}`).emit(EVENT, envelope(data, name))
    },
    connections: () => io.engine.clientsCount
  }
}
