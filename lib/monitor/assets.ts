import { type AssetName, pageFile } from './page-files.js'

/** The files of the page, made by the build, and their media types. */
const FILES: Readonly<Record<AssetName, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8'
}

export interface Asset {
  readonly name: AssetName
  readonly type: string
  readonly content: Buffer
}

/** Reads the page. It is small, and asked for rarely: it stays in memory. */
export function readAssets (): Asset[] {
  return Object.entries(FILES)
    .map(([name, type]) => ({ name: name as AssetName, type, content: pageFile(name as AssetName) }))
}
