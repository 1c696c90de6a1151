import type { Server, ServerOptions } from 'socket.io'

/** Options for the Socket.IO server that the plugin makes, or the host's own. */
export type SocketIOOption = Partial<ServerOptions> | Server
