import fc from 'fast-check'
import type { LimitName } from '../../../lib/limits/limits.js'
import { LIMIT_CELLS, type State, type Way } from '../cells.js'

/** What an attacker sets out to do: to reach a limit by a way, in a state of its session. */
export interface Goal {
  readonly limit: LimitName
  readonly way: Way
  readonly state: State
  /** How many more than there may be. */
  readonly over: number
}

/** How much more often than others the cells of a limit are drawn, because few of those who set out for it reach it. */
const WEIGHTS: Readonly<Partial<Record<LimitName, number>>> = { queuedBytes: 3, queuedBytesMax: 2, messageBytes: 2, publishPerSecond: 4 }

/** The cells of some limits. */
export const goal = (limits: readonly LimitName[]): fc.Arbitrary<Goal> => {
  const cells = limits.flatMap(limit => {
    const each = LIMIT_CELLS[limit].cells.flatMap(([ways, states]) => ways.flatMap(way => states.map(state => ({ limit, way, state }))))
    return Array.from({ length: WEIGHTS[limit] ?? 1 }, () => each).flat()
  })
  return fc.tuple(fc.constantFrom(...cells), fc.integer({ min: 4, max: 8 })).map(([cell, over]) => ({ ...cell, over }))
}
