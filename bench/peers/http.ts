import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'

/** The HTTP server that all peers stand on. */
export const makeFastify = (): FastifyInstance => Fastify({ forceCloseConnections: true })

/** @returns the port */
export async function listen (fastify: FastifyInstance): Promise<number> {
  await fastify.listen({ host: '127.0.0.1', port: 0 })
  return (fastify.server.address() as AddressInfo).port
}
