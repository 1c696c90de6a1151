import fc from 'fast-check'
import type { LimitName } from '../../../lib/limits/limits.js'
import { cellOf, LIMIT_CELLS, type State, type Way } from '../cells.js'

/** What an attacker sets out to do: to reach a limit by a way, in a state of its session. */
export interface Goal {
  readonly limit: LimitName
  readonly way: Way
  readonly state: State
  /** How many more than there may be. */
  readonly over: number
}

/** How much more often than others the cells of a limit, or one cell, are drawn: few of those who set out for it reach it. */
const WEIGHTS: Readonly<Record<string, number>> = {
  connectionsPerAddress: 2,
  queuedBytes: 3,
  'stream queuedBytes recovering': 9,
  queuedBytesMax: 2,
  messageBytes: 2,
  publishPerSecond: 4
}

/** The cells of some limits. */
export const goal = (limits: readonly LimitName[]): fc.Arbitrary<Goal> => {
  const each = limits.flatMap(limit => LIMIT_CELLS[limit].cells.flatMap(([ways, states]) => ways.flatMap(way => states.map(state => ({ limit, way, state })))))
  const cells = each.flatMap(cell => {
    const weight = WEIGHTS[cellOf(cell.way, cell.limit, cell.state)] ?? WEIGHTS[cell.limit] ?? 1
    return Array.from({ length: weight }, () => cell)
  })
  return fc.tuple(fc.constantFrom(...cells), fc.integer({ min: 4, max: 8 })).map(([cell, over]) => ({ ...cell, over }))
}
