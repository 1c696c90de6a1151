import type { Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { startServer, type TestServer } from '../helpers/server.js'

export const KEY = 'KEY'

/** What the compiler is to find when events are declared. */
export const EMITS = `
import type { FastifyInstance } from 'fastify'
declare const { wsEvents }: FastifyInstance
await wsEvents.emit('acme', 'order.paid', { id: '1' })
// @ts-expect-error -- data of the wrong type
await wsEvents.emit('acme', 'order.paid', { id: 1 })
// @ts-expect-error -- a name that is not declared
await wsEvents.emit('acme', 'order.payed', { id: '1' })`

/** A server of which acme is set. */
export async function startAcme (t: Test, options: WsEventsOptions = {}): Promise<TestServer> {
  const server = await startServer(t, options)
  await server.fastify.wsEvents.set('acme', { enabled: true })
  return server
}
