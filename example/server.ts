import Fastify from 'fastify'
import wsEvents from 'fastify-ws-events'
import type { AddressInfo } from 'node:net'
import { instructions } from './instructions.js'
import { INSTANCES, playSession } from './session.js'
import { accessSet, listenAddress, loadEnv, serverUrl } from './settings.js'

// Only warnings, so that the log does not drown the instructions.
const fastify = Fastify({ logger: { level: 'warn' } })

async function start (): Promise<void> {
  loadEnv()
  const address = listenAddress()
  await fastify.register(wsEvents)
  for (const instance of INSTANCES) await fastify.wsEvents.set(instance, { enabled: true })
  playSession(fastify)
  await fastify.listen(address)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)

  // With PORT=0 only the socket knows the port.
  const { port } = fastify.server.address() as AddressInfo
  console.log(instructions({ mode: fastify.wsEvents.mode, url: serverUrl(address.host, port), ...accessSet() }))
}

// Ctrl-C arrives twice, from the terminal and from npm. To close twice is the same as once, but Node gives up its
// signal handlers before it ends by itself, and a late signal would make a failure of it: so it is told to exit.
async function stop (): Promise<void> {
  await fastify.close()
  process.exit()
}

/** One line that says what to change. A fault without a code is not the user's: show all of it. */
function explain (err: NodeJS.ErrnoException): string | Error {
  const { host, port } = listenAddress()
  switch (err.code) {
    case undefined: return err
    case 'EADDRINUSE': return `Port ${port} of ${host} is in use. Stop the other program, or choose another port: PORT=${port + 1} npm start`
    case 'ERR_SOCKET_BAD_PORT': return `PORT must be a number from 0 to 65535, got "${process.env.PORT}"`
    default: return `Cannot start: ${err.message}`
  }
}

try {
  await start()
} catch (err) {
  console.error(explain(err as Error))
  process.exitCode = 1
  await fastify.close()
}
