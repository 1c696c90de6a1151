// One check of the packed package: `node .ci/package-check.js CHECK DIRECTORY`, where the directory holds the tarball.
import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, Program, run } from './helpers.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const [check, directory] = process.argv.slice(2)
const app = join(directory, 'app')

/** The ways in beside the plugin and fastify.io. */
const ENTRIES = ['client', 'monitor', 'stores']

function tarball () {
  const [name, ...others] = readdirSync(directory).filter(file => file.endsWith('.tgz'))
  assert.ok(name !== undefined && others.length === 0, `one tarball in ${directory}`)
  return join(directory, name)
}

async function contents () {
  const { stdout } = await run('tar', ['-tzf', tarball()])
  const files = stdout.trim().split('\n').map(file => file.replace(/^package\//, ''))
  const allowed = /^(dist\/.+\.(js|js\.map|d\.ts)|dist\/bin\/demo\/session\.jsonl\.br|(docs|example)\/.+|README(\.[\w-]+)?\.md|LICENSE|(CHANGELOG|SECURITY)\.md|THIRD-PARTY-NOTICES|package\.json)$/
  assert.deepEqual(files.filter(file => !allowed.test(file)), [], 'nothing else is published')
  for (const needed of ['LICENSE', 'README.md', 'CHANGELOG.md', 'THIRD-PARTY-NOTICES', 'dist/index.js', 'dist/index.d.ts', 'dist/gateway/io.js', 'dist/gateway/io.d.ts', 'dist/bin/index.js', 'dist/bin/demo/session.jsonl.br', ...ENTRIES.flatMap(name => [`dist/${name}/index.js`, `dist/${name}/index.d.ts`])]) {
    assert.ok(files.includes(needed), `${needed} is published`)
  }
  for (const document of files.filter(file => file.endsWith('.md'))) {
    const { stdout: text } = await run('tar', ['-xzOf', tarball(), `package/${document}`])
    for (const target of linksOf(text)) {
      const path = join(dirname(document), target).replace(/\/$/, '')
      assert.ok(files.some(file => file === path || file.startsWith(`${path}/`)), `${document}: ${target} is published`)
    }
  }
}

/** What a document in Markdown links to beside itself, but for other hosts. */
function linksOf (text) {
  const prose = text.replaceAll(/^```.*?^```/gms, '')
  return [...prose.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target]) => decodeURI(target)).filter(target => !/^\w+:/.test(target))
}

async function install () {
  const others = ['fastify', 'socket.io-client']
  const without = await installIn(join(directory, 'app-without'), others)
  const withOurs = await installIn(app, ['fastify', tarball(), 'socket.io-client'])
  const added = (before, after) => after.filter(each => !before.includes(each))

  // What npm says of the others (and of this machine's settings) it says without us too.
  // lmdb is optional, and its install script takes a binary that is in a package.
  const warnings = added(without.warnings, withOurs.warnings).filter(line => !line.startsWith('npm warn install-scripts'))
  assert.deepEqual(warnings, [], 'npm warns of nothing on our account')
  const unsupported = withOurs.warnings.filter(line => /EBADENGINE.*package:/.test(line))
  const direct = Object.keys(manifest.dependencies).filter(name => unsupported.some(line => line.includes(`'${name}@`)))
  assert.deepEqual(direct, [], 'no direct dependency asks for another Node than this one')
  assert.deepEqual(withOurs.packages.filter(({ hasInstallScript, optional }) => hasInstallScript && !optional).map(({ path }) => path), [], 'nothing but what is optional runs a script when it is installed')
  const paths = added(without.packages.map(({ path }) => path), withOurs.packages.map(({ path }) => path))
  console.log(`adds ${paths.length} packages:\n${paths.join('\n')}`)
  assert.ok(paths.includes('node_modules/fastify-ws-events'))
  assert.ok(!paths.some(path => path.endsWith('/fastify-socket.io')), 'fastify-socket.io is inlined')
  assert.equal(fastifyIn(withOurs), fastifyIn(without), 'npm need not take an older Fastify for us')
  assert.match(fastifyIn(withOurs), /^5\./)
}

const fastifyIn = ({ packages }) => packages.find(({ path }) => path === 'node_modules/fastify').version

async function installIn (folder, packages) {
  mkdirSync(folder)
  await run('npm', ['init', '-y'], { cwd: folder })
  const { stdout, stderr } = await run('npm', ['install', ...packages], { cwd: folder })
  console.log(`npm install ${packages.join(' ')}\n${stdout}${stderr}`)
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  return {
    warnings: `${stdout}${stderr}`.split('\n').filter(line => /^npm (warn|error)/i.test(line)),
    packages: Object.entries(lock.packages).map(([path, { version, hasInstallScript, optional }]) => ({ path, version, hasInstallScript, optional }))
  }
}

async function load () {
  const use = `
    async function use (plugin) {
      const fastify = Fastify()
      await fastify.register(plugin)
      console.log(fastify.wsEvents.mode)
      await fastify.close()
    }`
  const byImport = `
    import Fastify from 'fastify'
    import wsEvents, { evolutionEvents } from 'fastify-ws-events'
    import 'fastify-ws-events/io'
    ${ENTRIES.map(name => `import * as ${name} from 'fastify-ws-events/${name}'`).join('\n')}
    ${use}
    if (![client.connect, stores.memoryStore, stores.lmdbStore].every(each => typeof each === 'function')) throw new Error('something is not exported')
    if (!('messages.upsert' in evolutionEvents)) throw new Error('evolutionEvents is not the catalogue')
    await use(wsEvents)`
  const byRequire = `
    const Fastify = require('fastify')
    const wsEvents = require('fastify-ws-events')
    require('fastify-ws-events/io')
    for (const name of ${JSON.stringify(ENTRIES)}) require('fastify-ws-events/' + name)
    ${use}
    use(wsEvents).then(() => use(wsEvents.default))`

  // Nothing else is printed: no warning, of an experimental feature say.
  const imported = await run('node', ['--input-type=module', '-e', byImport], { cwd: app })
  assert.deepEqual(imported, { stdout: 'traditional\n', stderr: '' })
  const required = await run('node', ['--input-type=commonjs', '-e', byRequire], { cwd: app })
  assert.deepEqual(required, { stdout: 'traditional\ntraditional\n', stderr: '' })
}

/** Runs a program in the empty app, with a store. */
const runWith = async (store, then) => await run('node', ['--input-type=module', '-e', `
  import Fastify from 'fastify'
  import wsEvents from 'fastify-ws-events'
  const fastify = Fastify()
  await fastify.register(wsEvents, { store: '${store}' })
  ${then}
  await fastify.close()`], { cwd: app })

/** Without its driver a store says what to install. With it, an event and a config outlive the process. */
async function keepsWhatItWasGiven (store, driver) {
  // As with `--omit=optional`.
  rmSync(join(app, 'node_modules', driver), { recursive: true, force: true })
  await assert.rejects(runWith(store, ''), new RegExp(`FST_ERR_WS_EVENTS_STORE_OPEN[^]*npm install ${driver}`))
  await run('npm', ['install', `${driver}@${manifest.devDependencies[driver] ?? manifest.optionalDependencies[driver]}`], { cwd: app })
  await runWith(store, "await fastify.wsEvents.set('acme', { enabled: true }); console.log((await fastify.wsEvents.emit('acme', 'call', 1)).id)")
  const { stdout } = await runWith(store, "console.log((await fastify.wsEvents.find('acme')).enabled)")
  assert.equal(stdout, 'true\n')
}

async function durable () {
  await keepsWhatItWasGiven('lmdb:data', 'lmdb')
  const { stdout } = await runWith('lmdb:data', 'console.log(fastify.wsEvents.stats().log.records)')
  assert.equal(stdout, '1\n')
}

async function manyNodes () {
  const port = await freePort()
  const redis = new Program('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''])
  try {
    await redis.prints(/Ready to accept connections/, 20)
    await keepsWhatItWasGiven(`redis://127.0.0.1:${port}`, 'ioredis')
  } finally {
    await redis.stop()
  }
}

/** The server and the client, as a newcomer copies them from the README that is in the package. */
function quickStart () {
  const readme = readFileSync(join(app, 'node_modules/fastify-ws-events/README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```(?:ts|js)\n(.*?)^```/gms)].map(([, code]) => code)
  const server = blocks.find(code => code.includes("from 'fastify-ws-events'"))
  const client = blocks.find(code => code.includes("from 'socket.io-client'"))
  assert.ok(server !== undefined && client !== undefined, 'README.md has the server and the client of the quick start')
  return { server, client }
}

async function checkQuickStart () {
  const port = String(await freePort())
  for (const [name, code] of Object.entries(quickStart())) {
    assert.ok(code.includes('8080'), `the ${name} names its port`)
    // Pasted as it is, but for the port, which may be taken here.
    writeFileSync(join(app, `${name}.mjs`), code.replaceAll('8080', port))
  }
  const server = new Program('node', ['server.mjs'], { cwd: app })
  try {
    await server.prints(/Server listening/, 20)
    const client = new Program('node', ['client.mjs'], { cwd: app })
    try {
      await client.prints(/^hello$/m, 20)
    } finally {
      await client.stop()
    }
  } finally {
    await server.stop()
  }
}

/** `example/tenants`, by the commands of its README, in an empty folder. */
async function tenants () {
  const folder = join(directory, 'app-tenants')
  mkdirSync(folder)
  const { stdout: readme } = await run('tar', ['-xzOf', tarball(), 'package/example/tenants/README.md'])
  const [prepare, [add, connect], [pay]] = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code]) => code.trim().split(/\n+/))
  const serve = prepare.pop()
  const port = String(await freePort())
  let key = 'KEY'
  const here = command => command.replace('fastify-ws-events socket', `${tarball()} socket`).replace('8080', port).replace(/\bKEY\b/, key)
  const shell = async command => (await run('bash', ['-c', here(command)], { cwd: folder })).stdout
  const start = command => new Program('bash', ['-c', here(command)], { cwd: folder, env: { ...process.env, PORT: port }, detached: true })

  for (const command of [...prepare, 'npx tsc', 'npx tsx --test app.test.ts']) await shell(command)
  const server = start(serve)
  try {
    await server.prints(/^http:/m, 20)
    key = JSON.parse(await shell(add)).key
    const first = start(connect)
    try {
      await first.prints(/^connected to acme$/m, 20)
      const { id } = JSON.parse(await shell(pay))
      await first.prints(/^order 1 is paid: 9\.9$/m, 20)
      while (readFileSync(join(folder, 'last-event-id-of-acme'), 'utf8') !== id) await sleep(10)
    } finally {
      await first.interrupt()
    }
    await shell(pay.replace('"1"', '"2"'))
    const second = start(connect)
    try {
      await second.prints(/^connected to acme\norder 2 is paid: 9\.9$/m, 20)
    } finally {
      await second.interrupt()
    }
  } finally {
    await server.interrupt()
  }
}

/** As a newcomer does, in an empty folder: npx brings Fastify along. */
async function bin () {
  const empty = join(directory, 'empty')
  mkdirSync(empty)
  const npx = ['--yes', `--package=${tarball()}`, 'fastify-ws-events']
  writeFileSync(join(empty, 'evolution.env'), "WEBSOCKET_ENABLED=true\nAUTHENTICATION_API_KEY='the-key-of-evolution'\n")
  const { stdout } = await run('npx', [...npx, 'migrate', 'evolution.env'], { cwd: empty })
  assert.match(stdout, /^STAYS AS IT IS\n {2}WEBSOCKET_ENABLED\n[^]*await fastify\.register\(wsEvents/m)
  assert.ok(!stdout.includes('the-key-of-evolution'), 'no key is printed')

  const port = await freePort()
  const server = new Program('npx', [...npx, '--port', String(port)], { cwd: empty, detached: true })
  try {
    await server.prints(new RegExp(`^Monitor: http://localhost:${port}/monitor `, 'm'), 60)
    assert.match(await (await fetch(`http://localhost:${port}/monitor`)).text(), /<!doctype html>/i)
    // The session plays: npx has no client here, so one that a step before has installed.
    const client = new Program('node', ['--input-type=module', '-e', `
      import { io } from 'socket.io-client'
      io('http://localhost:${port}/acme').onAny((event, message) => { console.log(message.instance) })`], { cwd: app })
    try {
      await client.prints(/^acme$/m, 20)
    } finally {
      await client.stop()
    }
  } finally {
    await server.interrupt()
  }
}

/** `npx fastify-ws-events serve` in an empty folder with three variables: what it has taken is there after SIGTERM. */
async function serve () {
  const empty = join(directory, 'empty-serve')
  mkdirSync(empty)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const apikey = 'the-key-of-this-server'
  const env = { ...process.env, AUTHENTICATION_API_KEY: apikey, EVOLUTION_API_URL: 'http://127.0.0.1:9', PORT: String(port) }
  const start = async words => {
    const server = new Program('npx', ['--yes', `--package=${tarball()}`, ...words], { cwd: empty, env, detached: true })
    await server.prints(/Server listening/, 120)
    return server
  }
  const ask = async (path, init = {}) => await (await fetch(`${url}${path}`, { ...init, headers: { apikey, 'content-type': 'application/json', accept: 'application/json' } })).json()

  // As compose.yaml of the example has it: npm ends when the server has ended.
  const first = await start(['--call=exec fastify-ws-events serve'])
  assert.deepEqual(await ask('/health'), { status: 'ok' })
  const { lastEventId } = await ask('/instance/acme/events?after=')
  const body = JSON.stringify({ event: 'messages.upsert', instance: 'acme', data: 'kept', date_time: '2026-01-02T03:04:05.678Z' })
  const { id } = await ask('/webhook/evolution', { method: 'POST', body })
  assert.equal(typeof id, 'string')
  assert.equal(await first.stop(), 0)

  // npm ends at once, and the server a little later.
  const second = await start(['fastify-ws-events', 'serve'])
  const page = await ask(`/instance/acme/events?after=${encodeURIComponent(lastEventId)}`)
  assert.deepEqual(page.events.map(message => [message.id, message.data]), [[id, 'kept']])
  await second.stop()
  const isThere = async () => await fetch(`${url}/health`).then(() => true, () => false)
  while (await isThere()) await sleep(50)
}

// Each is a program of its own, since declarations hold for a whole program.
const CONSUMERS = {
  'open.mts': `
    import Fastify from 'fastify'
    import wsEvents, { evolutionEvents, type WsEventsOptions } from 'fastify-ws-events'

    const options: WsEventsOptions = { globalEvents: true, events: { ...evolutionEvents, 'order.paid': true } }
    const fastify = Fastify()
    await fastify.register(wsEvents, options)
    const id: string | null = (await fastify.wsEvents.emit('acme', 'any.name', {})).id
    // @ts-expect-error -- an unknown option
    await fastify.register(wsEvents, { globalEvent: true })
    // @ts-expect-error -- not without the opt-in import
    void [fastify.io, id]`,
  'declared.mts': `
    import type { FastifyInstance } from 'fastify'
    import 'fastify-ws-events'

    declare module 'fastify-ws-events' {
      interface EventTypes { 'order.paid': { id: string } }
    }
    export async function pay ({ wsEvents }: FastifyInstance): Promise<void> {
      await wsEvents.emit('acme', 'order.paid', { id: '1' })
      await wsEvents.emit('acme', 'ORDER_PAID', { id: '1' })
      // @ts-expect-error -- a name that is not declared
      await wsEvents.emit('acme', 'order.payed', { id: '1' })
      // @ts-expect-error -- data of the wrong type
      await wsEvents.emit('acme', 'order.paid', { id: 1 })
    }`,
  'io.mts': `
    import type { FastifyInstance } from 'fastify'
    import 'fastify-ws-events/io'
    import type { Server } from 'socket.io'

    export const ioOf = (fastify: FastifyInstance): Server => fastify.io`,
  'stores.mts': `
    import Fastify from 'fastify'
    import wsEvents from 'fastify-ws-events'
    import { connect } from 'fastify-ws-events/client'
    import { lmdbStore, memoryStore, type Store } from 'fastify-ws-events/stores'

    const stores: Store[] = [memoryStore(), lmdbStore('data'), lmdbStore({ path: 'data', flush: true })]
    for (const store of stores) await Fastify().register(wsEvents, { store, retention: { maxAge: 1000 } })
    connect('http://localhost:8080/acme').on('messages.upsert', message => { console.log(message.id) })`,
  'typebox.mts': `
    import { Type } from 'typebox'
    import Fastify from 'fastify'
    import wsEvents, { type EventTypesOf } from 'fastify-ws-events'

    const events = { 'order.paid': Type.Object({ id: Type.String() }) }
    declare module 'fastify-ws-events' {
      interface EventTypes extends EventTypesOf<typeof events> {}
    }
    const fastify = Fastify()
    await fastify.register(wsEvents, { events })
    await fastify.wsEvents.emit('acme', 'order.paid', { id: '1' })
    // @ts-expect-error -- data against its schema
    await fastify.wsEvents.emit('acme', 'order.paid', { id: 1 })`,
  'required.cts': `
    import Fastify = require('fastify')
    import wsEvents = require('fastify-ws-events')

    const fastify = Fastify()
    fastify.register(wsEvents, { globalEvents: true })
    fastify.register(wsEvents.default, { globalEvents: true })`,
  // What TypeScript compiles to require(), as in the package that "npm init -y" makes.
  'commonjs.cts': `
    import Fastify from 'fastify'
    import wsEvents, { evolutionEvents, type WsEventsOptions } from 'fastify-ws-events'

    const options: WsEventsOptions = { events: { ...evolutionEvents, 'order.paid': true } }
    const fastify = Fastify()
    fastify.register(wsEvents, options)`
}

const NODENEXT = ['--module', 'nodenext']
const BUNDLER = ['--module', 'esnext', '--moduleResolution', 'bundler']
const NODE10 = ['--module', 'commonjs', '--moduleResolution', 'node10', '--esModuleInterop']
const MODULES = [...Object.keys(CONSUMERS).filter(name => name.endsWith('.mts')), 'quick-start.mts']
/** What each file of a program is compiled with: `[file, arguments]`. */
const AS_MODULES = [...MODULES.map(name => [name, NODENEXT]), ['open.mts', BUNDLER]]
const AS_COMMONJS = ['commonjs.cts', NODENEXT]

/**
 * The oldest TypeScript that the documents name, the first that takes what CommonJS imports of a module, the one that we
 * use, and the newest. Under 5.6 the types of engine.io do not compile by themselves (`Buffer<ArrayBuffer>`), so that
 * skipLibCheck is needed there. The types of `module.exports` are read from 5.9 on.
 */
const TYPESCRIPTS = [
  { version: '5.6', skipLibCheck: true, programs: [...AS_MODULES, ['commonjs.cts', NODE10]] },
  { version: '5.8', skipLibCheck: false, programs: [AS_COMMONJS] },
  ...[manifest.devDependencies.typescript, 'latest'].map(version => (
    { version, skipLibCheck: false, programs: [...AS_MODULES, AS_COMMONJS, ['required.cts', NODENEXT]] }))
]

async function types () {
  await run('npm', ['install', `@types/node@${manifest.devDependencies['@types/node']}`, 'typebox@1'], { cwd: app })
  const consumers = { ...CONSUMERS, 'quick-start.mts': quickStart().server }
  for (const [name, code] of Object.entries(consumers)) writeFileSync(join(app, name), code)
  for (const { version, skipLibCheck, programs } of TYPESCRIPTS) {
    const folder = join(directory, `typescript-${version.replace(/[^\w.]/g, '')}`)
    mkdirSync(folder)
    await run('npm', ['install', '--prefix', folder, `typescript@${version}`])
    const tsc = join(folder, 'node_modules/.bin/tsc')
    const { stdout } = await run(tsc, ['--version'])
    for (const [name, modules] of programs) {
      const args = ['--noEmit', '--strict', '--skipLibCheck', String(skipLibCheck), '--target', 'es2022', '--types', 'node', ...modules, name]
      await run(tsc, args, { cwd: app })
    }
    console.log(`${programs.map(([name]) => name).join(', ')} compile with TypeScript ${stdout.replace('Version ', '').trim()}`)
  }
}

/** An application in one file, which is run far from every node_modules. */
const BUNDLED = `
  import Fastify from 'fastify'
  import wsEvents, { Type } from 'fastify-ws-events'
  import monitor from 'fastify-ws-events/monitor'
  import { memoryStore } from 'fastify-ws-events/stores'
  import { io } from 'socket.io-client'

  async function main () {
    const fastify = Fastify()
    await fastify.register(wsEvents, { store: memoryStore(), events: { greeted: Type.Object({ text: Type.String() }) }, defaultConfig: { enabled: true } })
    await fastify.register(monitor, { prefix: '/monitor' })
    const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
    for (const [path, expected] of [['', '<!doctype html>'], ['page.js', 'fetch('], ['page.css', 'body']]) {
      const text = await (await fetch(url + '/monitor/' + path)).text()
      if (!text.toLowerCase().includes(expected)) throw new Error('the monitor serves no ' + path)
    }
    const socket = io(url + '/acme', { transports: ['websocket'] })
    const message = await new Promise((resolve, reject) => {
      socket.on('greeted', resolve).on('connect_error', reject)
      socket.on('connect', () => { fastify.wsEvents.emit('acme', 'greeted', { text: 'hello' }) })
    })
    console.log(message.data.text)
    socket.disconnect()
    await fastify.close()
  }
  main()`

/** The banner by which packages in CommonJS are bundled into a module: it must not collide with ours. */
const USUAL_BANNER = "import { createRequire } from 'module'; const require = createRequire(import.meta.url);"
const DRIVERS = ['ioredis', 'lmdb', 'prom-client']

async function bundle () {
  writeFileSync(join(app, 'bundled.mjs'), BUNDLED)
  const elsewhere = join(directory, 'bundles')
  mkdirSync(elsewhere)
  for (const { name, format, banner } of [
    { name: 'bundle.cjs', format: 'cjs' },
    { name: 'bundle.mjs', format: 'esm', banner: { js: USUAL_BANNER } }
  ]) {
    const outfile = join(elsewhere, name)
    const options = { entryPoints: [join(app, 'bundled.mjs')], bundle: true, platform: 'node', format, outfile, external: DRIVERS, logLevel: 'silent', ...banner && { banner } }
    const { warnings } = await build(options)
    assert.deepEqual(warnings.filter(({ location }) => location?.file.includes('fastify-ws-events')), [], 'esbuild warns of nothing in the package')
    const { stdout } = await run('node', [name], { cwd: elsewhere, timeout: 30_000 })
    assert.equal(stdout, 'hello\n', name)
  }
}

/** pnpm gives an application only what it asks for itself: the types and examples must do with that. */
async function pnpm () {
  const folder = join(directory, 'app-pnpm')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  const add = ['fastify', tarball(), 'socket.io-client', 'typescript@5.9', `@types/node@${manifest.devDependencies['@types/node']}`]
  await run('npx', ['--yes', 'pnpm@9', 'add', '--config.node-linker=isolated', ...add], { cwd: folder })
  assert.ok(!existsSync(join(folder, 'node_modules/@sinclair')), 'what we depend on is not the application\'s')
  const readme = readFileSync(join(folder, 'node_modules/fastify-ws-events/README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```(?:ts|js)\n(.*?)^```/gms)].map(([, code]) => code)
  const events = blocks.find(code => code.includes('EventTypesOf<typeof events>'))
  assert.ok(events !== undefined, 'README.md has a catalogue with types')
  writeFileSync(join(folder, 'events.ts'), events)
  writeFileSync(join(folder, 'index.ts'), `
    import Fastify from 'fastify'
    import wsEvents from 'fastify-ws-events'
    import { events } from './events.js'

    const fastify = Fastify()
    await fastify.register(wsEvents, { events, defaultConfig: { enabled: true } })
    await fastify.wsEvents.emit('acme', 'order.paid', { id: '1' })
    // @ts-expect-error -- data against its schema
    await fastify.wsEvents.emit('acme', 'order.paid', { id: 1 }).catch(({ code }) => { console.log(code) })
    await fastify.close()`)
  await run('node_modules/.bin/tsc', ['--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--module', 'nodenext', '--types', 'node', 'index.ts'], { cwd: folder })
  const { stdout } = await run('node', ['index.js'], { cwd: folder })
  assert.equal(stdout, 'FST_ERR_WS_EVENTS_INVALID_DATA\n')
}

const checks = { contents, install, load, durable, 'many-nodes': manyNodes, 'quick-start': checkQuickStart, tenants, bin, serve, types, bundle, pnpm }
assert.ok(Object.hasOwn(checks, check) && existsSync(directory), `usage: package-check.js ${Object.keys(checks).join('|')} DIRECTORY`)
await checks[check]()
