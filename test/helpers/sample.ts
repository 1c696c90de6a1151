/** Set by test/long, which runs in full what `npm test` takes a sample of. */
export const IN_FULL = process.env.TEST_IN_FULL === '1'

/** Every nth item, beginning at a later one with each turn; in test/long all of them. */
export function sampleOf<Item> (items: readonly Item[], nth: number, turn = 0): Item[] {
  return items.filter((item, index) => IN_FULL || (index + turn) % nth === 0)
}
