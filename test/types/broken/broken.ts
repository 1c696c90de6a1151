// Two mistakes, which the suite must find: it would be worth nothing if it could not fail.
import type { FastifyInstance } from 'fastify'
import 'fastify-ws-events'
import { exactly } from '../exactly.js'

declare const fastify: FastifyInstance

exactly<any>()(fastify.wsEvents)
// @ts-expect-error -- nothing is wrong here
void fastify.wsEvents.stats()
