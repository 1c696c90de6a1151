import t from 'tap'
import { read, section } from './helpers/documents.js'

interface Package { readonly dependencies?: Record<string, string>, readonly peerDependencies?: Record<string, string>, readonly optionalDependencies?: Record<string, string>, readonly dev?: boolean, readonly peer?: boolean, readonly devOptional?: boolean, readonly hasInstallScript?: boolean, readonly optional?: boolean }

const DOCUMENT = read('docs/dependencies.md')
const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = JSON.parse(read('package.json')) as Package
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }

/** The packages that a table names in its first column. */
const named = (heading: string): string[] => [...section(DOCUMENT, heading).matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name)

/** All that comes along with a package, as npm finds it from there. */
function broughtBy (path: string, found = new Set<string>()): Set<string> {
  for (const name of Object.keys(packages[path]?.dependencies ?? {})) {
    const inner = `${path}/node_modules/${name}`
    const at = packages[inner] === undefined ? `node_modules/${name}` : inner
    if (found.has(at)) continue
    found.add(at)
    broughtBy(at, found)
  }
  return found
}

const tree = broughtBy('')
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

t.test('every runtime dependency has its line, and every line is one', t => {
  t.strictSame(named('## Direct').toSorted(), Object.keys(dependencies).toSorted())
  t.strictSame(named('## Optional').toSorted(), Object.keys(optionalDependencies).toSorted())
  t.strictSame(named('## Peers').toSorted(), Object.keys(peerDependencies).toSorted())
  const brought = new Set([...tree].map(nameOf).filter(name => !(name in dependencies)))
  t.strictSame(named('## Brought by these').toSorted(), [...brought].toSorted())
  t.end()
})

t.test('none of them runs a script when it is installed', t => {
  const withScript = [...tree].filter(path => packages[path]?.hasInstallScript === true)
  t.strictSame(withScript, [])
  t.ok(tree.size > Object.keys(dependencies).length)
  t.end()
})
