import t, { type Test } from 'tap'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { type Outcome, runChaos } from '../nodes/chaos/run.js'

/** Of each test; 120 and more show what is rare. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 13)
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 32))
/** How long Redis is paused, in ms. */
const PAUSE = SECONDS < 60 ? 2000 : 10_000
const PLAN = { seed: SEED, nodes: 3, clients: 100, roots: 0, instances: 10, rate: 500, seconds: SECONDS, pause: PAUSE }

// To start, and to wait for what may be lost.
t.setTimeout((SECONDS * 2 + 600) * 1000)

function check (t: Test, { tally, arrivals, faults, losses, resolved, untold, deliveries, returns, repeated, rejected, surprises }: Outcome): void {
  const happened = Object.entries({ ...tally, returns, ...faults }).map(([what, count]) => `${count} ${what}`).join(', ')
  t.comment(`seed ${SEED}: ${resolved} events and ${untold} that were not told of, ${deliveries} deliveries, ${repeated} replayed that clients had held back, ${happened}`)
  if (arrivals.includes(false)) t.comment(`the newest events arrived in time: ${arrivals.join(', ')}`)
  for (const loss of losses) t.comment(loss)
  t.strictSame(faults, { lost: 0, doubled: 0, outOfOrder: 0, strange: 0, gaps: 0 })
  t.strictSame([...new Set(surprises)], [], 'nobody was refused or sent away')
  t.strictSame([...new Set(rejected)], [], 'every emit was accepted')
  t.ok(resolved > SECONDS * PLAN.rate / 3, 'events were emitted all the time')
  for (const [what, count] of Object.entries(tally)) t.ok(count > 0, `there were ${what}`)
}

t.test('nodes and Redis are killed, restarted and paused while 100 clients roam: each gets all that had resolved, once and in order', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  check(t, await runChaos(t, redis, { store: `${redis.url}?prefix=chaos` }, PLAN))
})

t.test('and so do those at the root in global mode', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  check(t, await runChaos(t, redis, { store: `${redis.url}?prefix=chaos`, globalEvents: true }, { ...PLAN, roots: 5 }))
})

t.test('and so do stock clients that keep nothing and only compare ids', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  check(t, await runChaos(t, redis, { store: `${redis.url}?prefix=chaos`, globalEvents: true, stockResume: true }, { ...PLAN, roots: 5, stock: true }))
})
