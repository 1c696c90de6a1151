import t from 'tap'
import '../../lib/gateway/io.js'
import type { Verify } from '../../lib/index.js'
import { GRANTS } from '../helpers/drops/plan.js'
import { checking, PINGS, runDrops } from '../helpers/drops/run.js'
import { startServer } from '../helpers/server.js'

const CLIENTS = 200
const CUTS = 50
const RATE = 500
// All of them: a machine that is slow must make no gap.
const retention = { maxEvents: 1_000_000, maxBytes: 256 * 1024 * 1024, maxAge: 3_600_000 }

// Of a busy machine: on two idle cores it takes a minute.
t.setTimeout(1_900_000)

for (const way of ['ids', 'stock'] as const) {
  const who = way === 'ids' ? 'clients' : 'stock clients that only compare ids'
  t.test(`${CLIENTS} ${who}, each cut ${CUTS} times under ${RATE} events a second, get every event once and in order`, async t => {
    const verify: Verify = async ({ apikey }) => {
      await checking()
      const events = GRANTS[apikey ?? '']
      return events === undefined ? true : { events }
    }
    const options = { globalEvents: true, defaultConfig: { enabled: true }, verify, socketio: PINGS, retention, stockResume: way === 'stock' }
    const { fastify, url } = await startServer(t, options)
    const { wsEvents, io } = fastify
    const totals = await runDrops({ url, way, io, emit: (...event) => wsEvents.emit(...event) }, { clients: CLIENTS, cuts: CUTS, rate: RATE })
    const { clients, cuts, deliveries, emitted, held, repeated, surprises, ...faults } = totals
    const { replayed, resumed } = wsEvents.stats().delivery
    t.comment(`${clients} clients, ${cuts} cuts, ${emitted} events, ${deliveries} deliveries, ${replayed} replayed, ${held} held back by clients, ${repeated} of these replayed as well`)
    t.strictSame(faults, { lost: 0, missed: 0, duplicated: 0, outOfOrder: 0, strange: 0, gaps: 0 })
    t.strictSame(surprises, [])
    t.equal(resumed.gap, 0)
    t.ok(cuts >= CLIENTS * CUTS, 'everybody was cut')
    t.ok(replayed > CLIENTS * CUTS, 'and missed something')
  })
}
