import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { folder, root } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { freePort, Program } from '../helpers/program.js'
import type { Scope } from '../helpers/server.js'

/** Runs an example by plain Node, in an empty folder: a `.env` of the developer is not to matter. */
const run = (t: Scope, file: string, args: readonly string[], env: NodeJS.ProcessEnv): Program =>
  new Program(t, process.execPath, [join(root, 'example', file), ...args], { cwd: folder(t, []), env })

t.test('every example but that of tenants is JavaScript, and its types are in comments', async t => {
  const files = readdirSync(join(root, 'example'), { recursive: true, encoding: 'utf8' })
  t.strictSame(files.filter(file => file.endsWith('.ts') && !file.startsWith('tenants')), [])
  for (const file of ['server.js', 'client.js', 'cluster/start.js']) t.ok(files.includes(file), file)
})

t.test('the example server and client run by plain node, with a key, and end by themselves or by Ctrl-C', async t => {
  const env = { PORT: String(await freePort()), AUTHENTICATION_API_KEY: 'the-key-of-the-example' }
  const server = run(t, 'server.js', [], env)
  await server.printed(lines => lines.some(line => line.includes('Server listening')))
  const client = run(t, 'client.js', ['--events', '1'], env)
  t.equal(await client.ended, 0, client.lines.join('\n'))
  t.ok(client.lines.some(line => line.includes('FST_ERR_WS_EVENTS_NOT_SET')), 'it has shown a refusal')
  t.ok(client.lines.some(line => /^\d\d:\d\d:\d\d {2}acme /.test(line)), 'and an event')
  server.interrupt()
  t.equal(await server.ended, 0)
})

const TENANTS = join(root, 'example/tenants')

/** The TypeScript of the examples, run by tsx as its README says; types are checked in long/types.test.ts. */
const byTsx = (t: Scope, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = TENANTS): Program =>
  new Program(t, process.execPath, ['--import', import.meta.resolve('tsx'), ...args], { cwd, env: { ...env, NODE_OPTIONS: '' } })

t.test('the test of the app with tenants passes', async t => {
  const test = byTsx(t, ['--test', 'app.test.ts'])
  t.equal(await test.ended, 0, test.lines.join('\n'))
  t.match(test.lines.join('\n'), /pass 1/)
})

t.test('the app with tenants adds one, and its client hears of each order once, over a restart of its own', async t => {
  const adminKey = 'the-key-of-the-admin'
  const server = byTsx(t, ['start.ts'], { ADMIN_KEY: adminKey, PORT: String(await freePort()) })
  await server.printed(lines => lines.some(line => line.startsWith('http://')))
  const url = server.lines.find(line => line.startsWith('http://')) ?? ''
  const added = await fetch(`${url}/tenants/acme`, { method: 'POST', headers: { apikey: adminKey } })
  const { key } = await added.json() as { key: string }
  // It keeps a file where it was started.
  const home = folder(t, [])
  const startClient = (): Program => byTsx(t, [join(TENANTS, 'client.ts'), url, 'acme', key], {}, home)
  const first = startClient()
  let paid: string | undefined
  const pay = async (body: object): Promise<number> => {
    const response = await fetch(`${url}/orders/paid`, { method: 'POST', headers: { apikey: key, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    paid = (await response.json() as { id?: string }).id
    return response.status
  }
  t.equal(await pay({ id: '1', cents: -1 }), 400, 'an order against the schema')
  await first.printed(lines => lines.includes('connected to acme'))
  t.equal(await pay({ id: '1', cents: 990 }), 200)
  await first.printed(lines => lines.includes('order 1 is paid: 9.9'))
  // It is kept after the line was printed.
  await eventually(() => readFileSync(join(home, 'last-event-id-of-acme'), 'utf8') === paid)
  first.interrupt()
  await first.ended
  t.equal(await pay({ id: '2', cents: 990 }), 200)
  const client = startClient()
  await client.printed(lines => lines.includes('order 2 is paid: 9.9'))
  t.strictSame(client.lines, ['connected to acme', 'order 2 is paid: 9.9'])
  const revoked = await fetch(`${url}/key`, { method: 'DELETE', headers: { apikey: key } })
  t.equal(revoked.status, 204)
  await client.printed(lines => lines.includes('the server has sent this client away'))
  server.interrupt()
  t.equal(await server.ended, 0)
})
