import type { FastifyRequest } from 'fastify'
import { instanceName } from '../instances/names.js'
import { authorizeCaller, type Guard } from './caller.js'

/**
 * Makes a hook that checks whether a caller has access to an instance. It runs before the body is read, and uses only
 * the path: an instance in the query is ignored.
 *
 * @param param the path parameter with the instance's name
 */
export function accessHook (guard: Guard, param: string) {
  return async ({ params, raw }: FastifyRequest): Promise<void> => {
    await authorizeCaller(guard, raw, instanceName((params as Readonly<Record<string, string>>)[param]))
  }
}
