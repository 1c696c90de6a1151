// What `register` takes.
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { Registry, register } from 'prom-client'
import wsEvents, { evolutionEvents, type Verify, type WsEventsOptions } from 'fastify-ws-events'

const fastify = Fastify()

await fastify.register(wsEvents)
await fastify.register(wsEvents, {})
await fastify.register(wsEvents, { globalEvents: true, logLevel: 'warn' })

const all: WsEventsOptions = {
  enabled: true,
  globalEvents: false,
  evolution: false,
  apikey: ['new', 'old'],
  verify: async ({ apikey, instance, address, headers }) => apikey === instance && address !== headers.host,
  allowedHosts: ['127.0.0.1', '10.0.0.0/8'],
  trustProxy: (address, hop) => address === '127.0.0.1' && hop === 0,
  cors: 'https://app.example.com',
  serverUrl: 'https://api.example.com',
  defaultConfig: { enabled: true },
  instanceExists: name => name === 'acme',
  events: { ...evolutionEvents, 'order.paid': Type.Object({ id: Type.String() }), 'order.sent': true, plain: { type: 'object' } },
  limits: { connections: 0, queuedBytes: 1024 },
  routes: { prefix: '/v1' },
  socketio: { pingInterval: 10_000 },
  metrics: { registry: new Registry() },
  env: { WEBSOCKET_ENABLED: 'true' }
}
await fastify.register(wsEvents, all)

const others = [
  { apikey: 'key', allowedHosts: '*', trustProxy: ['loopback', '10.0.0.0/8'], cors: ['https://a.example', 'https://b.example'], routes: false, env: false },
  { metrics: { registry: register } },
  { trustProxy: true, events: ['messages.upsert', 'order.paid'], verify: () => true },
  { trustProxy: '10.0.0.0/8', verify: () => ({ instances: ['acme'], events: ['messages.*'] }), instanceExists: async () => true },
  // What an environment or a config file left out may be handed on as it is.
  { apikey: undefined, cors: undefined, limits: undefined }
] satisfies WsEventsOptions[]
for (const each of others) await fastify.register(wsEvents, each)

await fastify.register(wsEvents, { apikey: () => 'key' })
await fastify.register(wsEvents, { apikey: async () => ['new', 'old'] })
await fastify.register(wsEvents, { evolution: { timeZone: 'America/Sao_Paulo' } })

const verify: Verify = async () => ({ instances: ['acme'] })
await fastify.register(wsEvents, { verify })

// @ts-expect-error -- an unknown option
await fastify.register(wsEvents, { globalEvent: true })
// @ts-expect-error -- its name in 0.1
await fastify.register(wsEvents, { apiKey: 'key' })
// @ts-expect-error -- an option of the wrong type
await fastify.register(wsEvents, { globalEvents: 'yes' })
// @ts-expect-error -- an unknown limit
await fastify.register(wsEvents, { limits: { clients: 1 } })
// @ts-expect-error -- a limit of the wrong type
await fastify.register(wsEvents, { limits: { connections: '1' } })
// @ts-expect-error -- a schema or true
await fastify.register(wsEvents, { events: { 'order.paid': false } })
// @ts-expect-error -- a key or a list
await fastify.register(wsEvents, { apikey: () => 5 })
// @ts-expect-error -- a time zone is a name
await fastify.register(wsEvents, { evolution: { timeZone: -3 } })
// @ts-expect-error -- verify must answer
await fastify.register(wsEvents, { verify: () => {} })
// @ts-expect-error -- a default that says neither enabled nor disabled
await fastify.register(wsEvents, { defaultConfig: {} })
// @ts-expect-error -- true has no meaning
await fastify.register(wsEvents, { routes: true })
// @ts-expect-error -- an unknown option of Socket.IO
await fastify.register(wsEvents, { socketio: { pingEvery: 1 } })

// @ts-expect-error -- an unknown option
const unknown: WsEventsOptions = { globalEvent: true }
// @ts-expect-error -- an option of the wrong type
const wrong: WsEventsOptions = { evolution: 1 }
void [unknown, wrong]
