/** `npm run fuzz`: attacks servers of every store and mode with odd inputs, and says what they did not stand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import type { Scope } from '../helpers/server.js'
import { fuzz, type Outcome } from './fuzz.js'
import { bundleServer } from './process.js'
import { describe, describeHits, LEAST, missedCells, total } from './report.js'
import { seedOf, targets } from './targets.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    inputs: { type: 'string', default: '200000' },
    store: { type: 'string' },
    target: { type: 'string' },
    session: { type: 'string' }
  }
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)

/** Inputs of a whole run, which must hit every cell. */
const WHOLE = 200_000

/** Servers that are attacked side by side: while one settles, the others have the processor. */
const AT_ONCE = 3

const cleaners: Array<() => unknown> = []
const scope: Scope = { teardown: clean => { cleaners.push(clean) } }

async function main (): Promise<boolean> {
  const program = await bundleServer(scope)
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-'))
  scope.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const redis = withoutRedis === false ? (await startRedis(scope)).url : undefined
  if (withoutRedis !== false) console.log(withoutRedis)
  const chosen = targets({ directory, redis }).filter(({ name, store }) => (values.store ?? store) === store && (values.target ?? name) === name)
  console.log(`seed ${seed}`)
  const began = performance.now()
  const outcomes: Outcome[] = []
  const waiting = [...chosen]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const { name, options, limits } = target
      const outcome = await fuzz(scope, { seed: seedOf(seed, name), inputs: Math.ceil(Number(values.inputs) / chosen.length), options, limits, program, only: values.session === undefined ? undefined : Number(values.session) })
      console.log(describe(name, seed, outcome))
      outcomes.push(outcome)
    }
  }))
  console.log(describeHits(outcomes))
  console.log(total(seed, outcomes, (performance.now() - began) / 1000))
  // With fewer inputs, or without a store, not every cell can be hit so often.
  const isWhole = Number(values.inputs) >= WHOLE && values.store === undefined && values.target === undefined && redis !== undefined
  const missed = isWhole ? missedCells(outcomes) : []
  if (missed.length > 0) console.log(`MISSED: hit less than ${LEAST} times: ${missed.join('; ')}`)
  return missed.length === 0 && outcomes.every(({ faults }) => faults.length === 0)
}

try {
  process.exitCode = await main() ? 0 : 1
} finally {
  for (const clean of cleaners.reverse()) await clean()
}
// A client of a session that has not ended may try for ever to reach a server that is gone.
process.exit()
