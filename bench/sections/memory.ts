import { setTimeout as sleep } from 'node:timers/promises'
import { alternate, type Context } from '../lib/context.js'
import { groupsFor, withPair } from '../lib/pair.js'
import { type Report, shown } from '../lib/report.js'
import { median, medianRatio } from '../lib/statistics.js'
import { type PeerName, peerTitles } from '../peers/peer.js'

const LIMIT = 0.95

interface Footprint {
  /** Bytes a connection, of what JavaScript holds, and of what the operating system counts. */
  readonly held: number
  readonly rss: number
  /** µs of CPU a connection. */
  readonly cpu: number
  /** Bytes of `held` that the plugin's session keeps alive. */
  readonly session: number
}

/** What a connection costs that does nothing. */
export async function memory ({ quick, runs, progress }: Context): Promise<Report> {
  const connections = quick ? 1000 : 2000
  const peers: readonly PeerName[] = quick ? ['socketio', 'ours'] : ['socketio', 'ws', 'ours']
  // Bytes vary little from run to run.
  const measured = await alternate(peers, quick ? 2 : runs, async (peer, run) => {
    progress(`${connections} connections, run ${run + 1}: ${peerTitles[peer]}`)
    return await footprint(peer, connections)
  })
  const of = (peer: PeerName, figure: keyof Footprint): number[] => (measured.get(peer) ?? []).map(run => run[figure])
  return {
    tables: [{
      title: `Connections: ${connections.toLocaleString('en-US')} that are idle`,
      columns: ['', 'bytes each, held', 'of these, the session', 'bytes each, RSS', 'CPU µs per connect'],
      rows: [...measured.keys()].map(peer => [peerTitles[peer], shown(median(of(peer, 'held'))), peer === 'ours' ? shown(median(of(peer, 'session'))) : '-', shown(median(of(peer, 'rss'))), shown(median(of(peer, 'cpu')))])
    }],
    targets: [
      { what: 'memory per connection (held), of plain Socket.IO\'s', limit: LIMIT, found: medianRatio(of('ours', 'held'), of('socketio', 'held')), unit: '' }
    ],
    figures: { connections, runs: Object.fromEntries(measured) }
  }
}

async function footprint (peer: PeerName, connections: number): Promise<Footprint> {
  return await withPair({ peer, global: false, nodeOptions: ['--expose-gc'] }, async ({ server, clients, ports }) => {
    // As many come and go before: what is loaded, compiled and sized once is there, and is no connection's.
    await clients.call('connect', { ...ports, groups: groupsFor(peer, false, connections), timeEvery: 0 })
    await clients.call('leave', null)
    await sleep(300)
    const before = await server.call('memory', null)
    const cpuBefore = await server.call('cpu', null)
    await clients.call('connect', { ...ports, groups: groupsFor(peer, false, connections), timeEvery: 0 })
    const cpu = await server.call('cpu', null) - cpuBefore
    await sleep(500)
    const after = await server.call('memory', null)
    const each = (figure: 'held' | 'rss'): number => (after[figure] - before[figure]) / connections
    // At the end: the snapshot itself takes memory.
    const session = peer === 'ours' ? await server.call('retained', 'SocketSession') / connections : 0
    return { held: each('held'), rss: each('rss'), cpu: cpu / connections, session }
  })
}
