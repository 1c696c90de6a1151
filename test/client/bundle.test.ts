import { build, type BuildOptions } from 'esbuild'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { enabled } from './setup.js'

const entry = fileURLToPath(new URL('../../lib/client/index.ts', import.meta.url))
/** A process that ends later was kept: by a timer of its connection, that is after 45 s. */
const ENDS = 40_000
const options: BuildOptions = { entryPoints: [entry], bundle: true, format: 'esm', logLevel: 'silent', metafile: true }

t.test('it bundles for a browser, with Socket.IO\'s client and nothing else', async t => {
  // Of a module of Node's, esbuild says then that it cannot be resolved.
  const { metafile } = await build({ ...options, platform: 'browser', write: false })
  const packages = Object.keys(metafile?.inputs ?? {}).map(path => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.replace(/[^/]+$/, ''))
  const known = ['lib/client/', 'socket.io-client', 'socket.io-parser', 'engine.io-client', 'engine.io-parser', '@socket.io/component-emitter']
  t.strictSame(new Set(packages), new Set(known))
})

/** Runs plain JavaScript in a process of its own, which must end by itself. Resolves to what it prints. */
async function run (t: Test, url: string, script: string): Promise<string[]> {
  const directory = t.testdir({})
  await build({ ...options, platform: 'neutral', external: ['socket.io-client'], outfile: join(directory, 'client.mjs') })
  await writeFile(join(directory, 'script.mjs'), `import { connect } from './client.mjs'\nconst url = ${JSON.stringify(url)}\n${script}`)
  const child = spawn(process.execPath, [join(directory, 'script.mjs')], { stdio: ['ignore', 'pipe', 'inherit'], timeout: ENDS })
  const [printed, exit] = await Promise.all([text(child.stdout), once(child, 'exit')])
  t.strictSame(exit, [0, null], 'it has ended by itself')
  return printed.trim().split('\n')
}

t.test('in plain JavaScript, a handler that throws is an uncaught error, and the stream goes on', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const printed = run(t, url, `
    process.on('uncaughtException', error => console.log(error.message))
    const events = connect(url + '/acme')
    events.on('call', () => { throw new Error('of a handler') })
    events.on('call', ({ data }) => {
      console.log(data)
      if (data === 2) events.close()
    })`)
  const { wsEvents } = fastify
  await eventually(() => wsEvents.stats().delivery.resumed.fresh > 0)
  for (const number of [1, 2]) void wsEvents.emit('acme', 'call', number)
  t.strictSame((await printed).filter(line => line !== 'of a handler'), ['1', '2'])
  t.equal((await printed).filter(line => line === 'of a handler').length, 2)
})

t.test('when all are closed nothing keeps a process alive, whatever they were about to do', async t => {
  const { url } = await startServer(t)
  const printed = await run(t, url, `
    const never = () => new Promise(() => {})
    const late = { reconnectionDelay: 60000, reconnectionDelayMax: 60000, retryDelayMax: 60000, forceNew: true }
    const refused = connect(url + '/acme', late)
    const away = connect('http://127.0.0.1:9/acme', late)
    const asking = connect(url + '/acme', { ...late, apikey: never })
    const restoring = connect(url + '/acme', { ...late, storage: { getItem: never, setItem: never } })
    const failed = async ({ socket }) => await new Promise(resolve => socket.once('connect_error', resolve))
    await Promise.all([refused, away].map(failed))
    refused.socket.connect()
    await failed(refused)
    for (const events of [refused, away, asking, restoring]) events.close()
    console.log('closed')`)
  t.strictSame(printed, ['closed'])
})

t.test('with autoUnref a try to come keeps no process alive', async t => {
  const { url } = await startServer(t)
  const printed = await run(t, url, `
    const { socket } = connect(url + '/acme', { reconnectionDelay: 60000, retryDelayMax: 60000, autoUnref: true })
    const waiting = setInterval(() => {}, 1000)
    socket.once('connect_error', () => { console.log('refused'); clearInterval(waiting) })`)
  t.strictSame(printed, ['refused'])
})
