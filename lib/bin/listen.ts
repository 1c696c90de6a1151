import type { FastifyInstance } from 'fastify'
import type { Address } from './environment.js'
import { Failure } from './failure.js'

/**
 * Starts listening.
 *
 * @param onPort how to start on another port, for the error
 * @throws Failure when the port is in use
 */
export async function listen (
  fastify: FastifyInstance,
  { host, port }: Address,
  onPort: (port: number) => string
): Promise<void> {
  try {
    await fastify.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    const other = port === 65_535 ? port - 1 : port + 1
    throw new Failure(
      'portInUse',
      `Port ${port} of ${host} is in use. Stop the other program, or choose another port: ${onPort(other)}`
    )
  }
}
