import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { atPort, folder } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { php, withoutPhpCurl } from '../helpers/php.js'
import { Program } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'
import { commands } from './shell.js'
import { runs, type Story } from './story.js'

const ID = /\b0[0-9a-z]{18}\b/g
/** What a stream says, but for what differs each time. */
const known = (line: string): string => line.replaceAll(ID, 'ID').replace(/^retry: \d+$/, 'retry: N').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME')

/** The three ways of curl: the live stream, the same from an id on, and a page. */
export const curlStreams: Story = runs(async (t, { code }) => {
  const { fastify: { wsEvents }, port } = await startServer(t, { apikey: 'YOUR_KEY' })
  await wsEvents.set('acme', { enabled: true })
  const [live, resumed, page] = commands(code)
  if (live === undefined || resumed === undefined || page === undefined) throw new Error('the document has three commands')
  const run = (command: string, id = '') => new Program(t, 'bash', ['-c', atPort(command.replace('curl ', 'exec curl -sS '), port).replace(ID, id)], { cwd: folder(t, []) })
  const isReady = (lines: readonly string[]) => lines.includes('event: ws.ready')
  const has = (text: string) => (lines: readonly string[]) => lines.some(line => line.startsWith('data: ') && line.includes(`{"text":"${text}"}`))

  const first = run(live.command)
  await first.printed(isReady)
  const { id } = await wsEvents.emit('acme', 'messages.upsert', { text: 'hi' })
  await first.printed(has('hi'))
  t.strictSame(first.lines.filter(line => !line.startsWith(':')).slice(0, live.comments.length).map(known), live.comments.map(known))
  await first.end()

  await wsEvents.emit('acme', 'messages.upsert', { text: 'missed' })
  const second = run(resumed.command, String(id))
  await second.printed(has('missed'))
  t.ok(second.lines.some(line => line.includes('"recovered":true')))
  t.notOk(has('hi')(second.lines), 'what it had had does not come again')

  const { id: newest } = await wsEvents.emit('acme', 'messages.upsert', {})
  const last = run(page.command, String(newest))
  t.equal(await last.ended, 0)
  t.strictSame(last.lines.map(known), page.comments.map(known))
})

export const phpStream: Story = runs(async (t, { code }) => {
  const { fastify: { wsEvents }, port } = await startServer(t, { apikey: 'YOUR_KEY', defaultConfig: { enabled: true } })
  const cwd = folder(t, [['stream.php', atPort(code, port)]])
  const run = () => new Program(t, php ?? '', ['stream.php'], { cwd })
  const first = run()
  await eventually(() => wsEvents.stats().clients.inInstances === 1)
  const { id } = await wsEvents.emit('acme', 'messages.upsert', { text: 'one' })
  await first.printed(lines => lines.includes('one'))
  // It notes the id after its work: who is killed in between gets the event again.
  const noted = join(cwd, 'last-event-id')
  await eventually(() => existsSync(noted) && readFileSync(noted, 'utf8') === id)
  await first.end()
  await wsEvents.emit('acme', 'messages.upsert', { text: 'two' })
  const second = run()
  await second.printed(lines => lines.includes('two'))
  t.strictSame(second.lines, ['two'])
}, withoutPhpCurl)
