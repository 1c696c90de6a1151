import { alternate, type Context } from '../lib/context.js'
import { Child } from '../lib/children.js'
import { type Report, shown } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import { type PeerName, peerTitles } from '../peers/peer.js'
import type { ServerApi } from '../server.js'

const cases = [
  { title: '0.3 kB', bytes: 300, awaited: false },
  { title: '100 kB', bytes: 100_000, awaited: false },
  { title: '0.3 kB, awaited', bytes: 300, awaited: true },
  { title: '100 kB, awaited', bytes: 100_000, awaited: true }
] as const

const LIMIT = 0.5
/** How much 100 kB may differ from 0.3 kB and still count as the same, with what else goes on in the machine. */
const SAME = 1.25

/** What an emit costs while nobody is connected. */
export async function idle ({ quick, runs, progress }: Context): Promise<Report> {
  const peers: readonly PeerName[] = ['socketio', 'ours']
  const measured = await alternate(peers, runs, async (peer, run) => {
    progress(`emit with nobody there, run ${run + 1}: ${peerTitles[peer]}`)
    const server = new Child<ServerApi>('server.ts')
    try {
      await server.call('start', { peer, global: false })
      const results: number[] = []
      for (const { bytes, awaited } of cases) results.push(await server.call('emptyEmit', { bytes, awaited, cpuMs: quick ? 100 : 400 }))
      return results
    } finally {
      await server.end()
    }
  })
  const of = (peer: PeerName, index: number): number[] => (measured.get(peer) ?? []).map(run => run[index] ?? NaN)
  return {
    tables: [{
      title: 'Emit with nobody there, CPU µs for each',
      columns: ['data', peerTitles.socketio, peerTitles.ours],
      rows: cases.map(({ title }, index) => [title, shown(median(of('socketio', index))), median(of('ours', index)).toFixed(3)])
    }],
    targets: [
      ...cases.map(({ title }, index) => ({ what: `emit with nobody there: ${title}`, limit: LIMIT, found: median(of('ours', index)), unit: ' µs' })),
      { what: 'emit with nobody there: 100 kB, times 0.3 kB', limit: SAME, found: medianRatio(of('ours', 1), of('ours', 0)), unit: '' }
    ],
    figures: { cases: cases.map(({ title }) => title), runs: Object.fromEntries(measured) }
  }
}
