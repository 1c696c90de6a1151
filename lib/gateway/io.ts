/**
 * The type of `fastify.io`, for those who import this module: `import 'fastify-ws-events/io'`. It is apart because a
 * host that registers fastify-socket.io itself has declared its own.
 */
import type { OpenServer } from './socketio/server.js'

declare module 'fastify' {
  interface FastifyInstance {
    io: OpenServer['io']
  }
}
