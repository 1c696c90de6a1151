const BARS = '▁▂▃▄▅▆▇█'

/** A line of bars, from nothing to the largest, so that what is flat looks flat. */
export function bars (values: readonly number[]): string {
  const largest = Math.max(...values)
  return values.map(value => BARS[Math.min(BARS.length - 1, Math.floor(value / largest * BARS.length))] ?? BARS[0]).join('')
}

/** So many values, each the mean of its neighbours, where there are more. */
export function thinned (values: readonly number[], most: number): number[] {
  const count = Math.min(most, values.length)
  return Array.from({ length: count }, (_, index) => {
    const part = values.slice(Math.floor(index * values.length / count), Math.floor((index + 1) * values.length / count))
    return part.reduce((sum, value) => sum + value) / part.length
  })
}

export const counted = (count: number): string => Math.round(count).toLocaleString('en-US')
