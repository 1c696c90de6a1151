import Fastify, { type FastifyInstance } from 'fastify'
import { setTimeout as after } from 'node:timers/promises'
import { evolutionKeys } from '../../access/evolution-keys.js'
import { errors } from '../../errors.js'
import wsEvents from '../../index.js'
import { retryAfterHook } from '../../limits/retry-after.js'
import monitor from '../../monitor/index.js'
import { registeredOn } from '../../plugin/registered.js'
import { authorizeCaller } from '../../routes/caller.js'
import type { MetricsRegistry } from '../../types.js'
import { loadEnv } from '../environment.js'
import { Failure } from '../failure.js'
import { listen } from '../listen.js'
import { named, readServer, type ServerSettings } from './settings.js'

/** Timeout for the first request to the Evolution API, in ms. */
const PROBE_TIMEOUT = 4000

/** How often a server started by npm checks whether npm is still running, in ms. */
const PARENT_CHECK = 200
/** Log levels without `info` lines. */
const WARNINGS = ['warn', 'error', 'fatal', 'silent']

/** The state that the health check reports. */
class Health {
  #isClosing = false
  readonly #fastify: FastifyInstance

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  close (): void {
    this.#isClosing = true
  }

  /** The health check needs no key, so it must not name an instance. */
  get status (): 'ok' | 'closing' | 'store-unavailable' {
    if (this.#isClosing) return 'closing'
    return this.#fastify.wsEvents.stats().store.available ? 'ok' : 'store-unavailable'
  }
}

/** The part of prom-client's registry that the route uses. */
interface Registry extends MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
}

/**
 * A production server beside an Evolution API: it receives webhooks and serves clients, until SIGINT or SIGTERM. It is
 * configured only by the environment.
 *
 * @throws Failure saying what to change
 */
export async function serve (): Promise<void> {
  loadEnv()
  const settings = readServer(process.env)
  // `forceCloseConnections`: otherwise closing would wait up to a minute for connections without a request.
  const fastify = Fastify({
    logger: { level: settings.logLevel },
    // Successful requests are not logged: there is one for each webhook, and a URL may contain a key.
    childLoggerFactory: (logger, bindings, options) =>
      logger.child(bindings, { ...options, level: WARNINGS.includes(settings.logLevel) ? settings.logLevel : 'warn' }),
    forceCloseConnections: true
  })
  const health = new Health(fastify)
  try {
    await addParts(fastify, settings, health)
    await listen(fastify, settings.address, port => `PORT=${port} npx fastify-ws-events serve`)
  } catch (error) {
    await fastify.close()
    throw named(error)
  }
  endBySignal(fastify, health, settings.shutdownDelay)
  for (const note of settings.notes) fastify.log.warn(note)
  if (settings.evolutionUrl !== null) await probe(fastify, settings.evolutionUrl)
}

async function addParts (
  fastify: FastifyInstance,
  { options, evolutionUrl, keysTtl }: ServerSettings,
  health: Health
): Promise<void> {
  const verify = evolutionUrl === null
    ? undefined
    : evolutionKeys({ url: evolutionUrl, ttl: keysTtl, logger: fastify.log })
  const registry = await metricsRegistry()
  await fastify.register(wsEvents, { ...options, verify, metrics: { registry } })
  await fastify.register(monitor, { prefix: '/monitor' })
  fastify.get('/health', async (request, reply) => {
    const { status } = health
    return await reply.code(status === 'ok' ? 200 : 503).header('cache-control', 'no-store').send({ status })
  })
  fastify.get('/metrics', { onError: retryAfterHook }, async (request, reply) => {
    const parts = registeredOn(fastify)
    // Only the global key: the metrics cover all instances.
    if (parts === undefined || !(await authorizeCaller(parts.guard, request.raw, null)).global) {
      throw new errors.FORBIDDEN('the metrics')
    }
    return await reply.type(registry.contentType).send(await registry.metrics())
  })
}

async function metricsRegistry (): Promise<Registry> {
  try {
    const { Registry } = await import('prom-client')
    return new Registry()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Failure('failed', 'The metrics need prom-client: npm install prom-client')
  }
}

/** Warns if the Evolution API does not answer. It is not an error, because the API may start later than this server. */
async function probe ({ log }: FastifyInstance, url: string): Promise<void> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PROBE_TIMEOUT) })
    await response.body?.cancel()
  } catch (error) {
    const { name, message, cause } = error as Error
    const { code, message: why } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
    const reason = name === 'TimeoutError' ? `nothing within ${PROBE_TIMEOUT / 1000} s` : code ?? why ?? message
    log.warn(
      `EVOLUTION_API_URL does not answer (${reason}): until it does, clients with an instance's token are refused with retry: true`
    )
  }
}

/**
 * Closes the server on a signal. First the health check answers 503 for a while, so that a load balancer stops sending
 * clients; a second signal skips that time.
 */
function endBySignal (fastify: FastifyInstance, health: Health, delay: number): void {
  const hurry = new AbortController()
  const end = async (why: string): Promise<void> => {
    health.close()
    fastify.log.info(`${why}: the health check is 503 for ${delay} ms, then connections end`)
    // The timer rejects when a second signal skips it.
    await after(delay, undefined, { signal: hurry.signal }).catch(() => {})
    try {
      await fastify.close()
      process.exit()
    } catch (err) {
      fastify.log.error({ err }, 'the server did not close in order')
      process.exit(1)
    }
  }
  let isEnding = false
  const handle = (why: string): void => {
    if (isEnding) hurry.abort()
    else void end(why)
    isEnding = true
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, handle)
  if (process.env.npm_command !== undefined) whenOrphaned(() => { if (!isEnding) handle('npm has ended') })
}

/**
 * Calls `act` when npm has ended. npm starts a program in a shell that does not forward signals, and the shell ends
 * with npm, so the parent process changes.
 */
function whenOrphaned (act: () => void): void {
  const { ppid } = process
  const timer = setInterval(() => {
    if (process.ppid === ppid) return
    clearInterval(timer)
    act()
  }, PARENT_CHECK)
  timer.unref()
}
