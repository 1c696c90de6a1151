import { alternate, type Context } from '../lib/context.js'
import type { BurstResult } from '../lib/emission.js'
import { instanceOf } from '../lib/instances.js'
import { expectLoad, withPair } from '../lib/pair.js'
import { type Report, shown, type Target } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import { withLog } from '../lib/log-stores.js'
import type { ClientGroup } from '../clients.js'
import { type PeerName, peerTitles } from '../peers/peer.js'

/** As many instances as a gateway has, one client each, and an event for one of them at a time. */
interface Cell {
  readonly instances: number
  readonly bytes: number
  /** CPU of ours at most, of the others'; left out: no target. */
  readonly targets?: Readonly<Partial<Record<Way, number>>>
  readonly inQuick: boolean
}

const ways = ['ours', 'lmdb', 'socketio', 'ws'] as const
type Way = typeof ways[number]

const peerOf: Readonly<Record<Way, PeerName>> = { ours: 'ours', lmdb: 'ours', socketio: 'socketio', ws: 'ws' }
const titles: Readonly<Record<Way, string>> = {
  ours: peerTitles.ours,
  lmdb: `${peerTitles.ours}, LMDB`,
  socketio: 'Socket.IO io.of(name).emit',
  ws: 'ws and JSON.stringify'
}

const PER_TICK = [1, 20] as const
const TARGETS = { socketio: 0.85, ws: 1.25 }
const LMDB_TARGET = 1.15
/** How much more an event may cost at 10,000 instances than at 1,000. */
const FLAT = 1.15
/** Events on their way at most: a few for each client. */
const IN_FLIGHT = 2000

const cells: readonly Cell[] = [
  { instances: 100, bytes: 300, inQuick: false },
  { instances: 1000, bytes: 300, targets: TARGETS, inQuick: true },
  { instances: 1000, bytes: 5000, inQuick: false },
  { instances: 10_000, bytes: 300, inQuick: false }
]

/** Results of each of `PER_TICK`, of each run. */
type Measured = ReadonlyMap<Way, ReadonlyArray<readonly BurstResult[]>>

/** What an event costs where each instance has one client, as most have. */
export async function everyday (context: Context): Promise<Report> {
  const measured = new Map<Cell, Measured>()
  for (const cell of cells) {
    if (context.quick && !cell.inQuick) continue
    measured.set(cell, await alternate(ways, context.runs, async (way, run) => {
      context.progress(`${titleOf(cell)}, run ${run + 1}: ${titles[way]}`)
      return await measure(cell, way, context.quick ? 400 : 1000)
    }))
  }
  const reports = [...measured].map(([cell, runs]) => reportOf(cell, runs))
  return {
    tables: reports.map(({ table }) => table),
    targets: [...reports.flatMap(({ targets }) => targets), ...flatness(measured)],
    figures: [...measured].map(([cell, runs]) => ({ ...cell, runs: Object.fromEntries(runs) }))
  }
}

const titleOf = ({ instances, bytes }: Cell): string =>
  `${instances.toLocaleString('en-US')} instances with a client each, ${bytes / 1000} kB`

/** Each in a namespace of its own; a plain WebSocket has none. */
const groupsOf = (way: Way, instances: number): ClientGroup[] =>
  Array.from({ length: instances }, (_, index) => ({ count: 1, namespace: way === 'ws' ? null : `/${instanceOf(index)},` }))

async function measure (cell: Cell, way: Way, cpuMs: number): Promise<readonly BurstResult[]> {
  if (way !== 'lmdb') return await bursts(cell, way, cpuMs)
  return await withLog('lmdb', {}, async log => await bursts(cell, way, cpuMs, log))
}

async function bursts ({ instances, bytes }: Cell, way: Way, cpuMs: number, log?: Parameters<typeof withPair>[0]['log']): Promise<readonly BurstResult[]> {
  return await withPair({ peer: peerOf[way], global: false, instances, ...(log !== undefined && { log }) }, async pair => {
    await pair.clients.call('connect', { ...pair.ports, groups: groupsOf(way, instances), timeEvery: 0 })
    const results: BurstResult[] = []
    for (const perTick of PER_TICK) {
      const load = { bytes, perTick, clients: 1, inFlight: IN_FLIGHT }
      // The first one warms up.
      for (const ms of [cpuMs / 2, cpuMs]) {
        await expectLoad(pair, load)
        const result = await pair.server.call('burst', { ...load, cpuMs: ms })
        const received = await pair.clients.call('received', null)
        if (received !== result.events) throw new Error(`${titles[way]}: ${received} of ${result.events} deliveries`)
        results.push(result)
      }
    }
    return results.filter((_, index) => index % 2 === 1)
  })
}

const cpuOf = (measured: Measured, way: Way, index: number): number[] =>
  (measured.get(way) ?? []).map(run => (run[index]?.cpu ?? NaN) / (run[index]?.events ?? NaN))

function reportOf (cell: Cell, measured: Measured): { table: Report['tables'][number], targets: Target[] } {
  const title = titleOf(cell)
  const cpu = (way: Way, index: number): number[] => cpuOf(measured, way, index)
  const rows = PER_TICK.flatMap((perTick, index) => ways.map(way => [
    String(perTick),
    titles[way],
    shown(median((measured.get(way) ?? []).map(run => (run[index]?.events ?? NaN) / (run[index]?.wall ?? NaN) * 1e6))),
    shown(median(cpu(way, index))),
    shown(medianRatio(cpu(way, index), cpu('socketio', index))),
    shown(medianRatio(cpu(way, index), cpu('ws', index)))
  ]))
  const target = (of: Way, peer: Way, limit: number, index: number): Target => ({
    what: `${title}: ${PER_TICK[index] ?? 0} a tick, ${titles[of]}, of the CPU of ${titles[peer]}`, limit, found: medianRatio(cpu(of, index), cpu(peer, index)), unit: ''
  })
  const { socketio, ws } = cell.targets ?? {}
  return {
    table: { title: `Everyday load: ${title}`, columns: ['events a tick', 'way', 'events/s', 'CPU µs an event', 'of Socket.IO\'s', 'of ws\''], rows },
    targets: PER_TICK.flatMap((_, index) => [
      ...(socketio === undefined ? [] : [target('ours', 'socketio', socketio, index), target('lmdb', 'socketio', LMDB_TARGET, index)]),
      ...(ws === undefined ? [] : [target('ours', 'ws', ws, index)])
    ])
  }
}

/** What an event costs must not grow with the number of instances. */
function flatness (measured: ReadonlyMap<Cell, Measured>): Target[] {
  const of = (instances: number): Measured | undefined =>
    [...measured].find(([cell]) => cell.instances === instances && cell.bytes === 300)?.[1]
  const [few, many] = [of(1000), of(10_000)]
  if (few === undefined || many === undefined) return []
  return PER_TICK.map((perTick, index) => ({
    what: `10,000 instances, times 1,000: ${perTick} a tick, ${titles.ours}`,
    limit: FLAT,
    found: median(cpuOf(many, 'ours', index)) / median(cpuOf(few, 'ours', index)),
    unit: ''
  }))
}
