/** Numbers that look random and are the same for the same seed, so that a test that fails can be run again. */
export class Random {
  #state: number

  constructor (seed: number) {
    this.#state = seed
  }

  /** From 0 to below a bound. (mulberry32) */
  below (bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * bound)
  }

  /** Whether something happens that does so once in so many times. */
  oneIn (times: number): boolean {
    return this.below(times) === 0
  }

  pick<T> (list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0]
  }

  /** Some of a list, at least one, in its order. */
  some<T> (list: readonly [T, ...T[]]): T[] {
    const taken = list.filter(() => this.oneIn(2))
    return taken.length > 0 ? taken : [this.pick(list)]
  }
}
