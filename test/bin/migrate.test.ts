import type { TSchema } from '@sinclair/typebox'
import { parseEnv } from 'node:util'
import t from 'tap'
import { readCommand } from '../../lib/bin/command.js'
import { EXIT_CODES } from '../../lib/bin/failure.js'
import { report } from '../../lib/bin/migrate/report.js'
import { type Effect, VARIABLES } from '../../lib/bin/migrate/variables.js'
import { readServer } from '../../lib/bin/serve/settings.js'
import { optionSchemas } from '../../lib/options.js'
import { refused, connect } from '../helpers/client.js'
import { folder, read, section } from '../helpers/documents.js'
import { EvolutionDouble } from '../helpers/evolution/double.js'
import { freePort, Program } from '../helpers/program.js'
import { runToEnd } from './run.js'

const KEY = 'B1D3-a-secret-#-key'
const PASSWORD = 'pass-of-the-database'

const HEADINGS: Readonly<Record<Effect, string>> = { changes: 'CHANGES', stays: 'STAYS AS IT IS', 'no effect': 'HAS NO EFFECT HERE' }

/** What is said of a variable, and under which heading; `undefined`: nothing. */
function saidOf (name: string, text: string): { heading: string, says: string } | undefined {
  const lines = text.split('\n')
  const at = lines.indexOf(`  ${name}`)
  if (at === -1) return undefined
  return { heading: lines.slice(0, at).findLast(line => /^[A-Z]/.test(line)) ?? '', says: lines[at + 1] ?? '' }
}

const call = (text: string): string => text.slice(text.indexOf('import Fastify'))

t.test('each value of a variable is judged', async t => {
  const judged: ReadonlyArray<readonly [env: Record<string, string>, name: string, effect: Effect, says: RegExp]> = [
    [{}, 'WEBSOCKET_ENABLED', 'changes', /off then. Here they are on/],
    [{ WEBSOCKET_ENABLED: 'true' }, 'WEBSOCKET_ENABLED', 'stays', /Events are on/],
    [{ WEBSOCKET_ENABLED: 'false' }, 'WEBSOCKET_ENABLED', 'stays', /Events are off/],
    [{ WEBSOCKET_ENABLED: '1' }, 'WEBSOCKET_ENABLED', 'changes', /there it was off. Here it is on/],
    [{ WEBSOCKET_ENABLED: 'yes' }, 'WEBSOCKET_ENABLED', 'changes', /Here it is an error/],
    [{}, 'WEBSOCKET_GLOBAL_EVENTS', 'stays', /Traditional mode/],
    [{ WEBSOCKET_GLOBAL_EVENTS: '' }, 'WEBSOCKET_GLOBAL_EVENTS', 'stays', /Not set/],
    [{ WEBSOCKET_GLOBAL_EVENTS: 'true' }, 'WEBSOCKET_GLOBAL_EVENTS', 'changes', /key of one instance does not open \//],
    [{}, 'WEBSOCKET_ALLOWED_HOSTS', 'stays', /this machine needs no key/],
    [{ AUTHENTICATION_API_KEY: KEY }, 'WEBSOCKET_ALLOWED_HOSTS', 'changes', /nobody is let in without one/],
    [{ WEBSOCKET_ALLOWED_HOSTS: '*' }, 'WEBSOCKET_ALLOWED_HOSTS', 'changes', /Anybody.*log warns/],
    [{ WEBSOCKET_ALLOWED_HOSTS: '127.0.0.1,::1,::ffff:127.0.0.1' }, 'WEBSOCKET_ALLOWED_HOSTS', 'changes', /need no key.*trustProxy/],
    [{ WEBSOCKET_ALLOWED_HOSTS: 'app' }, 'WEBSOCKET_ALLOWED_HOSTS', 'changes', /only IP addresses/],
    [{}, 'AUTHENTICATION_API_KEY', 'changes', /only this machine may connect/],
    [{ AUTHENTICATION_API_KEY: KEY }, 'AUTHENTICATION_API_KEY', 'stays', /opens the root/],
    [{ AUTHENTICATION_API_KEY: '429683C4C977415CAAFCCE10F7D57E11' }, 'AUTHENTICATION_API_KEY', 'changes', /Take another one/],
    [{}, 'SERVER_URL', 'stays', /null/],
    [{ SERVER_URL: 'https://api.example.com' }, 'SERVER_URL', 'stays', /server_url of every message/],
    [{ SERVER_URL: 'api.example.com' }, 'SERVER_URL', 'changes', /must begin with https/],
    [{}, 'CORS_ORIGIN', 'changes', /every page.*with a key only/],
    [{ CORS_ORIGIN: '*' }, 'CORS_ORIGIN', 'changes', /cookies never count/],
    [{ CORS_ORIGIN: 'https://app.example.com' }, 'CORS_ORIGIN', 'changes', /not listed are refused/],
    [{ CORS_ORIGIN: 'app.example.com' }, 'CORS_ORIGIN', 'changes', /begins with https/]
  ]
  for (const [env, name, effect, says] of judged) t.match(saidOf(name, report('.env', env)), { heading: HEADINGS[effect], says }, JSON.stringify(env))
  const quiet = ['AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES', 'CORS_METHODS', 'CORS_CREDENTIALS', 'SERVER_PORT', 'SERVER_TYPE', 'SSL_CONF_PRIVKEY', 'SSL_CONF_FULLCHAIN', 'LOG_LEVEL', 'CACHE_REDIS_URI', 'DATABASE_CONNECTION_URI', 'TZ']
  for (const name of quiet) {
    t.equal(saidOf(name, report('.env', {})), undefined, `${name} is not there, and that needs no word`)
    t.equal(saidOf(name, report('.env', { [name]: 'x' }))?.heading, HEADINGS['no effect'], name)
  }
  const named = new Set([...judged.map(([, name]) => name), ...quiet])
  t.strictSame([...named].toSorted(), Object.keys(VARIABLES).toSorted(), 'every variable has its case')
})

t.test('variables that mean nothing here are counted, those of the plugin are not', async t => {
  t.match(report('.env', { RABBITMQ_URI: 'a', QRCODE_LIMIT: '30', WEBSOCKET_STORE: 'memory:' }), 'Other variables in the file: 2.')
  t.notMatch(report('.env', { WEBSOCKET_STORE: 'memory:' }), 'Other variables')
})

t.test('the call corrects what registering would not take, and nothing else', async t => {
  t.match(call(report('.env', { WEBSOCKET_ENABLED: 'true', CORS_ORIGIN: '*' })), "register(wsEvents, {\n  evolution: true,\n  verify: evolutionKeys({ url: 'http://localhost:8080' })\n})")
  const corrected = call(report("it's.env", {
    WEBSOCKET_ENABLED: 'yes',
    WEBSOCKET_GLOBAL_EVENTS: 'on',
    WEBSOCKET_ALLOWED_HOSTS: '10.0.0.0/8, app',
    CORS_ORIGIN: 'one.example, https://two.example, not an origin',
    SERVER_URL: 'api.example',
    SERVER_PORT: '9000',
    SERVER_TYPE: 'https'
  }))
  for (const line of ['enabled: false', 'globalEvents: false', "allowedHosts: ['10.0.0.0/8']", "cors: ['https://one.example', 'https://two.example']", "serverUrl: 'https://api.example'", "url: 'https://localhost:9000'", "loadEnvFile('it\\'s.env')", 'https: { key: readFileSync(process.env.SSL_CONF_PRIVKEY)']) t.ok(corrected.includes(line), line)
  t.match(call(report('.env', { SERVER_PORT: 'http' })), "url: 'http://localhost:8080'")
})

const WEBHOOK = 'https://hooks.example/in?token=of-the-receiver'

t.test('the .env of the server beside it, and every line to change in Evolution, can be read as such files', async t => {
  const text = report('.env', { AUTHENTICATION_API_KEY: KEY, SERVER_PORT: '9000', TZ: 'America/Bahia', CORS_ORIGIN: 'https://app.example.com', SERVER_URL: 'nonsense', WEBHOOK_EVENTS_CALL: 'true' })
  const [ours = '', theirs = ''] = (text.split('copy yours.\n')[1] ?? '').split(/^LINES TO CHANGE.*$/m)
  t.strictSame(parseEnv(ours), {
    AUTHENTICATION_API_KEY: '',
    WEBSOCKET_PUBLISH_KEY: 'YOUR_PUBLISH_KEY',
    EVOLUTION_API_URL: 'http://localhost:9000',
    PORT: '8081',
    WEBSOCKET_GLOBAL_EVENTS: 'false',
    EVOLUTION_TIME_ZONE: 'America/Bahia',
    CORS_ORIGIN: 'https://app.example.com'
  })
  t.equal(readServer({ ...parseEnv(ours), AUTHENTICATION_API_KEY: KEY }).evolutionUrl, 'http://localhost:9000', 'serve takes it')
  const variables = parseEnv(theirs.split('THE TWO SLOTS')[0] ?? '')
  const events = Object.entries(variables).filter(([name]) => name.startsWith('WEBHOOK_EVENTS_'))
  t.equal(events.length, 25)
  t.ok(events.every(([, value]) => value === 'true'))
  t.match(variables, { WEBHOOK_GLOBAL_ENABLED: 'true', WEBHOOK_GLOBAL_URL: 'http://x:YOUR_PUBLISH_KEY@localhost:8081/webhook/evolution', WEBSOCKET_ENABLED: 'false' })
  t.match(theirs, /WEBHOOK_EVENTS_CALL=true +# is so already/)
  t.match(parseEnv(report('.env', {})), { EVOLUTION_TIME_ZONE: 'America/Sao_Paulo' })
})

t.test('beside an Evolution API, whichever port that has, the server has another one, in all three places', async t => {
  const ports: ReadonlyArray<readonly [env: Record<string, string>, evolution: string, ours: string]> = [
    [{}, '8080', '8081'],
    [{ SERVER_PORT: '8080' }, '8080', '8081'],
    [{ SERVER_PORT: '8081' }, '8081', '8082'],
    [{ SERVER_URL: 'http://localhost:8081' }, '8081', '8082'],
    [{ SERVER_PORT: '8081', SERVER_URL: 'http://localhost:8082' }, '8082', '8083']
  ]
  for (const [env, evolution, ours] of ports) {
    const text = report('.env', env)
    t.match(parseEnv(text), { PORT: ours, EVOLUTION_API_URL: `http://localhost:${evolution}`, WEBHOOK_GLOBAL_URL: `http://x:YOUR_PUBLISH_KEY@localhost:${ours}/webhook/evolution` }, JSON.stringify(env))
    t.match(call(text), `process.env.PORT ?? ${ours}`)
  }
})

t.test('what is only for an application of your own comes after what is for serve', async t => {
  const text = report('.env', { WEBSOCKET_ENABLED: 'true', TZ: 'America/Bahia', SERVER_PORT: '8081' })
  const [serve = '', own = ''] = text.split('IN A FASTIFY APPLICATION OF YOUR OWN')
  for (const heading of [...Object.values(HEADINGS), 'Events and configs end with the process', '  TZ\n', 'listen']) t.notMatch(serve, heading, heading)
  t.match(own, /Events are on.*enabled: true/)
  t.match(own, /EVOLUTION_TIME_ZONE does the work/)
  t.match(report('.env', {}, 'pt'), /WEBSOCKET_PUBLISH_KEY=SUA_CHAVE_DE_PUBLICACAO/)
  t.notMatch(report('.env', { WEBHOOK_GLOBAL_ENABLED: 'true', WEBHOOK_GLOBAL_URL: WEBHOOK }, 'pt'), 'YOUR_')
})

t.test('it says which slot for a webhook is taken, by its host alone', async t => {
  t.match(report('.env', {}), /The global webhook is free/)
  const taken = report('.env', { WEBHOOK_GLOBAL_ENABLED: 'true', WEBHOOK_GLOBAL_URL: `'${WEBHOOK}'` })
  t.match(taken, /taken by hooks\.example\./)
  t.notMatch(taken, 'of-the-receiver')
  t.match(report('.env', { WEBHOOK_GLOBAL_ENABLED: 'false', WEBHOOK_GLOBAL_URL: WEBHOOK }), /is free/)
})

t.test('it speaks Portuguese where LANG says so, or --lang', async t => {
  const directory = folder(t, [['.env', 'WEBSOCKET_ENABLED=yes\n']])
  const english = await runToEnd(directory, ['migrate', '--lang', 'en'], { LANG: 'pt_BR.UTF-8' })
  const portuguese = await runToEnd(directory, ['migrate'], { LANG: 'pt_BR.UTF-8' })
  t.match(english.stdout, /STAYS AS IT IS/)
  t.match(portuguese.stdout, /CONTINUA IGUAL/)
  t.match(readCommand(['migrate', '--lang', 'pt']), { language: 'pt' })
  t.throws(() => readCommand(['migrate', '--lang', 'de']), { exitCode: EXIT_CODES.usage, message: /--lang must be en or pt/ })
  for (const [name, { judge }] of Object.entries(VARIABLES)) {
    for (const value of [undefined, 'true', 'yes', '*', '10.0.0.1', 'https://a.example']) {
      const { text } = judge(value, { AUTHENTICATION_API_KEY: KEY }) ?? { text: undefined }
      t.ok(text === undefined || text.en !== text.pt, name)
    }
  }
})

t.test('no key and no password is printed, wherever it stands', async t => {
  const secrets = {
    AUTHENTICATION_API_KEY: KEY,
    WEBSOCKET_ENABLED: KEY,
    WEBSOCKET_GLOBAL_EVENTS: KEY,
    WEBSOCKET_ALLOWED_HOSTS: KEY,
    WEBSOCKET_STORE: `redis://:${PASSWORD}@localhost`,
    DATABASE_CONNECTION_URI: `postgresql://user:${PASSWORD}@localhost`,
    CACHE_REDIS_URI: `redis://:${PASSWORD}@localhost`,
    SERVER_URL: `user:${PASSWORD}@api.example`,
    CORS_ORIGIN: `user:${PASSWORD}@app.example`,
    SSL_CONF_PRIVKEY: KEY,
    SQS_SECRET_ACCESS_KEY: KEY,
    WEBHOOK_GLOBAL_ENABLED: 'true',
    WEBHOOK_GLOBAL_URL: `https://user:${PASSWORD}@hooks.example`,
    EVOLUTION_API_URL: `https://user:${PASSWORD}@evolution.example`
  }
  const text = report('.env', secrets)
  for (const secret of [KEY, PASSWORD]) t.notOk(text.includes(secret))
})

/** As Evolution's sample has it, shortened, with quotes and comments as dotenv knows them. */
const sample = (port: number): string => `# Server
SERVER_TYPE=http
SERVER_PORT=${port}
SERVER_URL=http://localhost:${port}
CORS_ORIGIN=one.example, two.example # names
CORS_CREDENTIALS=true
WEBSOCKET_ENABLED=true
WEBSOCKET_GLOBAL_EVENTS=false
WEBSOCKET_ALLOWED_HOSTS=10.1.2.3
AUTHENTICATION_API_KEY='${KEY}'
DATABASE_CONNECTION_URI="postgresql://user:${PASSWORD}@localhost:5432/evolution"
`

t.test('the command reads .env of the folder, and the server that it prints runs as pasted', async t => {
  const port = await freePort()
  const directory = folder(t, [['.env', sample(port)]], ['fastify', 'fastify-ws-events'])
  const { code, stdout, stderr } = await runToEnd(directory, ['migrate'])
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(await runToEnd(directory, ['migrate', '.env']), { code, stdout, stderr }, '.env is the default')
  for (const secret of [KEY, PASSWORD]) t.notOk(stdout.includes(secret))
  t.equal(saidOf('CORS_CREDENTIALS', stdout)?.heading, HEADINGS['no effect'])

  const program = folder(t, [['.env', sample(port)], ['server.mjs', call(stdout)]], ['fastify', 'fastify-ws-events'])
  const evolution = new EvolutionDouble(KEY, { acme: 'token-of-acme' })
  t.teardown(async () => { await evolution.close() })
  await evolution.listen(port, 'localhost')
  const own = await freePort()
  const server = new Program(t, process.execPath, ['server.mjs'], { cwd: program, env: { PORT: String(own) } })
  await server.printed(lines => lines.some(line => line.includes('Server listening')))
  const url = `http://127.0.0.1:${own}`
  const ask = async (apikey: string) => (await fetch(`${url}/websocket/find/acme`, { headers: { apikey } })).status
  t.equal(await ask(KEY), 200, "Evolution's route is there, and its key opens it")
  t.equal(await ask('token-of-acme'), 200, 'existing clients get in')
  t.equal(await ask('another'), 403)
  t.match(await refused(connect(t, `${url}/acme`, { query: { apikey: KEY } })), { code: 'FST_ERR_WS_EVENTS_NOT_SET' }, 'the key is taken from the query')
  t.match(await refused(connect(t, `${url}/acme`, { auth: { apikey: KEY }, extraHeaders: { origin: 'https://three.example' } })), { code: 'FST_ERR_WS_EVENTS_ORIGIN_NOT_ALLOWED' }, 'the origins are in force')
})

t.test('a file that cannot be read has a code of its own, and is named', async t => {
  const directory = folder(t, [])
  t.match(await runToEnd(directory, ['migrate']), { code: 4, stdout: '', stderr: /^Cannot read \.env: there is no such file/ })
  t.match(await runToEnd(directory, ['migrate', 'none.env']), { code: 4, stderr: /Cannot read none\.env/ })
  t.match(await runToEnd(directory, ['migrate', 'node_modules']), { code: 4, stderr: /it is a folder/ })
})

t.test('what stands for a variable here is there: every variable of the plugin, but for the store, publishing and stock clients, is one of Evolution', async t => {
  const ours = Object.values<TSchema>(optionSchemas).flatMap(({ env }) => env === undefined ? [] : [String(env)])
  t.strictSame(ours.filter(name => !(name in VARIABLES)), ['WEBSOCKET_PUBLISH_KEY', 'WEBSOCKET_STORE', 'WEBSOCKET_STOCK_RESUME', 'WEBSOCKET_DRAIN_MS'])
  for (const [name, { here }] of Object.entries(VARIABLES)) {
    if (/^[A-Z_]+$/.test(here)) t.ok(ours.includes(here), name)
  }
})

t.test('the document about moving has the variables that the command knows, and what does their work here', async t => {
  const table = section(read('docs/migrating-from-evolution.md'), '## Environment variables')
  const rows = [...table.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]+)` )?\|/gm)].map(([, name, here = '']) => [name, here])
  t.strictSame(rows, Object.entries(VARIABLES).map(([name, { here }]) => [name, here]))
})
