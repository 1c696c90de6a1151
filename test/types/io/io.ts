// A host that opts in to the type of `fastify.io`.
import type { FastifyInstance } from 'fastify'
import 'fastify-ws-events/io'
import type { Server } from 'socket.io'
import { exactly } from '../exactly.js'

declare const fastify: FastifyInstance

exactly<Server>()(fastify.io)
fastify.io.of('/chat').on('connection', socket => exactly<string>()(socket.id))

// @ts-expect-error -- an unknown member
fastify.io.broadcast('hello')
