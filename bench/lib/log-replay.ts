import { setTimeout as sleep } from 'node:timers/promises'
import { RawClient } from './raw-client.js'

export interface ReplayOptions {
  readonly port: number
  readonly namespace: string
  /** The id to resume after. */
  readonly after: string
  /** What came after it. */
  readonly events: number
  /** That resume at once. */
  readonly clients: number
}

export interface Replay {
  /** From the first connect until the last one had everything, in µs. */
  readonly wall: number
  /** By all of them. */
  readonly received: number
}

/** `ws.ready` comes before the events. */
const READY = 1

/** Has clients resume, and lets them go when they have the past. */
export async function replay ({ clients, ...options }: ReplayOptions): Promise<Replay> {
  const start = performance.now()
  const all = await Promise.all(Array.from({ length: clients }, async () => await resume(options)))
  const wall = (performance.now() - start) * 1000
  // What comes too often would come now.
  await sleep(100)
  const received = all.reduce((sum, { received }) => sum + received - READY, 0)
  for (const client of all) client.leave()
  await Promise.all(all.map(async ({ closed }) => { await closed }))
  return { wall, received }
}

async function resume ({ port, namespace, after, events }: Omit<ReplayOptions, 'clients'>): Promise<RawClient> {
  return await new Promise((resolve, reject) => {
    const onEvent = (client: RawClient): void => { if (client.received === events + READY) resolve(client) }
    const client = new RawClient({ port, namespace, auth: { lastEventId: after }, look: 0, onEvent })
    client.joined.catch(reject)
    void client.closed.then(() => { reject(new Error(`the connection was closed after ${client.received - READY} of ${events} events`)) })
  })
}
