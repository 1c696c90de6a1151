/** The server's process of a soak, told what to do by run.ts. */
import wsEvents, { type Stats, type WsEvents } from 'fastify-ws-events'
import { settledMemory } from '../lib/memory.js'
import { serve } from '../lib/rpc.js'
import { listen, makeFastify } from '../peers/http.js'
import { Emission } from './emission.js'
import { Lateness } from './lateness.js'
import { type Emitted, INSTANCES, keyOf, PASSING, pick, QUEUED_BYTES, RETENTION } from './plan.js'

export interface Sample {
  /** After a forced collection, in bytes; only where it was asked for. */
  readonly heap: number | null
  /** The heap and the buffers beside it, likewise. */
  readonly held: number | null
  readonly rss: number
  /** Sockets, timers, and whatever else keeps a process alive. */
  readonly handles: number
  /** That are connected. */
  readonly clients: number
  /** By how many ms the event loop was late since the sample before: 99 of 100 times by no more. */
  readonly delay: number
  readonly emitted: number
  readonly failed: number
  /** Events that the log holds. */
  readonly records: number
  /** Connections that were ended because their clients did not read. */
  readonly slow: number
  readonly replayed: number
}

/** Between two changes of a passing instance, in ms. */
const PASSING_PERIOD = 1000
const CHECK_MS = 20

const lateness = new Lateness()
let started: WsEvents | undefined
let emission: Emission | undefined
let passing: NodeJS.Timeout | undefined
let passes: Promise<unknown> = Promise.resolve()

const there = <Part>(part: Part | undefined): Part => {
  if (part === undefined) throw new Error('no server was started')
  return part
}

/** As a look into a database is. */
async function verify ({ apikey, instance }: { readonly apikey: string | null, readonly instance: string | null }): Promise<boolean> {
  await new Promise(resolve => { setTimeout(resolve, Math.random() * CHECK_MS) })
  return apikey === keyOf(instance)
}

async function change (instance: string): Promise<void> {
  const events = there(started)
  if (!await events.remove(instance)) await events.set(instance, { enabled: true })
}

const handles = (): number => process.getActiveResourcesInfo().length

function clientsOf ({ clients: { atRoot, inInstances } }: Stats): number {
  return atRoot + inInstances
}

async function collected (): Promise<Pick<Sample, 'heap' | 'held'>> {
  await settledMemory()
  // Once more, and in the same turn: events go on, and leave much that is garbage a moment later.
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed, held: heapUsed + external }
}

const api = {
  /** @returns the port */
  async start ({ store, rate }: { readonly store: string, readonly rate: number }): Promise<number> {
    const fastify = makeFastify()
    await fastify.register(wsEvents, { env: false, globalEvents: true, verify, store, retention: RETENTION, limits: { queuedBytes: QUEUED_BYTES } })
    started = fastify.wsEvents
    for (const instance of INSTANCES) await started.set(instance, { enabled: true })
    const port = await listen(fastify)
    emission = new Emission(started)
    emission.start(rate)
    return port
  },

  /** From now on instances come and go. */
  begin (_: null): void {
    passing = setInterval(() => { passes = passes.then(async () => { await change(pick(PASSING)) }) }, PASSING_PERIOD)
  },

  async sample ({ collect }: { readonly collect: boolean }): Promise<Sample> {
    const delay = lateness.take()
    const { heap, held } = collect ? await collected() : { heap: null, held: null }
    // Without what the collection took.
    lateness.take()
    const stats = there(started).stats()
    const { count, failed } = there(emission)
    return {
      heap,
      held,
      rss: process.memoryUsage.rss(),
      handles: handles(),
      clients: clientsOf(stats),
      delay,
      emitted: count,
      failed,
      records: stats.log.records,
      slow: stats.delivery.slowConsumers,
      replayed: stats.delivery.replayed
    }
  },

  /** All instances are there, and stay. */
  async settle (_: null): Promise<void> {
    clearInterval(passing)
    await passes
    for (const instance of PASSING) await there(started).set(instance, { enabled: true })
  },

  finish: (_: null): Emitted => there(emission).finish()
}

export type SoakServerApi = typeof api

serve(api)
