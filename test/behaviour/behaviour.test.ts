import t from 'tap'
import { read } from '../helpers/documents.js'
import { expected } from './outcomes.js'
import { isRight, pageOf } from './page.js'
import { playAll } from './play-all.js'

// What becomes of a client, in each state, by each thing that can happen to it. A row that fails today has to fail:
// whoever puts it right takes its mark away in rows.ts.

t.setTimeout(600_000)

const played = await playAll()

t.test('what becomes of a client is what the table says', t => {
  for (const one of played) {
    const { row, seen } = one
    const name = `${row.state}, ${row.happening}, ${row.way}`
    if (row.failsToday === undefined) t.strictSame(seen, expected(row), name)
    else t.notOk(isRight(one), `${name}: fails today, because ${row.failsToday}; if it is right, take its mark away`)
  }
  t.ok(played.length >= 100)
  t.end()
})

t.test('docs/behaviour.md is what was seen; npm run behaviour makes it anew', t => {
  t.equal(read('docs/behaviour.md'), pageOf(played), 'npm run behaviour makes it anew')
  t.end()
})
