import t, { type Test } from 'tap'
import type { Socket } from 'socket.io-client'
import type { FastifyInstance } from 'fastify'
import { Agent } from 'node:http'
import type { Namespace } from 'socket.io'
import type { Message, Verify, WsEventsOptions } from '../lib/index.js'
import { type ClientOptions, type Transport, connect, transports } from './helpers/client.js'
import { type Outcome, inParallel, openClient, outcomeOf, readTable, shortCode } from './helpers/outcome.js'
import { sampleOf } from './helpers/sample.js'
import { startServer } from './helpers/server.js'

const NFC = 'caf\u00e9'
const NFD = 'cafe\u0301'

// The instances of every server here. `unset` was never set; `off` is set and disabled.
const ON = ['acme', 'beta', 'Teste 01', NFC]
const INSTANCES = [...ON, 'off', 'unset']
const GRANTED = ['acme', 'off', 'unset', 'Teste 01', NFC]

const KEYS: Readonly<Record<string, string | null>> = {
  none: null,
  blank: '  ',
  wrong: 'key-of-nobody',
  'of acme': 'key-of-acme',
  granted: 'key-with-a-grant',
  global: 'the-global-key'
}

/** One key opens its own instance and nothing else; the other says what it opens, whatever is asked for. */
const verify: Verify = ({ apikey, instance }) => {
  if (apikey === KEYS['of acme']) return instance === 'acme'
  if (apikey === KEYS.granted) return { instances: [...GRANTED.filter(name => name !== NFC), NFD] }
  return false
}

const keys: WsEventsOptions = { apikey: ['an-older-key', ` ${KEYS.global} `], verify }

const CARRIERS = {
  'auth.apikey': (key: string) => ({ auth: { apikey: key } }),
  query: (key: string) => ({ query: { apikey: key } }),
  header: (key: string) => ({ extraHeaders: { apikey: key } }),
  bearer: (key: string) => ({ extraHeaders: { authorization: `Bearer ${key}` } })
} satisfies Record<string, (key: string) => ClientOptions>

type Carrier = keyof typeof CARRIERS
const carriers = Object.keys(CARRIERS) as Carrier[]

/** What each code means to a client. */
const CODES: Readonly<Record<string, { statusCode: number, retry: boolean }>> = {
  UNAUTHORIZED: { statusCode: 401, retry: false },
  FORBIDDEN: { statusCode: 403, retry: false },
  ORIGIN_NOT_ALLOWED: { statusCode: 403, retry: false },
  GLOBAL_DISABLED: { statusCode: 404, retry: true },
  NOT_SET: { statusCode: 404, retry: true },
  INSTANCE_DISABLED: { statusCode: 403, retry: true },
  INVALID_NAME: { statusCode: 400, retry: false }
}

// The outcome of every cell, the same with every carrier and over every transport. A code is a final refusal.
//   in       hears its own instance               part   hears the instances of the key's grant
//   all      hears every instance, also those that were never set or are disabled
//   muted    is let in and hears nothing          later  is turned away unheard with DISABLED, and comes back
const INSTANCE_ROWS = `
  /acme           | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | in           | in           | in
  /acme/          | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | in           | in           | in
  /%61cm%65       | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | in           | in           | in
  /ACME           | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | NOT_SET
  /beta           | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | in
  /unset          | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | NOT_SET      | NOT_SET
  /Teste 01       | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | in           | in
  /Teste%2001/    | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | in           | in
  /caf%C3%A9      | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | in           | in
  /cafe%CC%81     | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | in           | in
  /${NFD}          | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | in           | in
  /__proto__      | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | NOT_SET
  //              | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME
  /acme%2Cbeta    | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME
  /acme%2Fbeta    | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME
  /%2E%2E         | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME
  /acme%ZZ        | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME | INVALID_NAME`

const HEADS = `
  namespace       | none         | blank        | wrong        | of acme      | granted      | global`

const OFF_REFUSED = `
  /off            | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | INSTANCE_DISABLED | INSTANCE_DISABLED`

const OFF_MUTED = `
  /off            | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | muted        | muted`

const GLOBAL_ROOT = `
  /               | UNAUTHORIZED | UNAUTHORIZED | FORBIDDEN    | FORBIDDEN    | part         | all`

const MATRIX: ReadonlyArray<{ name: string, options: WsEventsOptions, table: string }> = [
  {
    name: 'traditional mode',
    options: {},
    table: `${HEADS}
  /               | GLOBAL_DISABLED | GLOBAL_DISABLED | GLOBAL_DISABLED | GLOBAL_DISABLED | GLOBAL_DISABLED | GLOBAL_DISABLED
      ${INSTANCE_ROWS}${OFF_REFUSED}`
  },
  {
    name: 'traditional mode with evolution',
    options: { evolution: true },
    table: `${HEADS}
  /               | muted        | muted        | muted        | muted        | muted        | muted
      ${INSTANCE_ROWS}${OFF_MUTED}`
  },
  {
    name: 'global mode',
    options: { globalEvents: true },
    table: `${HEADS}${GLOBAL_ROOT}${INSTANCE_ROWS}${OFF_REFUSED}`
  },
  {
    name: 'global mode with evolution',
    options: { globalEvents: true, evolution: true },
    table: `${HEADS}${GLOBAL_ROOT}${INSTANCE_ROWS}${OFF_MUTED}`
  },
  ...[false, true].map(evolution => ({
    name: `disabled${evolution ? ' with evolution' : ''}`,
    options: { enabled: false, globalEvents: evolution, evolution },
    table: `${HEADS}
  /               | later        | later        | later        | later        | later        | later
  /acme           | later        | later        | later        | later        | later        | later
  /unset          | later        | later        | later        | later        | later        | later
  /off            | later        | later        | later        | later        | later        | later
  /acme%2Cbeta    | later        | later        | later        | later        | later        | later`
  }))
]

interface Cell {
  readonly transport: Transport
  readonly carrier: Carrier
  readonly namespace: string
  readonly key: string
  readonly expected: string
}

/** Every second cell by one carrier over one transport, in turn; in test/long every cell by every carrier over both. */
function cellsOf (table: string): Cell[] {
  const { heads, rows } = readTable(table)
  const ways = transports.flatMap(transport => carriers.map(carrier => ({ transport, carrier })))
  const cells = rows.flatMap(([namespace = '', ...outcomes]) =>
    outcomes.map((expected, index) => ({ namespace, key: heads[index + 1] ?? '', expected })))
  return sampleOf(cells, 2).flatMap((cell, index) => sampleOf(ways, ways.length, index).map(way => ({ ...way, ...cell })))
}

/** Tries a cell. Who is let in stays connected, and `heard` grows by the instances that it hears of. */
interface Tried extends Cell {
  readonly socket: Socket
  readonly outcome: Outcome
  readonly heard: string[]
  readonly marked: Promise<unknown>
}

async function tryCell (url: string, cell: Cell): Promise<Tried> {
  const key = KEYS[cell.key]
  const socket = openClient(`${url}${cell.namespace}`, cell.transport, typeof key === 'string' ? CARRIERS[cell.carrier](key) : {})
  const heard: string[] = []
  socket.on('messages.upsert', (message: Message) => { heard.push(message.instance) })
  const marked = new Promise(resolve => { socket.once('host.marker', resolve) })
  const outcome = await outcomeOf(socket)
  if (outcome.word !== 'in') socket.disconnect()
  return { ...cell, socket, outcome, heard, marked }
}

/** Emits an event of every instance, and waits until everybody who is in must have heard it. */
async function emitAll (fastify: FastifyInstance, url: string, clients: readonly Tried[]): Promise<void> {
  const listening = clients.filter(({ outcome }) => outcome.word === 'in')
  if (listening.length === 0) return
  const probe = openClient(`${url}/acme`, 'websocket', { auth: { apikey: KEYS.global } })
  const { word } = await outcomeOf(probe)
  if (word !== 'in') throw new Error(`the global key does not open acme: ${word}`)
  const last = new Promise(resolve => { probe.once('call', resolve) })
  for (const name of INSTANCES) await fastify.wsEvents.emit(name, 'messages.upsert', { of: name })
  await fastify.wsEvents.emit('acme', 'call', {})
  await last
  probe.disconnect()
  // The muted hear nothing of the plugin's, so the host itself marks the end, once all events are on their way.
  const { _nsps: namespaces } = (fastify as unknown as { io: { _nsps: Map<string, Namespace> } }).io
  for (const namespace of namespaces.values()) namespace.emit('host.marker')
  await Promise.all(listening.map(async ({ marked }) => await marked))
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && [...a].sort().every((name, index) => name === [...b].sort()[index])

/** A cell's outcome in the words of the table, from what was seen alone. */
function wordOf ({ namespace, outcome, heard }: Tried): string {
  if (outcome.word === 'comes back') return wordOfHttp(outcome)
  if (outcome.refusal !== undefined) {
    const { statusCode, retry } = outcome.refusal
    const means = CODES[outcome.word]
    const right = means?.statusCode === statusCode && means.retry === retry && !outcome.comesBack
    return right ? outcome.word : `${outcome.word} ${JSON.stringify({ statusCode, retry, comesBack: outcome.comesBack })}`
  }
  if (heard.length === 0) return 'muted'
  if (namespace === '/') return same(heard, INSTANCES) ? 'all' : same(heard, GRANTED) ? 'part' : `in, hears ${heard.join()}`
  const own = decodeURIComponent(namespace.replace(/^\/|\/$/g, '')).normalize('NFC')
  return same(heard, [own]) ? 'in' : `in, hears ${heard.join()}`
}

function wordOfHttp ({ http, comesBack }: Outcome): string {
  const disabled = http?.status === 503 && (http.code === undefined || http.code === 'DISABLED')
  return disabled && comesBack ? 'later' : `comes back ${JSON.stringify({ http, comesBack })}`
}

for (const { name, options, table } of MATRIX) {
  t.test(`in ${name}, every cell of the access matrix has its outcome`, async t => {
    const { fastify, url } = await startServer(t, { ...keys, ...options })
    for (const instance of ON) await fastify.wsEvents.set(instance, { enabled: true })
    await fastify.wsEvents.set('off', { enabled: false })
    const tried = await inParallel(cellsOf(table), 48, async cell => await tryCell(url, cell))
    t.teardown(() => { for (const { socket } of tried) socket.disconnect() })
    await emitAll(fastify, url, tried)
    for (const transport of transports) {
      for (const carrier of carriers) {
        const cells = tried.filter(cell => cell.transport === transport && cell.carrier === carrier)
        const shown = (word: (cell: Tried) => string) => cells.map(cell => `${cell.namespace} ← ${cell.key}: ${word(cell)}`)
        t.strictSame(shown(wordOf), shown(({ expected }) => expected), `${cells.length} cells over ${transport}, the key in ${carrier}`)
      }
    }
  })
}

t.test('the disabled service says DISABLED to whoever reads the answer of a poll', async t => {
  const { url } = await startServer(t, { ...keys, enabled: false })
  const outcome = await outcomeOf(connect(t, `${url}/acme`, { transports: ['polling'], reconnection: false }))
  t.strictSame(outcome.http, { status: 503, code: 'DISABLED' })
})

/** Tries one attempt over each transport, and says what became of it: one word, as both must agree. */
async function attempt (url: string, options: ClientOptions): Promise<string> {
  const words = await Promise.all(transports.map(async transport => {
    const socket = openClient(url, transport, options)
    const { word } = await outcomeOf(socket)
    socket.disconnect()
    return word
  }))
  return words.every(word => word === words[0]) ? words[0] ?? '' : words.map((word, index) => `${word} over ${transports[index]}`).join(', ')
}

interface Column {
  readonly head: string
  readonly options: WsEventsOptions
}

type Rows = Readonly<Record<string, (port: number) => ClientOptions>>

/** Runs a table whose columns are servers and whose rows are ways to come; every cell is tried over both transports. */
async function checkTable (t: Test, columns: readonly Column[], ways: Rows, table: string): Promise<void> {
  const { heads, rows } = readTable(table)
  t.strictSame(heads.slice(1), columns.map(({ head }) => head), 'the table has a column for every server')
  t.strictSame(rows.map(([way]) => way), Object.keys(ways), 'and a row for every way to come')
  for (const [index, { head, options }] of columns.entries()) {
    const { fastify, url, port } = await startServer(t, options)
    await fastify.wsEvents.set('acme', { enabled: true })
    const found = await inParallel(Object.entries(ways), 16, async ([way, come]) => [way, await attempt(`${url}/acme`, come(port))])
    t.strictSame(found, rows.map(row => [row[0], row[index + 1]]), head)
  }
}

const headers = (extraHeaders: Record<string, string>) => (): ClientOptions => ({ extraHeaders })

t.test('the first key that is there counts: auth, then the query, the header, the bearer token', async t => {
  const { fastify, url } = await startServer(t, keys)
  await fastify.wsEvents.set('acme', { enabled: true })
  const carry = (found: Partial<Record<Carrier, string>>): ClientOptions => ({
    ...(found['auth.apikey'] !== undefined && { auth: { apikey: found['auth.apikey'] } }),
    ...(found.query !== undefined && { query: { apikey: found.query } }),
    extraHeaders: { ...(found.header !== undefined && { apikey: found.header }), ...(found.bearer !== undefined && { authorization: `Bearer ${found.bearer}` }) }
  })
  for (const [index, first] of carriers.entries()) {
    for (const later of carriers.slice(index + 1)) {
      const right = 'the-global-key'
      t.equal(await attempt(`${url}/acme`, carry({ [first]: right, [later]: 'wrong' })), 'in', `${first} is right, ${later} is wrong`)
      t.equal(await attempt(`${url}/acme`, carry({ [first]: 'wrong', [later]: right })), 'FORBIDDEN', `${first} is wrong, ${later} is right`)
      t.equal(await attempt(`${url}/acme`, carry({ [first]: ' ', [later]: right })), 'in', `${first} is blank, so it is not there`)
    }
  }
})

t.test('every key of a rotation opens, whatever white space is around it', async t => {
  const { fastify, url } = await startServer(t, keys)
  await fastify.wsEvents.set('acme', { enabled: true })
  for (const apikey of ['an-older-key', 'the-global-key', ' the-global-key\t', '\nan-older-key ']) t.equal(await attempt(`${url}/acme`, { auth: { apikey } }), 'in', JSON.stringify(apikey))
  for (const apikey of ['an-older-key,the-global-key', 'the-global', 'The-global-key', 7, {}, ['the-global-key'], null]) t.not(await attempt(`${url}/acme`, { auth: { apikey } }), 'in', JSON.stringify(apikey))
})

t.test('an address that needs no key, and everything that makes it count for nothing', async t => {
  const columns: Column[] = [
    { head: 'nothing set', options: {} },
    { head: '*', options: { allowedHosts: '*' } },
    { head: '127.0.0.0/8', options: { allowedHosts: ['10.1.2.3', '127.0.0.0/8'] } },
    { head: '10.0.0.0/8', options: { allowedHosts: '10.0.0.0/8' } },
    { head: 'nobody', options: { allowedHosts: [] } },
    { head: 'a key is set', options: { apikey: 'the-global-key' } },
    { head: 'key and 127.0.0.1', options: { apikey: 'the-global-key', allowedHosts: ['127.0.0.1'] } }
  ]
  const rebound = { agent: new Agent({ lookup: (host, options, done) => { done(null, [{ address: '127.0.0.1', family: 4 }]) } }) as never }
  const ways: Rows = {
    'no key': () => ({}),
    'a wrong key': () => ({ auth: { apikey: 'wrong' } }),
    'the key': () => ({ auth: { apikey: 'the-global-key' } }),
    'own page': port => ({ extraHeaders: { origin: `http://127.0.0.1:${port}` } }),
    'own page, TLS': port => ({ extraHeaders: { origin: `https://127.0.0.1:${port}` } }),
    'foreign page': headers({ origin: 'https://evil.example' }),
    'another port': headers({ origin: 'http://127.0.0.1:1' }),
    'page of a file': headers({ origin: 'null' }),
    'foreign, wrong key': () => ({ auth: { apikey: 'wrong' }, extraHeaders: { origin: 'https://evil.example' } }),
    'foreign, the key': () => ({ auth: { apikey: 'the-global-key' }, extraHeaders: { origin: 'https://evil.example' } }),
    forwarded: headers({ 'x-forwarded-for': '127.0.0.1' }),
    'forwarded, the key': () => ({ auth: { apikey: 'the-global-key' }, extraHeaders: { 'x-forwarded-for': '127.0.0.1' } })
  }
  await checkTable(t, columns, ways, `
    way to come        | nothing set  | *         | 127.0.0.0/8  | 10.0.0.0/8   | nobody       | a key is set | key and 127.0.0.1
    no key             | in           | in        | in           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | in
    a wrong key        | FORBIDDEN    | FORBIDDEN | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
    the key            | FORBIDDEN    | FORBIDDEN | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | in           | in
    own page           | in           | in        | in           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | in
    own page, TLS      | in           | in        | in           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | in
    foreign page       | UNAUTHORIZED | in        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    another port       | UNAUTHORIZED | in        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    page of a file     | UNAUTHORIZED | in        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    foreign, wrong key | FORBIDDEN    | FORBIDDEN | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
    foreign, the key   | FORBIDDEN    | FORBIDDEN | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | in           | in
    forwarded          | UNAUTHORIZED | in        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    forwarded, the key | FORBIDDEN    | FORBIDDEN | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | in           | in`)

  t.test('a page whose name was made to resolve to this machine', async t => {
    const { fastify, port } = await startServer(t)
    await fastify.wsEvents.set('acme', { enabled: true })
    const origin = `http://evil.example:${port}`
    t.equal(await attempt(`${origin}/acme`, { ...rebound, extraHeaders: { origin } }), 'UNAUTHORIZED', 'is of its own origin, and foreign even so')
    t.equal(await attempt(`${origin}/acme`, rebound), 'UNAUTHORIZED', 'also where the browser sends no Origin')
    t.equal(await attempt(`http://localhost:${port}/acme`, rebound), 'in', 'localhost is this machine')
  })
})

t.test('what proxies say of a client counts as far as they are trusted', async t => {
  const allowedHosts = ['127.0.0.1', '203.0.113.0/24']
  const columns: Column[] = [
    { head: 'false', options: { allowedHosts } },
    { head: 'true', options: { allowedHosts, trustProxy: true } },
    { head: '127.0.0.1', options: { allowedHosts, trustProxy: '127.0.0.1' } },
    { head: 'a list', options: { allowedHosts, trustProxy: ['loopback', '10.0.0.0/8'] } },
    { head: 'elsewhere', options: { allowedHosts, trustProxy: '10.0.0.0/8' } }
  ]
  const ways: Rows = {
    'not forwarded': () => ({}),
    'X-Forwarded-For: 203.0.113.7': headers({ 'x-forwarded-for': '203.0.113.7' }),
    'X-Forwarded-For: 198.51.100.7': headers({ 'x-forwarded-for': '198.51.100.7' }),
    'X-Forwarded-For: 127.0.0.1': headers({ 'x-forwarded-for': '127.0.0.1' }),
    'X-Forwarded-For: nonsense': headers({ 'x-forwarded-for': 'nonsense' }),
    'X-Forwarded-For: 203.0.113.7, 10.0.0.2': headers({ 'x-forwarded-for': '203.0.113.7, 10.0.0.2' }),
    'X-Forwarded-For: 203.0.113.7, 198.51.100.7': headers({ 'x-forwarded-for': '203.0.113.7, 198.51.100.7' }),
    'X-Forwarded-For: 198.51.100.7, 203.0.113.7': headers({ 'x-forwarded-for': '198.51.100.7, 203.0.113.7' }),
    'X-Forwarded-For: 127.0.0.1, 203.0.113.7': headers({ 'x-forwarded-for': '127.0.0.1, 203.0.113.7' }),
    'as nginx is often set up': headers({ 'x-real-ip': '203.0.113.7', 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }),
    'Forwarded: for=203.0.113.7': headers({ forwarded: 'for=203.0.113.7' }),
    'X-Real-IP: 203.0.113.7': headers({ 'x-real-ip': '203.0.113.7' }),
    'X-Real-IP: 127.0.0.1': headers({ 'x-real-ip': '127.0.0.1' }),
    'X-Forwarded-Proto: https': headers({ 'x-forwarded-proto': 'https' })
  }
  // Fastify reads X-Forwarded-For alone. A proxy that names its client in another way hides the address, so none counts.
  await checkTable(t, columns, ways, `
    way to come                                | false        | true         | 127.0.0.1    | a list       | elsewhere
    not forwarded                              | in           | in           | in           | in           | in
    X-Forwarded-For: 203.0.113.7               | UNAUTHORIZED | in           | in           | in           | UNAUTHORIZED
    X-Forwarded-For: 198.51.100.7              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Forwarded-For: 127.0.0.1                 | UNAUTHORIZED | in           | in           | in           | UNAUTHORIZED
    X-Forwarded-For: nonsense                  | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Forwarded-For: 203.0.113.7, 10.0.0.2     | UNAUTHORIZED | in           | UNAUTHORIZED | in           | UNAUTHORIZED
    X-Forwarded-For: 203.0.113.7, 198.51.100.7 | UNAUTHORIZED | in           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Forwarded-For: 198.51.100.7, 203.0.113.7 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Forwarded-For: 127.0.0.1, 203.0.113.7    | UNAUTHORIZED | in           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    as nginx is often set up                   | UNAUTHORIZED | in           | in           | in           | UNAUTHORIZED
    Forwarded: for=203.0.113.7                 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Real-IP: 203.0.113.7                     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Real-IP: 127.0.0.1                       | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
    X-Forwarded-Proto: https                   | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED`)
})

t.test('pages may connect as cors says, on both transports', async t => {
  const byAddress: WsEventsOptions = { apikey: 'the-global-key', allowedHosts: ['127.0.0.1'] }
  const byCookie: WsEventsOptions = { verify: ({ apikey, headers }) => apikey === 'the-global-key' || (apikey === null && headers.cookie === 'session=good') }
  const listed = ['https://APP.example:443', 'http://localhost:3000']
  const columns: Column[] = [
    { head: 'left out', options: byAddress },
    { head: 'a list', options: { ...byAddress, cors: listed } },
    { head: '*', options: { ...byAddress, cors: '*' } },
    { head: 'left out, cookie', options: byCookie },
    { head: 'a list, cookie', options: { ...byCookie, cors: listed } },
    { head: '*, cookie', options: { ...byCookie, cors: '*' } }
  ]
  const from = (origin: string | undefined, apikey?: string) => (port: number): ClientOptions => ({
    extraHeaders: { cookie: 'session=good', ...(origin !== undefined && { origin: origin.replace('PORT', String(port)) }) },
    ...(apikey !== undefined && { auth: { apikey } })
  })
  const ways: Rows = {
    'no page': from(undefined),
    'own page': from('http://127.0.0.1:PORT'),
    'listed page': from('https://app.example'),
    'another listed': from('http://localhost:3000'),
    'its http': from('http://app.example'),
    'a longer name': from('https://app.example.evil.example'),
    'foreign page': from('https://evil.example'),
    'listed, key': from('https://app.example', 'the-global-key'),
    'foreign, key': from('https://evil.example', 'the-global-key'),
    'null, key': from('null', 'the-global-key'),
    'own, key': from('http://127.0.0.1:PORT', 'the-global-key')
  }
  await checkTable(t, columns, ways, `
    page           | left out     | a list             | *            | left out, cookie | a list, cookie     | *, cookie
    no page        | in           | in                 | in           | in               | in                 | in
    own page       | in           | in                 | in           | in               | in                 | in
    listed page    | UNAUTHORIZED | in                 | UNAUTHORIZED | UNAUTHORIZED     | in                 | UNAUTHORIZED
    another listed | UNAUTHORIZED | in                 | UNAUTHORIZED | UNAUTHORIZED     | in                 | UNAUTHORIZED
    its http       | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED     | ORIGIN_NOT_ALLOWED | UNAUTHORIZED
    a longer name  | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED     | ORIGIN_NOT_ALLOWED | UNAUTHORIZED
    foreign page   | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED     | ORIGIN_NOT_ALLOWED | UNAUTHORIZED
    listed, key    | in           | in                 | in           | in               | in                 | in
    foreign, key   | in           | ORIGIN_NOT_ALLOWED | in           | in               | ORIGIN_NOT_ALLOWED | in
    null, key      | in           | ORIGIN_NOT_ALLOWED | in           | in               | ORIGIN_NOT_ALLOWED | in
    own, key       | in           | in                 | in           | in               | in                 | in`)
})

t.test('a browser may read a poll only where cors says so', async t => {
  const cases = [
    { cors: undefined, origin: 'https://app.example', allowed: null },
    { cors: ['https://app.example'], origin: 'https://app.example', allowed: 'https://app.example' },
    { cors: ['https://app.example'], origin: 'https://evil.example', allowed: null },
    { cors: '*', origin: 'https://evil.example', allowed: '*' }
  ]
  for (const { cors, origin, allowed } of cases) {
    const { url } = await startServer(t, { apikey: 'the-global-key', cors })
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } })
    await response.text()
    const granted = response.headers.get('access-control-allow-origin')
    t.equal(granted, allowed, `cors ${JSON.stringify(cors)}, a page of ${origin}`)
  }
})

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: object
}

const CALLS: Readonly<Record<string, Call>> = {
  'PUT acme': { method: 'PUT', path: '/instance/acme/websocket', body: { enabled: true } },
  'PUT beta': { method: 'PUT', path: '/instance/beta/websocket', body: { enabled: true } },
  'PUT unset': { method: 'PUT', path: '/instance/unset/websocket', body: { enabled: true } },
  'PUT Teste%2001': { method: 'PUT', path: '/instance/Teste%2001/websocket', body: { enabled: true } },
  'PUT cafe%CC%81': { method: 'PUT', path: '/instance/cafe%CC%81/websocket', body: { enabled: true } },
  'PUT %2E%2Ex%2C': { method: 'PUT', path: '/instance/%2E%2Ex%2C/websocket', body: { enabled: true } },
  'GET acme': { method: 'GET', path: '/instance/acme/websocket' },
  'GET beta': { method: 'GET', path: '/instance/beta/websocket' },
  'GET unset': { method: 'GET', path: '/instance/unset/websocket' },
  'GET off': { method: 'GET', path: '/instance/off/websocket' },
  'DELETE acme': { method: 'DELETE', path: '/instance/acme/websocket' },
  'DELETE beta': { method: 'DELETE', path: '/instance/beta/websocket' },
  'DELETE unset': { method: 'DELETE', path: '/instance/unset/websocket' },
  'POST set acme': { method: 'POST', path: '/websocket/set/acme', body: { websocket: { enabled: true } } },
  'POST set beta': { method: 'POST', path: '/websocket/set/beta', body: { enabled: true } },
  'GET find acme': { method: 'GET', path: '/websocket/find/acme' },
  'GET find unset': { method: 'GET', path: '/websocket/find/unset' },
  'GET find beta': { method: 'GET', path: '/websocket/find/beta' }
}

const CALL_TABLE = `
  call           | none             | blank            | wrong            | of acme          | granted          | global
  PUT acme       | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 200              | 200              | 200
  PUT beta       | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 403 FORBIDDEN    | 200
  PUT unset      | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 201              | 201
  PUT Teste%2001 | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 200              | 200
  PUT cafe%CC%81 | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 200              | 200
  PUT %2E%2Ex%2C | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME | 400 INVALID_NAME
  GET acme       | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 200              | 200              | 200
  GET beta       | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 403 FORBIDDEN    | 200
  GET unset      | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 404 NOT_SET      | 404 NOT_SET
  GET off        | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 200              | 200
  DELETE acme    | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 204              | 204              | 204
  DELETE beta    | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 403 FORBIDDEN    | 204
  DELETE unset   | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 404 NOT_SET      | 404 NOT_SET
  POST set acme  | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 201              | 201              | 201
  POST set beta  | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 403 FORBIDDEN    | 201
  GET find acme  | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 200              | 200              | 200
  GET find unset | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 200              | 200
  GET find beta  | 401 UNAUTHORIZED | 401 UNAUTHORIZED | 403 FORBIDDEN    | 403 FORBIDDEN    | 403 FORBIDDEN    | 200`

/** The status, and the code where it is an error. */
async function call (url: string, { method, path, body }: Call, extra: Record<string, string> = {}, query = ''): Promise<string> {
  const response = await fetch(`${url}${path}${query}`, {
    method,
    headers: { ...extra, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  const answer = await response.text()
  return response.ok ? String(response.status) : `${response.status} ${shortCode((JSON.parse(answer) as { code?: string }).code ?? '')}`
}

for (const [mode, options] of Object.entries({ traditional: {}, global: { globalEvents: true }, disabled: { enabled: false } })) {
  t.test(`the routes take the same keys in ${mode} mode`, async t => {
    const { fastify, url } = await startServer(t, { ...keys, ...options, evolution: true })
    const { heads, rows } = readTable(CALL_TABLE)
    t.strictSame(rows.map(([name]) => name), Object.keys(CALLS))
    for (const carrier of ['header', 'bearer'] as const) {
      for (const [index, name] of heads.slice(1).entries()) {
        const found: Array<[string, string]> = []
        const key = KEYS[name]
        for (const [what, one] of Object.entries(CALLS)) {
          for (const instance of ON) await fastify.wsEvents.set(instance, { enabled: true })
          await fastify.wsEvents.set('off', { enabled: false })
          await fastify.wsEvents.remove('unset')
          found.push([what, await call(url, one, typeof key === 'string' ? CARRIERS[carrier](key).extraHeaders as unknown as Record<string, string> : {})])
        }
        t.strictSame(found, rows.map(row => [row[0], row[index + 1]]), `key ${name}, in ${carrier}`)
      }
    }
  })
}

t.test('a route takes a key from headers alone, and an address as a client does', async t => {
  const withKey = await startServer(t, keys)
  const open = await startServer(t)
  await withKey.fastify.wsEvents.set('acme', { enabled: true })
  await open.fastify.wsEvents.set('acme', { enabled: true })
  const get = CALLS['GET acme'] as Call
  t.equal(await call(withKey.url, get, {}, '?apikey=the-global-key'), '401 UNAUTHORIZED', 'not from the query')
  t.equal(await call(withKey.url, get, { apikey: 'wrong', authorization: 'Bearer the-global-key' }), '403 FORBIDDEN', 'the first that is there')
  t.equal(await call(withKey.url, get, { authorization: 'Basic dGhlOmtleQ==' }), '401 UNAUTHORIZED', 'Basic is no key')
  t.equal(await call(open.url, get), '200', 'a loopback address')
  t.equal(await call(open.url, get, { apikey: 'wrong' }), '403 FORBIDDEN', 'with a wrong key')
  t.equal(await call(open.url, get, { origin: 'https://evil.example' }), '401 UNAUTHORIZED', 'from a foreign page')
  t.equal(await call(open.url, get, { 'x-forwarded-for': '127.0.0.1' }), '401 UNAUTHORIZED', 'forwarded by somebody untrusted')
})
