import { Server } from 'socket.io'
import { envelope, EVENT, INSTANCE } from '../lib/payload.js'
import { listen, makeFastify } from './http.js'
import type { Peer } from './peer.js'

/** Socket.IO as its documentation shows it: a namespace with a middleware, and `namespace.emit`. */
export async function startSocketIO (): Promise<Peer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server)
  const namespace = io.of(`/${INSTANCE}`)
  namespace.use((_socket, next) => { next() })
  const port = await listen(fastify)
  return {
    port,
    emit: data => namespace.emit(EVENT, envelope(data)),
    connections: () => io.engine.clientsCount
  }
}
