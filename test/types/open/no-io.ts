// Hosts declare `fastify.io` themselves: without the opt-in import it has no type of ours.
import type { FastifyInstance } from 'fastify'
import 'fastify-ws-events'

declare const fastify: FastifyInstance

// @ts-expect-error -- not declared
void fastify.io
