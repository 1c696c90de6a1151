import t from 'tap'
import { read } from '../helpers/documents.js'
import { expected } from './outcomes.js'
import { pageOf } from './page.js'
import { playAll } from './play-all.js'

// What becomes of a client, in each state, by each thing that can happen to it.

t.setTimeout(600_000)

const played = await playAll()

t.test('what becomes of a client is what the table says', t => {
  for (const { row, seen } of played) t.strictSame(seen, expected(row), `${row.state}, ${row.happening}, ${row.way}`)
  t.ok(played.length >= 100)
  t.end()
})

t.test('docs/behaviour.md is what was seen; npm run behaviour makes it anew', t => {
  t.equal(read('docs/behaviour.md'), pageOf(played), 'npm run behaviour makes it anew')
  t.end()
})
