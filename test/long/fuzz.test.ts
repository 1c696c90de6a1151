import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { KINDS } from '../fuzz/draw/session.js'
import { fuzz } from '../fuzz/fuzz.js'
import { bundleServer } from '../fuzz/process.js'
import { describe } from '../fuzz/report.js'
import { seedOf, targets } from '../fuzz/targets.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'

// A short piece of `npm run fuzz`, the same in each run. What is drawn with another seed, or with more inputs, is other.
const SEED = 6
const INPUTS = 900
/** Of what `npm run fuzz` attacks. */
const NAMES = ['memory-traditional', 'memory-global', 'memory-places', 'lmdb-evolution', 'redis-global']

t.test('servers of every store and mode stand some thousand odd inputs, and healthy clients miss nothing', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  if (withoutRedis !== false) t.comment(withoutRedis)
  const redis = withoutRedis === false ? (await startRedis(t)).url : undefined
  const program = await bundleServer(t)
  const attacked = targets({ directory, redis }).filter(({ name }) => NAMES.includes(name))
  t.equal(attacked.length, redis === undefined ? NAMES.length - 1 : NAMES.length)
  const outcomes = await Promise.all(attacked.map(async ({ name, options, limits }) => {
    const outcome = await fuzz(t, { seed: seedOf(SEED, name), inputs: INPUTS, options, limits, program })
    t.comment(describe(name, SEED, outcome))
    return { ...outcome, limits }
  }))
  for (const kind of KINDS) t.ok(outcomes.some(({ counts }) => counts[kind] > 0), `there was something of the kind ${kind}`)
  for (const { faults, events, witnesses, found, limits } of outcomes) {
    t.strictSame(faults, [])
    t.ok(events > 0 && witnesses >= 2, 'healthy clients were there')
    for (const limit of limits) t.ok((found?.stats.limits[limit] ?? 0) > 0, `${limit} was reached`)
    t.ok((found?.stats.clients.admitted ?? 0) > witnesses, 'some of the attack came in')
  }
})
