// Feeds the events of an Evolution API out of RabbitMQ, each acknowledged when it is stored: nothing is lost between the
// queue and the clients. Needs `npm install fastify fastify-ws-events amqplib`, and in Evolution's .env RABBITMQ_ENABLED,
// RABBITMQ_GLOBAL_ENABLED and the RABBITMQ_EVENTS_… of the events below.
import amqp from 'amqplib'
import Fastify from 'fastify'
import wsEvents, { evolutionKeys } from 'fastify-ws-events'

const { RABBITMQ_URI = 'amqp://localhost', EVOLUTION_API_URL = 'http://localhost:8080', PORT = '8081' } = process.env
const EVENTS = ['messages.upsert', 'messages.update', 'send.message', 'connection.update', 'presence.update']

const fastify = Fastify({ logger: true })
await fastify.register(wsEvents, {
  evolution: true,
  store: 'lmdb:./data',
  stockResume: 'browsers',
  defaultConfig: { enabled: true },
  verify: evolutionKeys({ url: EVOLUTION_API_URL, logger: fastify.log })
})
await fastify.listen({ port: Number(PORT) })

const connection = await amqp.connect(RABBITMQ_URI)
const channel = await connection.createChannel()
// So many may be under way: they arrive in order, acknowledged or not.
await channel.prefetch(100)

async function take (delivery) {
  const { instance, event, data, sender, date_time: dateTime } = JSON.parse(delivery.content.toString())
  try {
    await fastify.wsEvents.emit(instance, event, data, { sender, dateTime })
    channel.ack(delivery)
  } catch (error) {
    // What can be stored later comes again; what never can be (an unknown event, a bad name) must not come for ever.
    channel.nack(delivery, false, error.statusCode >= 500)
  }
}

for (const event of EVENTS) {
  await channel.assertQueue(event, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  await channel.consume(event, delivery => { if (delivery !== null) void take(delivery) })
}
