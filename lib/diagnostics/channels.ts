/**
 * Channels of `node:diagnostics_channel`, for tracing tools. Messages never contain data of an event, keys or headers.
 * A message is only created if its channel has a subscriber.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { EmitTrace } from './messages.js'

export const connectChannel = channel('fastify-ws-events:connect')
export const refuseChannel = channel('fastify-ws-events:refuse')
export const disconnectChannel = channel('fastify-ws-events:disconnect')
export const slowChannel = channel('fastify-ws-events:slow')
export const emitChannel = tracingChannel<unknown, EmitTrace>('fastify-ws-events:emit')
