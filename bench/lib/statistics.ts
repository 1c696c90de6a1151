/** The middle one, or the mean of the two in the middle. */
export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** The value that so many of a hundred do not exceed. */
export function percentile (values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * percent / 100) - 1] ?? NaN
}

/**
 * The median of the ratios run by run. Both of a ratio were measured one after the other, so what else the machine
 * did in that minute weighs on both.
 */
export function medianRatio (ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, run) => value / (theirs[run] ?? NaN)))
}
