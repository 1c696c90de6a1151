import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientsApi } from '../clients.js'
import { Child } from '../lib/children.js'
import { alternate, type Context } from '../lib/context.js'
import type { Outcome } from '../lib/flood-attempts.js'
import type { Flood, FlooderApi } from '../lib/flood-flooder.js'
import type { FloodServerApi } from '../lib/flood-server.js'
import { ELSEWHERE, type FloodedName, floodedNames, floodedTitles, KEY, type RoundName, roundNames } from '../lib/flood-servers.js'
import type { Memory } from '../lib/memory.js'
import { INSTANCE } from '../lib/payload.js'
import { type Report, shown, type Target } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'

const COUNT = 20_000
const AT_ONCE = 100
/** Bad handshakes a second. One takes up to 1 ms of a server's CPU, so that half of its core is left. */
const PACE = 500
/** Events a second that the healthy client gets. */
const RATE = 200
/** That come before anything is measured: what is loaded, compiled and sized once is there. */
const WARM_UP = 4000
/** How long latency is measured before and after, in ms. */
const CALM = 5000
/** After which a server has ended those that have joined nothing, in ms. */
const FORGOTTEN = 13_000
const MAX_LATENCY = 2
const MAX_MEMORY = 1.05
const MAX_CPU = 1.1
const MB = 1024 * 1024

interface Latency {
  readonly p50: number
  readonly p99: number
  readonly count: number
}

interface Round {
  readonly before: Latency
  readonly during: Latency
  readonly after: Latency
  readonly memoryBefore: Memory
  readonly memoryAfter: Memory
  readonly flood: Flood
  /** µs of CPU that the server had for each, and how much of a core it took meanwhile. */
  readonly cpu: number
  readonly load: number
}

/** One client that has a right to be there, while another process comes again and again that has none. */
export async function flood ({ quick, runs, progress }: Context): Promise<Report> {
  const count = quick ? COUNT / 4 : COUNT
  const measured = await alternate(roundNames, runs, async (name, run) => {
    progress(`flood of ${count} bad handshakes, run ${run + 1}: ${floodedTitles[name]}`)
    return await measure(name, count)
  })
  const of = (name: RoundName, figure: (round: Round) => number): number[] => (measured.get(name) ?? []).map(figure)
  const middle = (name: RoundName, figure: (round: Round) => number): number => median(of(name, figure))
  const slower = (name: RoundName): number => middle(name, ({ before, during }) => during.p99 / before.p99)
  const ofSocketIO = (name: RoundName, figure: (round: Round) => number): number => medianRatio(of(name, figure), of('socketio', figure))
  const letIn = (name: FloodedName): number => of(name, ({ flood }) => flood.outcomes['let in']).reduce((sum, each) => sum + each)
  const title = `A flood of ${count.toLocaleString('en-US')} bad handshakes`
  const ours: readonly FloodedName[] = ['ours', 'limited']
  return {
    tables: [{
      title: `${title}, ${PACE} a second, of one address; a healthy client gets ${RATE} events a second: its latency in ms`,
      columns: ['', 'p50 before', 'p99 before', 'p50 during', 'p99 during', 'p50 after', 'p99 after', 'p99 during, times before', 'p99 during, of Socket.IO\'s'],
      rows: roundNames.map(name => [
        floodedTitles[name],
        ...(['before', 'during', 'after'] as const).flatMap(phase => [shown(middle(name, round => round[phase].p50)), shown(middle(name, round => round[phase].p99))]),
        shown(slower(name)), shown(ofSocketIO(name, ({ during }) => during.p99))
      ])
    }, {
      title: `${title}: the server`,
      columns: ['', 'a second', 'CPU µs each', 'of Socket.IO\'s', 'of a core', 'held MB before', 'after', 'RSS MB before', 'after'],
      rows: floodedNames.map(name => [
        floodedTitles[name],
        shown(middle(name, ({ flood }) => count / flood.seconds)),
        shown(middle(name, ({ cpu }) => cpu)),
        shown(ofSocketIO(name, ({ cpu }) => cpu)),
        shown(middle(name, ({ load }) => load)),
        ...(['held', 'rss'] as const).flatMap(figure => [shown(middle(name, ({ memoryBefore }) => memoryBefore[figure]) / MB), shown(middle(name, ({ memoryAfter }) => memoryAfter[figure]) / MB)])
      ])
    }, {
      title: `${title}: what became of them`,
      columns: ['', 'refused', 'ended unheard', 'went by themselves', 'never answered', 'let in'],
      rows: floodedNames.map(name => [floodedTitles[name], ...(['refused', 'ended', 'abandoned', 'unanswered', 'let in'] satisfies Outcome[]).map(outcome => shown(middle(name, ({ flood }) => flood.outcomes[outcome])))])
    }],
    targets: ours.flatMap((name): Target[] => [
      { what: `${title}, ${floodedTitles[name]}: p99 of a healthy client, times before`, limit: MAX_LATENCY, found: slower(name), unit: '' },
      { what: `${title}, ${floodedTitles[name]}: CPU for each, of Socket.IO's`, limit: MAX_CPU, found: ofSocketIO(name, ({ cpu }) => cpu), unit: '' },
      { what: `${title}, ${floodedTitles[name]}: memory held after, times before`, limit: MAX_MEMORY, found: middle(name, ({ memoryBefore, memoryAfter }) => memoryAfter.held / memoryBefore.held), unit: '' },
      { what: `${title}, ${floodedTitles[name]}: let in`, limit: 0, found: letIn(name), unit: '' }
    ]),
    figures: { count, atOnce: AT_ONCE, pace: PACE, rate: RATE, runs: Object.fromEntries(measured) }
  }
}

/** The processes of a round. */
class Flooded {
  readonly server = new Child<FloodServerApi>('lib/flood-server.ts', ['--expose-gc'])
  readonly client = new Child<ClientsApi>('clients.ts')
  readonly flooder = new Child<FlooderApi>('lib/flood-flooder.ts')
  #other: Child<FloodServerApi> | undefined
  #port = 0

  async start (name: RoundName): Promise<void> {
    const isElsewhere = name === ELSEWHERE
    const ports = await this.server.call('start', { name: isElsewhere ? 'ours' : name, rate: RATE })
    this.#port = isElsewhere ? await this.#startOther() : ports.port
    await this.client.call('connect', { ...ports, groups: [{ count: 1, namespace: `/${INSTANCE},`, auth: { apikey: KEY } }], timeEvery: 1 })
  }

  /** @returns its port */
  async #startOther (): Promise<number> {
    this.#other = new Child<FloodServerApi>('lib/flood-server.ts')
    return (await this.#other.call('start', { name: 'ours', rate: 1 })).port
  }

  async flood (count: number): Promise<Flood> {
    return await this.flooder.call('flood', { port: this.#port, count, atOnce: AT_ONCE, rate: PACE })
  }

  /** The latency of the healthy client's events while something is done. */
  async latencyWhile<Result> (act: () => Promise<Result>): Promise<{ result: Result, latency: Latency }> {
    // No acknowledgements are wanted.
    await this.client.call('expect', { deliveries: Number.MAX_SAFE_INTEGER })
    const result = await act()
    const latency = await this.client.call('latency', null)
    if (latency.count === 0) throw new Error('the healthy client has had no event')
    return { result, latency }
  }

  async end (): Promise<void> {
    await Promise.all([this.server.end(), this.client.end(), this.flooder.end(), this.#other?.end()])
  }
}

async function measure (name: RoundName, count: number): Promise<Round> {
  const flooded = new Flooded()
  try {
    await flooded.start(name)
    await flooded.flood(WARM_UP)
    await sleep(FORGOTTEN)
    const memoryBefore = await flooded.server.call('memory', null)
    const before = await flooded.latencyWhile(async () => { await sleep(CALM) })
    const cpuBefore = await flooded.server.call('cpu', null)
    const during = await flooded.latencyWhile(async () => await flooded.flood(count))
    const cpu = await flooded.server.call('cpu', null) - cpuBefore
    await sleep(FORGOTTEN)
    const after = await flooded.latencyWhile(async () => { await sleep(CALM) })
    const memoryAfter = await flooded.server.call('memory', null)
    return {
      before: before.latency,
      during: during.latency,
      after: after.latency,
      memoryBefore,
      memoryAfter,
      flood: during.result,
      cpu: cpu / count,
      load: cpu / 1e6 / during.result.seconds
    }
  } finally {
    await flooded.end()
  }
}
