import { readdirSync } from 'node:fs'

/** Runs all tests that are beside a module, in its process: to start one costs as much as many tests do. */
export async function importTests (url: string): Promise<void> {
  const names = readdirSync(new URL('.', url)).filter(name => name.endsWith('.test.ts'))
  for (const name of names.toSorted()) await import(new URL(name, url).href)
}
