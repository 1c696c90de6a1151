/** Chance that can be had again: the same seed gives the same draws. */
export class Draw {
  #state: number

  constructor (seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to less than 1; mulberry32. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6D2B79F5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  between (least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  pick<Item> (items: readonly Item[]): Item {
    return items[Math.floor(this.next() * items.length)] as Item
  }

  /** Chance of its own, so that what happens beside it does not change it. */
  branch (): Draw {
    return new Draw(Math.floor(this.next() * 2 ** 32))
  }
}

/** Gives its items in a random order, each once before any comes again. */
export class Bag<Item> {
  #left: Item[] = []
  readonly #items: readonly Item[]
  readonly #draw: Draw

  constructor (items: readonly Item[], draw: Draw) {
    this.#items = items
    this.#draw = draw
  }

  take (): Item {
    if (this.#left.length === 0) this.#left = [...this.#items]
    return this.#left.splice(Math.floor(this.#draw.next() * this.#left.length), 1)[0] as Item
  }
}
