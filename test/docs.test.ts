import Fastify, { type HTTPMethods, type RouteOptions } from 'fastify'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import ts from 'typescript'
import { CODE_PREFIX, type ErrorName, errors } from '../lib/errors.js'
import { Catalogue } from '../lib/events/catalogue.js'
import { evolutionEvents } from '../lib/events/evolution.js'
import { refusalOf } from '../lib/gateway/refusals.js'
import wsEvents from '../lib/index.js'
import { optionSchemas } from '../lib/options.js'
import { lmdbStore } from '../lib/stores/lmdb/index.js'
import { redisStore } from '../lib/stores/redis/index.js'
import { memoryStore } from '../lib/stores/memory/index.js'
import { commands } from './documents/shell.js'
import { losesNothing } from './helpers/cuts.js'
import { atPort, block, blocks, files, folder, read, root, section } from './helpers/documents.js'
import { answered } from './helpers/latch.js'
import { freePort, Program } from './helpers/program.js'

const README = read('README.md')
const STORES = read('docs/stores.md')
const CLIENTS = read('docs/clients.md')
const RESUME = read('docs/resume.md')
const OPTIONS = read('docs/options.md')
const API = read('docs/api.md')
const EVENTS = read('docs/events.md')
const ERRORS = `\n${read('docs/errors.md')}`

// Markdown

/** The rows of the tables of a text, by the name in the first column of their header. */
function tables (markdown: string): Map<string, string[][]> {
  const found = new Map<string, string[][]>()
  for (const [text] of markdown.matchAll(/(?:^\|.*\n)+/gm)) {
    const [header = [], , ...rows] = text.trimEnd().split('\n').map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
    found.set(header[0] ?? '', rows)
  }
  return found
}

function table (heading: string, name: string, markdown = README): string[][] {
  const rows = tables(section(markdown, heading)).get(name)
  if (rows === undefined) throw new Error(`"${heading}" has no table with the column "${name}"`)
  return rows
}

/** Without the marks of code. */
const plain = (cell = ''): string => cell.replaceAll('`', '')
const firstColumn = (rows: string[][]): string[] => rows.map(([cell]) => plain(cell))

/** A default as both write it: documents put commas into numbers. */
const bare = (cell = ''): string => plain(cell).replaceAll(/(?<=\d),(?=\d)/g, '')

// Types

interface Member {
  readonly name: string
  readonly comment: string
  /** What `@default` says; `undefined` where there is none. */
  readonly byDefault: string | undefined
}

/** The members of an interface, but for those that are internal. */
function membersOf (name: string, file = 'lib/types.ts'): Map<string, Member> {
  const { statements } = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const found = statements.filter(ts.isInterfaceDeclaration).find(statement => statement.name.text === name)
  if (found === undefined) throw new Error(`${file} has no interface ${name}`)
  const isPublic = (member: ts.TypeElement) => !ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal')
  return new Map(found.members.filter(isPublic).map(member => {
    const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default')
    const key = member.name?.getText() ?? ''
    return [key, {
      name: key,
      comment: ts.getJSDocCommentsAndTags(member).map(comment => comment.getText()).join('\n'),
      byDefault: tag === undefined ? undefined : plain(ts.getTextOfJSDocComment(tag.comment))
    }]
  }))
}

/** The counters by their group; a group that docs/api.md has in one row is one name. */
function statsPaths (): string[] {
  const groups = { emit: 'EmitStats', clients: 'ClientStats', delivery: 'DeliveryStats', store: 'StoreStats' }
  return [...membersOf('Stats').keys()].flatMap(group => {
    const type = groups[group as keyof typeof groups]
    return type === undefined ? [group] : [...membersOf(type).keys()].map(name => `${group}.${name}`)
  })
}

/** A default as the documents write it. */
function written (value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : inspect(value)
}

t.test('the documents have every option, with its variable and its default', async t => {
  const rows = table('## Options', 'option', OPTIONS)
  t.strictSame(firstColumn(rows).toSorted(), Object.keys(optionSchemas).toSorted())
  const members = membersOf('WsEventsOptions')
  t.strictSame([...members.keys()].toSorted(), Object.keys(optionSchemas).toSorted(), 'and so has the type')
  for (const [name, variable, byDefault, meaning] of rows) {
    const schema: { env?: string, default?: unknown } = optionSchemas[plain(name) as keyof typeof optionSchemas]
    const member = members.get(plain(name))
    t.equal(plain(variable), schema.env ?? '', `${name}: the variable`)
    t.equal(/read only with `evolution`/.test(member?.comment ?? ''), 'withEvolution' in schema, `${name}: when it is read, in TSDoc`)
    t.equal(/read only with `evolution`/.test(meaning ?? ''), 'withEvolution' in schema, `${name}: when it is read`)
    t.strictSame(member?.comment.match(/Environment:\s+(?:\* )?`(\w+)`/)?.[1], schema.env, `${name}: the variable in TSDoc`)
    if (member?.byDefault === undefined) {
      t.equal(byDefault, `[below](#${plain(name)})`, `${name}: a table of its own`)
      continue
    }
    t.equal(plain(byDefault), member.byDefault, `${name}: the default in TSDoc`)
    if ('default' in schema) t.equal(plain(byDefault), written(schema.default), `${name}: the default`)
    else t.match(plain(byDefault), /\bnone$|\bstore\b|' or '/, `${name}: no default of its own`)
  }
})

t.test('the README has every option, with the default that docs/options.md has', async t => {
  const defaults = (rows: string[][], column: number): Array<[string, string | undefined]> => rows.map(row => [plain(row[0]), row[column]])
  const known = new Map(defaults(table('## Options', 'option', OPTIONS), 2))
  known.set('limits', '[limits](docs/options.md#limits)')
  t.strictSame(new Map(defaults(table('## Options', 'option'), 1)), known)
})

t.test('the documents have every limit, with its default', async t => {
  const { properties } = optionSchemas.limits
  const rows = table('## Limits', 'limit', OPTIONS)
  t.strictSame(firstColumn(rows), Object.keys(properties))
  const members = membersOf('Limits')
  t.strictSame([...members.keys()], Object.keys(properties), 'and so has the type')
  for (const [name, byDefault] of rows) {
    const { default: value } = properties[plain(name) as keyof typeof properties]
    t.equal(byDefault?.replaceAll(',', ''), String(value), `${name}: the default`)
    t.equal(members.get(plain(name))?.byDefault, String(value), `${name}: the default in TSDoc`)
  }
})

t.test('the documents have every member of fastify.wsEvents, and what they take and give', async t => {
  const heading = '## `fastify.wsEvents`'
  t.strictSame(firstColumn(table(heading, 'member')), firstColumn(table(heading, 'member', API)), 'the README and docs/api.md have the same')
  t.strictSame(firstColumn(table(heading, 'member', API)).map(cell => cell.replace(/\(.*/, '')), [...membersOf('WsEvents').keys()])
  const options = table(heading, 'option of `emit`', API)
  const members = membersOf('EmitOptions')
  t.strictSame(firstColumn(options), [...members.keys()])
  for (const [name, byDefault] of options) t.equal(plain(byDefault), members.get(plain(name))?.byDefault ?? 'none', `emit, ${name}: the default`)
  const handling = table('## What clients send', 'option of `handle`', CLIENTS)
  const handleMembers = membersOf('HandleOptions')
  t.strictSame(firstColumn(handling), [...handleMembers.keys()])
  for (const [name, byDefault] of handling) t.equal(plain(byDefault), handleMembers.get(plain(name))?.byDefault ?? '', `handle, ${name}: the default`)
  t.strictSame(firstColumn(table(heading, 'key of the result', API)), [...membersOf('EmitResult').keys()])
  t.strictSame(firstColumn(table('## Counters', 'key', API)), statsPaths())
  t.strictSame(firstColumn(table('## Message', 'key', EVENTS)), [...membersOf('Message').keys()])
})

t.test('the documents have what each store remembers, and its options', async t => {
  const bounds = table('## How much is kept', 'bound', STORES)
  t.strictSame(firstColumn(bounds), [...membersOf('Retention', 'lib/log/event-log.ts').keys()])
  const { retention: memory } = memoryStore()
  const { retention: lmdb } = lmdbStore('./data')
  for (const [bound, inMemory, inLmdb] of bounds) {
    const name = plain(bound) as keyof typeof memory
    t.strictSame([inMemory, inLmdb].map(bare), [String(memory[name]), String(lmdb[name])], String(bound))
  }
  t.strictSame(redisStore('redis://localhost').retention, lmdb, 'they share a column')
  for (const [name, type] of [['memory', 'MemoryStoreOptions'], ['lmdb', 'LmdbStoreOptions'], ['redis', 'RedisStoreOptions']] as const) {
    const members = membersOf(type, `lib/stores/${name}/index.ts`)
    const rows = table('## The three stores', `option of \`${name}Store\``, STORES)
    t.strictSame(firstColumn(rows), [...members.keys()])
    for (const [option, byDefault] of rows) t.equal(bare(byDefault), members.get(plain(option))?.byDefault ?? '', `${type}, ${option}: the default`)
  }
})

t.test('the README has how long each store keeps events', async t => {
  const [, memory = '', ...others] = table('## Stores', '').find(([what]) => what === 'keeps by default') ?? []
  t.equal(memory, `${memoryStore().retention.maxAge / 60_000} minutes`)
  for (const [index, { retention }] of [lmdbStore('./data'), redisStore('redis://localhost')].entries()) t.equal(others[index], `${retention.maxAge / 3_600_000} hours`)
})

t.test('the documents have every option of the client', async t => {
  const members = membersOf('ConnectOptions', 'lib/client/index.ts')
  const rows = table('## With the client of this package', 'option of `connect`', RESUME)
  t.strictSame(firstColumn(rows), [...members.keys()])
  for (const [option, byDefault] of rows) t.equal(bare(byDefault), members.get(plain(option))?.byDefault ?? 'none', `${option}: the default`)
})

t.test('the documents have what a client is told of resuming, and what a store must have', async t => {
  for (const [name, ,content] of table('## The protocol', 'event', RESUME)) {
    const type = name === '`ws.ready`' ? 'Ready' : 'Position'
    t.strictSame(/\{ (.*) \}/.exec(content ?? '')?.[1]?.split(', '), [...membersOf(type).keys()], String(name))
  }
  const store = 'lib/stores/store.ts'
  const nameOf = (cell: string) => cell.replace(/\(.*/, '')
  const named = (heading: string, column: string) => firstColumn(table(heading, column, STORES)).map(nameOf)
  t.strictSame(named('### The event log', 'method').toSorted(), [...membersOf('EventLog', 'lib/log/event-log.ts').keys()].toSorted())
  t.strictSame(named('## Configs in your own database', 'function'), [...membersOf('HostConfigs', store).keys()])
  t.strictSame(named('## Write your own store', 'member'), [...membersOf('Store', store).keys(), ...membersOf('OpenStore', store).keys()])
})

t.test('the documents have every error, with its status and whether to retry', async t => {
  const rows = table('# Errors', 'code', ERRORS)
  t.strictSame(firstColumn(rows).toSorted(), Object.keys(errors).toSorted())
  for (const [code, status, retry, where] of rows) {
    const name = plain(code) as ErrorName
    const error = new errors[name]()
    t.equal(error.code, `${CODE_PREFIX}${name}`)
    t.equal(status, String(error.statusCode), `${name}: the status`)
    const refuses = /\bclient\b|everywhere|acknowledgement/.test(where ?? '')
    t.equal(plain(retry), refuses ? String(refusalOf(error, name).retry) : '', `${name}: whether to retry`)
  }
})

t.test('the README has every route', async t => {
  const routes: string[] = []
  const fastify = Fastify({ exposeHeadRoutes: false })
  t.teardown(async () => { await fastify.close() })
  fastify.addHook('onRoute', ({ method, url, schema }: RouteOptions) => {
    if (!(schema !== undefined && 'hide' in schema)) routes.push(`${String(method)} ${url}`)
  })
  await fastify.register(wsEvents, { env: false, evolution: true, globalEvents: true })
  const documented = firstColumn(table('## Routes', 'route'))
  t.strictSame(documented.toSorted(), routes.toSorted())
  for (const route of documented) {
    const [method = '', url = ''] = route.split(' ')
    t.ok(fastify.hasRoute({ method: method as HTTPMethods, url }), route)
  }
})

t.test('the documents have every event, in both spellings', async t => {
  const { events } = new Catalogue(evolutionEvents)
  const described = (name: string): string => evolutionEvents[name as keyof typeof evolutionEvents].description ?? ''
  t.strictSame(table('## Events', 'on the wire', EVENTS).map(row => row.map(plain)), events.map(({ name, constant }) => [name, constant, described(name)]))
})

t.test('the README can be read at once, and opens with both doors', async t => {
  for (const [file, most, doors] of [['README.md', 3000, ['#quick-start', 'docs/evolution.md']], ['README.pt-BR.md', 3300, ['docs/evolution.pt-BR.md', '#início-rápido']]] as const) {
    const text = read(file)
    const { length } = text.trim().split(/\s+/)
    t.ok(length <= most, `${file} has ${length} words: what is over ${most} belongs into a page of docs/`)
    const top = text.split('\n').slice(0, 15).join('\n')
    for (const door of doors) t.ok(top.includes(`](${door})`), `${file}: ${door}`)
  }
})

/** The anchors of a document's headings. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.toLowerCase().replace(/[^\p{L}\p{N} -]/gu, '').replaceAll(' ', '-'))

t.test('what the documents link to and name is there', async t => {
  const documents = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
  t.ok(README.includes('](docs/README.md)'))
  const index = read('docs/README.md')
  for (const document of documents) t.ok(document === 'docs/README.md' || index.includes(`](${document.slice('docs/'.length)}`), `docs/README.md links to ${document}`)
  for (const file of ['README.md', 'README.pt-BR.md', 'SECURITY.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'RELEASING.md', ...documents]) {
    const text = read(file)
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('https://')) continue
      const [path = '', anchor] = target.split('#')
      const other = path === '' ? file : join(dirname(file), path)
      t.ok(existsSync(join(root, other)), `${file}: ${target}`)
      if (anchor !== undefined) t.ok(anchorsOf(read(other)).includes(anchor), `${file}: ${target}`)
    }
    // What a measurement writes is there after one.
    for (const [, path = ''] of text.matchAll(/`((?:lib|test|example|bench(?!\/results)|docs)\/[\w./-]*)`/g)) t.ok(existsSync(join(root, path)), `${file}: ${path}`)
  }
})

// Programs that run as pasted

const QUICK_START = section(README, '## Quick start')

function installLine (): string {
  const line = /^npm install .*$/m.exec(section(README, '## Install'))?.[0]
  if (line === undefined) throw new Error('the README installs nothing')
  return line
}

/** The packages that the README installs. */
const packages = (): string[] => installLine().split(' ').slice(2)

/** The server listens before it sets the instance, and a client that comes in between is refused. */
async function isSet (port: number): Promise<void> {
  await answered(async () => (await fetch(`http://localhost:${port}/instance/acme/websocket`)).ok)
}

t.test('the quick start runs as pasted', async t => {
  const port = await freePort()
  const directory = folder(t, [...files(QUICK_START)].map(([name, code]) => [name, atPort(code, port)]), packages())
  const run = (file: string) => new Program(t, process.execPath, [file], { cwd: directory })
  await run('server.mjs').printed(lines => lines.some(line => line.includes('Server listening')))
  await isSet(port)
  const client = run('client.mjs')
  await client.printed(lines => lines.length > 0)
  t.equal(client.lines[0], 'hello')
})

t.test('the tenants with keys run as pasted', async t => {
  const text = section(README, '## Tenants with keys')
  const port = await freePort()
  const directory = folder(t, [...files(text)].map(([name, code]) => [name, atPort(code, port)]), packages())
  const inOrder = blocks(README).filter(({ heading, language }) => heading === '## Tenants with keys' && language === 'sh').flatMap(({ code }) => commands(code))
  const [server = '', put = '', client = '', ...more] = inOrder.map(({ command }) => command)
  t.strictSame(more, [])
  const comments = inOrder.at(-1)?.comments
  const run = (command: string) => new Program(t, 'bash', ['-c', command.replace(/^((?:\w+=\S+ )?)/, '$1 exec ').replace(/^ /, '')], { cwd: directory })
  await run(server).printed(lines => lines.some(line => line.includes('Server listening')))
  const set = run(atPort(put.replace('curl ', 'curl -sS '), port))
  t.equal(await set.ended, 0)
  t.match(JSON.parse(set.lines.join('')), { instance: 'acme', enabled: true })
  const both = run(client)
  await both.printed(lines => comments?.every(comment => lines.includes(comment)) === true)
  t.strictSame([...new Set(both.lines)].toSorted(), comments?.toSorted(), 'and nothing else')
})

for (const [document, text, heading] of [['README.md', README, '## Resume'], ['docs/resume.md', RESUME, '## The protocol'], ['docs/resume.md', RESUME, '## With the client of this package']] as const) {
  t.test(`the client of ${document}, "${heading}", resumes with nothing missing`, async t => {
    const [[name, code] = ['', '']] = files(section(text, heading))
    await losesNothing(t, port => {
      const directory = folder(t, [[name, atPort(code, port)]], packages())
      return new Program(t, process.execPath, [name], { cwd: directory })
    })
  })
}

t.test('the server with a durable store runs as pasted', async t => {
  const before = "import Fastify from 'fastify'\nimport wsEvents from 'fastify-ws-events'\nconst fastify = Fastify()\n"
  const after = "\nawait fastify.wsEvents.set('acme', { enabled: true })\nconsole.log((await fastify.wsEvents.emit('acme', 'call', 1)).routes, fastify.wsEvents.stats().log.records)\nawait fastify.close()\n"
  const directory = folder(t, [['server.mjs', before + block(section(STORES, '## The three stores'), 'js') + after]], packages())
  const server = new Program(t, process.execPath, ['server.mjs'], { cwd: directory })
  t.equal(await server.ended, 0)
  t.strictSame(server.lines, ["[ '/acme' ] 1"])
  t.ok(existsSync(join(directory, 'data')), 'the path is one from where the process was started')
})
