/** The clients' process, told what to do by run.ts. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { STAMP_DIGITS } from './lib/emission.js'
import { instanceOf } from './lib/instances.js'
import { type Replay, replay, type ReplayOptions } from './lib/log-replay.js'
import { RawClient } from './lib/raw-client.js'
import { serve } from './lib/rpc.js'

/** Clients that are alike. */
export interface ClientGroup {
  readonly count: number
  /** As the protocol writes it, such as `/acme,`; `null`: a plain WebSocket. */
  readonly namespace: string | null
  readonly auth?: object
  /** Whether they say that they are browsers. */
  readonly browser?: true
}

export interface ConnectOptions {
  readonly port: number
  readonly controlPort: number
  readonly groups: readonly ClientGroup[]
  /** How many clients connect at once. */
  readonly atOnce?: number
}

/** Bytes of an event in which the time is found, behind the id and the names. */
const STAMP_WITHIN = 256
const STAMP = '"t":"'

const clients: RawClient[] = []
const stalled: RawClient[] = []
let control: Socket | undefined
let received = 0
let perAck = Infinity
let latencies: RecordableHistogram | undefined
/** Events that were another instance's. */
let strangers = 0

function count (): void {
  if (++received % perAck === 0) control?.write('a')
}

function countAndTime (_client: RawClient, head: Buffer | null): void {
  const at = head?.indexOf(STAMP) ?? -1
  if (head !== null && at !== -1) {
    const sent = Number(head.toString('latin1', at + STAMP.length, at + STAMP.length + STAMP_DIGITS))
    latencies?.record(Math.max(1, Math.round(Number(process.hrtime.bigint() / 1000n) - sent)))
  }
  count()
}

interface LoadClients extends ConnectOptions {
  /** Every how many clients the time of their events is read; 0: of none. */
  readonly timeEvery: number
}

async function connectAll (make: readonly (() => RawClient)[], atOnce: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < make.length) {
      const client = (make[next++] as () => RawClient)()
      clients.push(client)
      await client.joined
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function leave (): Promise<void> {
  const all = [...clients.splice(0), ...stalled.splice(0)]
  for (const client of all) client.leave()
  await Promise.all(all.map(async ({ closed }) => { await closed }))
}

const api = {
  async connect ({ port, controlPort, groups, timeEvery, atOnce = 50 }: LoadClients): Promise<void> {
    if (control === undefined) {
      control = connect(controlPort, '127.0.0.1').setNoDelay(true)
      await once(control, 'connect')
    }
    const make = groups.flatMap(({ count, ...group }) => Array.from({ length: count }, () => group)).map((group, index) => () => {
      const isTimed = timeEvery > 0 && index % timeEvery === 0
      return new RawClient({ port, ...group, look: isTimed ? STAMP_WITHIN : 0, onEvent: isTimed ? countAndTime : count })
    })
    await connectAll(make, atOnce)
  },

  /** Begins to count: the server is told of each so many deliveries. */
  expect ({ deliveries }: { readonly deliveries: number }): void {
    received = 0
    perAck = deliveries
    latencies = createHistogram()
  },

  /** Deliveries since `expect`. */
  received: (_: null): number => received,

  /** Of the events since `expect`, in ms. */
  latency: (_: null): { p50: number, p99: number, count: number } => ({
    p50: (latencies?.percentile(50) ?? 0) / 1000,
    p99: (latencies?.percentile(99) ?? 0) / 1000,
    count: latencies?.count ?? 0
  }),

  /** Connects one that reads nothing once it is in. */
  async stall ({ port, namespace }: { readonly port: number, readonly namespace: string }): Promise<void> {
    const client = new RawClient({ port, namespace, look: 0, onEvent: () => {} })
    stalled.push(client)
    await client.joined
    client.pause()
  },

  /** Whether the server has ended the one that had stalled. It learns of it when it reads again. */
  async wasEnded (_: null): Promise<boolean> {
    const client = stalled[0]
    if (client === undefined) return false
    client.resume()
    const timeout = new Promise<void>(resolve => { setTimeout(resolve, 5000) })
    await Promise.race([client.closed, timeout])
    return client.isClosed
  },

  /** Connects one client to each instance. */
  async connectToEach ({ port, instances }: { readonly port: number, readonly instances: number }): Promise<void> {
    strangers = 0
    await connectAll(Array.from({ length: instances }, (_, index) => {
      const instance = instanceOf(index)
      const onEvent = (_client: RawClient, head: Buffer | null): void => {
        received++
        const text = head?.toString('latin1') ?? ''
        // The namespace, the message's instance and its data must all be of this one.
        const isOwn = text.startsWith(`42/${instance},`) && text.includes(`"instance":"${instance}"`) && text.includes(`"from":"${instance}"`)
        if (!isOwn) strangers++
      }
      return () => new RawClient({ port, namespace: `/${instance},`, look: STAMP_WITHIN, onEvent })
    }), 50)
  },

  /** Waits until all have so many events, and no longer than ten seconds. */
  async checkEach ({ events }: { readonly events: number }): Promise<{ complete: number, strangers: number }> {
    const isComplete = ({ received }: RawClient): boolean => received === events
    for (let i = 0; i < 100 && !clients.every(isComplete); i++) await new Promise(resolve => { setTimeout(resolve, 100) })
    // What comes too often would come now.
    await new Promise(resolve => { setTimeout(resolve, 500) })
    return { complete: clients.filter(isComplete).length, strangers }
  },

  replay: async (options: ReplayOptions): Promise<Replay> => await replay(options),

  leave: async (_: null): Promise<void> => { await leave() }
}

export type ClientsApi = typeof api

serve(api)
