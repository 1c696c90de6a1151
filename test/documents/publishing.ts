import type { Test } from 'tap'
import { findProgram } from '../helpers/daemon.js'
import { listen } from '../helpers/client.js'
import { atPort, folder } from '../helpers/documents.js'
import { php, withoutPhp } from '../helpers/php.js'
import { Program } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'
import { commands } from './shell.js'
import { runs, type Story } from './story.js'

const python = findProgram('python3')
const withoutPython = python === undefined && 'there is no Python: apt-get install python3 (Debian)'

/** A server that publishers may use, and a client of acme. */
async function start (t: Test) {
  const server = await startServer(t, { apikey: 'a-key', publishKey: 'YOUR_PUBLISH_KEY', defaultConfig: { enabled: true } })
  return { port: server.port, ...await listen(t, `${server.url}/acme`, { auth: { apikey: 'a-key' } }) }
}

export const curlPublish: Story = runs(async (t, { code }) => {
  const { port, inbox } = await start(t)
  const [publish] = commands(code)
  if (publish === undefined) throw new Error('the document has a command')
  const program = new Program(t, 'bash', ['-c', atPort(publish.command.replace('curl ', 'exec curl -sS '), port)], { cwd: folder(t, []) })
  t.equal(await program.ended, 0)
  const [message] = await inbox.got(1)
  t.same(message?.data, { text: 'hello' })
  t.strictSame(program.lines.map(line => line.replace(String(message?.id), '…')), publish.comments)
})

export const phpPublish: Story = runs(async (t, { code }) => {
  const { port, inbox } = await start(t)
  const cwd = folder(t, [['publish.php', `<?php\n${atPort(code, port)}echo $result->id, "\\n";`]])
  const run = async (): Promise<readonly string[]> => {
    const program = new Program(t, php ?? '', ['publish.php'], { cwd })
    t.equal(await program.ended, 0)
    return program.lines
  }
  const first = await run()
  const [message] = await inbox.got(1)
  t.strictSame(first, [message?.id])
  t.strictSame(await run(), first, 'the same key is answered as the first time')
}, withoutPhp)

export const pythonPublish: Story = runs(async (t, { code }) => {
  const { port, inbox } = await start(t)
  const cwd = folder(t, [['publish.py', `${atPort(code, port)}print(*[result['id'] for result in results], sep='\\n')\n`]])
  const program = new Program(t, python ?? '', ['publish.py'], { cwd })
  t.equal(await program.ended, 0)
  const messages = await inbox.got(100)
  t.strictSame(program.lines, messages.map(({ id }) => id))
  t.strictSame(messages.map(({ data }) => data), Array.from({ length: 100 }, (_, number) => ({ number })))
}, withoutPython)
