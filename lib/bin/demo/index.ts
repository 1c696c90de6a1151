import Fastify, { type FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import wsEvents from '../../index.js'
import monitor from '../../monitor/index.js'
import { accessSet, listenAddress, loadEnv, serverUrl } from '../environment.js'
import { listen } from '../listen.js'
import { instructions } from './instructions.js'
import { INSTANCES, playSession } from './session.js'

/**
 * Serves the recorded session and the monitor, until SIGINT or SIGTERM.
 *
 * @param port to listen on; `undefined`: that of the environment
 * @throws Failure saying what to change
 */
export async function demonstrate (port: number | undefined, print: (text: string) => void): Promise<void> {
  loadEnv()
  const address = listenAddress(port)
  // Only warnings, so that the log does not drown the instructions. Connections are closed when what was emitted has
  // gone out. Else Ctrl-C would wait up to a minute for each that has sent nothing: browsers open some in advance.
  const fastify = Fastify({ logger: { level: 'warn' }, forceCloseConnections: true })
  try {
    await fastify.register(wsEvents)
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
  // With port 0 only the socket knows the port.
  const { port: bound } = fastify.server.address() as AddressInfo
  print(instructions({
    mode: fastify.wsEvents.mode,
    url: serverUrl({ ...address, port: bound }),
    ...accessSet(),
    stream: fastify.hasRoute({ method: 'GET', url: '/instance/:name/events' })
  }))
}

// Ctrl-C may arrive twice, from the terminal and from npm. To close twice is the same as once, but Node gives up its
// signal handlers before it ends by itself, and a late signal would make a failure of it: so it is told to exit.
function endBySignal (fastify: FastifyInstance): void {
  const stop = async (): Promise<void> => {
    await fastify.close()
    process.exit()
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { void stop() })
}
