import wsEvents from 'fastify-ws-events'
import { inTurn, namesOf } from '../lib/instances.js'
import { EVENT, SENDER } from '../lib/payload.js'
import type { StartNode } from './cluster-peer.js'
import { listen, makeFastify } from './http.js'

/** The plugin on Redis, as it comes. */
export const startOurNode: StartNode = async options => {
  const fastify = makeFastify()
  await fastify.register(wsEvents, { env: false, store: `redis://127.0.0.1:${options.redisPort}?prefix=bench` })
  const names = namesOf(options.instances)
  // As an application does at its start, on every node.
  for (const name of names) await fastify.wsEvents.set(name, { enabled: true })
  const port = await listen(fastify)
  const next = inTurn(names)
  const sender = { sender: SENDER }
  return {
    port,
    emit: data => fastify.wsEvents.emit(next(), EVENT, data, sender),
    connections: () => fastify.wsEvents.stats().clients.connections
  }
}
