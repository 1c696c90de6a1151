import type { ClientGroup } from '../clients.js'
import { alternate, type Context } from '../lib/context.js'
import type { BurstResult } from '../lib/emission.js'
import { filterSets } from '../lib/filters.js'
import { expectLoad, groupsFor, withPair } from '../lib/pair.js'
import type { Report, Table, Target } from '../lib/report.js'
import { shown } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import { type PeerName, peerTitles } from '../peers/peer.js'

/** What is measured at 1, 4 and 20 events a tick, for each of its peers. */
interface Cell {
  readonly title: string
  readonly clients: number
  readonly bytes: number
  readonly global: boolean
  readonly contestants: readonly Contestant[]
  /** At most, of the CPU that each of the others needs, at 1, 4 and 20 events a tick. */
  readonly targets?: Readonly<Record<string, readonly number[]>>
  readonly inQuick: boolean
}

interface Contestant {
  readonly name: string
  readonly peer: PeerName
  readonly filters: number
  /** Whether half of the clients resume by `stockResume`. */
  readonly stock?: true
}

const PER_TICK = [1, 4, 20] as const

const plain = (peer: PeerName): Contestant => ({ name: peerTitles[peer], peer, filters: 0 })
const filtered = (filters: number): Contestant => ({ name: `ours, ${filters} filters`, peer: 'ours', filters })
const STOCK: Contestant = { name: 'ours, half with stockResume', peer: 'ours', filters: 0, stock: true }
const US = peerTitles.ours

const traditional = [plain('socketio'), plain('ws'), plain('ours')]
const base = { clients: 500, bytes: 300, global: false, contestants: traditional, inQuick: false }

const cells: readonly Cell[] = [
  {
    ...base,
    title: '500 clients, 0.3 kB',
    contestants: [...traditional, filtered(3), filtered(50), STOCK],
    targets: { [peerTitles.socketio]: [0.9, 0.3, 0.13], [peerTitles.ws]: [1.25, 0.45, 0.2] },
    inQuick: true
  },
  {
    ...base,
    title: 'global: 250 clients at the root, 250 on the instance, 0.3 kB',
    global: true,
    contestants: [plain('evolution'), plain('ours')],
    targets: { [peerTitles.evolution]: [0.75, 0.25, 0.11] },
    inQuick: true
  },
  { ...base, title: '500 clients, 5 kB', bytes: 5000 },
  { ...base, title: '500 clients, 100 kB', bytes: 100_000 },
  { ...base, title: '1 client, 0.3 kB', clients: 1 },
  { ...base, title: '5,000 clients, 0.3 kB', clients: 5000 }
]

/** What 50 filters may cost, of what none cost. */
const FILTER_LIMIT = 1.5

/** What it may cost that half of the clients resume by `stockResume`, of what none cost. */
const STOCK_LIMIT = 1.1

/** Every event delivered once, to every client: what does it cost the server's process? */
export async function delivery (context: Context): Promise<Report> {
  const reports: Array<ReturnType<typeof report>> = []
  for (const cell of cells.filter(({ inQuick }) => inQuick || !context.quick)) {
    reports.push(report(cell, await measure(cell, context)))
  }
  return {
    tables: reports.map(({ table }) => table),
    targets: reports.flatMap(({ targets }) => targets),
    figures: reports.map(({ figures }) => figures)
  }
}

// Map(contestant -> runs, each with a result for 1, 4 and 20 events a tick)
type Measured = ReadonlyMap<string, readonly BurstResult[][]>

async function measure (cell: Cell, { quick, runs, progress }: Context): Promise<Measured> {
  const contestants = cell.contestants.filter(({ filters }) => !quick || filters !== 3)
  const byName = new Map(contestants.map(contestant => [contestant.name, contestant]))
  return await alternate([...byName.keys()], runs, async (name, run) => {
    progress(`${cell.title}, run ${run + 1}: ${name}`)
    return await once(cell, byName.get(name) as Contestant, quick ? 250 : cell.inQuick ? 1000 : 500)
  })
}

async function once ({ clients, bytes, global }: Cell, { peer, filters, stock }: Contestant, cpuMs: number): Promise<BurstResult[]> {
  return await withPair({ peer, global, ...(stock && { stockResume: true }) }, async pair => {
    const all = groupsFor(peer, global, clients, filterSets(filters))
    const groups = stock === true ? all.flatMap(halved) : all
    await pair.clients.call('connect', { ...pair.ports, groups, timeEvery: 0 })
    const results: BurstResult[] = []
    for (const perTick of PER_TICK) {
      const load = { bytes, perTick, clients }
      // The first one warms up.
      for (const ms of [cpuMs / 2, cpuMs]) {
        await expectLoad(pair, load)
        const result = await pair.server.call('burst', { ...load, cpuMs: ms })
        const received = await pair.clients.call('received', null)
        if (received !== result.events * clients) throw new Error(`${peer}: ${received} of ${result.events * clients} deliveries`)
        results.push(result)
      }
    }
    return results.filter((_, index) => index % 2 === 1)
  })
}

/** Half of them as browsers. */
function halved ({ count, ...group }: ClientGroup): ClientGroup[] {
  const browsers = Math.floor(count / 2)
  return [{ ...group, count: count - browsers }, { ...group, count: browsers, browser: true }]
}

function report ({ title, clients, contestants, targets = {} }: Cell, measured: Measured): { table: Table, targets: Target[], figures: unknown } {
  // µs of CPU for each delivery, and deliveries a second, of each run
  const cpu = (name: string, index: number) => (measured.get(name) ?? []).map(run => perDelivery(run[index], clients))
  const speed = (name: string, index: number) => (measured.get(name) ?? []).map(run => perSecond(run[index], clients))
  const rows = PER_TICK.flatMap((perTick, index) => contestants.filter(({ name }) => measured.has(name)).map(({ name, filters, stock }) => [
    `${perTick}`,
    name,
    shown(median(speed(name, index))),
    median(cpu(name, index)).toFixed(3),
    name === US ? '' : filters > 0 || stock === true ? shown(medianRatio(cpu(name, index), cpu(US, index))) : shown(medianRatio(cpu(US, index), cpu(name, index)))
  ]))
  const reached = PER_TICK.flatMap((perTick, index): Target[] => [
    ...Object.entries(targets).map(([name, limits]) => ({
      what: `${title}: ${perTick} a tick, of the CPU of ${name}`, limit: limits[index] ?? NaN, found: medianRatio(cpu(US, index), cpu(name, index)), unit: ''
    })),
    ...contestants.filter(({ filters }) => filters === 50).map(({ name }) => ({
      what: `${title}: ${perTick} a tick, 50 filters of the CPU of none`, limit: FILTER_LIMIT, found: medianRatio(cpu(name, index), cpu(US, index)), unit: ''
    })),
    ...contestants.filter(({ stock }) => stock).map(({ name }) => ({
      what: `${title}: ${perTick} a tick, half with stockResume of the CPU of none`, limit: STOCK_LIMIT, found: medianRatio(cpu(name, index), cpu(US, index)), unit: ''
    }))
  ])
  return {
    table: { title: `Delivery: ${title}`, columns: ['events a tick', 'way', 'deliveries/s', 'CPU µs per delivery', 'ratio'], rows },
    targets: reached,
    figures: { title, clients, runs: Object.fromEntries(measured) }
  }
}

const perDelivery = (result: BurstResult | undefined, clients: number): number => result === undefined ? NaN : result.cpu / result.events / clients
const perSecond = (result: BurstResult | undefined, clients: number): number => result === undefined ? NaN : result.events * clients / result.wall * 1e6
