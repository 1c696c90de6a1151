import { ESLint } from 'eslint'
import { plugins } from 'neostandard'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const BORDER_RULES = ['no-restricted-imports', 'no-restricted-syntax', 'n/no-process-env']
const SIZE_RULES = ['max-len', 'max-lines-per-function']

// A snippet is in no TypeScript program: what needs types is left out.
const untyped = new ESLint({
  cwd: root,
  overrideConfigFile: '.eslint.config.js',
  overrideConfig: [plugins['typescript-eslint'].configs.disableTypeChecked as never],
  ruleFilter: ({ ruleId }) => [...BORDER_RULES, ...SIZE_RULES].includes(ruleId)
})

/** The rules that a snippet breaks. */
async function broken (code: string, file: string): Promise<string[]> {
  const results = await untyped.lintText(code + '\n', { filePath: join(root, file) })
  return results.flatMap(({ messages }) => messages).map(({ ruleId, message }) => ruleId ?? message)
}

async function crossed (code: string, file: string): Promise<boolean> {
  return (await broken(code, file)).some(rule => BORDER_RULES.includes(rule))
}

for (const room of ['stores', 'log', 'events']) {
  t.test(`lib/${room}/ knows neither Fastify nor Socket.IO, in whichever way it would import them`, async t => {
    const file = `lib/${room}/snippet.ts`
    for (const name of ['fastify', 'fastify-plugin', '@fastify/error', 'socket.io', 'socket.io-parser', '@socket.io/redis-adapter', 'engine.io', 'ws', '../gateway/channel.js']) {
      t.ok(await crossed(`import x from '${name}'\nx()`, file), name)
    }
    t.ok(await crossed("import type { Server } from 'socket.io'\nexport type S = Server", file), 'a type')
    t.ok(await crossed("export { Server } from 'socket.io'", file), 'a re-export')
    t.ok(await crossed("export * from 'socket.io'", file), 'a re-export of everything')
    t.ok(await crossed("export const load = () => import('socket.io')", file), 'a dynamic import')
    t.ok(await crossed("export const load = () => import('../gateway/channel.js')", file), 'a dynamic import of the gateway')
  })

  t.test(`lib/${room}/ may import its neighbours and other packages`, async t => {
    const file = `lib/${room}/snippet.ts`
    for (const name of ['node:events', 'lmdb', 'ioredis', 'wsx', '@sinclair/typebox', '../errors.js', './fastify-names.js']) {
      t.notOk(await crossed(`import x from '${name}'\nx()`, file), name)
    }
    t.notOk(await crossed("export const load = () => import('lmdb')", file), 'a dynamic import')
  })
}

t.test('only lib/gateway/ imports Socket.IO', async t => {
  const imports = ['fastify-socket.io', 'socket.io', 'socket.io-parser', 'engine.io', 'ws'].map(name => `import x from '${name}'\nx()`)
  for (const code of [...imports, "import type { Server } from 'socket.io'\nexport type S = Server", "export const load = () => import('socket.io')"]) {
    for (const file of ['lib/index.ts', 'lib/service.ts', 'lib/options.ts', 'lib/routes/snippet.ts']) {
      t.ok(await crossed(code, file), `${file}: ${code}`)
    }
    t.notOk(await crossed(code, 'lib/gateway/snippet.ts'), `lib/gateway/: ${code}`)
    t.notOk(await crossed(code, 'test/snippet.ts'), `test/: ${code}`)
  }
  t.notOk(await crossed("import fp from 'fastify-plugin'\nfp()", 'lib/index.ts'), 'Fastify is for everybody else')
})

t.test('lib/client/ runs in a browser: of Socket.IO it knows the client, and nothing of Node', async t => {
  const file = 'lib/client/snippet.ts'
  t.notOk(await crossed("import { io } from 'socket.io-client'\nio()", file))
  t.notOk(await crossed("import type { Message } from '../types.js'\nexport type M = Message", file))
  for (const name of ['node:fs', 'socket.io', 'socket.io-parser', 'engine.io', 'ws', 'fastify', '../gateway/packet.js']) {
    t.ok(await crossed(`import x from '${name}'\nx()`, file), name)
  }
})

t.test('of the plugin only lib/options.ts reads the environment', async t => {
  const reads = [
    'export const port = process.env.PORT',
    "export const port = process['env'].PORT",
    'export const { env } = process',
    "import { env } from 'node:process'\nexport const port = env.PORT",
    "import { env as e } from 'process'\nexport const port = e.PORT"
  ]
  for (const code of reads) {
    for (const file of ['lib/index.ts', 'lib/gateway/snippet.ts', 'lib/stores/snippet.ts', 'lib/snippet.ts']) {
      t.ok(await crossed(code, file), `${file}: ${code}`)
    }
    t.notOk(await crossed(code, 'lib/options.ts'), `lib/options.ts: ${code}`)
    t.notOk(await crossed(code, 'example/snippet.ts'), `example/: ${code}`)
    t.notOk(await crossed(code, 'lib/bin/snippet.ts'), `lib/bin/, a program of its own: ${code}`)
  }
  t.notOk(await crossed('export const now = process.hrtime.bigint()', 'lib/snippet.ts'), 'the rest of process is for everybody')
})

t.test('nothing in lib/ imports from the folders that are not published', async t => {
  for (const file of ['lib/snippet.ts', 'lib/options.ts', 'lib/gateway/snippet.ts', 'lib/stores/snippet.ts']) {
    for (const name of ['../test/helpers.js', '../../test/helpers/events.js', '../example/server.js', '../../bench/fan-out.js']) {
      t.ok(await crossed(`import x from '${name}'\nx()`, file), `${file}: ${name}`)
      t.ok(await crossed(`export const load = () => import('${name}')`, file), `${file}: import(${name})`)
    }
    t.notOk(await crossed("import x from './test-of-access.js'\nx()", file), `${file}: a name that only looks like it`)
  }
})

t.test('a line of lib/ has 120 columns at most, unless all that it has is a text', async t => {
  const long = 'x'.repeat(120)
  for (const line of [`export const ${long} = 1`, `// ${long}`, `export const f = (g: (text: string) => void) => { g('${long}') }`,
    `export const f = (a: string) => a + \`\${a} ${long}\``, `export const f = (a: string) => '${long}' + a`]) {
    t.strictSame(await broken(line, 'lib/snippet.ts'), ['max-len'], line.slice(0, 60))
    t.strictSame(await broken(line, 'test/snippet.ts'), [])
  }
  t.strictSame(await broken(`export const ${'x'.repeat(120 - 'export const  = 1'.length)} = 1`, 'lib/snippet.ts'), [])
  const fits = [
    `export const TEXT = 'it\\'s ${long}'`,
    `export const text = (a: string) =>\n  \`\${a}: ${long}\``,
    `export const options = {\n  description: '${long}',\n  more: true\n}`,
    `export const f = (g: (text: string) => void) => {\n  g(\n    '${long}' +\n    "${long}"\n  )\n}`
  ]
  for (const code of fits) t.strictSame(await broken(code, 'lib/snippet.ts'), [], code.slice(0, 60))
})

t.test('a function of lib/ has 60 lines at most, empty ones and comments not counted', async t => {
  const withLines = (count: number) =>
    `export function f (a: number) {\n  // Why.\n\n${'  a++\n'.repeat(count - 3)}  return a\n}`
  t.strictSame(await broken(withLines(60), 'lib/snippet.ts'), [])
  t.strictSame(await broken(withLines(61), 'lib/snippet.ts'), ['max-lines-per-function'])
  t.strictSame(await broken(withLines(61), 'test/snippet.ts'), [])
})

/** A module and what it imports of its neighbours. */
type Graph = ReadonlyMap<string, readonly string[]>

/** @param sources by path */
function importsOf (sources: Readonly<Record<string, string>>): Graph {
  return new Map(Object.entries(sources).map(([file, code]) => [file, [...importsIn(file, code)]]))
}

/** Type imports count, too. */
function * importsIn (file: string, code: string): Generator<string> {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [to] = node.arguments
      if (to !== undefined && ts.isStringLiteral(to)) found.push(to.text)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push((node.argument.literal as ts.StringLiteral).text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.Latest))
  for (const to of found) {
    if (to.startsWith('.')) yield join(dirname(file), to).replaceAll('\\', '/').replace(/\.js$/, '.ts')
  }
}

/** A circle of imports, as a path that ends where it began; `undefined`: there is none. */
function circle (graph: Graph): string[] | undefined {
  const done = new Set<string>()
  const search = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const imported of graph.get(file) ?? []) {
      const found = search(imported, [...path, file])
      if (found !== undefined) return found
    }
    done.add(file)
  }
  for (const file of graph.keys()) {
    const found = search(file, [])
    if (found !== undefined) return found
  }
}

t.test('modules that import each other are found, in whichever way they do', t => {
  const b = "import { a } from './a.js'\nexport const b = a"
  const ways = [
    "import { b } from './b.js'", "import './b.js'", "import { type B, b } from './b.js'", "export * from './b.js'",
    "export { b } from './b.js'", "export const load = () => import('./b.js')",
    "import type { B } from './b.js'", "import { type B } from './b.js'", "export type { B } from './b.js'",
    "export type B = import('./b.js').B"
  ]
  for (const way of ways) t.strictSame(circle(importsOf({ 'lib/a.ts': way, 'lib/b.ts': b })), ['lib/a.ts', 'lib/b.ts', 'lib/a.ts'], way)
  t.ok(circle(importsOf({
    'lib/index.ts': "import './stores/index.js'",
    'lib/stores/index.ts': "export * from './memory/log.js'",
    'lib/stores/memory/log.ts': "import type { X } from '../../index.js'"
  })), 'over folders')
  t.notOk(circle(importsOf({ 'lib/a.ts': "import './b.js'\nimport './c.js'", 'lib/b.ts': "import './c.js'", 'lib/c.ts': "import 'b'" })))
  t.end()
})

t.test('no modules of lib/ import each other in a circle', t => {
  const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts')).map(name => `lib/${name.replaceAll('\\', '/')}`)
  const graph = importsOf(Object.fromEntries(files.map(file => [file, readFileSync(join(root, file), 'utf8')])))
  t.strictSame([...graph.values()].flat().filter(file => file.endsWith('.ts') && !graph.has(file)), [], 'each import is found')
  t.equal(circle(graph), undefined)
  t.end()
})

t.test('no file of lib/ crosses a border, is too long, nor asks to be excused', async t => {
  const results = await untyped.lintFiles(['lib/'])
  t.ok(results.length > 0, 'there are files')
  const found = results.flatMap(({ filePath, messages, suppressedMessages }) => [...messages, ...suppressedMessages]
    .filter(({ ruleId }) => [...BORDER_RULES, ...SIZE_RULES].includes(ruleId ?? ''))
    .map(({ line, message }) => `${filePath}:${line} ${message}`))
  t.same(found, [])
})
