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

/** The cells of some limits, each as likely as the others. */
export const goal = (limits: readonly LimitName[]): fc.Arbitrary<Goal> => {
  const cells = limits.flatMap(limit => LIMIT_CELLS[limit].cells.flatMap(([ways, states]) => ways.flatMap(way => states.map(state => ({ limit, way, state })))))
  return fc.tuple(fc.constantFrom(...cells), fc.integer({ min: 4, max: 8 })).map(([cell, over]) => ({ ...cell, over }))
}
