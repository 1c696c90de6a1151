// The server that is attacked, as a process of its own: it says what goes wrong in it as soon as it does, and does
// what it is asked to by messages.
import Fastify, { type FastifyError } from 'fastify'
import type { AddressInfo } from 'node:net'
import wsEvents, { type WsEvents, type WsEventsOptions } from '../../lib/index.js'
import '../../lib/gateway/io.js'
import monitor from '../../lib/monitor/index.js'
import { CODE_PREFIX, errorName } from '../../lib/errors.js'
import { connectionsOf } from '../../lib/gateway/socketio/engine.js'
import type { Call } from './draw/calls.js'
import { HEALTHY, INSTANCES } from './draw/values.js'
import { keyOf } from './keys.js'
import { valueOf } from './odd.js'
import { oddVerify } from './verify.js'
import { WatchedLog } from './watched-log.js'
import { addHandlers } from './handlers.js'
import { flood, type Flood, type Histories, prepare } from './floods.js'
import { asCall, hits, watchBodies, watchHits } from './hits.js'

export interface Start {
  readonly options: WsEventsOptions
  readonly marker: string
}

/** What there is in the process at a moment. */
export interface State {
  /** TCP connections. */
  readonly sockets: number
  /** Connections of Engine.IO. */
  readonly connections: number
  /** Namespaces that Socket.IO has. */
  readonly namespaces: number
  readonly clients: number
  /** Timers, sockets and the like by their kind, as Node counts them. */
  readonly resources: Readonly<Record<string, number>>
}

export interface Found {
  readonly stats: ReturnType<WsEvents['stats']>
  readonly leaked: number
  readonly leaks: readonly string[]
  readonly lines: number
  readonly errors: readonly string[]
  /** The longest turn of the event loop, in ms of the processor: a machine with much else to do is slow. */
  readonly delay: number
  readonly logged: Readonly<Record<string, number>>
  /** How often each cell was hit. */
  readonly hits: Readonly<Record<string, number>>
}

export type Methods = typeof methods
export type Request = { [Name in keyof Methods]: { readonly call: number, readonly name: Name, readonly given: Parameters<Methods[Name]> } }[keyof Methods]
/** An answer to a request, or without one what has gone wrong. */
export interface Said { readonly call?: number, readonly value?: unknown, readonly failed?: string, readonly surprise?: string }

const EVENT = 'messages.upsert'
const TEXT = 'obrigado. '.repeat(10)
/** How long a call of the service may take, in ms. */
const PATIENCE = 30_000
/** While there are as many instances as there may be, one that the attack has removed cannot be set again. */
const FULL = `${CODE_PREFIX}LIMIT_REACHED`
/** Healthy events after which an instance is set again. */
const SET_AGAIN = 2
/** How long it may keep the process from all else, in ms. */
const LONGEST_TURN = 4000
/** What the Fastify server takes for a connection that must end: the fuzz sends what is never finished. */
const REQUEST_TIMEOUT = 4000

const say = (said: Said): void => { process.send?.(said) }
const tell = (what: string, value: unknown): void => { say({ surprise: `${what}: ${value instanceof Error ? value.stack ?? value.message : String(value)}` }) }
process.on('unhandledRejection', reason => { tell('unhandledRejection', reason) })
process.on('uncaughtException', error => { tell('uncaughtException', error) })
process.on('warning', warning => { tell('warning', warning) })

/** To look, in ms, how much of the processor was used. */
const LOOK_EVERY = 20
let usage = process.cpuUsage()
/** The most of the processor that was used between two looks, in ms: that of the longest turn of the event loop. */
let longest = 0
setInterval(() => {
  const { user, system } = process.cpuUsage(usage)
  usage = process.cpuUsage()
  longest = Math.max(longest, (user + system) / 1000)
}, LOOK_EVERY).unref()

let server: Awaited<ReturnType<typeof start>> | undefined

function running (): NonNullable<typeof server> {
  if (server === undefined) throw new Error('it was not started')
  return server
}

async function start ({ options, marker }: Start) {
  const log = new WatchedLog(marker)
  const fastify = Fastify({ logger: { level: 'trace', stream: log.stream }, requestTimeout: REQUEST_TIMEOUT })
  watchHits(fastify)
  await fastify.register(wsEvents, { env: false, apikey: keyOf(marker, 'global'), verify: oddVerify(), ...options })
  await fastify.register(monitor, { prefix: '/monitor' })
  watchBodies(fastify)
  addHandlers(fastify.wsEvents)
  await fastify.wsEvents.set(HEALTHY, { enabled: true })
  for (const name of INSTANCES) await fastify.wsEvents.set(name, { enabled: true })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { fastify, log, marker, emitted: 0, timer: undefined as NodeJS.Timeout | undefined }
}

/** What is wrong with how a call ended; `undefined` when it is as it should be. */
async function faultOf (call: Call): Promise<string | undefined> {
  const began = performance.now()
  try {
    const result = made(call)
    const ms = performance.now() - began
    if (ms > LONGEST_TURN) return `nothing else was done for ${ms} ms`
    await inTime(result)
  } catch (error) {
    // Fastify's own errors are none of ours.
    if (errorName(error) !== undefined) return undefined
    return `it failed without a code: ${error instanceof Error ? error.stack ?? error.message : String(error)}`
  }
}

async function inTime<T> (promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((resolve, reject) => { timer = setTimeout(() => { reject(new Error(`it took longer than ${PATIENCE} ms`)) }, PATIENCE) })
  return await Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}

async function made ({ method, given }: Call): Promise<unknown> {
  const { wsEvents } = running().fastify
  const values = given.map(valueOf)
  if (method === 'list') {
    let count = 0
    for await (const config of wsEvents.list()) count += config.instance.length
    return count
  }
  // As a host in plain JavaScript calls it.
  const result: unknown = (wsEvents[method] as (...values: unknown[]) => unknown).apply(wsEvents, values)
  const isPromise = result instanceof Promise
  if (isPromise !== ['emit', 'set', 'find', 'remove', 'disconnect'].includes(method)) throw new Error(`${method} answered ${String(result)}`)
  return await result
}

const methods = {
  /** @returns the port */
  async start (given: Start): Promise<number> {
    server = await start(given)
    return (server.fastify.server.address() as AddressInfo).port
  },

  /** Emits numbered events for the healthy clients from now on. */
  async emit (pause: number): Promise<void> {
    const it = running()
    it.timer = setInterval(() => {
      // Events of others come in between: those of the root must not hear them.
      void it.fastify.wsEvents.emit('fuzz-a', 'call', { n: it.emitted })
      // The attack disables and removes them, and what nobody can come into is not attacked.
      const again = INSTANCES[it.emitted % (INSTANCES.length * SET_AGAIN) / SET_AGAIN]
      if (again !== undefined) it.fastify.wsEvents.set(again, { enabled: true }).catch((error: FastifyError) => { if (error.code !== FULL) tell('an instance was not set', error) })
      it.fastify.wsEvents.emit(HEALTHY, EVENT, { n: it.emitted++, text: TEXT }).catch((error: FastifyError) => { tell('a healthy event was not emitted', error) })
    }, pause)
  },

  /** @returns how many it has emitted */
  async stop (): Promise<number> {
    clearInterval(running().timer)
    return running().emitted
  },

  /** Makes calls of the service at once, and says of each what is wrong. */
  async calls (calls: readonly Call[]): Promise<Array<string | null>> {
    const faults: Array<string | null> = []
    for (const call of calls) faults.push(await asCall(async () => await faultOf(call)) ?? null)
    return faults
  },

  /** Forgets every instance but the healthy one. */
  async clean (): Promise<number> {
    const { wsEvents } = running().fastify
    const names: string[] = []
    for await (const { instance } of wsEvents.list()) if (instance !== HEALTHY) names.push(instance)
    for (const name of names) await wsEvents.remove(name)
    return names.length
  },

  /** Makes what clients need to reach limits in each state. */
  async prepare (): Promise<Histories> {
    const { fastify, marker } = running()
    return await prepare(fastify.wsEvents, `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`, keyOf(marker, 'global'))
  },

  async flood (given: Flood): Promise<void> {
    await flood(running().fastify.wsEvents, given)
  },

  async state (): Promise<State> {
    const { fastify } = running()
    const resources: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1
    return {
      sockets: await new Promise((resolve, reject) => { fastify.server.getConnections((error, count) => { if (error === null) resolve(count); else reject(error) }) }),
      connections: connectionsOf(fastify.io).length,
      namespaces: fastify.io._nsps.size,
      clients: fastify.wsEvents.clients().length,
      resources
    }
  },

  /** Bytes of the heap after collections. */
  async heap (): Promise<number> {
    const { gc } = globalThis as { gc?: () => void }
    for (let times = 0; times < 3; times++) {
      gc?.()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  },

  async found (): Promise<Found> {
    const { fastify, log: { leaked, leaks, lines, errors, tally } } = running()
    return { stats: fastify.wsEvents.stats(), delay: longest, leaked, leaks, lines, errors, logged: Object.fromEntries(tally), hits: hits() }
  },

  async close (): Promise<void> {
    await running().fastify.close()
  }
}

async function answer ({ call, name, given }: Request): Promise<void> {
  try {
    // Each method is given what it takes; the compiler cannot tell that of a union.
    say({ call, value: await (methods[name] as (...given: unknown[]) => Promise<unknown>)(...given) })
  } catch (error) {
    say({ call, failed: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
}

process.on('message', (request: Request) => { void answer(request) })
process.on('disconnect', () => { process.exit() })
