import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
import { Server, type ServerOptions } from 'socket.io'
import { inTurn, namesOf } from '../lib/instances.js'
import { envelope, EVENT } from '../lib/payload.js'
import type { NodeOptions, StartNode } from './cluster-peer.js'
import { listen, makeFastify } from './http.js'
import type { Peer } from './peer.js'

// An adapter listens to its client once for each namespace, and Node would warn of it.
EventEmitter.defaultMaxListeners = 0

type Adapter = NonNullable<ServerOptions['adapter']>

/** Socket.IO with an adapter as its documentation shows it, and all its defaults: remembered by a stream of Redis. */
export const startStreams: StartNode = async options => await start(options, createStreamsAdapter(connect(options)) as Adapter)

/** The same over channels, which remember nothing. */
export const startPubSub: StartNode = async options => {
  const publisher = connect(options)
  return await start(options, createPubSubAdapter(publisher, publisher.duplicate()) as Adapter)
}

const connect = ({ redisPort }: NodeOptions): Redis => new Redis(redisPort, '127.0.0.1')

async function start (options: NodeOptions, adapter: Adapter): Promise<Peer> {
  const fastify = makeFastify()
  const io = new Server(fastify.server, { adapter })
  const namespaces = namesOf(options.instances).map(name => ({ name, namespace: io.of(`/${name}`).use((_socket, next) => { next() }) }))
  const next = inTurn(namespaces)
  const port = await listen(fastify)
  return {
    port,
    emit: data => {
      const { name, namespace } = next()
      namespace.emit(EVENT, envelope(data, name))
    },
    connections: () => io.engine.clientsCount
  }
}
