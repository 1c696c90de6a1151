import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import wsEvents from '../../index.js'
import monitor from '../../monitor/index.js'
import { accessSet, listenAddress, loadEnv, serverUrl } from '../environment.js'
import { listen } from '../listen.js'
import { instructions } from './instructions.js'
import { INSTANCES, playSession } from './session.js'

const HOUR = 3_600_000

/**
 * Serves the recorded session and the monitor, until SIGINT or SIGTERM.
 *
 * @param port to listen on; `undefined`: that of the environment
 * @throws Failure saying what to change
 */
export async function demonstrate (port: number | undefined, print: (text: string) => void): Promise<void> {
  loadEnv()
  const address = listenAddress(port)
  // `warn`: other log lines would hide the instructions. `forceCloseConnections`: Ctrl-C would otherwise wait up to a
  // minute for connections without a request, some of which browsers open in advance.
  const fastify = Fastify({ logger: { level: 'warn' }, forceCloseConnections: true })
  try {
    // For the monitor to have a past to look at: an hour of it takes some 15 MB.
    await fastify.register(wsEvents, { retention: { maxAge: HOUR, maxEvents: 20_000 } })
    const isOn = fastify.wsEvents.mode !== 'disabled'
    if (isOn) await fastify.register(monitor, { prefix: '/monitor' })
    for (const instance of INSTANCES) await fastify.wsEvents.set(instance, { enabled: true })
    playSession(fastify)
    await listen(fastify, address, port => `npx fastify-ws-events --port ${port}`)
  } catch (error) {
    await fastify.close()
    throw error
  }
  endBySignal(fastify)
  // With port 0 only the open socket has the port.
  const { port: bound } = fastify.server.address() as AddressInfo
  print(instructions({
    mode: fastify.wsEvents.mode,
    url: serverUrl({ ...address, port: bound }),
    ...accessSet(),
    stream: fastify.hasRoute({ method: 'GET', url: '/instance/:name/events' })
  }))
}

// Closes the server on Ctrl-C, which may arrive twice: from the terminal and from npm. Closing twice is harmless. But
// Node removes its signal handlers before the process ends, and a late signal would make the exit look like a failure,
// so the process exits explicitly.
function endBySignal (fastify: FastifyInstance): void {
  const stop = async (): Promise<void> => {
    await fastify.close()
    process.exit()
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { void stop() })
}
