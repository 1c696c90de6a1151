/** The process of a server that events are published to, told what to do by sections/publishing.ts. */
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import wsEvents from 'fastify-ws-events'
import { Control } from './control.js'
import { cpuMicroseconds } from './emission.js'
import { EVENT, INSTANCE, payloads } from './payload.js'
import { serve } from './rpc.js'

/** As many calls of `emit` as a list has messages. */
const AT_ONCE = 100

const control = new Control()
const fastify = Fastify()

const api = {
  async start (_: null): Promise<{ port: number, controlPort: number }> {
    await control.listen()
    await fastify.register(wsEvents, { env: false, defaultConfig: { enabled: true } })
    // What a host would write: it parses the same body, and emits.
    fastify.post<{ Body: { event: string, data: object } }>('/bare', async ({ body }) =>
      await fastify.wsEvents.emit(INSTANCE, body.event, body.data))
    await fastify.listen({ host: '127.0.0.1', port: 0 })
    return { port: (fastify.server.address() as AddressInfo).port, controlPort: control.port }
  },
  /** Emits in the process itself. */
  async emit ({ events, bytes }: { readonly events: number, readonly bytes: number }): Promise<number> {
    const datas = payloads(bytes)
    for (let done = 0; done < events; done += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, async (empty, index) =>
        await fastify.wsEvents.emit(INSTANCE, EVENT, datas[index % datas.length])))
    }
    return events
  },
  cpu: (_: null): number => cpuMicroseconds()
}

export type PublishServerApi = typeof api

serve(api)
