import type { Server, ServerOptions, Socket } from 'socket.io'

/** Options for the plugin's own Socket.IO server, or the application's server. */
export type SocketIOOption = Partial<ServerOptions> | Server

/** A client's socket in Socket.IO. */
export type ClientSocket = Socket
