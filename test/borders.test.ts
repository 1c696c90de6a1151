import { ESLint } from 'eslint'
import { plugins } from 'neostandard'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const BORDER_RULES = ['no-restricted-imports', 'no-restricted-syntax', 'n/no-process-env']

// A snippet is in no TypeScript program: what needs types is left out.
const untyped = new ESLint({
  cwd: root,
  overrideConfigFile: '.eslint.config.js',
  overrideConfig: [plugins['typescript-eslint'].configs.disableTypeChecked as never],
  ruleFilter: ({ ruleId }) => BORDER_RULES.includes(ruleId)
})

async function crossed (code: string, file: string): Promise<boolean> {
  const results = await untyped.lintText(code + '\n', { filePath: join(root, file) })
  const rules = results.flatMap(({ messages }) => messages).map(({ ruleId, message }) => ruleId ?? message)
  return rules.some(rule => BORDER_RULES.includes(rule))
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
    for (const file of ['lib/index.ts', 'lib/ws-events.ts', 'lib/options.ts', 'lib/routes/snippet.ts']) {
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

t.test('no file of lib/ crosses a border, nor asks to be excused', async t => {
  const results = await untyped.lintFiles(['lib/'])
  t.ok(results.length > 0, 'there are files')
  const found = results.flatMap(({ filePath, messages, suppressedMessages }) => [...messages, ...suppressedMessages]
    .filter(({ ruleId }) => BORDER_RULES.includes(ruleId ?? ''))
    .map(({ line, message }) => `${filePath}:${line} ${message}`))
  t.same(found, [])
})
