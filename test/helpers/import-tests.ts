import { readdirSync } from 'node:fs'

interface Choice {
  /** Files that run in processes of their own, by name without `.test.ts`. */
  readonly except?: readonly string[]
  /** What the names of those that are meant begin with; left out: any. */
  readonly prefix?: string
}

/**
 * Runs tests that are beside a module in its process: to start one costs as much as many tests do. Whoever calls it has
 * them excluded in .taprc, or they run twice.
 */
export async function importTests (url: string, { except = [], prefix = '' }: Choice = {}): Promise<void> {
  const names = readdirSync(new URL('.', url)).filter(name => name.startsWith(prefix) && name.endsWith('.test.ts'))
  const unknown = except.filter(name => !names.includes(`${name}.test.ts`))
  if (unknown.length > 0) throw new Error(`there is no test ${unknown.join(', ')} to leave out`)
  for (const name of names.toSorted()) {
    if (!except.includes(name.slice(0, -'.test.ts'.length))) await import(new URL(name, url).href)
  }
}
