/**
 * One node: what an application is, behind nginx. Where Redis is (`WEBSOCKET_STORE`) and the key
 * (`AUTHENTICATION_API_KEY`) come from the environment, as everywhere.
 */
import Fastify from 'fastify'
import wsEvents from 'fastify-ws-events'
import { INSTANCES } from '../session.js'

/** @import { RecordedEvent } from '../session.js' */

/**
 * An event that this node is to emit.
 *
 * @typedef {RecordedEvent & { readonly number: number }} EmitRequest
 */

/**
 * What became of it. Whether the emit has resolved: then the event is in Redis, and nobody may miss it.
 *
 * @typedef {{ readonly number: number, readonly isEmitted: boolean }} EmitAnswer
 */

// Only nginx, on this machine, is believed about who the client is.
const trustProxy = '127.0.0.1'
const fastify = Fastify({ logger: { level: 'warn' }, trustProxy })
await fastify.register(wsEvents, { trustProxy })
for (const instance of INSTANCES) await fastify.wsEvents.set(instance, { enabled: true })
await fastify.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })

process.on('message', request => {
  const { number, instance, event, data, sender } = /** @type {EmitRequest} */ (request)
  /** @param {boolean} isEmitted */
  const answer = isEmitted => { process.send?.(/** @satisfies {EmitAnswer} */ ({ number, isEmitted })) }
  fastify.wsEvents.emit(instance, event, data, { sender, extra: { number } }).then(() => { answer(true) }, () => { answer(false) })
})

async function stop () {
  await fastify.close()
  process.exit()
}
// Asked to end, or whoever started it is gone.
process.once('SIGTERM', stop)
process.once('disconnect', stop)

process.send?.('ready')
