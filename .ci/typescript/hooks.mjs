import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const KEPT = new URL('../../.tap/compiled/', import.meta.url)
const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const OPTIONS = {
  loader: 'ts',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } }
}
/** Another compiler, or other options, make other code. */
const BY = JSON.stringify([devDependencies.esbuild, OPTIONS])

mkdirSync(KEPT, { recursive: true })

/** The JavaScript of a module, compiled once for all processes. */
async function compiled (file) {
  const source = readFileSync(file, 'utf8')
  const name = createHash('sha256').update(`${BY}\n${file}\n${source}`).digest('hex')
  const kept = new URL(`${name}.js`, KEPT)
  if (existsSync(kept)) return readFileSync(kept, 'utf8')
  // Not `transform`: nothing would wait for its process.
  const { transformSync } = await import('esbuild')
  const { code } = transformSync(source, { ...OPTIONS, sourcefile: file })
  // Renamed, so that another process never reads half of it.
  const part = new URL(`${name}.${process.pid}`, KEPT)
  writeFileSync(part, code)
  renameSync(part, kept)
  return code
}

export async function resolve (specifier, context, next) {
  // TypeScript imports a module by the name that it will have as JavaScript.
  if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts')) {
    const url = new URL(`${specifier.slice(0, -3)}.ts`, context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  return await next(specifier, context)
}

export async function load (url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return await next(url, context)
  return { format: 'module', shortCircuit: true, source: await compiled(fileURLToPath(url)) }
}
