import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { readCommand } from '../../lib/bin/command.js'
import { EXIT_CODES } from '../../lib/bin/failure.js'
import { instructions } from '../../lib/bin/demo/instructions.js'
import { listen } from '../helpers/client.js'
import { folder, read, section } from '../helpers/documents.js'
import { Program } from '../helpers/program.js'
import { runToEnd, startDemo } from './run.js'

const KEY = 'the-key-of-the-demo'

/** The client that is printed, as somebody pastes it. */
const printedClient = (output: string): string => output.split('\n').filter(line => /^ {2}(import|const socket|socket\.)/.test(line)).join('\n')

t.test('the first line is the address of the monitor, which is there, and clients get the session until Ctrl-C', async t => {
  const { program, output, url } = await startDemo(t)
  const [first = ''] = output.split('\n')
  t.equal(/^Monitor: (\S+) .*no key is needed/.exec(first)?.[1], `${url}/monitor`)
  const page = await fetch(`${url}/monitor`)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /^text\/html/)

  const { inbox } = await listen(t, `${url}/acme`)
  const [message] = await inbox.got(1)
  t.equal(message?.instance, 'acme')
  for (const name of ['acme', 'Teste 01', 'loja-ação', 'suporte_br']) {
    t.ok(output.includes(`  ${url}/${encodeURIComponent(name)}`))
    t.equal((await fetch(`${url}/instance/${encodeURIComponent(name)}/websocket`)).status, 200)
  }
  const urls = [...output.matchAll(/^ {2}curl .*?(http:\S+)/gm)].map(([, url = '']) => url)
  t.ok(urls.length >= 2)
  for (const url of urls) {
    const ended = new AbortController()
    t.equal((await fetch(url, { signal: ended.signal })).status, 200, url)
    // A live stream has no end of its own.
    ended.abort()
  }

  const directory = folder(t, [['client.mjs', printedClient(output)]], ['socket.io-client'])
  const client = new Program(t, process.execPath, ['client.mjs'], { cwd: directory })
  await client.printed(lines => lines.some(line => line.startsWith('acme ')))
  t.equal(client.lines[0], 'connected', 'the client code runs as pasted')

  // As a browser opens connections in advance. Node would wait a minute for it.
  const silent = connect(Number(new URL(url).port), 'localhost').resume()
  t.teardown(() => { silent.destroy() })
  await once(silent, 'connect')
  const closed = once(silent, 'close')
  program.interrupt()
  await closed
  t.equal(silent.bytesRead, 0, 'not for 408 Request Timeout')
  t.equal(await program.ended, 0, 'Ctrl-C is no failure')
  await t.rejects(fetch(url), 'nothing listens any more')
})

t.test('with a key in global mode the key is asked for and never printed, and the client code takes it from WS_APIKEY', async t => {
  const { output, url } = await startDemo(t, { AUTHENTICATION_API_KEY: KEY, WEBSOCKET_GLOBAL_EVENTS: 'true' })
  t.match(output.split('\n')[0], /asks for your key/)
  t.match(output, 'global mode')
  t.notOk(output.includes(KEY))
  t.equal((await fetch(`${url}/instance/acme/websocket`)).status, 401)
  const directory = folder(t, [['client.mjs', printedClient(output)]], ['socket.io-client'])
  const client = new Program(t, process.execPath, ['client.mjs'], { cwd: directory, env: { WS_APIKEY: KEY } })
  await client.printed(lines => lines.length > 1)
  t.equal(client.lines[0], 'connected')
})

t.test('with events switched off it says so, and how to change that', async t => {
  const text = instructions({ mode: 'disabled', url: 'http://localhost:1', key: false, allowedHosts: false, stream: false })
  t.match(text, /events are off.*WEBSOCKET_ENABLED is false[^]*WEBSOCKET_ENABLED=true/)
  t.notMatch(text, 'Monitor')
})

t.test('where events are served to curl, the command is there, with the key where one is needed', async t => {
  const facts = { mode: 'traditional', url: 'http://localhost:1', key: true, allowedHosts: false, stream: true } as const
  t.ok(instructions(facts).includes('  curl -N -H "apikey: $WS_APIKEY" http://localhost:1/instance/acme/events\n'))
  t.notMatch(instructions({ ...facts, stream: false }), '/events\n')
})

t.test('.env of the folder counts', async t => {
  const outcome = await runToEnd(folder(t, [['.env', 'WEBSOCKET_STORE=nonsense\n']]), ['--port', '0'])
  t.match(outcome, { code: 1, stdout: '', stderr: /^Cannot start: the environment variable WEBSOCKET_STORE.*\(FST_ERR_WS_EVENTS_INVALID_OPTION\)\n$/ })
})

t.test('a port in use has a code of its own, and the message says how to take another one', async t => {
  const other = createServer().listen(0, 'localhost')
  t.teardown(() => { other.close() })
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const says = new RegExp(`^Port ${port} of localhost is in use.*npx fastify-ws-events --port ${port + 1}\n$`)
  t.match(await runToEnd(folder(t, []), [], { PORT: String(port) }), { code: 3, stdout: '', stderr: says })
})

t.test('wrong arguments have a code of their own, and are named', async t => {
  t.match(await runToEnd(folder(t, []), ['--prot', '1']), { code: 2, stdout: '', stderr: /^Unknown option '--prot'\.\nSee npx fastify-ws-events --help\n$/ })
  for (const [args, says] of [
    [['--port', 'many'], /--port must be a number from 0 to 65535, got "many"/],
    [['--port', '65536'], /65535/],
    [['--port'], /--port/],
    [['start'], /no command "start"/],
    [['migrate', 'a', 'b'], /one file/],
    [['migrate', '--port', '1'], /no --port/]
  ] as const) t.throws(() => readCommand(args), { exitCode: EXIT_CODES.usage, message: says }, args.join(' '))
  t.match(await runToEnd(folder(t, []), [], { PORT: 'many' }), { code: 2, stderr: /PORT must be a number/ })
})

t.test('help names every flag and exit code, and version is that of the package', async t => {
  t.match(await runToEnd(folder(t, []), ['--help']), { code: 0, stdout: /migrate \[FILE\][^]*--port N[^]*--version[^]*4 if FILE/ })
  t.strictSame(readCommand(['-h']), { name: 'help' })
  const { version } = JSON.parse(read('package.json')) as { version: string }
  t.match(await runToEnd(folder(t, []), ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

t.test('the README names commands that there are', async t => {
  const commands = [...section(read('README.md'), '## Try it').matchAll(/^npx fastify-ws-events(.*)$/gm)].map(([, args = '']) => args.split(' ').filter(arg => arg !== ''))
  t.strictSame(commands.map(readCommand), [{ name: 'demo', port: undefined }, { name: 'migrate', file: '.env', language: 'en' }])
})
