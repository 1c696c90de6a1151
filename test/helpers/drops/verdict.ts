import { type Emitted, isEntitled, type Profile, type Totals } from './plan.js'

/** What a client has received: numbers, in the order that they came in. */
export interface Received {
  readonly profile: Profile
  readonly numbers: readonly number[]
  /** How many it had received each time that it was told of a gap. */
  readonly gapsAt: readonly number[]
}

type Verdict = Pick<Totals, 'lost' | 'missed' | 'duplicated' | 'outOfOrder' | 'strange'>

/** Compares what a client has received with all that was emitted since it was first in. */
export function judge ({ profile, numbers, gapsAt }: Received, emitted: readonly Emitted[]): Verdict {
  const verdict: Verdict = { lost: 0, missed: 0, duplicated: 0, outOfOrder: 0, strange: 0 }
  const seen = new Set<number>()
  let newest = -1
  for (const number of numbers) {
    const event = emitted[number]
    if (event === undefined || !isEntitled(profile, event)) verdict.strange++
    else if (seen.has(number)) verdict.duplicated++
    else if (number < newest) verdict.outOfOrder++
    seen.add(number)
    newest = Math.max(newest, number)
  }
  // Between the last number before a gap and the first after it, what is missing was told of.
  const told = gapsAt.map(at => [numbers[at - 1] ?? -1, numbers[at] ?? Infinity] as const)
  emitted.forEach((event, number) => {
    if (seen.has(number) || !isEntitled(profile, event)) return
    if (told.some(([after, before]) => number > after && number < before)) verdict.missed++
    else verdict.lost++
  })
  return verdict
}
