import t from 'tap'
import { read } from '../helpers/documents.js'
import { sampleOf } from '../helpers/sample.js'
import { expected } from './outcomes.js'
import { pageOf } from './page.js'
import { playAll } from './play-all.js'
import { rows, states } from './rows.js'

// What becomes of a client, in each state, by each thing that can happen to it: by one way in, in turn; in test/long by
// every way.

t.setTimeout(600_000)

/** The rows of a thing that happens in a state: one for each way in. */
const cases = states.flatMap(state => {
  const inState = rows.filter(row => row.state === state)
  return [...new Set(inState.map(({ happening }) => happening))].map(happening => inState.filter(row => row.happening === happening))
})

t.test('what becomes of a client is what the table says', async t => {
  const played = await playAll(cases.flatMap((ofWays, turn) => sampleOf(ofWays, ofWays.length, turn)))
  for (const { row, seen } of played) t.strictSame(seen, expected(row), `${row.state}, ${row.happening}, ${row.way}`)
  t.ok(played.length >= cases.length && cases.length >= 80)
})

t.test('docs/behaviour.md is what the table says; npm run behaviour makes it anew', t => {
  t.equal(read('docs/behaviour.md'), pageOf(rows.map(row => ({ row, seen: expected(row) }))), 'npm run behaviour makes it anew')
  t.end()
})
