import type { FastifyRequest } from 'fastify'
import { type Access, bearerKey, readKey } from '../access/access.js'
import { instanceName } from '../instances/names.js'

/**
 * Makes the hook that lets a request to an instance pass or not. It runs before the body is read, and looks at the
 * path alone: what a query says of the instance counts for nothing.
 *
 * @param param the path parameter that names the instance
 */
export function accessHook (access: Access, param: string) {
  return async (request: FastifyRequest): Promise<void> => {
    const name = instanceName((request.params as Readonly<Record<string, string>>)[param])
    const { headers, socket } = request.raw
    const apikey = readKey(headers.apikey) ?? bearerKey(headers)
    await access.authorize(apikey, name, access.peer(headers, socket.remoteAddress), headers)
  }
}
