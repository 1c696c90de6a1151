import Fastify, { type HTTPMethods, type RouteOptions } from 'fastify'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { CODE_PREFIX, type ErrorName, errors } from '../lib/errors.js'
import { Catalogue } from '../lib/events/catalogue.js'
import { evolutionEvents } from '../lib/events/evolution.js'
import { refusalOf } from '../lib/gateway/admission.js'
import wsEvents from '../lib/index.js'
import { optionSchemas } from '../lib/options.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const README = read('README.md')
const TYPES = ts.createSourceFile('types.ts', read('lib/types.ts'), ts.ScriptTarget.Latest, true)

// Markdown

/** The text of a section, up to the next heading of its level or above. */
function section (markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n${heading}\n`)
  if (start === -1) throw new Error(`there is no section "${heading}"`)
  const rest = markdown.slice(start + heading.length + 2)
  const level = heading.indexOf(' ')
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return end === -1 ? rest : rest.slice(0, end)
}

/** The rows of the tables of a text, by the name in the first column of their header. */
function tables (markdown: string): Map<string, string[][]> {
  const found = new Map<string, string[][]>()
  for (const [text] of markdown.matchAll(/(?:^\|.*\n)+/gm)) {
    const [header = [], , ...rows] = text.trimEnd().split('\n').map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
    found.set(header[0] ?? '', rows)
  }
  return found
}

function table (heading: string, name: string): string[][] {
  const rows = tables(section(README, heading)).get(name)
  if (rows === undefined) throw new Error(`"${heading}" has no table with the column "${name}"`)
  return rows
}

/** Without the marks of code. */
const plain = (cell = ''): string => cell.replaceAll('`', '')
const firstColumn = (rows: string[][]): string[] => rows.map(([cell]) => plain(cell))

/** The code blocks of files, by the file that the line before names. */
function files (markdown: string): Map<string, string> {
  return new Map([...markdown.matchAll(/^`([\w.]+)`:\n\n```\w+\n([\s\S]*?)^```/gm)].map(([, name = '', code = '']) => [name, code]))
}

// Types

interface Member {
  readonly name: string
  readonly comment: string
  /** What `@default` says; `undefined` where there is none. */
  readonly byDefault: string | undefined
}

function membersOf (name: string): Map<string, Member> {
  const found = TYPES.statements.filter(ts.isInterfaceDeclaration).find(statement => statement.name.text === name)
  if (found === undefined) throw new Error(`lib/types.ts has no interface ${name}`)
  return new Map(found.members.map(member => {
    const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default')
    const key = member.name?.getText() ?? ''
    return [key, {
      name: key,
      comment: ts.getJSDocCommentsAndTags(member).map(comment => comment.getText()).join('\n'),
      byDefault: tag === undefined ? undefined : plain(ts.getTextOfJSDocComment(tag.comment))
    }]
  }))
}

/** A default as the documents write it. */
function written (value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : inspect(value)
}

t.test('the README has every option, with its variable and its default', async t => {
  const rows = table('## Options', 'option')
  t.strictSame(firstColumn(rows).toSorted(), Object.keys(optionSchemas).toSorted())
  const members = membersOf('WsEventsOptions')
  t.strictSame([...members.keys()].toSorted(), Object.keys(optionSchemas).toSorted(), 'and so has the type')
  for (const [name, variable, byDefault] of rows) {
    const schema: { env?: string, default?: unknown } = optionSchemas[plain(name) as keyof typeof optionSchemas]
    const member = members.get(plain(name))
    t.equal(plain(variable), schema.env ?? '', `${name}: the variable`)
    t.strictSame(member?.comment.match(/Environment:\s+(?:\* )?`(\w+)`/)?.[1], schema.env, `${name}: the variable in TSDoc`)
    if (member?.byDefault === undefined) {
      t.equal(byDefault, `[below](#${plain(name)})`, `${name}: a table of its own`)
      continue
    }
    t.equal(plain(byDefault), member.byDefault, `${name}: the default in TSDoc`)
    if ('default' in schema) t.equal(plain(byDefault), written(schema.default), `${name}: the default`)
    else t.match(plain(byDefault), /\bnone$/, `${name}: no default`)
  }
})

t.test('the README has every limit, with its default', async t => {
  const { properties } = optionSchemas.limits
  const rows = table('### Limits', 'limit')
  t.strictSame(firstColumn(rows), Object.keys(properties))
  const members = membersOf('Limits')
  t.strictSame([...members.keys()], Object.keys(properties), 'and so has the type')
  for (const [name, byDefault] of rows) {
    const { default: value } = properties[plain(name) as keyof typeof properties]
    t.equal(byDefault?.replaceAll(',', ''), String(value), `${name}: the default`)
    t.equal(members.get(plain(name))?.byDefault, String(value), `${name}: the default in TSDoc`)
  }
})

t.test('the README has every member of fastify.wsEvents, and what they take and give', async t => {
  const heading = '## `fastify.wsEvents`'
  t.strictSame(firstColumn(table(heading, 'member')).map(cell => cell.replace(/\(.*/, '')), [...membersOf('WsEvents').keys()])
  const options = table(heading, 'option of `emit`')
  const members = membersOf('EmitOptions')
  t.strictSame(firstColumn(options), [...members.keys()])
  for (const [name, byDefault] of options) t.equal(plain(byDefault), members.get(plain(name))?.byDefault ?? 'none', `emit, ${name}: the default`)
  t.strictSame(firstColumn(table(heading, 'key of the result')), [...membersOf('EmitResult').keys()])
  t.strictSame(firstColumn(table('### Counters', 'key')).toSorted(), [...membersOf('Stats').keys()].toSorted())
  t.strictSame(firstColumn(table('## Message', 'key')), [...membersOf('Message').keys()])
})

t.test('the README has every error, with its status and whether to retry', async t => {
  const rows = table('## Errors', 'code')
  t.strictSame(firstColumn(rows).toSorted(), Object.keys(errors).toSorted())
  for (const [code, status, retry, where] of rows) {
    const name = plain(code) as ErrorName
    const error = new errors[name]()
    t.equal(error.code, `${CODE_PREFIX}${name}`)
    t.equal(status, String(error.statusCode), `${name}: the status`)
    const refuses = /\bclient\b|everywhere/.test(where ?? '')
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
  await fastify.register(wsEvents, { env: false, evolution: true })
  const documented = firstColumn(table('## Routes', 'route'))
  t.strictSame(documented.toSorted(), routes.toSorted())
  for (const route of documented) {
    const [method = '', url = ''] = route.split(' ')
    t.ok(fastify.hasRoute({ method: method as HTTPMethods, url }), route)
  }
})

t.test('the README has every event, in both spellings', async t => {
  const { events } = new Catalogue(evolutionEvents)
  const described = (name: string): string => evolutionEvents[name as keyof typeof evolutionEvents].description ?? ''
  t.strictSame(table('## Events', 'on the wire').map(row => row.map(plain)), events.map(({ name, constant }) => [name, constant, described(name)]))
})

t.test('what the documents link to and name is there', async t => {
  for (const file of ['README.md', 'README.pt-BR.md', 'CHANGELOG.md', 'docs/architecture.md']) {
    const text = read(file)
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.toLowerCase().replace(/[^\p{L}\p{N} -]/gu, '').replaceAll(' ', '-'))
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('#')) t.ok(anchors.includes(target.slice(1)), `${file}: ${target}`)
      else if (!target.startsWith('https://')) t.ok(existsSync(join(root, dirname(file), target)), `${file}: ${target}`)
    }
    for (const [, path = ''] of text.matchAll(/`((?:lib|test|example|bench|docs)\/[\w./-]*)`/g)) t.ok(existsSync(join(root, path)), `${file}: ${path}`)
  }
})

// The quick start

const QUICK_START = section(README, '## Quick start')
const PORT = '8080'

t.test('the quick start is the same in Portuguese', async t => {
  const portuguese = read('README.pt-BR.md')
  t.equal(files(QUICK_START).size, 2)
  t.strictSame(files(portuguese), files(QUICK_START))
  t.ok(portuguese.includes(installLine()))
})

function installLine (): string {
  const line = /^npm install .*$/m.exec(QUICK_START)?.[0]
  if (line === undefined) throw new Error('the quick start installs nothing')
  return line
}

/** The packages that the quick start installs, this one as it was built. */
function install (directory: string): void {
  mkdirSync(join(directory, 'node_modules'))
  for (const name of installLine().split(' ').slice(2)) {
    symlinkSync(name === 'fastify-ws-events' ? root : join(root, 'node_modules', name), join(directory, 'node_modules', name), 'junction')
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Runs a file, and ends it with the test. */
function run (t: Test, directory: string, file: string): ChildProcess {
  // Of the environment, what Node needs: the variables of the plugin are not to matter.
  const child = spawn(process.execPath, [file], { cwd: directory, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return child
}

/** Resolves as soon as a process prints a line that has this text; rejects when it ends without. */
async function printed (child: ChildProcess, text: string): Promise<string> {
  if (child.stdout === null) throw new Error('nobody reads what it prints')
  for await (const line of createInterface(child.stdout)) {
    if (line.includes(text)) return line
  }
  throw new Error(`it ended without printing "${text}"`)
}

/** The server listens before it sets the instance, and a client that comes in between is refused. */
async function isSet (port: number): Promise<void> {
  while (!(await fetch(`http://localhost:${port}/instance/acme/websocket`)).ok);
}

t.test('the quick start runs as pasted', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'quick-start-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  install(directory)
  const port = await freePort()
  for (const [name, code] of files(QUICK_START)) {
    t.equal(code.split(PORT).length, 2, `${name} names the port once`)
    writeFileSync(join(directory, name), code.replace(PORT, String(port)))
  }
  await printed(run(t, directory, 'server.mjs'), 'Server listening')
  await isSet(port)
  t.equal(await printed(run(t, directory, 'client.mjs'), ''), 'hello')
})
