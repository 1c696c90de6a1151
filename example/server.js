import Fastify from 'fastify'
import wsEvents from 'fastify-ws-events'
import { INSTANCES, recordedSession } from './session.js'
import { listenAddress, loadEnv } from './settings.js'

const EVENTS_PER_SECOND = 4

loadEnv()
const fastify = Fastify({ logger: true })
// The key, the mode and so on come from the environment.
await fastify.register(wsEvents)
for (const instance of INSTANCES) await fastify.wsEvents.set(instance, { enabled: true })

const session = recordedSession()
const timer = setInterval(() => {
  const { instance, event, data, sender } = session.next().value
  // Not awaited, and nothing to catch: the order of the calls is kept, and the plugin logs what goes wrong.
  fastify.wsEvents.emit(instance, event, data, { sender })
}, 1000 / EVENTS_PER_SECOND)
fastify.addHook('preClose', async () => { clearInterval(timer) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { fastify.close() })

try {
  await fastify.listen(listenAddress())
} catch (error) {
  await fastify.close()
  throw error
}
