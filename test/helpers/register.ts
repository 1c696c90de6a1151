import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import wsEvents, { type CodedError, type WsEventsOptions } from '../../lib/index.js'

/** Options as a host in plain JavaScript may give them; the environment is empty unless they say otherwise. */
export async function register (t: Test, options: object = {}, before?: (fastify: FastifyInstance) => unknown): Promise<FastifyInstance> {
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await before?.(fastify)
  await fastify.register(wsEvents, { env: false, ...options } as WsEventsOptions)
  return fastify
}

/** The error that a registration fails with. */
export async function registrationError (t: Test, options: object, before?: (fastify: FastifyInstance) => unknown): Promise<CodedError> {
  try {
    await register(t, options, before)
  } catch (error) {
    return error as CodedError
  }
  throw new Error(`the registration succeeded with ${JSON.stringify(options)}`)
}
