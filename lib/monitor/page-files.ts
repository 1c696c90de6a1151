import { readFileSync } from 'node:fs'

export type AssetName = 'index.html' | 'page.js' | 'page.css'

/** A file of the page, as the build has made it. The build puts these files in place of this module. */
export function pageFile (name: AssetName): Buffer {
  return readFileSync(new URL(`../../dist/monitor/${name}`, import.meta.url))
}
