import type { AsyncApiServer } from './document.js'

/** The ways to send a key, as AsyncAPI security schemes. */
export const securitySchemes = {
  auth: {
    type: 'apiKey',
    in: 'user',
    description: 'The global key, or the key of an instance, as `auth.apikey` of the Socket.IO client'
  },
  query: {
    type: 'httpApiKey',
    in: 'query',
    name: 'apikey',
    description: 'The same key in the query of the handshake. Proxies log it'
  },
  header: {
    type: 'httpApiKey',
    in: 'header',
    name: 'apikey',
    description: 'The same key as a header of the handshake'
  },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key as Authorization: Bearer' }
} as const

const security = Object.keys(securitySchemes).map(name => ({ $ref: `#/components/securitySchemes/${name}` }))

/**
 * Describes the Socket.IO server.
 *
 * @param url the option `serverUrl`; `null`: the reader must know the host
 * @param path of the Socket.IO server, such as `/socket.io`
 */
export function serverOf (url: string | null, path: string): AsyncApiServer {
  const description = 'Socket.IO over WebSocket or long-polling. The key is checked for each namespace; the first that is there counts, in the order of the schemes'
  const pathname = `${path.replace(/\/$/, '')}/`
  if (url === null) {
    return {
      host: '{host}',
      protocol: 'ws',
      pathname,
      description,
      variables: { host: { default: 'localhost:8080', description: 'Host and port of the server' } },
      security
    }
  }
  const { host, protocol } = new URL(url)
  return { host, protocol: protocol === 'https:' ? 'wss' : 'ws', pathname, description, security }
}
