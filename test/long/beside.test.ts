import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { VARIABLES } from '../../lib/bin/serve/settings.js'
import { findProgram } from '../helpers/daemon.js'
import { folder, read } from '../helpers/documents.js'
import { withoutCurl } from '../helpers/event-stream.js'
import { EvolutionDouble } from '../helpers/evolution/double.js'
import { nginxDirectory, startWholeNginx, withoutNginx } from '../helpers/nginx.js'
import { php, withoutPhpCurl } from '../helpers/php.js'
import { freePort, Program } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'
import { StockClient } from '../helpers/stock.js'
import { BIN } from '../bin/run.js'

const run = promisify(execFile)
const python = findProgram('python3')
const KEY = 'the-key-of-this-server'
const PUBLISH_KEY = 'key/that publishes'
const TOKEN = 'token-of-acme'

interface Service {
  readonly environment: Readonly<Record<string, string>>
  readonly command?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}

const { services } = parse(read('example/evolution/compose.yaml')) as { services: { evolution: Service, events: Service } }

const PUBLISHERS = [['bash', 'publish.sh'], [php ?? '', 'publish.php'], [python ?? '', 'publish.py']] as const
/** For the option `skip` of a test: `false`, or how to get what is missing. */
const withoutPublishers = withoutCurl !== false
  ? withoutCurl
  : python === undefined ? 'there is no Python: apt-get install python3 (Debian)' : withoutPhpCurl

/** As compose does with `${NAME:?}`. */
const filledIn = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$\{(\w+):\?\}/g, (found, name: string) => variables[name] ?? found)

t.test('what compose.yaml and the proxy say works, with this server, nginx and a double of Evolution', { skip: withoutNginx }, async t => {
  const evolution = new EvolutionDouble('global-key-of-evolution', { acme: TOKEN })
  t.teardown(async () => { await evolution.close() })
  const evolutionUrl = await evolution.listen()
  const [port, proxied] = [await freePort(), await freePort()]
  t.strictSame(Object.keys(services.events.environment).filter(name => !VARIABLES.includes(name)), [], 'every variable is one')
  t.equal(services.events.command?.at(-1), '--call=exec fastify-ws-events serve')
  const env = Object.fromEntries(Object.entries(services.events.environment).map(([name, value]) =>
    [name, filledIn(value, { AUTHENTICATION_API_KEY: KEY, WEBSOCKET_PUBLISH_KEY: PUBLISH_KEY }).replace('http://evolution:8080', evolutionUrl)]))
  const server = new Program(t, process.execPath, [BIN, 'serve'], {
    cwd: folder(t, []),
    env: { ...env, HOST: '127.0.0.1', PORT: String(port), WEBSOCKET_TRUST_PROXY: '127.0.0.1', WEBSOCKET_SHUTDOWN_DELAY_MS: '0' }
  })
  await server.printed(lines => lines.some(line => line.includes('Server listening')))
  const configuration = read('example/evolution/nginx.conf')
    .replace('server evolution:8080', `server ${new URL(evolutionUrl).host}`)
    .replace('server events:8080', `server 127.0.0.1:${port}`)
    .replace('listen 8080', `listen 127.0.0.1:${proxied}`)
  await startWholeNginx(t, nginxDirectory(t), configuration, proxied)
  const url = `http://127.0.0.1:${proxied}`

  t.match(await (await fetch(`${url}/`)).json(), { message: 'Welcome' }, 'all else is Evolution\'s')
  const clients = await Promise.all(['polling', 'websocket'].map(async transport =>
    await StockClient.in(t, `${url}/acme`, { transports: [transport], query: { apikey: TOKEN } })))

  // As Evolution's container sends it.
  const target = new URL(filledIn(services.evolution.environment.WEBHOOK_GLOBAL_URL ?? '', { WEBSOCKET_PUBLISH_KEY: encodeURIComponent(PUBLISH_KEY) }))
  const response = await fetch(`http://127.0.0.1:${port}${target.pathname}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Basic ${Buffer.from(`${target.username}:${target.password}`).toString('base64')}` },
    body: JSON.stringify({ event: 'messages.upsert', instance: 'acme', data: 'through it all', date_time: '2026-01-02T03:04:05.678Z', apikey: null })
  })
  t.equal(response.status, 200)
  for (const client of clients) {
    t.strictSame(await client.got(1), ['through it all'])
    t.match(client.messages, [{ date_time: '2026-01-02T06:04:05.678Z' }], 'the time zone counts')
  }

  const [, node = '', ...args] = services.events.healthcheck?.test ?? []
  t.equal(node, 'node')
  const check = async (at: number): Promise<number> => await run(process.execPath, args.map(arg => arg.replace(':8080', `:${at}`))).then(() => 0, ({ code }: { code: number }) => code)
  t.equal(await check(port), 0)
  server.terminate()
  t.equal(await server.ended, 0)
  t.equal(await check(port), 1, 'nobody answers any more')
})

t.test('the Dockerfile starts the same command, with the same health check', async t => {
  const text = read('example/evolution/Dockerfile')
  const commands = [...text.matchAll(/^(?:HEALTHCHECK .*)?CMD (\[.*\])$/gm)].map(([, list = '']) => JSON.parse(list) as string[])
  t.strictSame(commands.map(([, , ...rest]) => rest.at(-1)), [services.events.healthcheck?.test.at(-1), 'serve'])
  t.equal(commands[1]?.[1], 'node_modules/fastify-ws-events/dist/bin/index.js')
  t.match(read('package.json'), '"fastify-ws-events": "./dist/bin/index.js"')
})

t.test('publishing by curl, PHP and Python, each once, however often it runs', { skip: withoutPublishers }, async t => {
  const server = await startServer(t, { apikey: KEY, publishKey: PUBLISH_KEY, defaultConfig: { enabled: true } })
  const client = await StockClient.in(t, `${server.url}/acme`, { auth: { apikey: KEY } })
  const env = { PATH: process.env.PATH, URL: server.url, APIKEY: PUBLISH_KEY }
  for (let time = 0; time < 2; time++) {
    for (const [program, file] of PUBLISHERS) {
      await run(program, [`example/publish/${file}`, 'acme'], { env })
    }
  }
  await server.fastify.wsEvents.emit('acme', 'call', 'last')
  const messages = await client.got(7)
  t.strictSame(messages.map(data => (data as { text?: string }).text ?? data), ['hello from curl', 'hello from PHP', { state: 'composing' }, 'hello from Python, 0', 'hello from Python, 1', 'hello from Python, 2', 'last'])
  for (const [program, file] of PUBLISHERS) {
    await t.rejects(run(program, [`example/publish/${file}`, 'acme'], { env: { ...env, APIKEY: 'wrong' } }), `${file} fails loudly`)
  }
})
