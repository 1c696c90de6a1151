import type { FastifyRequest } from 'fastify'
import { instanceName } from '../instances/names.js'
import { authorizeCaller, type Guard } from './caller.js'

/**
 * Makes the hook that lets a request to an instance pass or not. It runs before the body is read, and looks at the
 * path alone: what a query says of the instance counts for nothing.
 *
 * @param param the path parameter that names the instance
 */
export function accessHook (guard: Guard, param: string) {
  return async ({ params, raw }: FastifyRequest): Promise<void> => {
    await authorizeCaller(guard, raw, instanceName((params as Readonly<Record<string, string>>)[param]))
  }
}
