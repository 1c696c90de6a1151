import { inParallel } from '../helpers/outcome.js'
import type { Played } from './page.js'
import { play } from './play.js'
import { type Row, rows } from './rows.js'

/** Most rows wait for a client or a timer of the server's for the most time. */
const AT_A_TIME = 12
/** Rows in which the server waits for seconds go first. */
const LONG = new Set(['reads nothing', 'verify never answers', 'store never ready', 'idle', 'stays quiet'])

/** Plays rows, all if not told, and some at a time; results in the order of the table. */
export async function playAll (wanted: readonly Row[] = rows): Promise<Played[]> {
  const order = wanted.toSorted((a, b) => Number(LONG.has(b.happening)) - Number(LONG.has(a.happening)))
  const played = await inParallel(order, AT_A_TIME, async row => ({ row, seen: await play(row) }))
  return played.toSorted((a, b) => rows.indexOf(a.row) - rows.indexOf(b.row))
}
