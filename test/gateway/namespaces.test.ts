import type { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import t from 'tap'
import { WebSocket } from 'ws'
import type { Verify, WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { type TestServer, startServer } from '../helpers/server.js'

interface End extends TestServer {
  readonly client: Socket
  /** Whether the key is still good. */
  readonly right: { isGood: boolean }
}

interface Way {
  readonly options?: WsEventsOptions
  /** How a client that is in ends. */
  readonly end: (parts: End) => unknown
}

const KB = 1024

/** Emits until a client that reads nothing is ended. */
async function overfill ({ client, fastify: { wsEvents } }: End): Promise<void> {
  const { ws } = client.io.engine.transport as unknown as { ws?: { pause: () => void } }
  ws?.pause()
  while (wsEvents.stats().delivery.slowConsumers === 0) {
    await wsEvents.emit('acme', 'call', 'x'.repeat(60 * KB))
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

const WAYS: Readonly<Record<string, Way>> = {
  'it leaves': { end: ({ client }) => client.disconnect() },
  'its connection breaks': { end: ({ client }) => client.io.engine.close() },
  'it is disconnected by its instance': { end: async ({ fastify }) => await fastify.wsEvents.disconnect({ instance: 'acme' }) },
  'it is disconnected by its key': { end: async ({ fastify }) => await fastify.wsEvents.disconnect({ apikey: 'key' }) },
  'its instance is removed': { end: async ({ fastify }) => await fastify.wsEvents.remove('acme') },
  'its instance is disabled': { end: async ({ fastify }) => await fastify.wsEvents.set('acme', { enabled: false }) },
  'its right is lost': { end: ({ right }) => { right.isGood = false } },
  'it sends too much': {
    options: { limits: { inboundPerSecond: 5 } },
    end: ({ client }) => { for (let message = 0; message < 20; message++) client.emit('noise') }
  },
  'a message of it is too large': {
    options: { limits: { inboundBytes: KB } },
    end: ({ client }) => client.emit('noise', 'x'.repeat(2 * KB))
  }
}

for (const transport of transports) {
  const ways: Readonly<Record<string, Way>> = transport === 'polling'
    ? WAYS
    : { ...WAYS, 'it reads nothing': { options: { limits: { queuedBytes: 256 * KB } }, end: overfill } }
  for (const [what, { options, end }] of Object.entries(ways)) {
    t.test(`the namespace of a client goes with it: ${what} (${transport})`, async t => {
      const right = { isGood: true }
      const verify: Verify = () => right.isGood && { ttl: 50 }
      const server = await startServer(t, { verify, ...options })
      const { fastify: { wsEvents, io }, url } = server as TestServer & { fastify: { io: Server } }
      await wsEvents.set('acme', { enabled: true })
      const client = connect(t, `${url}/acme`, { transports: [transport], reconnection: false, auth: { apikey: 'key' } })
      await admitted(client)
      t.equal(io._nsps.has('/acme'), true)
      await end({ ...server, client, right })
      await eventually(() => wsEvents.clients().length === 0)
      client.disconnect()
      await eventually(() => io.engine.clientsCount === 0)
      for (let turn = 0; turn < 5; turn++) await new Promise(resolve => { setImmediate(resolve) })
      t.equal(io._nsps.has('/acme'), false)
    })
  }
}

t.test('the namespace of a client that asks for it twice at once goes with it', async t => {
  const checks = latch()
  let asked = 0
  const verify: Verify = async () => {
    asked++
    await checks.opened
    return true
  }
  const { fastify, port } = await startServer(t, { verify, defaultConfig: { enabled: true } })
  const { wsEvents, io } = fastify as unknown as TestServer['fastify'] & { io: Server }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  t.teardown(() => { socket.terminate() })
  socket.once('message', () => { for (let time = 0; time < 2; time++) socket.send('40/acme,{"apikey":"key"}') })
  await eventually(() => asked === 2)
  checks.open()
  await eventually(() => io.of('/acme').sockets.size === 2 && wsEvents.clients().length === 1)
  socket.terminate()
  await eventually(() => io.engine.clientsCount === 0)
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => { setImmediate(resolve) })
  t.equal(io._nsps.has('/acme'), false)
})
