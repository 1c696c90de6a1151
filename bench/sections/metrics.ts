import type { Context } from '../lib/context.js'
import type { BurstResult } from '../lib/emission.js'
import { expectLoad, groupsFor, type Pair, withPair } from '../lib/pair.js'
import { type Report, shown } from '../lib/report.js'
import { median, percentile } from '../lib/statistics.js'

interface Cell {
  readonly title: string
  readonly clients: number
  readonly perTick: number
  /** At most, of the CPU without metrics. */
  readonly limit?: number
}

const BYTES = 300
/** How often Prometheus asks here, in ms. By itself it does so every 15 to 60 s. */
const SCRAPE_EVERY = 1000
/** In ms of CPU. By the clock it is more, so that a scrape falls into each. */
const BURST = 1000

const cells: readonly Cell[] = [
  { title: '500 clients, 4 events a tick', clients: 500, perTick: 4, limit: 1.02 },
  { title: '1 client, 1 event a tick', clients: 1, perTick: 1 }
]

/** Of one run: in each, both ways are measured one right after the other. */
const ROUNDS = 12
/** Of which the mean is what one costs. */
const SCRAPES = 200

interface Round {
  /** µs of CPU for each delivery. */
  readonly without: number
  readonly with: number
}

interface Run {
  readonly rounds: readonly Round[]
  /** What a scrape costs by itself, in µs of CPU, and its bytes. */
  readonly scrape: { readonly cpu: number, readonly bytes: number }
}

interface Found {
  readonly cell: Cell
  readonly runs: readonly Run[]
  readonly without: number
  readonly with: number
  readonly ratio: number
  /** Half of the rounds have a ratio between these. */
  readonly quartiles: readonly [number, number]
}

/** What it costs to count, and to be asked for it every second under load. */
export async function metrics (context: Context): Promise<Report> {
  const found: Found[] = []
  for (const cell of context.quick ? cells.slice(0, 1) : cells) {
    const runs: Run[] = []
    for (let run = 0; run < context.runs; run++) runs.push(await measure(cell, run, context))
    found.push(summary(cell, runs))
  }
  return {
    tables: [{
      title: 'Metrics: delivery with metrics and a scrape every second, against delivery without',
      columns: ['', 'CPU µs per delivery without', 'with', 'ratio', 'half of the rounds between', 'rounds', 'CPU ms of a scrape', 'its kB'],
      rows: found.map(({ cell: { title }, runs, without, with: counted, ratio, quartiles }) => [
        title,
        without.toFixed(3),
        counted.toFixed(3),
        ratio.toFixed(3),
        quartiles.map(quartile => quartile.toFixed(3)).join(' and '),
        String(runs.length * ROUNDS),
        (median(runs.map(({ scrape }) => scrape.cpu)) / 1000).toFixed(2),
        shown(median(runs.map(({ scrape }) => scrape.bytes)) / 1000)
      ])
    }],
    targets: found.flatMap(({ cell: { title, limit }, ratio }) => {
      return limit === undefined ? [] : [{ what: `metrics, ${title}, of the CPU without`, limit, found: ratio, unit: '' }]
    }),
    figures: found
  }
}

function summary (cell: Cell, runs: readonly Run[]): Found {
  const rounds = runs.flatMap(run => run.rounds)
  const ratios = rounds.map(round => round.with / round.without)
  return {
    cell,
    runs,
    without: median(rounds.map(({ without }) => without)),
    with: median(rounds.map(round => round.with)),
    ratio: median(ratios),
    quartiles: [percentile(ratios, 25), percentile(ratios, 75)]
  }
}

/** Both servers are there at once, and work in turn: what the machine does besides weighs on both. */
async function measure (cell: Cell, run: number, { progress }: Context): Promise<Run> {
  const connect = async (pair: Pair): Promise<void> => {
    await pair.clients.call('connect', { ...pair.ports, groups: groupsFor('ours', false, cell.clients), timeEvery: 0 })
  }
  return await withPair({ peer: 'ours', global: false }, async without =>
    await withPair({ peer: 'ours', global: false, metrics: true }, async counted => {
      await connect(without)
      await connect(counted)
      const plain = async () => await perDelivery(cell, without)
      const scraped = async () => await whileScraped(counted, async () => await perDelivery(cell, counted))
      const rounds: Round[] = []
      // The first one warms up.
      for (let round = 0; round <= ROUNDS; round++) {
        progress(`metrics, ${cell.title}, run ${run + 1}, round ${round}`)
        const early = round % 2 === 0 ? await plain() : undefined
        const found = await scraped()
        rounds.push({ without: early ?? await plain(), with: found })
      }
      return { rounds: rounds.slice(1), scrape: await counted.server.call('scrapeCost', { scrapes: SCRAPES }) }
    }))
}

async function perDelivery ({ clients, perTick }: Cell, pair: Pair): Promise<number> {
  const load = { bytes: BYTES, perTick, clients }
  await expectLoad(pair, load)
  const result: BurstResult = await pair.server.call('burst', { ...load, cpuMs: BURST })
  const received = await pair.clients.call('received', null)
  if (received !== result.events * clients) throw new Error(`${received} of ${result.events * clients} deliveries`)
  return result.cpu / result.events / clients
}

/** Asks for the metrics at once, and then every second, until something is done. */
async function whileScraped<Result> ({ ports }: Pair, use: () => Promise<Result>): Promise<Result> {
  const ask = async (): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${ports.port}/metrics`)
    const text = await answer.text()
    if (!answer.ok || !text.includes('ws_events_delivered_total')) throw new Error(`the metrics could not be had: ${answer.status}`)
  }
  const asked = [ask()]
  const timer = setInterval(() => { asked.push(ask()) }, SCRAPE_EVERY)
  try {
    return await use()
  } finally {
    clearInterval(timer)
    await Promise.all(asked)
  }
}
