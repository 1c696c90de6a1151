/** Boundaries that are kept. If there were more starts, an older id is a gap. */
const MAX_BOUNDARIES = 1000

/** A start of the log: the file never had an id between these two. */
type Boundary = readonly [last: string, first: string]

/**
 * The boundaries between the runs of a log. They keep a promise over restored backups: no loss goes unnoticed. If an
 * older copy of the file replaces a newer one, a client may have the id of an event that the copy lacks. Such an id
 * lies between the newest id of the copy and the first id after it was opened.
 */
export class Starts {
  readonly #boundaries: readonly Boundary[]

  /** @param boundaries the oldest first */
  private constructor (boundaries: readonly Boundary[]) {
    this.#boundaries = boundaries
  }

  /** @param text as {@link toString} returns it; `undefined` if the file has none */
  static parse (text: string | undefined): Starts {
    return new Starts(text === undefined ? [] : JSON.parse(text) as Boundary[])
  }

  /**
   * Adds a start.
   *
   * @param last the newest id that is stored
   * @param first an id after which the ids of this start come
   */
  with (last: string, first: string): Starts {
    const newest = this.#boundaries.at(-1)
    // Without events since the previous start, the boundary only becomes wider.
    const others = newest !== undefined && newest[1] >= last ? this.#boundaries.slice(0, -1) : this.#boundaries
    const from = others === this.#boundaries ? last : newest?.[0] ?? last
    return new Starts([...others, [from, first] as const].slice(-MAX_BOUNDARIES))
  }

  /** Whether an id was never in this file, although its epoch is that of the file. */
  isUnknown (id: string): boolean {
    if (this.#boundaries.length === MAX_BOUNDARIES && id < (this.#boundaries[0]?.[0] ?? '')) return true
    return this.#boundaries.some(([last, first]) => last < id && id <= first)
  }

  toString (): string {
    return JSON.stringify(this.#boundaries)
  }
}
