import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../lib/children.js'
import { shown } from '../lib/report.js'
import type { SoakClientsApi, Totals } from './clients.js'
import { counted } from './plot.js'
import type { Sample, SoakServerApi } from './server.js'
import { type StoreName, withStore } from './stores.js'

export interface SoakOptions {
  readonly store: StoreName
  readonly clients: number
  readonly minutes: number
  /** Events a second. */
  readonly rate: number
  /** Told of each line while it runs. */
  readonly print: (line: string) => void
}

/** A sample, and when it was taken: seconds since all clients were in. */
export interface TimedSample extends Sample {
  readonly at: number
}

export interface SoakResult {
  readonly samples: readonly TimedSample[]
  readonly totals: Totals
  /** When all clients have left. */
  readonly after: Sample
}

const MINUTE = 60
/** Seconds between two samples. */
const PERIOD = 10
const MB = 1024 * 1024
/** Until the server has let go of connections that ended in the middle of something, in ms. */
const FORGOTTEN = 12_000

/** Runs a server, and clients that come and go, for a time; then all come back and are asked what they have. */
export async function soak (options: SoakOptions): Promise<SoakResult> {
  return await withStore[options.store](async store => {
    const server = new Child<SoakServerApi>('soak/server.ts', ['--expose-gc'])
    const clients = new Child<SoakClientsApi>('soak/clients.ts')
    try {
      return await new Soak(server, clients, options).run(store)
    } finally {
      await Promise.all([server.end(), clients.end()])
    }
  })
}

class Soak {
  readonly #server: Child<SoakServerApi>
  readonly #clients: Child<SoakClientsApi>
  readonly #options: SoakOptions
  readonly #samples: TimedSample[] = []
  #start = 0

  constructor (server: Child<SoakServerApi>, clients: Child<SoakClientsApi>, options: SoakOptions) {
    this.#server = server
    this.#clients = clients
    this.#options = options
  }

  async run (store: string): Promise<SoakResult> {
    const { clients, rate } = this.#options
    const port = await this.#server.call('start', { store, rate })
    await this.#clients.call('connect', { port, count: clients })
    this.#start = performance.now()
    await Promise.all([this.#server.call('begin', null), this.#clients.call('begin', { port })])
    await this.#watch()
    const totals = await this.#settle()
    await this.#clients.call('leave', null)
    return { samples: this.#samples, totals, after: await this.#empty() }
  }

  /** Takes samples until the time is over. Once a minute, and at the end, after a collection. */
  async #watch (): Promise<void> {
    const seconds = this.#options.minutes * MINUTE
    for (let at = 0; at < seconds;) {
      at = Math.min(at + PERIOD, seconds)
      await sleep(Math.max(0, this.#start + at * 1000 - performance.now()))
      const sample = await this.#server.call('sample', { collect: at % MINUTE === 0 || at === seconds })
      this.#samples.push({ at, ...sample })
      this.#options.print(lineOf(at, sample, await this.#clients.call('totals', null)))
    }
  }

  async #settle (): Promise<Totals> {
    await this.#server.call('settle', null)
    await this.#clients.call('settle', null)
    await this.#clients.call('close', { emitted: await this.#server.call('finish', null) })
    return await this.#clients.call('totals', null)
  }

  /** A sample of the server when it knows that nobody is there, and in a long run a while after that. */
  async #empty (): Promise<Sample> {
    while ((await this.#server.call('sample', { collect: false })).clients > 0) await sleep(100)
    if (this.#options.minutes >= 1) await sleep(FORGOTTEN)
    return await this.#server.call('sample', { collect: true })
  }
}

function lineOf (at: number, { clients, emitted, rss, handles, delay, heap }: Sample, { received, lost, doubled, disordered, gaps, delay: clientsDelay }: Totals): string {
  const collected = heap === null ? '' : `, heap ${shown(heap / MB)} MB`
  return `${String(Math.round(at)).padStart(4)} s  ${counted(clients)} clients, ${counted(emitted)} emitted, ${counted(received)} received; ` +
    `lost ${lost}, doubled ${doubled}, disordered ${disordered}, gaps ${gaps}; delay ${shown(delay)} ms (of the clients ${shown(clientsDelay)}), ${counted(handles)} handles, RSS ${shown(rss / MB)} MB${collected}`
}
