import { Child } from '../lib/children.js'
import { alternate, type Context } from '../lib/context.js'
import type { BurstResult } from '../lib/emission.js'
import type { Cost, Level } from '../lib/log-emission.js'
import { type LogChoice, type LogName, logTitles, withLog } from '../lib/log-stores.js'
import { expectLoad, groupsFor, type Pair, withPair } from '../lib/pair.js'
import { INSTANCE } from '../lib/payload.js'
import { type Report, shown, type Table, type Target } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import type { ClientsApi } from '../clients.js'
import type { ServerApi } from '../server.js'

/** More than any past that is made here. */
const EVERYTHING = { maxAge: 24 * 60 * 60 * 1000, maxEvents: 10_000_000, maxBytes: 2 * 1024 ** 3 }

/** What is remembered: what it costs to write, to read and to have. */
export async function log (context: Context): Promise<Report> {
  const reports = [await emits(context), await replays(context), await deliveries(context), await held(context), await neighbours(context)]
  return {
    tables: reports.flatMap(({ tables }) => tables),
    targets: reports.flatMap(({ targets }) => targets),
    figures: reports.map(({ figures }) => figures)
  }
}

/** A server alone, with a log that is new. */
async function withServer<Result> (log: LogChoice, nodeOptions: readonly string[], use: (server: Child<ServerApi>) => Promise<Result>): Promise<Result> {
  const server = new Child<ServerApi>('server.ts', nodeOptions)
  try {
    await server.call('start', { peer: 'ours', global: false, log })
    return await use(server)
  } finally {
    await server.end()
  }
}

// --- Emits with nobody there

interface Emit extends Cost {
  readonly p50: number
  readonly p99: number
}

interface EmitWay {
  readonly log: LogName
  readonly remembered: boolean
  readonly retention: LogChoice['retention']
}

const emitWays = {
  'remembered nowhere': { log: 'memory', remembered: false, retention: {} },
  memory: { log: 'memory', remembered: true, retention: {} },
  LMDB: { log: 'lmdb', remembered: true, retention: {} },
  'LMDB that grows': { log: 'lmdb', remembered: true, retention: EVERYTHING },
  'LMDB with flush': { log: 'lmdb-flush', remembered: true, retention: {} }
} as const satisfies Record<string, EmitWay>
type EmitWayName = keyof typeof emitWays

const EMIT_BYTES = 500
/** Fills what the logs keep by default, so that each event that comes has one dropped. */
const UNTIL_FULL = 110_000
const MAX_APPEND_WALL = 10
const MAX_APPEND_CPU = 8
const MAX_AWAITED = 1

async function emits ({ quick, runs, progress }: Context): Promise<Report> {
  const names = (Object.keys(emitWays) as EmitWayName[]).filter(name => !quick || name !== 'LMDB that grows')
  const measured = await alternate(names, runs, async (name, run) => {
    progress(`emit into the log, run ${run + 1}: ${name}`)
    return await emitRun(emitWays[name], quick)
  })
  const of = (name: EmitWayName, level: Level, figure: keyof Emit): number => median((measured.get(name) ?? []).map(run => run[level]?.[figure] ?? NaN))
  const table = (level: Level, title: string): Table => ({
    title,
    columns: ['', 'events/s', 'CPU µs for each', 'awaited, p50 ms', 'awaited, p99 ms'],
    rows: names.filter(name => level === 'emit' || emitWays[name].remembered).map(name => [
      name, shown(1e6 / of(name, level, 'wall')), of(name, level, 'cpu').toFixed(2), of(name, level, 'p50').toFixed(3), of(name, level, 'p99').toFixed(3)
    ])
  })
  return {
    tables: [table('emit', 'Emit with nobody there, 0.5 kB'), table('append', 'The log\'s own part of it: append')],
    targets: [
      { what: 'LMDB: append, by the clock', limit: MAX_APPEND_WALL, found: of('LMDB', 'append', 'wall'), unit: ' µs' },
      { what: 'LMDB: append, CPU', limit: MAX_APPEND_CPU, found: of('LMDB', 'append', 'cpu'), unit: ' µs' },
      { what: 'LMDB: awaited emit, p50', limit: MAX_AWAITED, found: of('LMDB', 'emit', 'p50'), unit: ' ms' }
    ],
    figures: { bytes: EMIT_BYTES, runs: Object.fromEntries(measured) }
  }
}

async function emitRun ({ log, remembered, retention }: EmitWay, quick: boolean): Promise<Partial<Record<Level, Emit>>> {
  return await withLog(log, retention, async choice => await withServer(choice, [], async server => {
    const measure = async (level: Level, warmUp: number): Promise<Emit> => {
      const options = { level, remembered, bytes: EMIT_BYTES }
      const cost = await server.call('emitCost', { ...options, warmUp, events: quick ? 50_000 : 200_000 })
      return { ...cost, ...await server.call('awaitedEmit', { ...options, events: quick ? 200 : 1000 }) }
    }
    const emit = await measure('emit', UNTIL_FULL)
    // What is remembered nowhere does not come to the log.
    return remembered ? { emit, append: await measure('append', 20_000) } : { emit }
  }))
}

// --- Replay

const PAST = 200_000
const MANY = { clients: 50, events: 4000 }
const MAX_REPLAY = 5

const replayWays = {
  'memory, 0.3 kB': { log: 'memory', bytes: 300 },
  'memory, 0.5 kB': { log: 'memory', bytes: 500 },
  'LMDB, 0.3 kB': { log: 'lmdb', bytes: 300 },
  'LMDB, 0.5 kB': { log: 'lmdb', bytes: 500 }
} as const
type ReplayWay = keyof typeof replayWays

interface ReplayRun {
  readonly read: Cost
  /** One client that resumes after all. */
  readonly one: Cost
  /** Many that resume at once. */
  readonly many: Cost
}

async function replays ({ quick, runs, progress }: Context): Promise<Report> {
  const past = quick ? PAST / 4 : PAST
  const ways = Object.keys(replayWays) as ReplayWay[]
  const measured = await alternate(ways, runs, async (way, run) => {
    progress(`replay, run ${run + 1}: ${way}`)
    const { log, bytes } = replayWays[way]
    return await withLog(log, EVERYTHING, async choice => await replayRun(choice, bytes, past))
  })
  const of = (way: ReplayWay, what: keyof ReplayRun, figure: keyof Cost): number => median((measured.get(way) ?? []).map(run => run[what][figure]))
  const perSecond = (way: ReplayWay, what: keyof ReplayRun): string => shown(1e6 / of(way, what, 'wall'))
  const cpu = (way: ReplayWay, what: keyof ReplayRun): string => of(way, what, 'cpu').toFixed(2)
  const title = `Replay of ${past.toLocaleString('en-US')} events to one client`
  return {
    tables: [
      {
        title: `${title}, and reading them alone`,
        columns: ['', 'events/s', 'CPU µs for each', 'read: events/s', 'read: CPU µs'],
        rows: ways.map(way => [way, perSecond(way, 'one'), cpu(way, 'one'), perSecond(way, 'read'), cpu(way, 'read')])
      },
      {
        title: `${MANY.clients} clients that resume at once after ${MANY.events.toLocaleString('en-US')} events`,
        columns: ['', 'events/s', 'CPU µs for each'],
        rows: ways.map(way => [way, perSecond(way, 'many'), cpu(way, 'many')])
      }
    ],
    targets: ways.map(way => ({ what: `${title}: ${way}, by the clock`, limit: MAX_REPLAY, found: of(way, 'one', 'wall'), unit: ' µs' })),
    figures: { past, many: MANY, runs: Object.fromEntries(measured) }
  }
}

async function replayRun (log: LogChoice, bytes: number, past: number): Promise<ReplayRun> {
  return await withPair({ peer: 'ours', global: false, log }, async pair => {
    const { all, last } = await pair.server.call('fill', { bytes, events: past, last: MANY.events })
    await replayTo(pair, last, MANY.events, 4)
    await pair.server.call('readPast', { after: last, events: MANY.events })
    const one = await replayTo(pair, all, past, 1)
    const many = await replayTo(pair, last, MANY.events, MANY.clients)
    return { one, many, read: await pair.server.call('readPast', { after: all, events: past }) }
  })
}

async function replayTo ({ server, clients, ports: { port } }: Pair, after: string, events: number, count: number): Promise<Cost> {
  const before = await server.call('cpu', null)
  const { wall, received } = await clients.call('replay', { port, namespace: `/${INSTANCE},`, after, events, clients: count })
  const cpu = await server.call('cpu', null) - before
  if (received !== events * count) throw new Error(`${received} of ${events * count} deliveries`)
  return { cpu: cpu / received, wall: wall / received }
}

// --- Delivery

const PER_TICK = [1, 4, 20] as const
const DELIVERY = { clients: 500, bytes: 300 }
const MAX_RATIO = 1.15
/** Single runs differ by half, so a few of them say little of a tenth. */
const MIN_RUNS = 10

async function deliveries ({ quick, runs, progress }: Context): Promise<Report> {
  const logs: readonly LogName[] = ['none', 'memory', 'lmdb']
  const measured = await alternate(logs, quick ? runs : Math.max(runs, MIN_RUNS), async (log, run) => {
    progress(`delivery, run ${run + 1}: ${logTitles[log]}`)
    return await withLog(log, {}, async choice => await deliveryRun(choice, quick ? 250 : 1000))
  })
  const cpu = (log: LogName, index: number): number[] => (measured.get(log) ?? []).map(run => {
    const { cpu, events } = run[index] as BurstResult
    return cpu / events / DELIVERY.clients
  })
  const title = `${DELIVERY.clients} clients, 0.3 kB`
  return {
    tables: [{
      title: `Delivery beside a log: ${title}`,
      columns: ['events a tick', 'log', 'CPU µs per delivery', 'ratio'],
      rows: PER_TICK.flatMap((perTick, index) => logs.map(log => [
        `${perTick}`, logTitles[log], median(cpu(log, index)).toFixed(3), log === 'none' ? '' : shown(medianRatio(cpu(log, index), cpu('none', index)))
      ]))
    }],
    targets: PER_TICK.map((perTick, index): Target => ({
      what: `${title}: ${perTick} a tick, with the memory log of the CPU without`, limit: MAX_RATIO, found: medianRatio(cpu('memory', index), cpu('none', index)), unit: ''
    })),
    figures: { ...DELIVERY, runs: Object.fromEntries(measured) }
  }
}

async function deliveryRun (log: LogChoice, cpuMs: number): Promise<BurstResult[]> {
  return await withPair({ peer: 'ours', global: false, log }, async pair => {
    // All that the memory log keeps is there before, so that each event that comes has one dropped.
    await pair.server.call('fill', { bytes: DELIVERY.bytes, events: 12_000, last: 0 })
    await pair.clients.call('connect', { ...pair.ports, groups: groupsFor('ours', false, DELIVERY.clients), timeEvery: 0 })
    const results: BurstResult[] = []
    for (const perTick of PER_TICK) {
      const load = { ...DELIVERY, perTick }
      const measure = async (ms: number): Promise<BurstResult> => {
        await expectLoad(pair, load)
        const result = await pair.server.call('burst', { ...load, cpuMs: ms })
        const received = await pair.clients.call('received', null)
        if (received !== result.events * DELIVERY.clients) throw new Error(`${received} of ${result.events * DELIVERY.clients} deliveries`)
        return result
      }
      await measure(cpuMs / 2)
      results.push(await measure(cpuMs))
    }
    return results
  })
}

// --- Memory

const HELD = 50_000

/** What an event that is remembered takes. */
async function held ({ progress }: Context): Promise<Report> {
  progress('memory of what is remembered')
  const bytes = await withLog('memory', EVERYTHING, async choice => await withServer(choice, ['--expose-gc'], async server => {
    const fill = async (events: number): Promise<number> => {
      await server.call('fill', { bytes: EMIT_BYTES, events, last: 0 })
      return (await server.call('memory', null)).held
    }
    const before = await fill(1000)
    return (await fill(HELD) - before) / HELD
  }))
  return {
    tables: [{ title: 'Memory of what is remembered', columns: ['', 'bytes each, held'], rows: [['memory, 0.5 kB', shown(bytes)]] }],
    targets: [],
    figures: { bytes }
  }
}

// --- Neighbours of a replay

const LIVE = { bytes: 300, perTick: 1, clients: 100 }
const LIVE_RATE = 500

const neighbourWays = {
  'memory, no replay': { log: 'memory', isReplayed: false },
  'memory, a replay': { log: 'memory', isReplayed: true },
  'LMDB, no replay': { log: 'lmdb', isReplayed: false },
  'LMDB, a replay': { log: 'lmdb', isReplayed: true }
} as const
type NeighbourWay = keyof typeof neighbourWays

interface Neighbours {
  readonly p50: number
  readonly p99: number
  /** Events a second that the others were brought of the past. */
  readonly replayed: number
}

/** Live events of many clients, while one is brought a long past again and again. */
async function neighbours ({ quick, runs, progress }: Context): Promise<Report> {
  const past = quick ? PAST / 4 : PAST
  const ways = Object.keys(neighbourWays) as NeighbourWay[]
  const measured = await alternate(ways, quick ? 1 : runs, async (way, run) => {
    progress(`live beside a replay, run ${run + 1}: ${way}`)
    const { log, isReplayed } = neighbourWays[way]
    return await withLog(log, EVERYTHING, async choice => await neighboursRun(choice, past, isReplayed, quick ? 2 : 5))
  })
  const of = (way: NeighbourWay, figure: keyof Neighbours): number => median((measured.get(way) ?? []).map(run => run[figure]))
  return {
    tables: [{
      title: `Latency of ${LIVE.clients} clients, ${LIVE_RATE} events/s of 0.3 kB, while another is brought ${past.toLocaleString('en-US')} events again and again`,
      columns: ['', 'p50 ms', 'p99 ms', 'replayed: events/s'],
      rows: ways.map(way => [way, shown(of(way, 'p50')), shown(of(way, 'p99')), shown(of(way, 'replayed'))])
    }],
    targets: [],
    figures: { past, rate: LIVE_RATE, runs: Object.fromEntries(measured) }
  }
}

async function neighboursRun (log: LogChoice, past: number, isReplayed: boolean, seconds: number): Promise<Neighbours> {
  // A process of its own, so that its work is not in the latency of the others.
  const replayer = new Child<ClientsApi>('clients.ts')
  try {
    return await withPair({ peer: 'ours', global: false, log }, async pair => {
      const { clients, server, ports } = pair
      const { all } = await server.call('fill', { bytes: LIVE.bytes, events: past, last: 0 })
      await clients.call('connect', { ...ports, groups: groupsFor('ours', false, LIVE.clients), timeEvery: 1 })
      const live = async (seconds: number): Promise<void> => {
        await expectLoad(pair, LIVE)
        await server.call('steady', { ...LIVE, rate: LIVE_RATE, events: LIVE_RATE * seconds })
      }
      const replay = async (): Promise<number> => (await replayer.call('replay', { port: ports.port, namespace: `/${INSTANCE},`, after: all, events: past, clients: 1 })).received
      await live(1)
      await replay()
      const turn = { isOver: !isReplayed }
      const measured = live(seconds).finally(() => { turn.isOver = true })
      let replayed = 0
      const start = performance.now()
      while (!turn.isOver) replayed += await replay()
      const took = (performance.now() - start) / 1000
      await measured
      return { ...await clients.call('latency', null), replayed: isReplayed ? replayed / took : 0 }
    })
  } finally {
    await replayer.end()
  }
}
