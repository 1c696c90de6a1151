import { readdirSync, readFileSync, statSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

interface Manifest {
  engines: Record<string, string>
  exports: Record<string, string | Record<string, string>>
  files: string[]
  main: string
  types: string
  sideEffects: boolean
  scripts: Record<string, string>
  dependencies: Record<string, string>
  optionalDependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

// What `npm test` has built before. What the tarball holds and does is CI's to check.
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const dist = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })

// It has no types.
const { satisfies } = createRequire(import.meta.url)('semver') as { satisfies: (version: string, range: string) => boolean }

/** The packages that a built module imports: `@scope/name` or `name`, without what is in Node or in dist/. */
function packagesIn (code: string): string[] {
  const specifiers = [
    ...code.matchAll(/^(?:import|export)\b[^'";]*?\bfrom\s*["']([^"']+)["']/gm),
    ...code.matchAll(/^import\s*["']([^"']+)["']/gm),
    // Of what is inlined from CommonJS, esbuild makes __require().
    ...code.matchAll(/\b(?:import|(?:__)?require)\(\s*["']([^"']+)["']/g)
  ].map(([, specifier = '']) => specifier)
  const external = specifiers.filter(specifier => !specifier.startsWith('.') && !specifier.startsWith('node:') && !builtinModules.includes(specifier))
  return [...new Set(external.map(specifier => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')))]
}

const packagesOf = (ends: string): string[] => [...new Set(
  dist.filter(file => file.endsWith(ends)).flatMap(file => packagesIn(readFileSync(join(root, 'dist', file), 'utf8')))
)]

t.test('what the manifest points at is built', async t => {
  const targets = Object.values(manifest.exports).flatMap(target => typeof target === 'string' ? [target] : Object.values(target))
  const isMade = (target: string): boolean => process.env.TEST_IN_FULL !== undefined || !target.endsWith('.d.ts')
  for (const target of [...targets, manifest.main, manifest.types].filter(isMade)) t.ok(statSync(join(root, target)).isFile(), target)
})

t.test('the entry points are those that a version promises', async t => {
  t.strictSame(Object.keys(manifest.exports), ['.', './io', './monitor', './stores', './client', './package.json'])
})

t.test('types come first in each entry of exports, since the first that fits is taken', async t => {
  for (const target of Object.values(manifest.exports)) {
    if (typeof target !== 'string') t.equal(Object.keys(target)[0], 'types')
  }
})

t.test('it asks for the versions of Node that can require() a module, and its dependencies take the oldest of them', async t => {
  t.equal(manifest.engines.node, '^20.20.2 || >=22.12.0')
  for (const name of Object.keys(manifest.dependencies)) {
    const { engines = {} } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as Partial<Manifest>
    for (const oldest of ['20.20.2', '22.12.0']) t.ok(satisfies(oldest, engines.node ?? '*'), `${name} takes Node ${oldest}: ${engines.node ?? 'any'}`)
  }
})

t.test('whoever installs it runs no script', async t => {
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) t.notOk(script in manifest.scripts, script)
})

t.test('a bundler may drop what it does not use', async t => {
  t.equal(manifest.sideEffects, false)
})

t.test('fastify-socket.io is inlined, and its notice is published', async t => {
  t.notOk('fastify-socket.io' in manifest.dependencies)
  t.notOk('fastify-socket.io' in manifest.peerDependencies)
  t.notOk([...packagesOf('.js'), ...packagesOf('.d.ts')].includes('fastify-socket.io'))
  t.ok(manifest.files.includes('THIRD-PARTY-NOTICES'))
  const notices = readFileSync(join(root, 'THIRD-PARTY-NOTICES'), 'utf8')
  t.match(notices, 'fastify-socket.io')
  t.match(notices, 'ducktors')
  const license = readFileSync(join(root, 'node_modules/fastify-socket.io/LICENSE'), 'utf8')
  t.ok(notices.includes(license.trim()), 'the whole of it')
})

t.test('TypeBox is inlined but for its types, and its notice is published', async t => {
  t.notOk(packagesOf('.js').includes('@sinclair/typebox'))
  t.ok('@sinclair/typebox' in manifest.dependencies)
  const license = readFileSync(join(root, 'node_modules/@sinclair/typebox/license'), 'utf8')
  t.ok(readFileSync(join(root, 'THIRD-PARTY-NOTICES'), 'utf8').includes(license.trim()))
})

t.test('every package that the built modules import is installed with it', async t => {
  const installed = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
  const imported = packagesOf('.js')
  t.ok(imported.includes('socket.io'), 'the imports are found')
  t.same(imported.filter(name => !(name in installed)), [])
})

t.test('every package that the declarations import is installed with it', async t => {
  // `npm test` makes none: it would take longer than most of its tests.
  t.ok(process.env.TEST_IN_FULL === undefined || packagesOf('.d.ts').includes('fastify'))
  const installed = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
  t.same(packagesOf('.d.ts').filter(name => !(name in installed)), [])
})

t.test('every dependency is imported', async t => {
  const imported = packagesOf('.js')
  t.same(Object.keys(manifest.dependencies).filter(name => !imported.includes(name)), ['@sinclair/typebox'], 'for its types')
})

t.test('a peer that is loaded when first asked for is optional', async t => {
  for (const name of Object.keys(manifest.peerDependencies)) {
    if (name !== 'fastify') t.ok(manifest.peerDependenciesMeta?.[name]?.optional, name)
  }
})
