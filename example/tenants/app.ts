import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import wsEvents, { type Static, type WsEventsOptions } from 'fastify-ws-events'
import { events } from './events.ts'
import { Tenants } from './tenants.ts'

export interface AppOptions {
  /** Opens everything, and adds tenants. */
  adminKey: string
  /** More options of the plugin: a store that outlives the process, for one. */
  wsEvents?: WsEventsOptions
}

type Order = Static<typeof events['order.paid']>

const keyOf = ({ headers }: FastifyRequest): string => String(headers.apikey ?? '')

/** An application in which each tenant has a key, and sees its own events only. */
export async function buildApp ({ adminKey, wsEvents: options = {} }: AppOptions): Promise<FastifyInstance> {
  const fastify = Fastify()
  const tenants = new Tenants()

  await fastify.register(wsEvents, {
    apikey: adminKey,
    // Asked about every key but the admin's: a tenant's opens its own instance, and is asked about again each minute.
    verify: ({ apikey }) => {
      const name = tenants.find(apikey ?? '')
      return name !== undefined && { instances: [name], ttl: 60_000 }
    },
    instanceExists: name => tenants.has(name),
    events,
    ...options
  })

  fastify.post<{ Params: { name: string } }>('/tenants/:name', async (request, reply) => {
    if (keyOf(request) !== adminKey) return await reply.code(403).send({ message: 'this needs the key of the admin' })
    const { name } = request.params
    const key = tenants.add(name)
    if (key === undefined) return await reply.code(409).send({ message: `there is a tenant "${name}" already` })
    // From now on clients may connect to /name.
    await fastify.wsEvents.set(name, { enabled: true })
    return { name, key }
  })

  fastify.post<{ Body: Order }>('/orders/paid', { schema: { body: events['order.paid'] } }, async (request, reply) => {
    const name = tenants.find(keyOf(request))
    if (name === undefined) return await reply.code(403).send({ message: 'this needs the key of a tenant' })
    // Resolves when the event is stored.
    return await fastify.wsEvents.emit(name, 'order.paid', request.body)
  })

  fastify.delete('/key', async (request, reply) => {
    const apikey = keyOf(request)
    if (tenants.revoke(apikey) === undefined) return await reply.code(403).send({ message: 'this needs the key of a tenant' })
    // Its clients are ended at once, on every node.
    await fastify.wsEvents.disconnect({ apikey })
    return await reply.code(204).send()
  })

  return fastify
}
