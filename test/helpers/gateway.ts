import Fastify from 'fastify'
import { SocketConnection } from '../../lib/gateway/socketio/connection.js'
import type { EngineConnection } from '../../lib/gateway/socketio/engine.js'
import { Telemetry } from '../../lib/gateway/telemetry.js'

/** Logs nothing. */
export const telemetry = new Telemetry(Fastify().log)

/** The plugin's connection over one of Engine.IO, made where it has none. */
export const connectionOf = (engine: EngineConnection, address: string | null = null): SocketConnection =>
  SocketConnection.of(engine) ?? new SocketConnection(engine, address, telemetry)
