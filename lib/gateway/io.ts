/**
 * The type of `fastify.io`, Socket.IO's `Server`, for TypeScript: `import 'fastify-ws-events/io'`. It is a separate
 * module because an application that registers fastify-socket.io itself has that type already. It has no exports.
 *
 * @module fastify-ws-events/io
 */
import type { OpenServer } from './socketio/server.js'

declare module 'fastify' {
  interface FastifyInstance {
    io: OpenServer['io']
  }
}
