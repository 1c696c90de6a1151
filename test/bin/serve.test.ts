import Fastify from 'fastify'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Failure } from '../../lib/bin/failure.js'
import { named, readServer, VARIABLES } from '../../lib/bin/serve/settings.js'
import { EVOLUTIONS_KEYS } from '../../lib/bin/known-keys.js'
import wsEvents, { evolutionKeys } from '../../lib/index.js'
import { connect, listen, refused } from '../helpers/client.js'
import { folder, read } from '../helpers/documents.js'
import { EvolutionDouble } from '../helpers/evolution/double.js'
import { eventually } from '../helpers/latch.js'
import { freePort, Program } from '../helpers/program.js'
import { StockClient } from '../helpers/stock.js'
import { BIN, runToEnd } from './run.js'

const KEY = 'the-key-of-this-server'
const TOKENS = { acme: 'token-of-acme', other: 'token-of-other' }

interface Line { readonly level: number, readonly msg: string }

class Server {
  readonly url: string
  readonly program: Program
  readonly directory: string

  private constructor (t: Test, directory: string, env: NodeJS.ProcessEnv) {
    this.url = `http://127.0.0.1:${env.PORT}`
    this.directory = directory
    this.program = new Program(t, process.execPath, [BIN, 'serve'], { cwd: directory, env: { HOST: '127.0.0.1', ...env } })
  }

  /** In an empty folder, or in one that is given; resolves when it listens. */
  static async start (t: Test, env: NodeJS.ProcessEnv, directory = folder(t, [])): Promise<Server> {
    const server = new Server(t, directory, { PORT: String(await freePort()), AUTHENTICATION_API_KEY: KEY, WEBSOCKET_SHUTDOWN_DELAY_MS: '0', ...env })
    await server.program.printed(lines => lines.some(line => line.includes('Server listening')))
    return server
  }

  get lines (): Line[] {
    return this.program.lines.map(line => JSON.parse(line) as Line)
  }

  async get (path: string, headers: Record<string, string> = {}): Promise<{ status: number, text: string }> {
    const response = await fetch(`${this.url}${path}`, { headers })
    return { status: response.status, text: await response.text() }
  }

  async webhook (instance: string, data: unknown): Promise<{ id: string }> {
    const body = JSON.stringify({ event: 'messages.upsert', instance, data, date_time: '2026-01-02T03:04:05.678Z', apikey: null })
    const response = await fetch(`${this.url}/webhook/evolution`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Basic ${Buffer.from(`x:${KEY}`).toString('base64')}` },
      body
    })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return await response.json() as { id: string }
  }
}

async function evolutionDouble (t: Test): Promise<{ evolution: EvolutionDouble, url: string }> {
  const evolution = new EvolutionDouble('global-key-of-evolution', TOKENS)
  t.teardown(async () => { await evolution.close() })
  return { evolution, url: await evolution.listen() }
}

t.test('three variables serve: webhooks in, clients with the tokens of their instances out, and nothing is lost by a restart', async t => {
  const { url } = await evolutionDouble(t)
  const server = await Server.start(t, { EVOLUTION_API_URL: url })
  const page = { extraHeaders: { origin: 'https://app.example.com' }, transports: ['websocket'] }
  const client = await StockClient.in(t, `${server.url}/acme`, { ...page, auth: { apikey: TOKENS.acme } })
  await server.webhook('acme', 1)
  await server.webhook('other', 'of another tenant')
  t.strictSame(await client.got(1), [1])
  t.match(await refused(connect(t, `${server.url}/other`, { auth: { apikey: TOKENS.acme } })), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })

  client.socket.io.engine.close()
  server.program.interrupt()
  t.equal(await server.program.ended, 0)
  const { port } = new URL(server.url)
  const again = await Server.start(t, { EVOLUTION_API_URL: url, PORT: port }, server.directory)
  await again.webhook('acme', 2)
  t.strictSame(await client.got(2), [1, 2])
  t.strictSame(client.recovered, [false, true])
})

t.test('who may see what: the health check names no tenant, the metrics need the key', async t => {
  const { url } = await evolutionDouble(t)
  const server = await Server.start(t, { EVOLUTION_API_URL: url, WEBSOCKET_STORE: 'memory:' })
  await server.webhook('acme', 1)
  t.strictSame(await server.get('/health'), { status: 200, text: '{"status":"ok"}' })
  t.equal((await server.get('/metrics')).status, 401)
  t.equal((await server.get('/metrics', { apikey: 'wrong' })).status, 403)
  t.equal((await server.get('/metrics', { apikey: TOKENS.acme })).status, 403)
  for (const headers of [{ apikey: KEY }, { authorization: `Bearer ${KEY}` }]) {
    t.match(await server.get('/metrics', headers), { status: 200, text: /^ws_events_published_total.* 1$/m })
  }
  t.match(await server.get('/monitor/'), { status: 200, text: /<html/ })
  t.equal((await server.get('/webhook/evolution')).status, 405)
})

t.test('the health check says that it is closing before connections end, and a second signal does not wait', async t => {
  const server = await Server.start(t, { WEBSOCKET_STORE: 'memory:', WEBSOCKET_SHUTDOWN_DELAY_MS: '600000' })
  const { inbox, socket } = await listen(t, `${server.url}/acme`, { auth: { apikey: KEY } })
  server.program.terminate()
  await eventually(() => server.lines.some(({ msg }) => msg.includes('the health check is 503')))
  t.strictSame(await server.get('/health'), { status: 503, text: '{"status":"closing"}' })
  await server.webhook('acme', 'while it is closing')
  t.match(await inbox.got(1), [{ data: 'while it is closing' }])
  t.equal(socket.connected, true)
  server.program.terminate()
  t.equal(await server.program.ended, 0)
})

/** What the start says to an environment, in this process. */
async function saidOf (env: Readonly<Record<string, string>>): Promise<string> {
  const fastify = Fastify()
  try {
    const { options, evolutionUrl, keysTtl } = readServer({ AUTHENTICATION_API_KEY: KEY, WEBSOCKET_STORE: 'memory:', ...env })
    const verify = evolutionUrl === null ? undefined : evolutionKeys({ url: evolutionUrl, ttl: keysTtl })
    await fastify.register(wsEvents, { ...options, verify })
    return 'it starts'
  } catch (error) {
    const failure = named(error)
    return failure instanceof Failure && failure.exitCode === 2 ? failure.message : `not a usage: ${String(failure)}`
  } finally {
    await fastify.close()
  }
}

t.test('it starts with no key and no published one, whatever it binds', async t => {
  for (const HOST of ['127.0.0.1', '0.0.0.0']) {
    t.match(await saidOf({ AUTHENTICATION_API_KEY: '', HOST }), /^A key is needed\. Set AUTHENTICATION_API_KEY/)
    for (const key of EVOLUTIONS_KEYS) t.match(await saidOf({ AUTHENTICATION_API_KEY: key, HOST }), /a key that Evolution publishes/)
  }
  t.equal(await saidOf({}), 'it starts')
})

t.test('a bad variable is one clear line', async t => {
  for (const [env, says] of [
    [{ WEBSOCKET_LIMIT_CONNECTIONS: 'many' }, /^WEBSOCKET_LIMIT_CONNECTIONS must be a whole number of connections.*got "many"$/],
    [{ WEBSOCKET_LIMIT_IDLE_MS: '-1' }, /^WEBSOCKET_LIMIT_IDLE_MS must be/],
    [{ WEBSOCKET_RETENTION_MAX_AGE: '0' }, /^WEBSOCKET_RETENTION_MAX_AGE must be/],
    [{ WEBSOCKET_BODY_LIMIT: '1e9' }, /^WEBSOCKET_BODY_LIMIT must be a whole number of bytes from 1 to 134217728/],
    [{ WEBSOCKET_TRUST_PROXY: 'nginx' }, /^WEBSOCKET_TRUST_PROXY must be/],
    [{ WEBSOCKET_DEFAULT_ENABLED: 'yes' }, /^WEBSOCKET_DEFAULT_ENABLED must be true or false; got "yes"$/],
    [{ WEBSOCKET_GLOBAL_EVENTS: 'yes' }, /^WEBSOCKET_GLOBAL_EVENTS must be true or false; got "yes"$/],
    [{ WEBSOCKET_LOG_LEVEL: 'loud' }, /^WEBSOCKET_LOG_LEVEL must be one of/],
    [{ WEBSOCKET_SHUTDOWN_DELAY_MS: 'long' }, /^WEBSOCKET_SHUTDOWN_DELAY_MS must be/],
    [{ EVOLUTION_TIME_ZONE: 'Mars/Olympus' }, /^EVOLUTION_TIME_ZONE must be an IANA time zone/],
    [{ EVOLUTION_KEYS_TTL_MS: '0' }, /^EVOLUTION_KEYS_TTL_MS must be/],
    [{ EVOLUTION_API_URL: 'evolution:8080' }, /^EVOLUTION_API_URL must be the URL/]
  ] as const) {
    const said = await saidOf(env as unknown as Record<string, string>)
    t.match(said, says)
    t.notMatch(said, '\n')
  }
})

t.test('and so is what goes wrong with the port, the store and the environment of a process', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { other.close() })
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const directory = folder(t, [['file', '']])
  for (const [env, code, says] of [
    [{ AUTHENTICATION_API_KEY: '' }, 2, /^A key is needed/],
    [{ WEBSOCKET_LIMIT_CONNECTIONS: 'many' }, 2, /^WEBSOCKET_LIMIT_CONNECTIONS must be/],
    [{ PORT: String(port) }, 3, new RegExp(`^Port ${port} of 127.0.0.1 is in use.*PORT=${port + 1} npx fastify-ws-events serve$`)],
    [{ WEBSOCKET_STORE: 'lmdb:file/data' }, 1, /^Cannot start: .*file/]
  ] as const) {
    const outcome = await runToEnd(directory, ['serve'], { AUTHENTICATION_API_KEY: KEY, HOST: '127.0.0.1', PORT: '0', WEBSOCKET_STORE: 'memory:', WEBSOCKET_LOG_LEVEL: 'silent', ...(env as NodeJS.ProcessEnv) })
    const name = JSON.stringify(env)
    t.equal(outcome.code, code, name)
    const [line = '', ...more] = outcome.stderr.trim().split('\n')
    t.match(line, says, name)
    t.strictSame(more, [], name)
  }
})

t.test('while the store is away the health check says so', async t => {
  const server = await Server.start(t, { WEBSOCKET_STORE: `redis://127.0.0.1:${await freePort()}` })
  t.strictSame(await server.get('/health'), { status: 503, text: '{"status":"store-unavailable"}' })
})

t.test('an Evolution API that does not answer is a line of the log, and the server serves', async t => {
  const server = await Server.start(t, { EVOLUTION_API_URL: `http://127.0.0.1:${await freePort()}`, WEBSOCKET_STORE: 'memory:' })
  await eventually(() => server.lines.some(({ msg }) => msg.startsWith('EVOLUTION_API_URL does not answer (ECONNREFUSED)')))
  t.equal((await server.get('/health')).status, 200)
})

t.test('what is ignored, unknown or missing is said', async t => {
  const server = await Server.start(t, { WEBSOCKET_STORE: 'memory:', WEBSOCKET_ENABLED: 'false', LOG_LEVEL: 'ERROR', WEBSOCKET_LIMIT_CONECTIONS: '5' })
  await eventually(() => server.lines.some(({ msg }) => msg.includes('EVOLUTION_API_URL is not set')))
  const said = server.lines.map(({ msg }) => msg)
  t.ok(said.some(msg => /WEBSOCKET_ENABLED is ignored/.test(msg)))
  t.ok(said.some(msg => /LOG_LEVEL is ignored.*WEBSOCKET_LOG_LEVEL/.test(msg)))
  t.ok(said.some(msg => /WEBSOCKET_LIMIT_CONECTIONS is not known: did you mean WEBSOCKET_LIMIT_CONNECTIONS\?/.test(msg)))
  const { socket } = await listen(t, `${server.url}/acme`, { auth: { apikey: KEY } })
  t.equal(socket.connected, true, 'it serves, whatever WEBSOCKET_ENABLED says')
})

t.test('every variable becomes its option', async t => {
  const settings = readServer({
    AUTHENTICATION_API_KEY: KEY,
    EVOLUTION_API_URL: 'http://evolution:8080',
    EVOLUTION_KEYS_TTL_MS: '1000',
    EVOLUTION_TIME_ZONE: 'America/Sao_Paulo',
    WEBSOCKET_BODY_LIMIT: '1000',
    WEBSOCKET_DEFAULT_ENABLED: 'false',
    WEBSOCKET_TRUST_PROXY: '10.0.0.0/8, 127.0.0.1',
    WEBSOCKET_LIMIT_CONNECTIONS_PER_ADDRESS: '7',
    WEBSOCKET_RETENTION_MAX_EVENTS: '9',
    WEBSOCKET_SHUTDOWN_DELAY_MS: '5',
    WEBSOCKET_GLOBAL_EVENTS: 'true',
    WEBSOCKET_STOCK_RESUME: '',
    WEBSOCKET_ENABLED: 'false'
  })
  t.match(settings, {
    evolutionUrl: 'http://evolution:8080',
    keysTtl: 1000,
    shutdownDelay: 5,
    options: {
      evolution: { timeZone: 'America/Sao_Paulo' },
      routes: { publish: { bodyLimit: 1000 } },
      trustProxy: ['10.0.0.0/8', '127.0.0.1'],
      limits: { connectionsPerAddress: 7, refusalsPerMinute: 60 },
      retention: { maxEvents: 9 },
      store: 'lmdb:./data',
      stockResume: 'browsers',
      env: { WEBSOCKET_GLOBAL_EVENTS: 'true', WEBSOCKET_ENABLED: undefined }
    }
  })
  t.equal(settings.options.defaultConfig, undefined)
  t.strictSame(readServer({ AUTHENTICATION_API_KEY: KEY }).options.defaultConfig, { enabled: true })
  t.equal(readServer({ AUTHENTICATION_API_KEY: KEY, WEBSOCKET_TRUST_PROXY: 'true' }).options.trustProxy, true)
  t.equal(readServer({ AUTHENTICATION_API_KEY: KEY, WEBSOCKET_LIMIT_REFUSALS_PER_MINUTE: '0' }).options.limits?.refusalsPerMinute, 0)
  const other = new Error('not of an option')
  t.equal(named(other), other)
})

t.test('.env is read, and the variables stand in the document', async t => {
  const outcome = await runToEnd(folder(t, [['.env', `AUTHENTICATION_API_KEY=${KEY}\nPORT=many\n`]]), ['serve'])
  t.match(outcome, { code: 2, stderr: /^PORT must be a number/ })
  const page = read('docs/evolution.md')
  for (const name of VARIABLES) {
    const group = /^WEBSOCKET_(LIMIT|RETENTION)_/.exec(name)?.[0]
    t.ok(page.includes(`\`${name}\``) || (group !== undefined && page.includes(`\`${group}`)), name)
  }
})
