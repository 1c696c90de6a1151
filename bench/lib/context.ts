import type { Report } from './report.js'

export interface Context {
  readonly quick: boolean
  /** How often each peer is measured. */
  readonly runs: number
  /** Shows where the bench is. */
  readonly progress: (text: string) => void
}

export type Section = (context: Context) => Promise<Report>

/** Runs every one in turn, again and again, so that what changes on the machine weighs on all. */
export async function alternate<Name extends string, Result> (names: readonly Name[], runs: number, run: (name: Name, index: number) => Promise<Result>): Promise<Map<Name, Result[]>> {
  const results = new Map<Name, Result[]>(names.map(name => [name, []]))
  for (let index = 0; index < runs; index++) {
    for (const name of names) results.get(name)?.push(await run(name, index))
  }
  return results
}
