import Fastify from 'fastify'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { Access, bearerKey, hashKey, readKey, type Grant } from '../lib/access/access.js'
import { Catalogue } from '../lib/events/catalogue.js'
import { listEvents } from '../lib/events/event-set.js'
import { evolutionEvents } from '../lib/events/evolution.js'
import wsEvents, { type VerifyAnswer, type VerifyRequest, type WsEventsOptions } from '../lib/index.js'
import { readSettings } from '../lib/options.js'
import { admitted, connect, refused } from './helpers/client.js'
import { latch } from './helpers/latch.js'
import { type LogLine, recordLog } from './helpers/log.js'
import { PREFIX, shortCode } from './helpers/outcome.js'
import { startServer } from './helpers/server.js'

const catalogue = new Catalogue(evolutionEvents)

function makeAccess (options: WsEventsOptions = {}): { access: Access, lines: LogLine[] } {
  const { lines, fastify } = recordLog()
  const settings = readSettings({ env: false, ...options })
  return { access: new Access(settings, catalogue, Fastify(fastify).log), lines }
}

interface From {
  readonly headers?: IncomingHttpHeaders
  readonly address?: string | undefined
}

async function authorize (access: Access, apikey: string | null, instance: string | null, { headers = {}, address }: From = {}): Promise<Grant> {
  return await access.authorize(apikey, instance, access.peer(headers, address), headers)
}

/** `in`, or the code of the refusal without its prefix. */
async function ask (access: Access, apikey: string | null, instance: string | null = 'acme', headers: IncomingHttpHeaders = {}, address: string | undefined = '198.51.100.7'): Promise<string> {
  try {
    await authorize(access, apikey, instance, { headers, address })
    return 'in'
  } catch (error) {
    return shortCode((error as { code: string }).code)
  }
}

async function grantOf (answer: VerifyAnswer, instance: string | null = null): Promise<Grant> {
  const { access } = makeAccess({ verify: () => answer })
  return await authorize(access, 'key', instance)
}

t.test('every key of a list opens everything, and nothing that is like one does', async t => {
  const { access } = makeAccess({ apikey: ['first key', ' second\t', 'ключ', 'k'.repeat(5000)] })
  for (const key of ['first key', 'second', 'ключ', 'k'.repeat(5000)]) {
    for (const instance of [null, 'acme', 'beta']) t.equal(await ask(access, key, instance), 'in', `${key.slice(0, 20)} at ${instance}`)
  }
  for (const key of ['first', 'first key2', 'First key', 'second second', 'first key,second', 'ключи', 'k'.repeat(4999), '\0', '*']) {
    t.equal(await ask(access, key), 'FORBIDDEN', JSON.stringify(key.slice(0, 20)))
  }
  t.equal(await ask(access, null), 'UNAUTHORIZED')
})

t.test('the global key grants all, and its hash is that of the key without white space', async t => {
  const { access } = makeAccess({ apikey: ' key ' })
  const grant = await authorize(access, 'key', null)
  t.strictSame(grant, { global: true, instances: null, events: null, publish: true, keyHash: hashKey('key'), expiresAt: null })
  t.equal(hashKey(' key\n'), hashKey('key'))
  t.not(hashKey('key'), hashKey('Key'))
})

t.test('the global key is not put to verify', async t => {
  const asked: unknown[] = []
  const { access } = makeAccess({ apikey: 'key', verify: request => { asked.push(request.apikey); return false } })
  t.equal(await ask(access, 'key'), 'in')
  t.strictSame(asked, [])
  t.equal(await ask(access, 'other'), 'FORBIDDEN')
  t.equal(await ask(access, null), 'UNAUTHORIZED')
  t.strictSame(asked, ['other', null])
})

t.test('a key is what is there without white space, and only a text is one', t => {
  for (const [value, key] of [['key', 'key'], [' key\t\n', 'key'], ['two words', 'two words'], ['', null], ['  ', null], [undefined, null], [null, null], [7, null], [['key'], null], [{ key: 1 }, null]] as const) {
    t.equal(readKey(value), key, JSON.stringify(value))
  }
  t.end()
})

t.test('a bearer token is read in any case, and from no other scheme', t => {
  const cases: ReadonlyArray<readonly [string | undefined, string | null]> = [
    ['Bearer key', 'key'],
    ['bearer key', 'key'],
    ['BEARER   key  ', 'key'],
    ['Bearer a.b-c_d~e+f/g=', 'a.b-c_d~e+f/g='],
    ['Bearer', null],
    ['Bearer ', null],
    ['Bearerkey', null],
    ['Basic a2V5', null],
    ['Digest Bearer key', null],
    ['key', null],
    [undefined, null]
  ]
  for (const [authorization, key] of cases) t.equal(bearerKey({ authorization }), key, String(authorization))
  t.end()
})

t.test('verify is asked with what is known, and null for what is not', async t => {
  const requests: VerifyRequest[] = []
  const { access } = makeAccess({ trustProxy: true, verify: request => { requests.push(request); return true } })
  const headers = { cookie: 'session=1', 'x-forwarded-for': '203.0.113.7' }
  await authorize(access, 'key', 'acme', { headers, address: '127.0.0.1' })
  await authorize(access, null, null)
  t.strictSame(requests, [
    { apikey: 'key', instance: 'acme', address: '203.0.113.7', headers },
    { apikey: null, instance: null, address: null, headers: {} }
  ])
})

t.test('the answers of verify', async t => {
  // What was answered, and what becomes of a key at acme, at beta and at the root.
  const answers: ReadonlyArray<readonly [unknown, string, string, string]> = [
    [true, 'in', 'in', 'in'],
    [false, 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN'],
    [{}, 'in', 'in', 'in'],
    [{ instances: undefined, events: undefined }, 'in', 'in', 'in'],
    [{ instances: ['acme'] }, 'in', 'FORBIDDEN', 'in'],
    [{ instances: ['beta', 'acme'] }, 'in', 'in', 'in'],
    [{ instances: [] }, 'FORBIDDEN', 'FORBIDDEN', 'in'],
    [{ events: ['call'] }, 'in', 'in', 'in'],
    [{ events: [] }, 'in', 'in', 'in'],
    [Promise.resolve(true), 'in', 'in', 'in'],
    [Promise.resolve(false), 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN'],
    [Promise.resolve({ instances: ['beta'] }), 'FORBIDDEN', 'in', 'in']
  ]
  for (const [answer, ...outcomes] of answers) {
    const { access } = makeAccess({ verify: () => answer as VerifyAnswer })
    t.strictSame(await Promise.all(['acme', 'beta', null].map(async instance => await ask(access, 'key', instance))), outcomes, JSON.stringify(answer) ?? 'a promise')
  }
})

t.test('an invalid result of verify refuses the client', async t => {
  const bad: unknown[] = [undefined, null, 0, 1, 'true', 'acme', ['acme'], { instances: 'acme' }, { instances: null }, { instances: [7] },
    { instances: ['a,b'] }, { events: 'call' }, { events: ['no.such.event'] }, { events: [7] }, { instance: 'acme' }, new Response(null, { status: 401 }), () => true, Promise.resolve('true'), Promise.resolve(undefined)]
  for (const answer of bad) {
    const { access, lines } = makeAccess({ verify: () => answer as VerifyAnswer })
    t.equal(await ask(access, 'a-secret-key'), 'VERIFY_FAILED', typeof answer === 'object' ? JSON.stringify(answer) : String(answer))
    t.equal(lines.filter(({ level }) => level === 50).length, 1, 'and is in the log')
    t.notMatch(JSON.stringify(lines), 'a-secret-key')
  }
})

t.test('verify that throws or rejects is a passing fault, which the log explains without the key', async t => {
  const failing: ReadonlyArray<NonNullable<WsEventsOptions['verify']>> = [
    () => { throw new Error('the database is away') },
    async () => { throw new Error('the database is away') },
    async () => await Promise.reject(new Error('the database is away'))
  ]
  for (const verify of failing) {
    const { access, lines } = makeAccess({ verify })
    const { code, statusCode, cause } = await authorize(access, 'a-secret-key', 'acme').catch((error: unknown) => error) as Error & { code: string, statusCode: number }
    t.strictSame([code, statusCode], [`${PREFIX}VERIFY_FAILED`, 503])
    t.match(cause, { message: 'the database is away' })
    t.match(lines, [{ level: 50, instance: 'acme', err: { message: 'the database is away' } }])
    t.notMatch(JSON.stringify(lines), 'a-secret-key')
  }
})

t.test('verify has ten seconds', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const asked = latch()
  const { access, lines } = makeAccess({ verify: async () => { asked.open(); return await new Promise(() => {}) } })
  let outcome: string | undefined
  const settled = ask(access, 'key').then(word => { outcome = word })
  await asked.opened
  mock.timers.tick(9_999)
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(outcome, undefined, 'it may still answer')
  mock.timers.tick(1)
  await settled
  t.equal(outcome, 'VERIFY_FAILED')
  t.equal(lines.length, 1)
})

t.test('verify that answers in time leaves no timer behind, and an answer that comes too late is nobody\'s', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const { access, lines } = makeAccess({ verify: async () => true })
  t.equal(await ask(access, 'key'), 'in')
  mock.timers.tick(60_000)
  t.strictSame(lines, [])
  let fail = (error: Error) => { t.fail(error.message) }
  const asked = latch()
  const slow = makeAccess({ verify: async () => await new Promise((resolve, reject) => { fail = reject; asked.open() }) })
  const outcome = ask(slow.access, 'key')
  await asked.opened
  mock.timers.tick(10_000)
  t.equal(await outcome, 'VERIFY_FAILED')
  // An unhandled rejection would end the test.
  fail(new Error('much too late'))
  await new Promise(resolve => { setImmediate(resolve) })
})

t.test('what verify grants is read in any spelling', async t => {
  t.strictSame([...(await grantOf({ instances: ['cafe\u0301', 'Teste 01'] })).instances ?? []], ['caf\u00e9', 'Teste 01'])
  const events = async (names: string[]) => listEvents(catalogue, (await grantOf({ events: names })).events).map(({ name }) => name)
  t.strictSame(await events(['MESSAGES_UPSERT', 'call']), ['messages.upsert', 'call'])
  t.strictSame(await events(['labels.*']), ['labels.edit', 'labels.association'])
  t.strictSame(await events([]), [], 'an empty list is no event at all')
  t.equal((await grantOf({})).events, null)
  t.equal((await grantOf(true)).global, false, 'and is never the global key')
})

t.test('a key of more than 8192 characters opens nothing, unasked', async t => {
  let asked = 0
  const { access } = makeAccess({ verify: () => { asked++; return true } })
  t.equal(await ask(access, 'k'.repeat(8192)), 'in')
  t.equal(await ask(access, 'k'.repeat(8193)), 'FORBIDDEN')
  t.equal(asked, 1)
})

t.test('allowedHosts takes addresses in every way that they are written', async t => {
  const cases: ReadonlyArray<readonly [string | string[], string | undefined, string]> = [
    ['127.0.0.1', '127.0.0.1', 'in'],
    ['127.0.0.1', '::ffff:127.0.0.1', 'in'],
    ['::ffff:127.0.0.1', '127.0.0.1', 'in'],
    ['127.0.0.1', '127.0.0.2', 'UNAUTHORIZED'],
    ['127.0.0.0/8', '127.255.0.9', 'in'],
    ['127.0.0.0/8', '::ffff:127.255.0.9', 'in'],
    ['::1', '::1', 'in'],
    ['::1', '0:0:0:0:0:0:0:1', 'in'],
    ['::1', '127.0.0.1', 'UNAUTHORIZED'],
    ['10.0.0.0/8', '10.255.255.255', 'in'],
    ['10.0.0.0/8', '11.0.0.0', 'UNAUTHORIZED'],
    ['10.0.0.0/8', '::ffff:10.1.2.3', 'in'],
    ['10.0.0.0/8', '::ffff:11.0.0.1', 'UNAUTHORIZED'],
    ['2001:db8::/32', '2001:db8:1::9', 'in'],
    ['2001:db8::/32', '2001:db9::1', 'UNAUTHORIZED'],
    [['192.0.2.1', '10.0.0.0/8', '2001:db8::/32'], '192.0.2.1', 'in'],
    [['192.0.2.1', '10.0.0.0/8', '2001:db8::/32'], '198.51.100.7', 'UNAUTHORIZED'],
    [[], '127.0.0.1', 'UNAUTHORIZED'],
    ['*', '198.51.100.7', 'in'],
    ['*', undefined, 'in'],
    ['127.0.0.1', undefined, 'UNAUTHORIZED'],
    ['127.0.0.1', 'nonsense', 'UNAUTHORIZED']
  ]
  for (const [allowedHosts, address, outcome] of cases) {
    const { access } = makeAccess({ allowedHosts })
    const found = await authorize(access, null, 'acme', { address }).then(({ global }) => global ? 'in' : 'not global', (error: unknown) => shortCode((error as { code: string }).code))
    t.equal(found, outcome, `${String(allowedHosts)} and ${address}`)
  }
})

t.test('with nothing set, this machine needs no key, and everybody else does', async t => {
  for (const [address, outcome] of [['127.0.0.1', 'in'], ['127.9.9.9', 'in'], ['::1', 'in'], ['::ffff:127.0.0.1', 'in'], ['10.0.0.1', 'UNAUTHORIZED'], ['::', 'UNAUTHORIZED'], ['0.0.0.0', 'UNAUTHORIZED']] as const) {
    t.equal(await ask(makeAccess().access, null, 'acme', {}, address), outcome, address)
    t.equal(await ask(makeAccess({ apikey: 'key' }).access, null, 'acme', {}, address), 'UNAUTHORIZED', `${address}, once there is a key`)
    t.equal(await ask(makeAccess({ verify: () => false }).access, null, 'acme', {}, address), 'UNAUTHORIZED', `${address}, once there is verify`)
  }
})

t.test('only "*" among allowedHosts is worth a warning', t => {
  for (const [allowedHosts, warnings] of [['*', 1], [['10.0.0.0/8', '*'], 1], ['10.0.0.0/8', 0], [[], 0]] as const) {
    const { lines } = makeAccess({ allowedHosts })
    t.equal(lines.filter(({ level, msg }) => level === 40 && msg.includes('allowedHosts')).length, warnings, String(allowedHosts))
  }
  t.end()
})

t.test('a loopback address counts only under a name of this machine', async t => {
  const { access } = makeAccess({ serverUrl: 'https://api.example.com/base' })
  const own = ['localhost', 'localhost:8080', 'LOCALHOST', 'app.localhost:3000', '127.0.0.1:8080', '127.1.2.3', '[::1]:8080', '10.0.0.5', 'api.example.com', 'API.example.com:8443', hostname(), undefined]
  const foreign = ['evil.example', 'evil.example:8080', 'localhost.evil.example', '127.0.0.1.evil.example', 'evillocalhost', 'notapi.example.com', 'api.example.com.evil.example', '1.evil', 'evil.example.']
  const from = async (host: string | undefined, address: string) => await ask(access, null, 'acme', host === undefined ? {} : { host }, address)
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    for (const host of own) t.equal(await from(host, address), 'in', `${host} from ${address}`)
    for (const host of foreign) t.equal(await from(host, address), 'UNAUTHORIZED', `${host} from ${address}`)
  }
})

t.test('a name does not matter to an address that is not loopback, nor to a key', async t => {
  const { access } = makeAccess({ apikey: 'key', allowedHosts: ['10.0.0.0/8', '127.0.0.1'] })
  t.equal(await ask(access, null, 'acme', { host: 'service.internal' }, '10.0.0.9'), 'in')
  t.equal(await ask(access, 'key', 'acme', { host: 'evil.example' }, '127.0.0.1'), 'in')
})

t.test('who is the client, and whether somebody untrusted passed it on', t => {
  const chain = { 'x-forwarded-for': '203.0.113.7, 10.0.0.2, 10.0.0.1' }
  const cases: ReadonlyArray<readonly [string, WsEventsOptions['trustProxy'], IncomingHttpHeaders, string | undefined, string | null, boolean]> = [
    ['nobody in between', false, {}, '198.51.100.7', '198.51.100.7', false],
    ['nobody in between, all trusted', true, {}, '198.51.100.7', '198.51.100.7', false],
    ['an untrusted proxy', false, chain, '127.0.0.1', '127.0.0.1', true],
    ['all trusted', true, chain, '127.0.0.1', '203.0.113.7', false],
    ['the nearest alone is trusted', '127.0.0.1', chain, '127.0.0.1', '10.0.0.1', true],
    ['a hop in the middle is not', ['127.0.0.1', '10.0.0.1'], chain, '127.0.0.1', '10.0.0.2', true],
    ['the whole chain is', ['127.0.0.1', '10.0.0.0/8'], chain, '127.0.0.1', '203.0.113.7', false],
    ['the same as a text with commas', '127.0.0.1, 10.0.0.0/8', chain, '127.0.0.1', '203.0.113.7', false],
    ['the nearest, IPv4-mapped', '127.0.0.1', { 'x-forwarded-for': '203.0.113.7' }, '::ffff:127.0.0.1', '203.0.113.7', false],
    ['somebody else than the proxy', '10.0.0.0/8', { 'x-forwarded-for': '203.0.113.7' }, '198.51.100.7', '198.51.100.7', true],
    ['a function, by the hop', (address, hop) => hop < 2, chain, '127.0.0.1', '10.0.0.2', true],
    ['a function, by the address', address => address !== '203.0.113.7', chain, '127.0.0.1', '203.0.113.7', false],
    ['what the client says before the proxy', '127.0.0.1', { 'x-forwarded-for': '10.0.0.1, 203.0.113.7' }, '127.0.0.1', '203.0.113.7', true],
    ['a proxy that names the port as well', true, { 'x-forwarded-for': '203.0.113.7:4711' }, '127.0.0.1', '203.0.113.7', false],
    ['the same of IPv6', true, { 'x-forwarded-for': '[2001:db8::7]:4711' }, '127.0.0.1', '2001:db8::7', false],
    ['a trusted proxy that names nobody', true, { forwarded: 'for=203.0.113.7' }, '127.0.0.1', '127.0.0.1', true],
    ['X-Real-IP alone', true, { 'x-real-ip': '203.0.113.7' }, '127.0.0.1', '127.0.0.1', true],
    ['Via alone', false, { via: '1.1 proxy' }, '127.0.0.1', '127.0.0.1', true],
    ['a Unix socket', false, {}, undefined, null, false],
    ['a trusted proxy on a Unix socket', true, { 'x-forwarded-for': '203.0.113.7' }, undefined, '203.0.113.7', false],
    ['an untrusted proxy on a Unix socket', false, { 'x-forwarded-for': '203.0.113.7' }, undefined, null, true],
    ['an unlisted proxy on a Unix socket', '127.0.0.1', { 'x-forwarded-for': '127.0.0.1' }, undefined, null, true]
  ]
  for (const [what, trustProxy, headers, remote, address, forwarded] of cases) {
    const { access } = makeAccess({ trustProxy })
    const peer = access.peer(headers, remote)
    t.strictSame([peer.address, peer.forwarded], [address, forwarded], what)
  }
  t.end()
})

t.test('a client that an untrusted hop passed on never counts by an address', async t => {
  const { access } = makeAccess({ trustProxy: '127.0.0.1', allowedHosts: ['127.0.0.1', '10.0.0.0/8', '203.0.113.0/24'] })
  const from = async (forwardedFor: string) => await ask(access, null, 'acme', { 'x-forwarded-for': forwardedFor }, '127.0.0.1')
  t.equal(await from('203.0.113.7'), 'in')
  t.equal(await from('203.0.113.7, 10.0.0.1'), 'UNAUTHORIZED', 'the hop 10.0.0.1 may be a client, it is no proxy that is trusted')
  t.equal(await from('127.0.0.1, 203.0.113.7'), 'UNAUTHORIZED')
  t.equal(await from('198.51.100.7'), 'UNAUTHORIZED')
})

t.test('one hint tells of a forwarding header while no proxy is trusted', t => {
  const { access, lines } = makeAccess({ apikey: 'key' })
  for (let index = 0; index < 3; index++) access.peer({ 'x-forwarded-for': '203.0.113.7' }, '127.0.0.1')
  access.peer({ forwarded: 'for=203.0.113.7' }, '127.0.0.1')
  t.equal(lines.length, 1)
  t.match(lines[0], { level: 40, msg: /trustProxy/ })
  const trusting = makeAccess({ apikey: 'key', trustProxy: '127.0.0.1' })
  trusting.access.peer({ 'x-forwarded-for': '203.0.113.7' }, '127.0.0.1')
  t.strictSame(trusting.lines, [])
  t.end()
})

t.test('which pages are foreign', t => {
  const cases: ReadonlyArray<readonly [string, string | undefined, boolean]> = [
    ['localhost:8080', undefined, false],
    ['localhost:8080', 'http://localhost:8080', false],
    ['LocalHost:8080', 'http://localhost:8080', false],
    ['app.example', 'https://app.example', false],
    ['localhost:8080', 'http://localhost:8081', true],
    ['localhost:8080', 'http://localhost', true],
    ['app.example', 'https://app.example.evil.example', true],
    ['app.example', 'https://evil.example', true],
    ['app.example', 'null', true],
    ['app.example', 'nonsense', true],
    ['app.example', '', true],
    ['app.example', 'https://listed.example', false],
    ['app.example', 'http://listed.example', true],
    ['app.example', 'https://listed.example:444', true]
  ]
  const { access } = makeAccess({ cors: 'https://LISTED.example:443' })
  for (const [host, origin, foreign] of cases) {
    const peer = access.peer({ host, ...(origin !== undefined && { origin }) }, '127.0.0.1')
    t.equal(peer.foreignOrigin !== null, foreign, `${origin} at ${host}`)
  }
  t.end()
})

t.test('a foreign page is refused where cors lists others, and only there', t => {
  const foreign = { host: 'app.example', origin: 'https://evil.example' }
  for (const [cors, refuses] of [[undefined, false], ['*', false], [['https://listed.example', '*'], false], ['https://listed.example', true]] as const) {
    const { access } = makeAccess({ apikey: 'key', cors })
    const check = () => { access.checkOrigin(access.peer(foreign, '198.51.100.7')) }
    if (refuses) t.throws(check, { code: `${PREFIX}ORIGIN_NOT_ALLOWED`, statusCode: 403, message: /evil\.example/ })
    else t.doesNotThrow(check, String(cors))
  }
  t.end()
})

t.test('verify is not asked of a foreign page without a key: its cookies are its visitor\'s', async t => {
  let asked = 0
  const { access } = makeAccess({ verify: () => { asked++; return true } })
  t.equal(await ask(access, null, 'acme', { host: 'app.example', origin: 'https://evil.example', cookie: 'session=1' }), 'UNAUTHORIZED')
  t.equal(asked, 0)
  t.equal(await ask(access, 'key', 'acme', { host: 'app.example', origin: 'https://evil.example' }), 'in')
  t.equal(await ask(access, null, 'acme', { host: 'app.example', origin: 'https://app.example', cookie: 'session=1' }), 'in')
  t.equal(asked, 2)
})

async function unixServer (t: Test, options: WsEventsOptions): Promise<(headers?: Record<string, string>) => Promise<number | undefined>> {
  const folder = await mkdtemp(join(tmpdir(), 'ws-events-'))
  const socketPath = join(folder, 'socket')
  const fastify = Fastify()
  t.teardown(async () => {
    await fastify.close()
    await rm(folder, { recursive: true })
  })
  await fastify.register(wsEvents, { env: false, ...options })
  await fastify.listen({ path: socketPath })
  await fastify.wsEvents.set('acme', { enabled: true })
  return async (headers = {}) => await new Promise((resolve, reject) => {
    request({ socketPath, path: '/instance/acme/websocket', headers }, response => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject).end()
  })
}

t.test('who comes by a Unix socket has no address, and needs a key unless anybody may come', async t => {
  const get = await unixServer(t, {})
  t.equal(await get(), 401)
  t.equal(await get({ 'x-forwarded-for': '127.0.0.1' }), 401)
  const trusting = await unixServer(t, { trustProxy: true })
  t.equal(await trusting({ 'x-forwarded-for': '127.0.0.1' }), 200, 'unless a trusted proxy names one')
  t.equal(await trusting({ 'x-forwarded-for': '198.51.100.7' }), 401)
  t.equal(await (await unixServer(t, { allowedHosts: '*' }))(), 200)
  const withKey = await unixServer(t, { apikey: 'key' })
  t.equal(await withKey({ apikey: 'key' }), 200)
  t.equal(await withKey({ apikey: 'wrong' }), 403)
})

t.test('a trustProxy of the host that throws refuses a client for now, and nothing else breaks', async t => {
  let broken = true
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true }, trustProxy: () => { if (broken) throw new Error('out of order'); return true } })
  const socket = connect(t, `${url}/acme`, { extraHeaders: { 'x-forwarded-for': '127.0.0.1, 127.0.0.1' } })
  await new Promise<void>(resolve => { socket.io.once('reconnect_attempt', () => { resolve() }) })
  broken = false
  await admitted(socket)
  t.equal(fastify.wsEvents.stats().clients.refused.VERIFY_FAILED, 1)
})

t.test("a page from elsewhere cannot use its visitor's cookie, whatever key it brings", async t => {
  const asked: VerifyRequest[] = []
  const { url } = await startServer(t, {
    defaultConfig: { enabled: true },
    verify: request => { asked.push(request); return request.headers.cookie === 'session=visitor' }
  })
  const cookie = { cookie: 'session=visitor' }
  await admitted(connect(t, `${url}/acme`, { extraHeaders: cookie }))
  const { code } = await refused(connect(t, `${url}/acme`, { auth: { apikey: 'junk' }, extraHeaders: { ...cookie, origin: 'https://evil.example' } }))
  t.equal(code, `${PREFIX}FORBIDDEN`)
  t.equal(asked.at(-1)?.headers.cookie, undefined)
})

t.test('a proxy that names no address by X-Forwarded-For hides the client, whatever else it says', async t => {
  const { url } = await startServer(t)
  const status = async (headers: Record<string, string>) => (await fetch(`${url}/instance/acme/websocket`, { headers })).status
  t.equal(await status({}), 404, 'this machine needs no key')
  const hiding: Array<Record<string, string>> = [
    { 'x-real-ip': '8.8.8.8' }, { 'x-real-ip': '8.8.8.8', 'x-forwarded-for': '' }, { 'x-real-ip': '8.8.8.8', 'x-forwarded-for': ',' },
    { 'x-client-ip': '8.8.8.8' }, { 'x-forwarded-port': '443' }, { 'x-cluster-client-ip': '8.8.8.8' }, { 'fly-client-ip': '8.8.8.8' }
  ]
  for (const headers of hiding) t.equal(await status(headers), 401, JSON.stringify(headers))
})

t.test('behind a trusted proxy, the page of the same origin is told by the host that it forwards', async t => {
  const { url } = await startServer(t, { defaultConfig: { enabled: true }, apikey: 'key', cors: [], trustProxy: 'loopback' })
  const page = { origin: 'https://app.example', 'x-forwarded-for': '8.8.8.8', 'x-forwarded-host': 'app.example' }
  await admitted(connect(t, `${url}/acme`, { auth: { apikey: 'key' }, extraHeaders: page }))
  const { code } = await refused(connect(t, `${url}/acme`, { auth: { apikey: 'key' }, extraHeaders: { ...page, 'x-forwarded-host': 'other.example' } }))
  t.equal(code, `${PREFIX}ORIGIN_NOT_ALLOWED`)
})
