import { existsSync, readFileSync } from 'node:fs'

/** The files of the page, made by the build, and their media types. */
const FILES = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8'
} as const

export type AssetName = keyof typeof FILES

export interface Asset {
  readonly name: AssetName
  readonly type: string
  readonly content: Buffer
}

/** The folder of the package: the build puts this code into files at several depths. */
function packageFolder (): URL {
  let folder = new URL('.', import.meta.url)
  while (!existsSync(new URL('package.json', folder))) folder = new URL('..', folder)
  return folder
}

/** Reads the page. It is small, and asked for rarely: it stays in memory. */
export function readAssets (): Asset[] {
  const folder = new URL('dist/monitor/', packageFolder())
  return Object.entries(FILES).map(([name, type]) => ({ name: name as AssetName, type, content: readFileSync(new URL(name, folder)) }))
}
