/**
 * The level to which sizes must be cut so that together they take no more than `total`. Who is below it keeps all: a
 * noisy one never shortens a quiet one's share.
 *
 * @param sizes in any unit
 * @returns a whole number; infinite when nothing need be cut
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
