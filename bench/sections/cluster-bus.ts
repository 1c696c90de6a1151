import { type Cluster, type Cpu, cpuOf, type Place, withCluster } from '../lib/cluster.js'
import { alternate, type Context } from '../lib/context.js'
import { type OwnRedis, withRedis } from '../lib/own-redis.js'
import { expectLoad } from '../lib/pair.js'
import { type Report, shown, type Table, type Target } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import type { Load } from '../lib/window.js'
import { type ClusterPeerName, clusterPeerNames, clusterPeerTitles } from '../peers/cluster-peer.js'

const BYTES = 500
/** Events between an emit and the clients: enough for those who fetch by the hundred. */
const IN_FLIGHT = 4000
const RATE = 500
/** Time is read from the events of every so many clients: enough to tell, and little to do. */
const TIME_EVERY = 4
/** Until the code is compiled that runs often, in ms. */
const WARM_UP = 1000

/** Of ours by theirs. */
const MIN_OF_STREAMS = 2.5
const MAX_CPU_OF_STREAMS = 0.45
const MIN_OF_PUBSUB = 1

interface Setup {
  readonly title: string
  readonly place: Place
  /** With one client each: so few that Redis and the nodes' work on it are the cost, and not the writing to clients. */
  readonly instances: number
  readonly perTick: readonly number[]
  readonly hasTargets: boolean
  readonly hasLatency: boolean
  readonly inQuick: boolean
}

const setups: readonly Setup[] = [
  { title: '20 instances, clients on the other node', place: 'b', instances: 20, perTick: [1, 20], hasTargets: true, hasLatency: true, inQuick: true },
  { title: '20 instances, clients on both nodes', place: 'both', instances: 20, perTick: [20], hasTargets: false, hasLatency: true, inQuick: false },
  // An adapter asks each of its namespaces whether a message is its own: here there is one.
  { title: '1 instance, a client on the other node', place: 'b', instances: 1, perTick: [20], hasTargets: false, hasLatency: false, inQuick: false }
]

/** For each event, in µs. */
interface Throughput extends Cpu {
  readonly wall: number
}

/** In ms. */
interface Latency {
  readonly p50: number
  readonly p99: number
}

interface Run {
  /** One for each of the setup's `perTick`. */
  readonly throughput: readonly Throughput[]
  readonly latency: Latency | null
}

// Map(way -> runs, each with one of every setup)
type Measured = ReadonlyMap<ClusterPeerName, ReadonlyArray<readonly Run[]>>

/** Events from one node to clients of another. */
export async function bus ({ quick, runs, progress }: Context): Promise<Report> {
  const chosen = setups.filter(({ inQuick }) => inQuick || !quick)
  const measured = await withRedis(async redis => await alternate(clusterPeerNames, runs, async (peer, run) => {
    const results: Run[] = []
    for (const setup of chosen) {
      progress(`two nodes, run ${run + 1}: ${clusterPeerTitles[peer]}, ${setup.title}`)
      results.push(await once(redis, peer, setup, quick))
    }
    return results
  }))
  const figures = chosen.map((setup, index) => new Figures(setup, measured, index))
  return {
    tables: [...figures.map(each => each.throughputTable()), latencyTable(figures.filter(({ setup }) => setup.hasLatency))],
    targets: figures.filter(({ setup }) => setup.hasTargets).flatMap(each => each.targets()),
    figures: { bytes: BYTES, inFlight: IN_FLIGHT, rate: RATE, setups: chosen, runs: Object.fromEntries(measured) }
  }
}

async function once (redis: OwnRedis, peer: ClusterPeerName, setup: Setup, quick: boolean): Promise<Run> {
  return await withCluster(redis, { ...setup, peer, clients: 1, timeEvery: TIME_EVERY }, async cluster => {
    const load = { bytes: BYTES, clients: setup.place === 'both' ? 2 : 1 }
    const throughput: Throughput[] = []
    for (const perTick of setup.perTick) throughput.push(await throughputOf(cluster, { ...load, perTick, inFlight: IN_FLIGHT }, quick ? 700 : 2000))
    const latency = setup.hasLatency ? await latencyOf(cluster, { ...load, perTick: 1, inFlight: RATE / 2 }, quick ? 1 : 4) : null
    return { throughput, latency }
  })
}

async function throughputOf (cluster: Cluster, load: Load, ms: number): Promise<Throughput> {
  await cluster.burst(load, WARM_UP)
  const { result: { events, wall }, cpu } = await cpuOf(cluster, async () => await cluster.burst(load, ms))
  return { wall: wall / events, a: cpu.a / events, b: cpu.b / events, redis: cpu.redis / events }
}

async function latencyOf (cluster: Cluster, load: Load, seconds: number): Promise<Latency> {
  for (const each of [0.5, seconds]) {
    await expectLoad(cluster, load)
    await cluster.a.call('steady', { ...load, rate: RATE, events: RATE * each })
  }
  return await cluster.clients.call('latency', null)
}

type Figure = (run: Throughput) => number

const perSecond: Figure = ({ wall }) => 1e6 / wall
const cpu: Figure = ({ a, b, redis }) => a + b + redis

/** What was measured in one setup. */
class Figures {
  readonly setup: Setup
  readonly #measured: Measured
  readonly #index: number

  constructor (setup: Setup, measured: Measured, index: number) {
    this.setup = setup
    this.#measured = measured
    this.#index = index
  }

  #runs (peer: ClusterPeerName): Run[] {
    return (this.#measured.get(peer) ?? []).map(run => run[this.#index] as Run)
  }

  #of (peer: ClusterPeerName, tick: number, figure: Figure): number[] {
    return this.#runs(peer).map(({ throughput }) => figure(throughput[tick] as Throughput))
  }

  /** Ours by theirs. */
  #ratio (peer: ClusterPeerName, tick: number, figure: Figure): number {
    return medianRatio(this.#of('ours', tick, figure), this.#of(peer, tick, figure))
  }

  latency (peer: ClusterPeerName, figure: keyof Latency): number {
    return median(this.#runs(peer).map(({ latency }) => latency?.[figure] ?? NaN))
  }

  throughputTable (): Table {
    return {
      title: `Two nodes, 0.5 kB: ${this.setup.title}`,
      columns: ['events a tick', 'way', 'events/s', 'ours, times theirs', 'CPU µs per event', 'ours, times theirs', 'of it: emitting node', 'other node', 'Redis'],
      rows: this.setup.perTick.flatMap((perTick, tick) => clusterPeerNames.map(peer => {
        const shownOf = (figure: Figure): string => shown(median(this.#of(peer, tick, figure)))
        const ratio = (figure: Figure): string => peer === 'ours' ? '' : shown(this.#ratio(peer, tick, figure))
        return [
          String(perTick), clusterPeerTitles[peer], shownOf(perSecond), ratio(perSecond), shownOf(cpu), ratio(cpu),
          shownOf(({ a }) => a), shownOf(({ b }) => b), shownOf(({ redis }) => redis)
        ]
      }))
    }
  }

  targets (): Target[] {
    const { title, perTick } = this.setup
    return perTick.flatMap((each, tick): Target[] => {
      const what = (figure: string, peer: ClusterPeerName): string => `${title}, ${each} a tick: ${figure} of ${clusterPeerTitles[peer]}`
      return [
        { what: what('events/s, times those', 'streams'), limit: MIN_OF_STREAMS, found: this.#ratio('streams', tick, perSecond), unit: '', isLeast: true },
        { what: what('CPU per event, times that', 'streams'), limit: MAX_CPU_OF_STREAMS, found: this.#ratio('streams', tick, cpu), unit: '' },
        { what: what('events/s, times those', 'pubsub'), limit: MIN_OF_PUBSUB, found: this.#ratio('pubsub', tick, perSecond), unit: '', isLeast: true }
      ]
    })
  }
}

const latencyTable = (figures: readonly Figures[]): Table => ({
  title: `Latency from emit on one node to a client, ${RATE} events/s of 0.5 kB`,
  columns: ['', 'way', 'p50 ms', 'p99 ms'],
  rows: figures.flatMap(each => clusterPeerNames.map(peer => [
    each.setup.title, clusterPeerTitles[peer], each.latency(peer, 'p50').toFixed(2), each.latency(peer, 'p99').toFixed(2)
  ]))
})
