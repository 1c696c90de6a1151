import { alternate, type Context } from '../lib/context.js'
import type { SteadyResult } from '../lib/emission.js'
import { expectLoad, groupsFor, withPair } from '../lib/pair.js'
import { INSTANCE } from '../lib/payload.js'
import { type Report, shown } from '../lib/report.js'
import { median } from '../lib/statistics.js'
import type { PeerName } from '../peers/peer.js'

const LOAD = { bytes: 1000, perTick: 20, clients: 99 }
const EVENTS = 200_000
const RATE = 8000
const MB = 1024 * 1024
/** Where a server that only grows is stopped. */
const MAX_GROWTH = 700 * MB
const MAX_OURS = 16
const MAX_LATENCY = 1.5

interface Stalled extends SteadyResult {
  readonly p50: number
  readonly p99: number
  readonly ended: boolean
}

const ways = {
  'ours, without': { peer: 'ours', stalled: false },
  'ours, one stalled': { peer: 'ours', stalled: true },
  'Socket.IO, one stalled': { peer: 'socketio', stalled: true }
} as const
type Way = keyof typeof ways

/** One client that stops reading, among 99 that go on. */
export async function stalled ({ quick, runs, progress }: Context): Promise<Report> {
  const events = quick ? EVENTS / 10 : EVENTS
  const once = async (way: Way, run: number): Promise<Stalled> => {
    progress(`stalled client, run ${run + 1}: ${way}`)
    return await measure(ways[way].peer, ways[way].stalled, events)
  }
  const measured: Map<Way, Stalled[]> = await alternate(['ours, without', 'ours, one stalled'] as Way[], quick ? 1 : runs, once)
  // Only to have something to compare with: it takes minutes, and varies little.
  if (!quick) measured.set('Socket.IO, one stalled', [await once('Socket.IO, one stalled', 0)])
  const of = (way: Way, figure: 'growth' | 'p50' | 'p99' | 'events'): number[] => (measured.get(way) ?? []).map(run => run[figure])
  const ended = (way: Way): number => (measured.get(way) ?? []).filter(run => run.ended).length
  const notEnded = (measured.get('ours, one stalled')?.length ?? 0) - ended('ours, one stalled')
  return {
    tables: [{
      title: `A stalled client, 99 others, ${events.toLocaleString('en-US')} events of 1 kB, ${RATE.toLocaleString('en-US')} a second or as fast as the others follow`,
      columns: ['', 'events', 'growth MB', 'stalled client ended', 'p50 ms of the others', 'p99 ms of the others'],
      rows: [...measured.keys()].map(way => [
        way, shown(median(of(way, 'events'))), shown(median(of(way, 'growth')) / MB),
        ways[way].stalled ? `${ended(way)} of ${measured.get(way)?.length ?? 0}` : '-',
        shown(median(of(way, 'p50'))), shown(median(of(way, 'p99')))
      ])
    }],
    targets: [
      { what: 'a stalled client: growth', limit: MAX_OURS, found: median(of('ours, one stalled', 'growth')) / MB, unit: ' MB' },
      { what: 'a stalled client: runs in which it was not ended', limit: 0, found: notEnded, unit: '' },
      // Not a median of ratios: a p99 is made by pauses that hit one run and not its neighbour.
      { what: 'a stalled client: p99 of the others, times that without it', limit: MAX_LATENCY, found: median(of('ours, one stalled', 'p99')) / median(of('ours, without', 'p99')), unit: '' }
    ],
    figures: { events, rate: RATE, runs: Object.fromEntries(measured) }
  }
}

async function measure (peer: PeerName, withStalled: boolean, events: number): Promise<Stalled> {
  return await withPair({ peer, global: false }, async pair => {
    const { clients, server, ports } = pair
    await clients.call('connect', { ...ports, groups: groupsFor(peer, false, LOAD.clients), timeEvery: 9 })
    // What retention keeps, and what the heap takes for a load like this, is there before.
    await expectLoad(pair, LOAD)
    await server.call('steady', { ...LOAD, rate: RATE, events: peer === 'ours' ? 20_000 : 2000 })
    if (withStalled) await clients.call('stall', { port: ports.port, namespace: `/${INSTANCE},` })
    await expectLoad(pair, LOAD)
    const result = await server.call('steady', { ...LOAD, rate: RATE, events, maxGrowth: MAX_GROWTH })
    const { p50, p99 } = await clients.call('latency', null)
    const ended = withStalled && await server.call('connections', null) === LOAD.clients && await clients.call('wasEnded', null)
    return { ...result, p50, p99, ended }
  })
}
