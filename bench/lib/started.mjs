// A process that loads one way to serve Socket.IO clients, and says what that cost. Plain JavaScript: a loader would count.
import Fastify from 'fastify'

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const heldMB = () => {
  for (let round = 0; round < 2; round++) globalThis.gc()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

/** Each loads what it needs; the answer registers it. */
const ways = {
  ours: async () => {
    const { default: wsEvents } = await import('fastify-ws-events')
    return async fastify => { await fastify.register(wsEvents, { env: false }) }
  },
  socketio: async () => {
    const { Server } = await import('socket.io')
    return async fastify => { new Server().attach(fastify.server) }
  },
  nothing: async () => async () => {}
}

const fastify = Fastify()
const before = heldMB()
const start = cpu()
const register = await ways[process.argv[2]]()
const loaded = cpu()
await register(fastify)
await fastify.ready()
const ready = cpu()
process.stdout.write(JSON.stringify({ load: loaded - start, register: ready - loaded, heldMB: heldMB() - before }))
process.exit()
