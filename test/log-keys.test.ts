import Fastify from 'fastify'
import { execFile } from 'node:child_process'
import dns from 'node:dns'
import { rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import monitor from '../lib/monitor/index.js'
import wsEvents, { type WsEventsOptions } from '../lib/index.js'
import { connect, listen, type ClientOptions } from './helpers/client.js'
import { eventually } from './helpers/latch.js'
import { root } from './helpers/documents.js'
import { KeySearch } from './helpers/keys/search.js'
import { type LogLine, recordLog } from './helpers/log.js'
import { outcomeOf } from './helpers/outcome.js'
import { LOADER } from './helpers/program.js'
import { startServer } from './helpers/server.js'

// .ci/run searches the log of the whole test run for every key that was used in it, by .ci/keys.js. Here is shown that
// this finds what there is to find, and that no key is there to be found.

/** The keys that are found in a line of the log. */
function found (keys: readonly string[], line: object): string[] {
  const text = `${JSON.stringify({ msg: 'before' })}\n${JSON.stringify(line)}\n${JSON.stringify({ msg: 'after' })}\n`
  return [...new Set([...new KeySearch(keys).in(Buffer.from(text))].map(({ key, line: shown }) => {
    t.equal(shown, JSON.stringify(line))
    return key
  }))]
}

t.test('a key is found anywhere in a line, in every spelling', async t => {
  for (const key of ['key-of-acme', 'Schlüssel/mit=¿was?', 'with "quotes" and \\', 'a.b-c_d~e+f/g==', '{"typ":"JWT"}.{"sub":"1234567890"}.xyz'.repeat(50)]) {
    const texts: Record<string, string> = {
      'as it is': key,
      'within JSON': JSON.stringify({ key }),
      'percent-encoded': encodeURIComponent(key),
      'percent-encoded in lower case': encodeURIComponent(key).replaceAll(/%../g, code => code.toLowerCase()),
      'as a form': String(new URLSearchParams({ key })),
      'in base64': Buffer.from(key).toString('base64'),
      'as the user of Basic': Buffer.from(`${key}:`).toString('base64'),
      'as the password of Basic': Buffer.from(`me:${key}`).toString('base64'),
      'as another password': Buffer.from(`she:${key}`).toString('base64'),
      'in base64url': Buffer.from(key).toString('base64url')
    }
    for (const [how, text] of Object.entries(texts)) t.strictSame(found(['another-key', key], { a: [{ b: `so ${text} came` }] }), [key], `${key.slice(0, 30)} ${how}`)
  }
})

t.test('the beginning of a long key is found', async t => {
  const key = 'a-key-of-many-letters-and-many-more-letters'
  t.strictSame(found([key], { msg: `the key ${key.slice(0, 35)}… came` }), [key])
})

t.test('an ordinary word that is a key is found as a value, and where it is called a key', async t => {
  for (const key of ['key', 'secret', 'k', 'kkkkkkkkkkkkkkkk', 'password', 'key 7']) {
    t.strictSame(found([key], { headers: [{ token: ` ${key}` }] }), [key])
    if (key.includes(' ')) continue
    for (const text of [`curl -H 'apikey: ${key}'`, `/a?apikey=${key}&b`, `{"apikey":"${key}"}`, `Bearer ${key}`, `authorization=Bearer ${key}`]) t.strictSame(found([key], { msg: text }), [key], text)
    for (const line of [{ msg: `the ${key} is missing` }, { instance: key }, { instances: [key] }, { namespace: key }, { [key]: 1 }, { msg: `apikey=${key}s` }]) t.strictSame(found([key], line), [], JSON.stringify(line))
  }
})

interface Searched {
  readonly failed: boolean
  readonly hits: readonly string[]
  readonly output: string
}

/** Runs a program with the search behind it. */
async function search (t: Test, ...program: readonly string[]): Promise<Searched> {
  return await new Promise(resolve => {
    execFile(process.execPath, ['.ci/keys.js', process.execPath, ...program], { cwd: root, env: process.env }, (error, stdout, stderr) => {
      const record = /^the record is in (.*)$/m.exec(stderr)?.[1]
      if (record !== undefined) t.teardown(async () => { await rm(record, { recursive: true }) })
      const hits = [...stderr.matchAll(/^the key "(.*)" \((.*), [\d.]+keys\) is in the log/gm)].map(([, key, from]) => `${key} from ${from}`)
      resolve({ failed: error !== null, hits, output: stdout + stderr })
    })
  })
}

const SERVER = [...LOADER, 'test/fixtures/logging-server.ts']
const KEY = 'a-key-of-many-letters-'
const LOGGED = [`${KEY}2 from the header authorization`, `${KEY}3 from the header apikey`, `${KEY}4 from a query`, `${KEY}5 from auth.apikey`]

t.test('a run whose application logs the keys of its clients fails, and says which and where they came from', async t => {
  const { failed, hits } = await search(t, ...SERVER, 'log')
  t.ok(failed)
  t.strictSame(hits, LOGGED)
})

t.test('what a program says on stderr is searched too', async t => {
  const { failed, hits } = await search(t, ...SERVER, 'stderr')
  t.ok(failed)
  t.strictSame(hits, LOGGED)
})

t.test('an application with a logger of its own has all of it searched, and writes no more than before', async t => {
  const { failed, hits, output } = await search(t, ...SERVER, 'log', 'info')
  t.ok(failed)
  t.strictSame(hits, LOGGED)
  t.match(output, /^\{.*Server listening/m)
  t.notMatch(output, /^\{.* came"/m, 'its level is above trace')
})

t.test('a run that logs no key passes, and says how much was searched', async t => {
  const { failed, output } = await search(t, ...SERVER)
  t.notOk(failed, output)
  t.match(output, /^5 keys looked for in \d+ log lines: no hit \(0 of the keys are ordinary words, looked for as whole values\)$/m)
})

t.test('a run that fails fails, and so does one of which nothing was recorded', async t => {
  t.match(await search(t, '-e', 'process.exitCode = 3'), { failed: true, output: /the command has failed \(3\)/ })
  t.match(await search(t, '-e', ''), { failed: true, output: /nothing was recorded/ })
})

const SECRET = 'a secret/key=of+acme'
const ENABLED: WsEventsOptions = { defaultConfig: { enabled: true } }

/** Shows that there is a line of this in the log, and the secret nowhere. */
function logsWithout (t: Test, lines: readonly LogLine[], message: string | RegExp): void {
  t.match(lines.filter(({ msg }) => msg.match(message)), [{ msg: message }])
  const text = Buffer.from(lines.map(line => JSON.stringify(line)).join('\n'))
  t.strictSame([...new KeySearch([SECRET]).in(text)], [])
}

t.test('an error of verify is logged without the key that it carries', async t => {
  const url = `https://auth.example/?key=${encodeURIComponent(SECRET)}`
  const errors: Record<string, () => unknown> = {
    'in its message': () => new Error(`no answer about ${SECRET}`),
    'in its name': () => Object.assign(new Error('no answer'), { name: SECRET }),
    'in its code': () => Object.assign(new Error('no answer'), { code: SECRET }),
    'in a URL': () => new Error(`GET ${url} failed`),
    'in the request that it holds': () => Object.assign(new Error('no answer'), { config: { url, headers: { apikey: SECRET, authorization: `Basic ${Buffer.from(`${SECRET}:`).toString('base64')}` } } }),
    'in what caused it': () => new Error('no answer', { cause: new Error(`GET ${url}`, { cause: { apikey: SECRET } }) }),
    'in several at once': () => new AggregateError([new Error(SECRET)], 'no answer'),
    'as a text': () => SECRET,
    'as an object': () => ({ apikey: SECRET })
  }
  for (const [where, make] of Object.entries(errors)) {
    const { lines, fastify } = recordLog('trace')
    const server = await startServer(t, { ...ENABLED, verify: async () => await Promise.reject(make()) }, { fastify })
    const answer = await fetch(`${server.url}/instance/acme/websocket`, { headers: { apikey: SECRET } })
    t.equal(answer.status, 503, where)
    t.notMatch(await answer.text(), SECRET)
    t.equal((await outcomeOf(connect(t, `${server.url}/acme`, { auth: { apikey: SECRET } }))).word, 'comes back')
    logsWithout(t, lines, 'the option verify failed: the caller is refused with retry: true')
  }
})

t.test('a key in the query of a route is not logged, whether the route is there for it or not', async t => {
  const query = String(new URLSearchParams({ apikey: SECRET }))
  for (const evolution of [false, true]) {
    const { lines, fastify } = recordLog('trace')
    const server = await startServer(t, { apikey: 'another-key', evolution }, { fastify })
    const path = evolution ? '/websocket/find/acme' : '/instance/acme/websocket'
    t.equal((await fetch(`${server.url}${path}?${query}`)).status, 401, 'it counts for nothing')
    t.ok(lines.some(({ req }) => (req as { url?: string } | undefined)?.url === path), 'the path is there')
    logsWithout(t, lines, 'incoming request')
  }
})

t.test('a key in the name of a parameter is neither logged nor sent back', async t => {
  const { lines, fastify } = recordLog('trace')
  const server = await startServer(t, { apikey: 'another-key' }, { fastify, after: server => { void server.register(monitor, { prefix: '/monitor' }) } })
  await server.fastify.wsEvents.set('acme', { enabled: true })
  for (const path of ['/instance/acme/events', '/monitor/state']) {
    for (const query of [`apikey%3D${encodeURIComponent(SECRET)}`, `apikey[${encodeURIComponent(SECRET)}]`, `key:${encodeURIComponent(SECRET)}=1`]) {
      const answer = await fetch(`${server.url}${path}?${query}`, { headers: { apikey: 'another-key' } })
      t.equal(answer.status, 400, path)
      t.notMatch(await answer.text(), SECRET)
    }
    const answer = await fetch(`${server.url}${path}?limits=1`, { headers: { apikey: 'another-key' } })
    t.match((await answer.json() as { message: string }).message, 'has the property "limits"', 'a word is named')
  }
  logsWithout(t, lines, 'incoming request')
})

/** Has localhost two addresses, on every machine, until the test ends. */
function withTwoAddresses (t: Test): void {
  const { lookup } = dns
  const addresses = [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]
  dns.lookup = ((host: string, options: unknown, done: (...args: unknown[]) => void) => {
    if (host === 'localhost' && (options as { all?: boolean }).all === true) done(null, addresses)
    else lookup(host, options as never, done as never)
  }) as typeof lookup
  t.teardown(() => { dns.lookup = lookup })
}

t.test("a key in the query of a client is not logged at localhost's second address, which is served by a route", async t => {
  withTwoAddresses(t)
  for (const enabled of [true, false]) {
    const { lines, fastify: options } = recordLog('trace')
    const fastify = Fastify(options)
    t.teardown(async () => { await fastify.close() })
    await fastify.register(wsEvents, { env: false, ...ENABLED, enabled, verify: () => true })
    await fastify.listen({ port: 0, host: 'localhost' })
    const bound = fastify.addresses() as AddressInfo[]
    t.equal(bound.length, 2)
    for (const { address, port } of bound) {
      const client: ClientOptions = { query: { apikey: SECRET }, transports: ['polling'] }
      if (enabled) await listen(t, `http://${address}:${port}/acme`, client)
      else await outcomeOf(connect(t, `http://${address}:${port}/acme`, { ...client, reconnection: false }))
    }
    await eventually(() => lines.some(({ msg }) => msg.startsWith(enabled ? 'client connected' : 'Server listening')))
    logsWithout(t, lines, enabled ? 'client connected' : /^Server listening/)
  }
})

t.test('a key that somebody has put behind a namespace is not logged', async t => {
  const { lines, fastify } = recordLog('trace')
  const server = await startServer(t, ENABLED, { fastify })
  for (const text of [SECRET, encodeURIComponent(SECRET)]) {
    const socket = connect(t, server.url, { autoConnect: false }).io.socket(`/acme?apikey=${text}`)
    t.equal((await outcomeOf(socket.connect())).word, 'INVALID_NAME')
  }
  logsWithout(t, lines, 'client refused')
})

t.test('no way that a key comes is logged, whatever becomes of its client', async t => {
  const { lines, fastify } = recordLog('trace')
  const server = await startServer(t, { ...ENABLED, verify: ({ instance }) => instance === 'acme', limits: { connectionsPerInstance: 1 } }, { fastify })
  const ways: ClientOptions[] = [{ auth: { apikey: SECRET } }, { query: { apikey: SECRET } }, { extraHeaders: { apikey: encodeURI(SECRET) } }, { extraHeaders: { authorization: `Bearer ${encodeURI(SECRET)}` } }]
  for (const way of ways) {
    const { socket } = await listen(t, `${server.url}/acme`, way)
    t.equal((await outcomeOf(connect(t, `${server.url}/acme`, { ...way, reconnection: false }))).word, 'comes back')
    t.equal((await outcomeOf(connect(t, `${server.url}/beta`, way))).word, 'FORBIDDEN')
    await server.fastify.wsEvents.emit('acme', 'call', {}, { apikey: SECRET })
    await t.rejects(server.fastify.wsEvents.emit('acme', 'no.such.event', {}, { apikey: SECRET }))
    await server.fastify.wsEvents.disconnect({ apikey: decodeURI(SECRET) })
    socket.disconnect()
    await eventually(() => server.fastify.wsEvents.stats().clients.connections === 0)
  }
  for (const headers of [{ apikey: encodeURI(SECRET) }, { authorization: `Bearer ${encodeURI(SECRET)}` }]) {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const answer = await fetch(`${server.url}/instance/beta/websocket`, { method, headers })
      t.equal(answer.status, 403)
      t.notMatch(await answer.text(), encodeURI(SECRET))
    }
  }
  logsWithout(t, lines, 'client connected')
})
