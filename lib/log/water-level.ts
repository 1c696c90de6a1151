/**
 * The common size to which all larger sizes must be cut, so that the sum is at most `total`. Smaller sizes are not cut,
 * so a noisy stream never takes the share of a quiet one.
 *
 * @param sizes in any unit
 * @returns a whole number; infinite if nothing has to be cut
 */
export function waterLevel (sizes: readonly number[], total: number): number {
  const ascending = [...sizes].sort((a, b) => a - b)
  let left = total
  for (const [index, size] of ascending.entries()) {
    const share = left / (ascending.length - index)
    if (size > share) return Math.floor(share)
    left -= size
  }
  return Infinity
}
