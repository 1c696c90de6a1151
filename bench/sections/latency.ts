import { alternate, type Context } from '../lib/context.js'
import { expectLoad, groupsFor, withPair } from '../lib/pair.js'
import { type Report, shown } from '../lib/report.js'
import { median } from '../lib/statistics.js'
import { type PeerName, peerTitles } from '../peers/peer.js'

const LOAD = { bytes: 300, perTick: 1, clients: 500 }
/** Time is read from the events of every so many clients: enough to tell, and little to do. */
const TIME_EVERY = 5
const SECONDS = 4

/**
 * From the moment that an event was due until it has been read, at half of the rate that Socket.IO can do. There is
 * time between the events, so that each is written by itself: the CPU is that of the plain case.
 */
export async function latency ({ quick, runs, progress }: Context): Promise<Report> {
  progress('latency: how many events a second can Socket.IO do?')
  const peak = await peakRate('socketio', quick)
  const rate = peak / 2
  const peers: readonly PeerName[] = ['socketio', 'ours']
  const measured = await alternate(peers, quick ? 1 : runs, async (peer, run) => {
    progress(`latency at ${Math.round(rate)} events/s, run ${run + 1}: ${peerTitles[peer]}`)
    return await withPair({ peer, global: false }, async pair => {
      await pair.clients.call('connect', { ...pair.ports, groups: groupsFor(peer, false, LOAD.clients), timeEvery: TIME_EVERY })
      let cpuPerDelivery = 0
      for (const seconds of [1, quick ? SECONDS / 2 : SECONDS]) {
        await expectLoad(pair, LOAD)
        const { cpu, events } = await pair.server.call('steady', { ...LOAD, rate, events: rate * seconds })
        cpuPerDelivery = cpu / events / LOAD.clients
      }
      return { ...await pair.clients.call('latency', null), cpuPerDelivery }
    })
  })
  const of = (peer: PeerName, figure: 'p50' | 'p99' | 'cpuPerDelivery'): number => median((measured.get(peer) ?? []).map(run => run[figure]))
  return {
    tables: [{
      title: `Latency: ${LOAD.clients} clients, 0.3 kB, ${Math.round(rate)} events/s (half of what Socket.IO can do)`,
      columns: ['way', 'p50 ms', 'p99 ms', 'CPU µs per delivery'],
      rows: peers.map(peer => [peerTitles[peer], shown(of(peer, 'p50')), shown(of(peer, 'p99')), shown(of(peer, 'cpuPerDelivery'))])
    }],
    targets: [],
    figures: { peak, rate, runs: Object.fromEntries(measured) }
  }
}

async function peakRate (peer: PeerName, quick: boolean): Promise<number> {
  return await withPair({ peer, global: false }, async pair => {
    await pair.clients.call('connect', { ...pair.ports, groups: groupsFor(peer, false, LOAD.clients), timeEvery: TIME_EVERY })
    const rates: number[] = []
    for (let run = 0; run < (quick ? 2 : 4); run++) {
      await expectLoad(pair, LOAD)
      const { events, wall } = await pair.server.call('burst', { ...LOAD, cpuMs: 500 })
      rates.push(events / wall * 1e6)
    }
    // The first one warms up.
    return median(rates.slice(1))
  })
}
