import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { folder, root } from '../helpers/documents.js'
import { freePort, Program } from '../helpers/program.js'
import type { Scope } from '../helpers/server.js'

/** Runs an example by plain Node, in an empty folder: a `.env` of the developer is not to matter. */
const run = (t: Scope, file: string, args: readonly string[], env: NodeJS.ProcessEnv): Program =>
  new Program(t, process.execPath, [join(root, 'example', file), ...args], { cwd: folder(t, []), env })

t.test('every example is JavaScript, and its types are in comments', async t => {
  const files = readdirSync(join(root, 'example'), { recursive: true, encoding: 'utf8' })
  t.strictSame(files.filter(file => file.endsWith('.ts')), [])
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
