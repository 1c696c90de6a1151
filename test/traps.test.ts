import Fastify from 'fastify'
import dns from 'node:dns'
import { request } from 'node:http'
import type { AddressInfo, Socket as NetSocket } from 'node:net'
import { json } from 'node:stream/consumers'
import { Server } from 'socket.io'
import { Manager, type Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import wsEvents, { type Verify } from '../lib/index.js'
import '../lib/gateway/io.js'
import { Inbox, admitted, connect, disconnected, listen, refused, transports } from './helpers/client.js'
import { eventually, latch } from './helpers/latch.js'
import { recordLog } from './helpers/log.js'
import { openClient, outcomeOf, inParallel, PREFIX, shortCode } from './helpers/outcome.js'
import { startProxy } from './helpers/proxy.js'
import { IN_FULL } from './helpers/sample.js'
import { startServer } from './helpers/server.js'

const ON = { enabled: true }

/** Connects to several namespaces over one connection, which is closed when the test ends. */
function oneConnection (t: Test, url: string, options: ConstructorParameters<typeof Manager>[1] = {}): Manager {
  const manager = new Manager(url, { transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 100, ...options })
  t.teardown(() => { manager._close() })
  return manager
}

// Ends with the last of what the plugin sends to this client.
async function hearsOnly (t: Test, inbox: Inbox, expected: readonly unknown[]): Promise<void> {
  const messages = await inbox.got(message => message.event === 'call')
  t.strictSame(messages.filter(({ event }) => event !== 'call').map(({ data }) => data), expected)
}

for (const transport of transports) {
  for (const owner of ['the plugin', 'the host']) {
    t.test(`with cleanupEmptyChildNamespaces on ${owner}'s server, a refused client takes nothing from one that is being admitted, over ${transport}`, async t => {
      const checking = latch()
      const answer = latch()
      const verify: Verify = async ({ apikey }) => {
        if (apikey !== 'good') return false
        checking.open()
        await answer.opened
        return true
      }
      const setting = { cleanupEmptyChildNamespaces: true }
      const { fastify, url } = owner === 'the plugin'
        ? await startServer(t, { verify, socketio: setting })
        : await startServer(t, { verify }, { before: fastify => { fastify.decorate('io', new Server(fastify.server, setting)) } })
      await fastify.wsEvents.set('acme', ON)
      const socket = connect(t, `${url}/acme`, { transports: [transport], auth: { apikey: 'good' } })
      const inbox = new Inbox(socket)
      await checking.opened
      for (let round = 0; round < 3; round++) {
        const other = connect(t, `${url}/acme`, { transports: [transport], auth: { apikey: 'bad' } })
        t.equal((await refused(other)).code, `${PREFIX}FORBIDDEN`)
        await eventually(() => fastify.io.engine.clientsCount === 1)
      }
      answer.open()
      await admitted(socket)
      await fastify.wsEvents.emit('acme', 'messages.upsert', 'heard')
      t.equal((await inbox.got(1))[0]?.data, 'heard')
      fastify.io.of('/acme').emit('hosts', { event: 'hosts' })
      t.equal((await inbox.got(2))[1]?.event, 'hosts', 'it is in the namespace that everybody else finds')
    })
  }
}

t.test('connection state recovery is refused, whoever switches it on', async t => {
  const register = async (options: object, before?: (fastify: ReturnType<typeof Fastify>) => unknown) => {
    const fastify = Fastify()
    t.teardown(async () => { await fastify.close() })
    before?.(fastify)
    await fastify.register(wsEvents, { env: false, ...options })
  }
  const setting = { connectionStateRecovery: { maxDisconnectionDuration: 1000, skipMiddlewares: false } }
  const refusal = { code: `${PREFIX}INVALID_OPTION`, message: /connectionStateRecovery/ }
  await t.rejects(register({ socketio: setting }), refusal, 'in the option socketio')
  await t.rejects(register({ socketio: new Server(setting) }), refusal, 'in a Server as the option')
  await t.rejects(register({}, fastify => { fastify.decorate('io', new Server(fastify.server, setting)) }), refusal, 'in fastify.io')
})

t.test('a namespace that the host emitted to first is the host\'s, and hears nothing of ours', async t => {
  for (const globalEvents of [false, true]) {
    const { fastify, url } = await startServer(t, { apikey: 'key', globalEvents })
    await fastify.wsEvents.set('x', ON)
    fastify.io.of('/x').emit('hosts', 1)
    await t.rejects(fastify.wsEvents.set('x', ON), { code: `${PREFIX}HOST_NAMESPACE`, statusCode: 409 })
    const { inbox } = await listen(t, `${url}/x`, { auth: { apikey: 'bad' } })
    t.match(await fastify.wsEvents.emit('x', 'messages.upsert', 1), { routes: globalEvents ? ['/'] : [], skipped: 'host-namespace' })
    fastify.io.of('/x').emit('hosts', { event: 'call' })
    await hearsOnly(t, inbox, [])
  }
})

t.test('no other spelling of a name leads a bad key into the events of a namespace that the host emitted to', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key' })
  await fastify.wsEvents.set('x', ON)
  fastify.io.of('/x').emit('hosts')
  for (const spelling of ['/x/', '/%78']) {
    t.equal((await refused(connect(t, `${url}${spelling}`, { auth: { apikey: 'bad' } }))).code, `${PREFIX}FORBIDDEN`, spelling)
  }
})

t.test('once a client of ours has come, the namespace is ours, and the host may emit there as well', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key' })
  await fastify.wsEvents.set('x', ON)
  const { inbox } = await listen(t, `${url}/x`, { auth: { apikey: 'key' } })
  fastify.io.of('/x').emit('hosts', { event: 'hosts' })
  t.equal((await refused(connect(t, `${url}/x`, { auth: { apikey: 'bad' } }))).code, `${PREFIX}FORBIDDEN`)
  t.strictSame((await fastify.wsEvents.emit('x', 'messages.upsert', 1)).routes, ['/x'])
  await fastify.wsEvents.set('x', ON)
  const messages = await inbox.got(2)
  t.strictSame(messages.map(({ event }) => event).sort(), ['hosts', 'messages.upsert'])
})

t.test('a namespace stays ours when our clients have left and the host emits there', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key' })
  await fastify.wsEvents.set('x', ON)
  const { socket } = await listen(t, `${url}/x`, { auth: { apikey: 'key' } })
  socket.disconnect()
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0 && fastify.io.engine.clientsCount === 0)
  // Who emits to an instance does not look first whether somebody is there.
  fastify.io.of('/x').emit('hosts')
  t.equal((await refused(connect(t, `${url}/x`, { auth: { apikey: 'bad' } }))).code, `${PREFIX}FORBIDDEN`)
  const { inbox } = await listen(t, `${url}/x`, { auth: { apikey: 'key' } })
  t.strictSame((await fastify.wsEvents.emit('x', 'messages.upsert', 1)).routes, ['/x'])
  t.equal((await inbox.got(1))[0]?.data, 1)
})

t.test('the host\'s matchers win although ours was registered before', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key' })
  await fastify.wsEvents.set('acme', ON)
  fastify.io.of(/^\/room-\d+$/).on('connection', socket => { socket.emit('welcome', 'by the expression') })
  fastify.io.of((name, auth, next) => { next(null, name.startsWith('/hall-')) }).on('connection', socket => { socket.emit('welcome', 'by the function') })
  const welcome = async (path: string): Promise<unknown> => {
    const socket = connect(t, `${url}${path}`)
    return await new Promise((resolve, reject) => {
      socket.once('welcome', resolve)
      socket.once('connect_error', reject)
    })
  }
  t.strictSame(await Promise.all(['/room-1', '/hall-1', '/room-2', '/room-1', '/hall-1'].map(welcome)),
    ['by the expression', 'by the function', 'by the expression', 'by the expression', 'by the function'])
  const { inbox } = await listen(t, `${url}/acme`, { auth: { apikey: 'key' } })
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'ours')
  t.equal((await inbox.got(1))[0]?.data, 'ours', 'what they decline is ours')
  t.equal((await refused(connect(t, `${url}/acme`))).code, `${PREFIX}UNAUTHORIZED`)
  fastify.io.of(/^\/late-\d+$/).on('connection', socket => { socket.emit('welcome', 'later still') })
  t.equal(await welcome('/late-1'), 'later still')
  await t.rejects(fastify.wsEvents.set('room-1', ON), { code: `${PREFIX}HOST_NAMESPACE` })
})

/** Clients that all reconnect at once. More in test/long, as of the next two. */
const CROWD = IN_FULL ? 100 : 40
/** Names at which every client is refused. */
const BAD_NAMES = IN_FULL ? 200 : 60
/** Instances that have two clients each. */
const INSTANCES = IN_FULL ? 50 : 20

for (const transport of transports) {
  t.test(`while verify throws, a stock client over ${transport} is turned away, and comes back by itself`, async t => {
    let asked = 0
    const verify: Verify = () => {
      if (asked++ < 3) throw new Error('the database is away')
      return true
    }
    const { fastify, url } = await startServer(t, { verify })
    await fastify.wsEvents.set('acme', ON)
    const socket = connect(t, `${url}/acme`, { transports: [transport], auth: { apikey: 'key' } })
    const inbox = new Inbox(socket)
    socket.on('connect_error', error => { t.notOk('data' in error && error.data !== undefined, 'is no refusal, which would be final') })
    await new Promise<void>(resolve => { socket.once('connect', resolve) })
    t.equal(asked, 4)
    t.equal(fastify.wsEvents.stats().clients.refused.VERIFY_FAILED, 3)
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'heard')
    await inbox.got(1)
  })

  t.test(`verify that throws costs a second namespace over ${transport} a refusal, and the first one nothing`, async t => {
    let down = false
    const verify: Verify = async () => {
      if (down) throw new Error('the database is away')
      return true
    }
    const { fastify, url } = await startServer(t, { verify })
    for (const name of ['acme', 'beta']) await fastify.wsEvents.set(name, ON)
    const manager = oneConnection(t, url, { transports: [transport] })
    const first = manager.socket('/acme', { auth: { apikey: 'key' } })
    const inbox = new Inbox(first)
    await admitted(first)
    const ends: unknown[] = []
    first.on('disconnect', reason => { ends.push(reason) })
    down = true
    const second = manager.socket('/beta', { auth: { apikey: 'key' } })
    t.match(await refused(second), { code: `${PREFIX}VERIFY_FAILED`, statusCode: 503, retry: true })
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'still here')
    t.equal((await inbox.got(1))[0]?.data, 'still here')
    down = false
    await admitted(second.connect())
    t.strictSame(ends, [])
  })

  t.test(`${CROWD} clients that reconnect over ${transport} while verify throws are all back by themselves afterwards`, async t => {
    const turnedAway = new Set<string>()
    const everybody = latch()
    let down = false
    const verify: Verify = async ({ apikey }) => {
      // The outage lasts until everybody has felt it.
      if (!down || turnedAway.size === CROWD) return true
      turnedAway.add(String(apikey))
      if (turnedAway.size === CROWD) everybody.open()
      throw new Error('the database is away')
    }
    const { fastify, url } = await startServer(t, { verify })
    await fastify.wsEvents.set('acme', ON)
    const sockets = Array.from({ length: CROWD }, (_, index) =>
      connect(t, `${url}/acme`, { transports: [transport], auth: { apikey: `key ${index}` }, reconnectionDelayMax: 40 }))
    await Promise.all(sockets.map(admitted))
    const refusals: unknown[] = []
    for (const socket of sockets) {
      socket.on('connect_error', error => { if ('data' in error && error.data !== undefined) refusals.push(error.data) })
    }
    down = true
    const back = sockets.map(async socket => {
      await disconnected(socket)
      await new Promise<void>(resolve => { socket.once('connect', resolve) })
      return await new Promise(resolve => { socket.once('messages.upsert', resolve) })
    })
    for (const socket of sockets) socket.io.engine.close()
    await everybody.opened
    await eventually(() => fastify.wsEvents.stats().clients.inInstances === CROWD)
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'everybody')
    t.equal((await Promise.all(back)).length, CROWD)
    t.strictSame(refusals, [], 'nobody was refused, which is final')
  })

  t.test(`a key in the query opens its own namespace and no other of the same connection, over ${transport}`, async t => {
    const verify: Verify = ({ apikey, instance }) => apikey === `key-of-${String(instance)}`
    const { fastify, url } = await startServer(t, { verify, globalEvents: true })
    for (const name of ['acme', 'beta']) await fastify.wsEvents.set(name, ON)
    const manager = oneConnection(t, url, { transports: [transport], query: { apikey: 'key-of-acme' } })
    const acme = await admitted(manager.socket('/acme'))
    const beta = manager.socket('/beta')
    t.match(await refused(beta), { code: `${PREFIX}FORBIDDEN`, retry: false })
    t.match(await refused(manager.socket('/')), { code: `${PREFIX}FORBIDDEN` }, 'the root is checked too')
    beta.auth = { apikey: 'key-of-beta' }
    await admitted(beta.connect())
    beta.auth = {}
    const again = new Promise<void>(resolve => { acme.once('connect', resolve) })
    const lost = refused(beta)
    manager.engine.close()
    await again
    t.match(await lost, { code: `${PREFIX}FORBIDDEN` }, 'and is so again after a reconnect')
  })
}

t.test('behind a proxy on this machine nobody is let in by the proxy\'s address, and one hint is logged', async t => {
  const { lines, fastify: logged } = recordLog()
  const { fastify, port } = await startServer(t, {}, { fastify: logged })
  await fastify.wsEvents.set('acme', ON)
  const url = await startProxy(t, port, () => ({ 'x-forwarded-for': '198.51.100.7' }))
  for (const transport of transports) {
    t.equal((await refused(connect(t, `${url}/acme`, { transports: [transport] }))).code, `${PREFIX}UNAUTHORIZED`, transport)
  }
  t.equal((await fetch(`${url}/instance/acme/websocket`)).status, 401)
  const hints = lines.filter(({ msg }) => msg.includes('trustProxy'))
  t.equal(hints.length, 1)
  t.match(hints[0], { level: 40, msg: /x-forwarded-for/i })
})

t.test('behind a trusted proxy a client has its own address', async t => {
  const { fastify, port } = await startServer(t, { trustProxy: 'loopback', allowedHosts: '198.51.100.0/24' })
  await fastify.wsEvents.set('acme', ON)
  const inside = await startProxy(t, port, () => ({ 'x-forwarded-for': '198.51.100.7' }))
  const outside = await startProxy(t, port, () => ({ 'x-forwarded-for': '203.0.113.7' }))
  for (const transport of transports) {
    await admitted(connect(t, `${inside}/acme`, { transports: [transport] }))
    t.equal((await refused(connect(t, `${outside}/acme`, { transports: [transport] }))).code, `${PREFIX}UNAUTHORIZED`, transport)
  }
  t.strictSame(fastify.wsEvents.clients().map(({ address }) => address), ['198.51.100.7', '198.51.100.7'])
  t.equal((await fetch(`${inside}/instance/acme/websocket`)).status, 200)
})

t.test('a query cannot take a request to another instance than its path', async t => {
  const asked = new Set<string | null>()
  const verify: Verify = ({ apikey, instance }) => {
    asked.add(instance)
    return instance === 'mine' && apikey === 'key-of-mine'
  }
  const { fastify, url } = await startServer(t, { verify, evolution: true })
  await fastify.wsEvents.set('victim', { enabled: true, events: ['CALL'] })
  for (const name of ['instanceName', 'instance', 'name', 'instanceId']) {
    for (const [method, path] of [['POST', '/websocket/set/mine'], ['GET', '/websocket/find/mine'], ['PUT', '/instance/mine/websocket'], ['GET', '/instance/mine/websocket']] as const) {
      const response = await fetch(`${url}${path}?${name}=victim`, {
        method,
        headers: { apikey: 'key-of-mine', ...(method !== 'GET' && { 'content-type': 'application/json' }) },
        ...(method !== 'GET' && { body: JSON.stringify({ enabled: false }) })
      })
      // A query that is refused is as good as one that is ignored.
      const body = response.ok ? await response.json() as { instance: string } | null : null
      t.ok(body === null || body.instance === 'mine', `${method} ${path}?${name}=victim`)
    }
  }
  t.strictSame(await fastify.wsEvents.find('victim'), { instance: 'victim', enabled: true, events: ['CALL'] })
  t.strictSame([...asked], ['mine'])
})

t.test('the name in a body cannot take a request to another instance either', async t => {
  const { fastify, url } = await startServer(t, { verify: ({ instance }) => instance === 'mine', evolution: true })
  const headers = { apikey: 'key-of-mine', 'content-type': 'application/json' }
  for (const [method, path] of [['POST', '/websocket/set/mine'], ['PUT', '/instance/mine/websocket']] as const) {
    for (const body of [{ enabled: true, instanceName: 'victim' }, { enabled: true, instance: 'victim' }, { enabled: true, name: 'victim' }]) {
      const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
      t.equal(response.status, 400, `${path} ${JSON.stringify(body)}`)
    }
  }
  t.equal(await fastify.wsEvents.find('victim'), null)
})

const HUNDRED = 'n'.repeat(100)

// `name`: what it is after percent-decoding; null where it is no name.
const NAMES: ReadonlyArray<{ written: string, name: string | null, routeOnly?: boolean }> = [
  { written: 'acme', name: 'acme' },
  { written: 'Teste%2001', name: 'Teste 01' },
  { written: 'caf%C3%A9', name: 'caf\u00e9' },
  { written: 'cafe%CC%81', name: 'caf\u00e9' },
  { written: '__proto__', name: '__proto__' },
  { written: 'constructor', name: 'constructor' },
  { written: 'toString', name: 'toString' },
  { written: '%F0%9F%92%AC', name: '💬' },
  { written: HUNDRED, name: HUNDRED },
  { written: '%C3%A9'.repeat(100), name: 'é'.repeat(100) },
  { written: '...', name: '...' },
  { written: '.hidden', name: '.hidden' },
  { written: `${HUNDRED}n`, name: null },
  { written: '%F0%9F%92%AC'.repeat(51), name: null },
  { written: '%2E%2E', name: null },
  { written: '%2E', name: null },
  { written: 'a%2Cb', name: null },
  { written: 'a,b', name: null, routeOnly: true },
  { written: 'a%3Fb', name: null },
  { written: 'a%23b', name: null },
  { written: 'a%2Fb', name: null },
  { written: 'a%5Cb', name: null },
  { written: 'a%0Ab', name: null },
  { written: 'a%00b', name: null },
  { written: 'a%7Fb', name: null },
  // Decoded once, there is a % left.
  { written: 'Teste%252001', name: null },
  { written: '%25', name: null },
  // 101 units that are 100 after normalization.
  { written: `${'n'.repeat(99)}e%CC%81`, name: `${'n'.repeat(99)}é` }
]

/** A `PUT` of a path as it is written: `fetch` would take `%2E%2E` for a step up. */
async function put (port: number, path: string, body: object): Promise<{ status: number | undefined, body: { instance?: string, code?: string } }> {
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, method: 'PUT', path, headers: { 'content-type': 'application/json' } }, response => {
      json(response).then(answer => { resolve({ status: response.statusCode, body: answer as object }) }, reject)
    }).on('error', reject).end(JSON.stringify(body))
  })
}

for (const transport of transports) {
  t.test(`a name is the same instance as a route, as a namespace over ${transport}, and to the host`, async t => {
    // Fastify's own router answers 414 to a parameter of more than 100 characters, unless its host allows more.
    const { fastify, url, port } = await startServer(t, {}, { fastify: { routerOptions: { maxParamLength: 1000 } } })
    for (const { written, name, routeOnly } of NAMES) {
      const shown = written.length > 40 ? `${written.slice(0, 40)}… (${written.length})` : written
      const { status, body } = await put(port, `/instance/${written}/websocket`, ON)
      if (name === null) {
        t.strictSame([status, shortCode(body.code ?? '')], [400, 'INVALID_NAME'], `PUT of ${shown}`)
        if (routeOnly !== true) t.match(await refused(connect(t, `${url}/${written}`, { transports: [transport] })), { code: `${PREFIX}INVALID_NAME`, statusCode: 400, retry: false }, `client of ${shown}`)
        continue
      }
      t.equal(status, 201, `PUT of ${shown}`)
      t.equal(body.instance, name)
      const heard = await Promise.all([`/${written}`, `/${written}/`, `/${name}`].map(async namespace => await listen(t, `${url}${namespace}`, { transports: [transport] })))
      t.strictSame((await fastify.wsEvents.emit(name.normalize('NFD'), 'messages.upsert', shown)).routes, [`/${name}`])
      for (const { inbox } of heard) t.match((await inbox.got(1))[0], { instance: name, data: shown })
      for (const { socket } of heard) socket.disconnect()
      t.match(await fastify.wsEvents.find(name), { instance: name })
      t.equal((await fetch(`${url}/instance/${written}/websocket`)).status, 200)
      t.equal((await fetch(`${url}/instance/${written}/websocket`, { method: 'DELETE' })).status, 204)
    }
  })

  t.test(`the empty name and a bare comma let nobody in over ${transport}`, async t => {
    const { url } = await startServer(t, { defaultConfig: ON, globalEvents: true })
    t.equal((await refused(connect(t, `${url}//`, { transports: [transport] }))).code, `${PREFIX}INVALID_NAME`)
    // The packet splits at the comma, so that no name arrives that could be refused.
    const socket = openClient(`${url}/a,b`, transport)
    t.teardown(() => { socket.disconnect() })
    t.equal((await outcomeOf(socket)).word, 'comes back')
  })
}

t.test('a path with more than 100 characters for a name is refused, and nothing is set', async t => {
  const { fastify, url } = await startServer(t)
  const response = await fetch(`${url}/instance/${HUNDRED}n/websocket`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(ON) })
  t.ok(response.status >= 400 && response.status < 500, `${response.status}`)
  for await (const { instance } of fastify.wsEvents.list()) t.fail(instance)
})

t.test('the host is told of a bad name, whatever it calls', async t => {
  const { fastify } = await startServer(t)
  for (const name of ['', '.', '..', 'a,b', 'a/b', 'a\\b', 'a?b', 'a#b', 'Teste%2001', 'a\nb', `${HUNDRED}n`, '\ud800', null, undefined, 7]) {
    const call = { code: `${PREFIX}INVALID_NAME`, statusCode: 400 }
    await t.rejects(fastify.wsEvents.set(name as string, ON), call, `set ${JSON.stringify(name)}`)
    await t.rejects(fastify.wsEvents.find(name as string), call)
    await t.rejects(fastify.wsEvents.remove(name as string), call)
    await t.rejects(fastify.wsEvents.emit(name as string, 'call', {}), call)
  }
})

t.test('where localhost has two addresses, the second one serves clients as well', async t => {
  const { lookup } = dns
  const addresses = [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]
  dns.lookup = ((host: string, options: unknown, done: (...args: unknown[]) => void) => {
    if (host === 'localhost' && (options as { all?: boolean }).all === true) done(null, addresses)
    else lookup(host, options as never, done as never)
  }) as typeof lookup
  t.teardown(() => { dns.lookup = lookup })
  const fastify = Fastify()
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false })
  await fastify.listen({ port: 0 })
  dns.lookup = lookup
  await fastify.wsEvents.set('acme', ON)
  const bound = fastify.addresses() as AddressInfo[]
  t.strictSame(bound.map(({ address }) => address).sort(), ['127.0.0.1', '127.0.0.2'], 'both are bound')
  const clients = []
  for (const { address, port } of bound) {
    for (const means of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      clients.push(await listen(t, `http://${address}:${port}/acme`, { transports: means }))
      t.pass(`${address} over ${means.join(', ')}`)
    }
    const script = await fetch(`http://${address}:${port}/socket.io/socket.io.js`)
    t.equal(script.status, 200)
    t.match(await script.text(), /Socket\.IO v/)
    t.equal((await fetch(`http://${address}:${port}/socket.io/none-of-these`)).status < 500, true)
    t.equal((await fetch(`http://${address}:${port}/elsewhere`)).status, 404)
  }
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'everywhere')
  for (const { inbox } of clients) t.equal((await inbox.got(1))[0]?.data, 'everywhere')
})

t.test('a second registration is an error, also in a sibling context', async t => {
  const twice = Fastify()
  await twice.register(wsEvents, { env: false })
  await t.rejects(async () => await twice.register(wsEvents, { env: false }), { code: `${PREFIX}DUPLICATE` })
  await twice.close()
  for (const [what, first, second] of [['two siblings', {}, {}], ['one of them disabled', { enabled: false }, {}], ['two paths', {}, { socketio: { path: '/elsewhere' } }]] as const) {
    const siblings = Fastify()
    void siblings.register(async context => { await context.register(wsEvents, { env: false, ...first }) })
    void siblings.register(async context => { await context.register(wsEvents, { env: false, ...second }) })
    await t.rejects(async () => await siblings.ready(), { code: `${PREFIX}DUPLICATE` }, what)
    await siblings.close()
  }
})

t.test('a body is taken as it is: no property is dropped, no type is coerced', async t => {
  const { fastify, url } = await startServer(t, { evolution: true })
  const bodies: ReadonlyArray<readonly [unknown, RegExp]> = [
    [{ enabled: true, evnts: ['CALL'] }, /evnts/],
    [{ enabled: 'true' }, /enabled/],
    [{ enabled: 1 }, /enabled/],
    [{ enabled: null }, /enabled/],
    [{}, /enabled/],
    [{ enabled: true, events: 'CALL' }, /events/],
    [{ enabled: true, events: [1] }, /events/],
    [{ enabled: true, events: null }, /events/],
    [[], /body/],
    ['text', /body/],
    [null, /body/]
  ]
  const call = async (method: string, path: string, body: unknown) => {
    const response = await fetch(`${url}${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, ...await response.json() as { code: string, message: string } }
  }
  for (const [body, named] of bodies) {
    const want = { status: 400, code: 'FST_ERR_VALIDATION', message: named }
    t.match(await call('PUT', '/instance/acme/websocket', body), want, `PUT ${JSON.stringify(body)}`)
    t.match(await call('POST', '/websocket/set/acme', body), want, `POST ${JSON.stringify(body)}`)
    t.match(await call('POST', '/websocket/set/acme', { websocket: body }), { ...want, message: named.source === 'body' ? /websocket/ : named }, `POST ${JSON.stringify({ websocket: body })}`)
  }
  t.equal(await fastify.wsEvents.find('acme'), null, 'nothing was set')
})

t.test('date_time is the instant in UTC, wherever the server stands', async t => {
  const { TZ } = process.env
  t.teardown(() => { if (TZ === undefined) delete process.env.TZ; else process.env.TZ = TZ })
  process.env.TZ = 'America/Sao_Paulo'
  t.equal(new Date('2024-07-01T12:00:00Z').getHours(), 9, 'this process stands in São Paulo')
  const { fastify, url } = await startServer(t)
  await fastify.wsEvents.set('acme', ON)
  const { inbox } = await listen(t, `${url}/acme`)
  const times: ReadonlyArray<readonly [string | number | Date, string]> = [
    ['2024-07-01T09:00:00-03:00', '2024-07-01T12:00:00.000Z'],
    ['2024-07-01T12:00:00Z', '2024-07-01T12:00:00.000Z'],
    [new Date('2024-12-31T23:30:00-03:00'), '2025-01-01T02:30:00.000Z'],
    [0, '1970-01-01T00:00:00.000Z']
  ]
  for (const [dateTime] of times) await fastify.wsEvents.emit('acme', 'call', {}, { dateTime })
  const before = Date.now()
  await fastify.wsEvents.emit('acme', 'call', {})
  const after = Date.now()
  const messages = await inbox.got(times.length + 1)
  t.strictSame(messages.slice(0, -1).map(message => message.date_time), times.map(([, utc]) => utc))
  const last = messages.at(-1)?.date_time ?? ''
  t.match(last, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.ok(Date.parse(last) >= before && Date.parse(last) <= after, 'now is now')
})

for (const transport of transports) {
  t.test(`ten binary parts arrive over ${transport}; more are rejected before they break the connection`, async t => {
    const { fastify, url } = await startServer(t)
    await fastify.wsEvents.set('acme', ON)
    const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport] })
    const ends: unknown[] = []
    socket.on('disconnect', reason => { ends.push(reason) })
    const parts = (count: number) => Array.from({ length: count }, (_, index) => index % 2 === 0 ? Buffer.from([index, 0, 255]) : new Uint8Array([index, 0, 255]))
    await t.rejects(fastify.wsEvents.emit('acme', 'messages.upsert', parts(11)), { code: `${PREFIX}NOT_SERIALIZABLE`, statusCode: 400 })
    await fastify.wsEvents.emit('acme', 'messages.upsert', parts(10))
    const [message] = await inbox.got(1)
    t.strictSame((message?.data as Buffer[]).map(part => [...part]), parts(10).map(part => [...part]))
    t.strictSame(ends, [])
  })

  t.test(`namespaces are gone when their last client is, and when all were refused, over ${transport}`, async t => {
    const { fastify, url } = await startServer(t, { apikey: 'key' })
    const sizes = () => [fastify.wsEvents.stats().clients.namespaces, fastify.io._nsps.size]
    const before = sizes()
    const bad = Array.from({ length: BAD_NAMES }, (_, index) => index % 2 === 0 ? `unset-${index}` : `bad%2C${index}`)
    const words = await inParallel(bad, 20, async name => {
      const socket = openClient(`${url}/${name}`, transport, { auth: { apikey: name.startsWith('bad') ? 'key' : 'wrong' } })
      const { word } = await outcomeOf(socket)
      socket.disconnect()
      return word
    })
    t.strictSame(new Set(words), new Set(['FORBIDDEN', 'INVALID_NAME']))
    await eventually(() => sizes().join() === before.join())
    t.strictSame(sizes(), before, `after ${BAD_NAMES} bad names`)

    const names = Array.from({ length: INSTANCES }, (_, index) => `instance-${index}`)
    for (const name of names) await fastify.wsEvents.set(name, ON)
    const clients = await Promise.all(names.flatMap(name => [0, 1].map(async () => await listen(t, `${url}/${name}`, { transports: [transport], auth: { apikey: 'key' } }))))
    t.equal(fastify.wsEvents.stats().clients.namespaces, (before[0] ?? 0) + names.length)
    for (const { socket } of clients) socket.disconnect()
    await eventually(() => sizes().join() === before.join())
    t.strictSame(sizes(), before, `after two clients each of ${INSTANCES} instances`)

    const { inbox } = await listen(t, `${url}/instance-0`, { transports: [transport], auth: { apikey: 'key' } })
    await fastify.wsEvents.emit('instance-0', 'messages.upsert', 'again')
    t.equal((await inbox.got(1))[0]?.data, 'again', 'a later client finds it as before')
  })

  t.test(`a client that came before set is told to try again, and a new attempt over ${transport} needs no emit`, async t => {
    const { fastify, url } = await startServer(t)
    const socket = connect(t, `${url}/acme`, { transports: [transport] })
    t.match(await refused(socket), { code: `${PREFIX}NOT_SET`, statusCode: 404, retry: true, message: /PUT \/instance\/acme\/websocket/ })
    t.notOk(socket.active, 'a stock client does not try by itself')
    await fastify.wsEvents.set('acme', ON)
    await admitted(socket.connect())
  })

  t.test(`in global mode a client of the root over ${transport} is served from the start`, async t => {
    const { fastify, url } = await startServer(t, { globalEvents: true })
    const { inbox } = await listen(t, url, { transports: [transport] })
    t.strictSame((await fastify.wsEvents.emit('acme', 'messages.upsert', 'never set')), { id: (await inbox.got(1))[0]?.id, routes: ['/'], skipped: 'not-set' })
    await fastify.wsEvents.set('acme', { enabled: true, events: ['CALL'] })
    t.match(await fastify.wsEvents.emit('acme', 'messages.upsert', 'filtered'), { routes: ['/'], skipped: 'filtered' })
    await fastify.wsEvents.set('acme', { enabled: false })
    t.match(await fastify.wsEvents.emit('acme', 'messages.upsert', 'disabled'), { routes: ['/'], skipped: 'instance-disabled' })
    t.strictSame((await inbox.got(3)).map(({ data }) => data), ['never set', 'filtered', 'disabled'])
  })

  t.test(`who is ended by the host stays away; who lost its transport comes back, over ${transport}`, async t => {
    const { fastify, url } = await startServer(t, { apikey: ['key', 'other'] })
    const ways: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ['remove', async () => await fastify.wsEvents.remove('acme')],
      ['disconnect of the instance', async () => { await fastify.wsEvents.disconnect({ instance: 'acme' }) }],
      ['disconnect of the key', async () => { await fastify.wsEvents.disconnect({ apikey: 'key' }) }],
      ['enabled: false', async () => await fastify.wsEvents.set('acme', { enabled: false })]
    ]
    for (const [what, end] of ways) {
      await fastify.wsEvents.set('acme', ON)
      const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], auth: { apikey: 'key' } })
      await fastify.wsEvents.emit('acme', 'messages.upsert', 'before')
      const ended = disconnected(socket)
      await end()
      t.equal(await ended, 'io server disconnect', what)
      t.notOk(socket.active)
      t.strictSame(inbox.messages.map(({ data }) => data), ['before'], 'what was emitted before has come')
    }
  })
}

t.test('a stalled client is ended before much waits for it, and comes back by itself', async t => {
  const { fastify, url } = await startServer(t, { limits: { queuedBytes: 64 * 1024 } })
  await fastify.wsEvents.set('acme', ON)
  const { socket } = await listen(t, `${url}/acme`)
  const { inbox: other } = await listen(t, `${url}/acme`)
  const tcp = (socket.io.engine.transport as unknown as { ws: { _socket: NetSocket } }).ws._socket
  tcp.pause()
  const text = 'x'.repeat(64 * 1024)
  let sent = 0
  // What the kernel takes on both sides comes on top of the limit.
  while (fastify.wsEvents.stats().delivery.slowConsumers === 0 && sent < 4000) {
    await fastify.wsEvents.emit('acme', 'messages.upsert', text)
    await other.got(++sent)
  }
  t.equal(fastify.wsEvents.stats().delivery.slowConsumers, 1)
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 1)
  const ended = disconnected(socket)
  const back = new Promise<void>(resolve => { socket.once('connect', resolve) })
  tcp.resume()
  t.match(await ended, /^transport (close|error)$/)
  await back
  const inbox = new Inbox(socket)
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'again')
  t.equal((await inbox.got(1))[0]?.data, 'again')
})

t.test('with nobody there nothing is serialized', async t => {
  const { fastify, url } = await startServer(t)
  await fastify.wsEvents.set('acme', ON)
  const unread = { toJSON () { throw new Error('was read') } }
  t.strictSame(await fastify.wsEvents.emit('acme', 'call', unread), { id: null, routes: ['/acme'] })
  await listen(t, `${url}/acme`)
  await t.rejects(fastify.wsEvents.emit('acme', 'call', unread), { code: `${PREFIX}NOT_SERIALIZABLE` })
})

t.test('a full instance looks to a bad key like any other', async t => {
  const { fastify, url } = await startServer(t, { apikey: 'key', limits: { connectionsPerInstance: 1 } })
  await fastify.wsEvents.set('acme', ON)
  await listen(t, `${url}/acme`, { auth: { apikey: 'key' } })
  for (const transport of transports) {
    for (const [auth, code] of [[{ apikey: 'bad' }, 'FORBIDDEN'], [{}, 'UNAUTHORIZED']] as const) {
      const words = await Promise.all(['acme', 'unset'].map(async name => {
        const socket = openClient(`${url}/${name}`, transport, { auth })
        t.teardown(() => { socket.disconnect() })
        return (await outcomeOf(socket)).word
      }))
      t.strictSame(words, [code, code], transport)
    }
  }
})

t.test('clients whose key is still being checked take nobody\'s place', async t => {
  const answer = latch()
  const verify: Verify = async ({ apikey }) => {
    if (apikey === 'good') return true
    await answer.opened
    return false
  }
  const { fastify, url } = await startServer(t, { verify, limits: { connectionsPerInstance: 1 } })
  await fastify.wsEvents.set('acme', ON)
  const bad: Socket[] = [0, 1, 2].map(() => connect(t, `${url}/acme`, { auth: { apikey: 'bad' } }))
  const refusals = bad.map(refused)
  await eventually(() => fastify.io.engine.clientsCount === 3)
  const good = openClient(`${url}/acme`, 'websocket', { auth: { apikey: 'good' } })
  t.teardown(() => { good.disconnect() })
  t.equal((await outcomeOf(good)).word, 'in')
  answer.open()
  for (const refusal of await Promise.all(refusals)) t.equal(refusal.code, `${PREFIX}FORBIDDEN`)
})

t.test('who asks at the bare path of the Socket.IO server finds nothing there, and the log has no key of his', async t => {
  const { lines, fastify: logging } = recordLog()
  const { url } = await startServer(t, { apikey: 'the-key-of-the-admin' }, { fastify: logging })
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const { status } = await fetch(`${url}/socket.io?EIO=4&transport=polling&apikey=the-key-of-the-admin`, { method })
    t.equal(status, 404, method)
  }
  t.notMatch(JSON.stringify(lines), 'the-key-of-the-admin')
})
