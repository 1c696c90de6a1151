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

/** How long is waited for the Evolution API at the start, in ms. */
const PROBE_PATIENCE = 4000

/** Period in which a server that npm has started looks whether npm is there, in ms. */
const PARENT_CHECK = 200
/** Levels that log no more than warnings. */
const WARNINGS = ['warn', 'error', 'fatal', 'silent']

/** What the health check says. */
class Health {
  #isClosing = false
  readonly #fastify: FastifyInstance

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  close (): void {
    this.#isClosing = true
  }

  /** It names no tenant, and needs no key. */
  get status (): 'ok' | 'closing' | 'store-unavailable' {
    if (this.#isClosing) return 'closing'
    return this.#fastify.wsEvents.stats().store.available ? 'ok' : 'store-unavailable'
  }
}

/** A registry of prom-client, as far as the route needs it. */
interface Registry extends MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
}

/**
 * A server for production, beside an Evolution API: webhooks in, clients out, until SIGINT or SIGTERM. Configured by
 * the environment alone.
 *
 * @throws Failure saying what to change
 */
export async function serve (): Promise<void> {
  loadEnv()
  const settings = readServer(process.env)
  // Connections are closed when what was emitted has gone out: else the end would wait up to a minute for each that has
  // sent nothing.
  const fastify = Fastify({
    logger: { level: settings.logLevel },
    // A request that went well is no line of the log: there is one for each webhook, and a URL may have a key in it.
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
    // An instance's key sees that instance alone, and the metrics are of all.
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

/** It may well start later than this server. */
async function probe ({ log }: FastifyInstance, url: string): Promise<void> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PROBE_PATIENCE) })
    await response.body?.cancel()
  } catch (error) {
    const { name, message, cause } = error as Error
    const { code, message: why } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
    const reason = name === 'TimeoutError' ? `nothing within ${PROBE_PATIENCE / 1000} s` : code ?? why ?? message
    log.warn(
      `EVOLUTION_API_URL does not answer (${reason}): until it does, clients with an instance's token are told to try again`
    )
  }
}

/**
 * Ends the server in order. First the health check says so for a while, so that a load balancer sends nobody here any
 * more; a second signal ends that while.
 */
function endBySignal (fastify: FastifyInstance, health: Health, delay: number): void {
  const hurry = new AbortController()
  const end = async (why: string): Promise<void> => {
    health.close()
    fastify.log.info(`${why}: the health check is 503 for ${delay} ms, then connections end`)
    // It is rejected when it is to hurry.
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

/** npm starts a program in a shell, which passes no signals on. When npm has ended, so has the shell. */
function whenOrphaned (act: () => void): void {
  const { ppid } = process
  const timer = setInterval(() => {
    if (process.ppid === ppid) return
    clearInterval(timer)
    act()
  }, PARENT_CHECK)
  timer.unref()
}
