import type { Server, ServerOptions, Socket } from 'socket.io'

/** Options for the Socket.IO server that the plugin makes, or the host's own. */
export type SocketIOOption = Partial<ServerOptions> | Server

/** A client's socket, as Socket.IO has it. */
export type ClientSocket = Socket
