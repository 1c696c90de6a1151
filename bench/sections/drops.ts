import type { Totals } from '../../test/helpers/drops/plan.js'
import { runDrops } from '../../test/helpers/drops/run.js'
import type { Context } from '../lib/context.js'
import { type DropPeer, startOurs, startRecovery } from '../lib/drops-servers.js'
import type { Report } from '../lib/report.js'

const RATE = 500

const ways: Readonly<Record<string, () => Promise<DropPeer>>> = {
  'fastify-ws-events': async () => await startOurs('ids'),
  'fastify-ws-events, stockResume': async () => await startOurs('stock'),
  'Socket.IO\'s recovery': async () => await startRecovery(true),
  'Socket.IO\'s recovery, every client checked': async () => await startRecovery(false)
}

/** What clients have lost, or got twice or out of order, whose connections were cut again and again. */
export async function drops ({ quick, progress }: Context): Promise<Report> {
  const load = { clients: quick ? 60 : 200, cuts: quick ? 15 : 50, rate: RATE }
  const measured = new Map<string, Totals>()
  // Once: these are no figures of speed, and zero is zero.
  for (const [name, start] of Object.entries(ways)) {
    progress(`dropped connections: ${name}`)
    const server = await start()
    try {
      measured.set(name, await runDrops(server, load))
    } finally {
      await server.fastify.close()
    }
  }
  const title = `${load.clients} clients, each cut ${load.cuts} times, ${RATE} events a second`
  const ours = [...measured].filter(([name]) => name.startsWith('fastify-ws-events'))
  return {
    tables: [{
      title,
      columns: ['', 'events received', 'lost in silence', 'lost, and told', 'received twice', 'of what the client held back', 'out of order', 'told of a gap'],
      rows: [...measured].map(([name, { deliveries, lost, missed, duplicated, repeated, outOfOrder, gaps }]) => [name, ...[deliveries, lost, missed, duplicated, repeated, outOfOrder, gaps].map(count => count.toLocaleString('en-US'))])
    }],
    targets: ours.flatMap(([name, { lost, missed, duplicated, outOfOrder, gaps }]) => [
      { what: `${name}, ${title}: events lost`, limit: 0, found: lost + missed, unit: '' },
      { what: `${name}, ${title}: events received twice or out of order`, limit: 0, found: duplicated + outOfOrder, unit: '' },
      { what: `${name}, ${title}: clients told of a gap`, limit: 0, found: gaps, unit: '' }
    ]),
    figures: { load, runs: Object.fromEntries(measured) }
  }
}
