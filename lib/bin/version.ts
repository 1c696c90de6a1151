import { readFileSync } from 'node:fs'

/** The version of this package. */
export function version (): string {
  // The relative path is the same from dist/bin/ and lib/bin/.
  const manifest = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  ) as { version: string }
  return manifest.version
}
