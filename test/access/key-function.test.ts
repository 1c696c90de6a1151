import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { ApiKeys, ApiKeySource, WsEventsOptions } from '../../lib/index.js'
import { disconnected, listen } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import { shortCode } from '../helpers/outcome.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { attempt } from './attempt.js'

const OLD = 'an-older-key'
const NEW = 'a-newer-key'
const enabled = { defaultConfig: { enabled: true } }

/** A host's place for its global keys. */
class Vault {
  /** How often it was asked. */
  asked = 0
  keys: () => unknown = () => OLD

  readonly source: ApiKeySource = () => {
    this.asked++
    return this.keys() as ApiKeys
  }
}

async function start (t: Test, vault: Vault, options: WsEventsOptions = {}): Promise<TestServer> {
  const server = await startServer(t, { ...enabled, apikey: vault.source, ...options })
  await server.fastify.wsEvents.set('acme', { enabled: true })
  return server
}

/** `in`, or the code, of a stream and of a page. */
async function read ({ url }: TestServer, apikey: string): Promise<string[]> {
  return await Promise.all(['text/event-stream', 'application/json'].map(async accept => {
    const leave = new AbortController()
    const { signal } = leave
    const response = await fetch(`${url}/instance/acme/events`, { headers: { apikey, accept }, signal })
    const word = response.ok ? 'in' : shortCode((await response.json() as { code: string }).code)
    leave.abort()
    return word
  }))
}

const everyWay = async (server: TestServer, apikey: string): Promise<string[]> =>
  [await attempt(server, { apikey }), ...await read(server, apikey)]

const all = (word: string): string[] => [word, word, word]

t.test('keys rotate without a restart, at every way in', async t => {
  const vault = new Vault()
  const server = await start(t, vault)
  t.strictSame(await everyWay(server, OLD), all('in'))
  t.strictSame(await everyWay(server, NEW), all('FORBIDDEN'))
  for (const keys of [async () => await Promise.resolve([OLD, ` ${NEW} `]), () => [NEW, OLD]]) {
    vault.keys = keys
    for (const key of [OLD, NEW]) t.strictSame(await everyWay(server, key), all('in'), key)
  }
  vault.keys = () => NEW
  t.strictSame(await everyWay(server, OLD), all('FORBIDDEN'))
  t.strictSame(await everyWay(server, NEW), all('in'))
  vault.keys = () => []
  for (const key of [OLD, NEW, '', '[]', 'none-of-them']) t.notMatch(await everyWay(server, key), /in/, `none of them: ${key}`)
})

t.test('a client that is in stays, and disconnect with its key ends it', async t => {
  const vault = new Vault()
  const server = await start(t, vault)
  const { socket } = await listen(t, `${server.url}/acme`, { auth: { apikey: OLD } })
  vault.keys = () => NEW
  t.equal(await attempt(server, { apikey: OLD }), 'FORBIDDEN')
  t.equal(socket.connected, true)
  const ended = disconnected(socket)
  await server.fastify.wsEvents.disconnect({ apikey: OLD })
  t.equal(await ended, 'io server disconnect')
})

t.test('it is asked about a key that came, and again for a client whose key is asked for again', async t => {
  const vault = new Vault()
  const again = latch()
  vault.keys = () => {
    if (vault.asked === 3) again.open()
    return OLD
  }
  const server = await start(t, vault, { verify: () => ({ ttl: 10 }) })
  t.equal((await fetch(`${server.url}/instance/acme/websocket`)).status, 200, 'verify speaks for who has no key')
  t.equal(vault.asked, 0)
  await listen(t, `${server.url}/acme`, { auth: { apikey: 'of acme' } })
  await again.opened
  t.pass('twice by its ttl')
})

t.test('a function that fails lets nobody in, whatever verify says, and is a passing fault', async t => {
  const vault = new Vault()
  const server = await start(t, vault, { verify: () => true })
  const failures: Array<() => unknown> = [
    () => { throw new Error('the vault is away') },
    async () => await Promise.reject(new Error('the vault is away')),
    () => undefined,
    () => null,
    () => '',
    () => ' ',
    () => [OLD, ''],
    () => [OLD, 5],
    () => ({ key: OLD }),
    () => new Response(OLD)
  ]
  for (const failure of failures) {
    vault.keys = failure
    const ways = 'comes back by websocket, comes back by polling, VERIFY_FAILED by route'
    t.strictSame(await everyWay(server, OLD), [ways, 'VERIFY_FAILED', 'VERIFY_FAILED'], String(failure))
  }
  vault.keys = () => OLD
  t.strictSame(await everyWay(server, OLD), all('in'), 'it has passed')
})

t.test('a function that gives no answer is waited for 10 s', async t => {
  const vault = new Vault()
  const asked = latch()
  vault.keys = async () => {
    asked.open()
    return await new Promise(() => {})
  }
  const { fastify } = await start(t, vault)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const answered = fastify.inject({ url: '/instance/acme/websocket', headers: { apikey: OLD } })
  await asked.opened
  mock.timers.tick(9_999)
  t.equal(await Promise.race([answered, Promise.resolve('not yet')]), 'not yet')
  mock.timers.tick(1)
  t.match((await answered).json(), { statusCode: 503, code: 'FST_ERR_WS_EVENTS_VERIFY_FAILED' })
})

t.test('with a function, this machine needs a key as with any key', async t => {
  const server = await start(t, new Vault())
  t.equal(await attempt(server, {}), 'UNAUTHORIZED')
})
