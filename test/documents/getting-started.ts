import type { Test } from 'tap'
import { atPort, files, folder, read } from '../helpers/documents.js'
import { freePort, Program } from '../helpers/program.js'
import { commands as commandsOf, curls } from './shell.js'
import { commands, runs, type Stories, type Story } from './story.js'
import { compilerSaysOf } from './types.js'

const DOCUMENT = 'docs/getting-started.md'
const ADDRESS = 'http://localhost:8080'
const programs = (): Map<string, string> => files(read(DOCUMENT))

/** A file of the programs that the commands run. */
const file: Story = runs((t, { code }) => { t.ok([...programs().values()].includes(code)) })

/** The folder of the page, and what runs in it. */
function start (t: Test, port: number) {
  const contents = [...programs()].map(([name, code]): [string, string] => [name, code.includes('8080') ? atPort(code, port) : code])
  // What `npm pkg set type=module` makes.
  const manifest = ['package.json', '{ "type": "module" }'] as const
  const cwd = folder(t, [manifest, ...contents], ['fastify', 'fastify-ws-events', 'socket.io-client', 'tsx'])
  /** @param command as the page has it: `npx tsx FILE …` */
  const run = (command: string): Program => new Program(t, process.execPath, ['--import', 'tsx', ...command.replace('npx tsx ', '').split(' ')], { cwd })
  const serve = async (): Promise<Program> => {
    const server = run('npx tsx server.ts')
    await server.printed(lines => lines.length > 0)
    return server
  }
  return { run, serve, address: `http://localhost:${port}` }
}

export const GETTING_STARTED: Stories = {
  '## 1. The folder': [commands, file],
  '## 2. An event of your own': [file],
  '## 3. The server': [file, file],
  '## 4. A client': [
    file,
    runs((t, { code }) => { t.strictSame(commandsOf(code).map(({ command }) => command), ['npx tsx server.ts', 'npx tsx client.ts acme key-of-acme']) }),
    runs(async (t, { code }) => {
      const { run, serve, address } = start(t, await freePort())
      await serve()
      const client = run('npx tsx client.ts acme key-of-acme')
      await client.printed(lines => lines.includes('connected'))
      const [first, second, ...more] = commandsOf(code).map(({ command }) => command)
      t.strictSame(more, [])
      // That of beta first: what comes after it shows that it did not come.
      await curls(t, `${second} # "routes":["/beta"]\n${first} # "routes":["/acme"]\n`, { [ADDRESS]: address })
      await client.printed(lines => lines.includes('order 1 is paid: 9.9'))
      t.strictSame(client.lines, ['connected', 'order 1 is paid: 9.9'])
      const refused = run('npx tsx client.ts beta key-of-acme')
      await refused.printed(lines => lines.some(line => /does not grant access to .*beta/.test(line)))
    })
  ],
  '## 5. Resume over a restart': [runs(async (t, { code }) => {
    const { run, serve, address } = start(t, await freePort())
    const first = await serve()
    const client = run('npx tsx client.ts acme key-of-acme')
    await client.printed(lines => lines.includes('connected'))
    first.interrupt()
    t.equal(await first.ended, 0, 'Ctrl-C ends it in order')
    await serve()
    await curls(t, code.replace('\n', ' # "routes":["/acme"]\n'), { [ADDRESS]: address })
    await client.printed(lines => lines.includes('order 3 is paid: 9.9'))
    t.strictSame(client.lines, ['connected', 'connected', 'order 3 is paid: 9.9'])
  })],
  '## 6. A test': [file, runs(async (t, { code }) => {
    const [check = '', test = '', ...more] = commandsOf(code).map(({ command }) => command)
    t.strictSame([check, ...more], ['npx tsc'])
    const all = [...programs()].filter(([name]) => name.endsWith('.ts'))
    const wrong = "import { build } from './app.ts'\nconst { wsEvents } = await build()\n// @ts-expect-error -- the name of no event\nawait wsEvents.emit('acme', 'order.payed', {})\n"
    t.strictSame(compilerSaysOf([...all, ['wrong.ts', wrong]]), [])
    const { run } = start(t, await freePort())
    const tests = run(test.replace('--test', '--test --test-reporter=tap'))
    t.equal(await tests.ended, 0, tests.lines.join('\n'))
    t.ok(tests.lines.includes('# pass 1'))
  })]
}
