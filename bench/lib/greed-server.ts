/** The process of a server with default limits that greedy clients come to, told what to do by sections/greed.ts. */
import wsEvents from 'fastify-ws-events'
import type { FastifyInstance } from 'fastify'
import { setImmediate } from 'node:timers/promises'
import { listen, makeFastify } from '../peers/http.js'
import { KEY } from './greed-key.js'
import { type Memory, settledMemory } from './memory.js'
import { EVENT } from './payload.js'
import { serve } from './rpc.js'

let fastify: FastifyInstance | undefined

const started = (): FastifyInstance => {
  if (fastify === undefined) throw new Error('it is not started')
  return fastify
}

const api = {
  async start (_: null): Promise<number> {
    fastify = makeFastify()
    await fastify.register(wsEvents, { env: false, apikey: KEY, globalEvents: true, defaultConfig: { enabled: true } })
    return await listen(fastify)
  },
  /** Emits to instances in turn. A tick for each event, so that each counts when the next one comes. */
  async emit ({ instances, events, bytes }: { readonly instances: readonly string[], readonly events: number, readonly bytes: number }): Promise<void> {
    for (let event = 0; event < events; event++) {
      for (const instance of instances) {
        // A text of its own each time, as it would be.
        await started().wsEvents.emit(instance, EVENT, String(event % 10).repeat(bytes))
        await setImmediate()
      }
    }
  },
  connections: (_: null): number => started().wsEvents.stats().clients.connections,
  logBytes: (_: null): number => started().wsEvents.stats().log.bytes,
  memory: async (_: null): Promise<Memory> => await settledMemory()
}

export type GreedServerApi = typeof api

serve(api)
