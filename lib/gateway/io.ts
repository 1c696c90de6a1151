/**
 * The type of `fastify.io`, the `Server` of Socket.IO, for TypeScript: `import 'fastify-ws-events/io'`. It is a module
 * of its own because an application that registers fastify-socket.io itself has that type already. It exports nothing.
 *
 * @module fastify-ws-events/io
 */
import type { OpenServer } from './socketio/server.js'

declare module 'fastify' {
  interface FastifyInstance {
    io: OpenServer['io']
  }
}
