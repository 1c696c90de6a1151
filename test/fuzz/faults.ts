/** Something that a server must not do. */
export interface Fault {
  readonly what: string
  /** How often. */
  times: number
  /** Where it was first seen: the number of the session, and the input if one alone can be blamed. */
  readonly session: number | null
  readonly input: unknown
  /** The sessions that were under way, where none alone can be blamed. */
  readonly suspects: readonly number[]
}

const KEPT = 60

/** Errors of one place in the library are one kind, and else what differs only by numbers and names. */
function kindOf (what: string): string {
  const [start] = what.split(':', 1)
  // In the log, the ends of lines are written as `\\n`.
  const place = /at [^\n\\]*\/lib\/[^\n\\]*/.exec(what)?.[0]
  return place === undefined ? what.replaceAll(/\d+|"[^"]*"/g, '#').slice(0, 120) : `${start} ${place}`
}

/** Faults of a run, each kind once. */
export class Faults {
  // Map(kind -> fault)
  readonly #found = new Map<string, Fault>()

  add (what: string, { session = null, input, suspects = [] }: { session?: number | null, input?: unknown, suspects?: readonly number[] } = {}): void {
    const kind = kindOf(what)
    const known = this.#found.get(kind)
    if (known !== undefined) known.times++
    else if (this.#found.size < KEPT) this.#found.set(kind, { what, times: 1, session, input, suspects })
  }

  get all (): Fault[] {
    return [...this.#found.values()]
  }
}
