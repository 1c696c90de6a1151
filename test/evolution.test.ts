import { Manager } from 'socket.io-client'
import t, { type Test } from 'tap'
import type { Verify, WsEventsOptions } from '../lib/index.js'
import { Inbox, type Transport, admitted, connect, disconnected, listen, refused, transports } from './helpers/client.js'
import { recordLog } from './helpers/log.js'
import { PREFIX } from './helpers/outcome.js'
import { startServer } from './helpers/server.js'

const ALL = /^[A-Z_]+$/

interface Answer {
  readonly status: number
  readonly body: unknown
}

type Post = (path: string, body: unknown, apikey?: string) => Promise<Answer>

/** Speaks HTTP as Evolution's clients do. */
function http (url: string): { post: Post, get: (path: string, apikey?: string) => Promise<Answer> } {
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init)
    t.match(response.headers.get('content-type'), 'application/json')
    return { status: response.status, body: await response.json() }
  }
  return {
    post: async (path, body, apikey = 'global') => await call(path, { method: 'POST', headers: { apikey, 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) }),
    get: async (path, apikey = 'global') => await call(path, { headers: { apikey } })
  }
}

// The key of an instance is its token, as Evolution has it.
const verify: Verify = ({ apikey, instance }) => instance !== null && apikey === `token-of-${instance}`
const options: WsEventsOptions = { evolution: true, apikey: 'global', verify, serverUrl: 'https://api.example.com' }

/** A client's answer to its own request; by then it has all that was sent before. */
async function roundTrip (socket: Awaited<ReturnType<typeof connect>>): Promise<unknown> {
  return await socket.timeout(60_000).emitWithAck('subscribe', { instance: 'whatever' })
}

async function eachWay (t: Test, story: (t: Test, mode: string, more: WsEventsOptions, transport: Transport) => Promise<void>): Promise<void> {
  for (const globalEvents of [false, true]) {
    for (const transport of transports) {
      const mode = globalEvents ? 'global' : 'traditional'
      await t.test(`${mode} mode, ${transport}`, async t => { await story(t, mode, { ...options, globalEvents }, transport) })
    }
  }
}

t.test('a client that posts { websocket: { … } } and connects with its token in the query gets its events', async t => {
  await eachWay(t, async (t, mode, more, transport) => {
    const { fastify, url } = await startServer(t, more)
    const { post } = http(url)
    t.strictSame(await post('/websocket/set/acme', { websocket: { enabled: true, events: ['MESSAGES_UPSERT', 'QRCODE_UPDATED'] } }, 'token-of-acme'),
      { status: 201, body: { instance: 'acme', enabled: true, events: ['QRCODE_UPDATED', 'MESSAGES_UPSERT'] } })
    const { inbox } = await listen(t, `${url}/acme?apikey=token-of-acme`, { transports: [transport] })
    t.match(await fastify.wsEvents.emit('acme', 'CONNECTION_UPDATE', { state: 'open' }), { skipped: 'filtered' })
    await fastify.wsEvents.emit('acme', 'MESSAGES_UPSERT', { text: 'hello' }, { sender: '5511@s.whatsapp.net', apikey: 'token-of-acme', extra: { isLatest: true } })
    const messages = await inbox.got(1)
    t.equal(messages.length, 1)
    t.match(messages[0], {
      event: 'messages.upsert',
      instance: 'acme',
      data: { text: 'hello' },
      server_url: 'https://api.example.com',
      sender: '5511@s.whatsapp.net',
      apikey: 'token-of-acme',
      isLatest: true,
      date_time: /Z$/
    })
  })
})

t.test('a client that posts the keys at the top level and subscribes with { instance } gets its events', async t => {
  await eachWay(t, async (t, mode, more, transport) => {
    const { fastify, url } = await startServer(t, more)
    const { post, get } = http(url)
    t.strictSame(await post('/websocket/set/acme', { enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] }, 'token-of-acme'),
      { status: 201, body: { instance: 'acme', enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] } })
    t.strictSame(await get('/websocket/find/acme', 'token-of-acme'), { status: 200, body: { instance: 'acme', enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] } })
    const { socket, inbox } = await listen(t, `${url}/acme`, { transports: [transport], query: { apikey: 'token-of-acme' } })
    for (const instance of ['acme', 'another', '']) {
      socket.emit('subscribe', { instance })
      t.ok(await socket.timeout(60_000).emitWithAck('subscribe', { instance }) !== undefined, `subscribe of "${instance}" is accepted`)
    }
    await fastify.wsEvents.set('another', { enabled: true })
    await fastify.wsEvents.emit('another', 'call', 'another')
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'one')
    await fastify.wsEvents.emit('acme', 'call', 'two')
    t.strictSame((await inbox.got(2)).map(({ data }) => data), ['one', 'two'], 'and changes nothing')
  })
})

t.test('a client that joins the root besides gets its instance\'s events', async t => {
  await eachWay(t, async (t, mode, more, transport) => {
    const { lines, fastify: logged } = recordLog()
    const { fastify, url } = await startServer(t, more, { fastify: logged })
    await http(url).post('/websocket/set/acme', { websocket: { enabled: true, events: [] } })
    for (const apikey of mode === 'global' ? ['global'] : ['token-of-acme', 'global']) {
      const manager = new Manager(url, { transports: [transport], query: { apikey } })
      t.teardown(() => { manager._close() })
      // Python clients join the root before their own namespace, unasked.
      const root = await admitted(manager.socket('/'))
      const rootInbox = new Inbox(root)
      const acme = manager.socket('/acme')
      const inbox = new Inbox(acme)
      await admitted(acme)
      await fastify.wsEvents.emit('acme', 'messages.upsert', 'heard')
      await fastify.wsEvents.emit('acme', 'call', 'too')
      t.strictSame((await inbox.got(2)).map(({ data }) => data), ['heard', 'too'])
      await roundTrip(root)
      if (mode === 'global') await rootInbox.got(2)
      t.strictSame(rootInbox.messages.map(({ data }) => data), mode === 'global' ? ['heard', 'too'] : [], 'the root')
      root.disconnect()
      await fastify.wsEvents.emit('acme', 'call', 'still')
      t.equal((await inbox.got(3))[2]?.data, 'still', 'and goes on when it leaves the root')
      manager._close()
    }
    const hints = lines.filter(({ level, msg }) => level >= 40 && /root/.test(msg))
    t.equal(hints.length, mode === 'global' ? 0 : 1, 'one hint is logged where the root is silent')
  })
})

t.test('a client that is in the silent root besides survives an outage of verify', async t => {
  for (const transport of transports) {
    let failures = 0
    const { fastify, url } = await startServer(t, {
      evolution: true,
      verify: () => {
        if (failures++ < 3) throw new Error('the database is away')
        return true
      }
    })
    await fastify.wsEvents.set('acme', { enabled: true })
    const manager = new Manager(url, { transports: [transport], query: { apikey: 'token' }, reconnectionDelay: 20, reconnectionDelayMax: 100 })
    t.teardown(() => { manager._close() })
    const root = await admitted(manager.socket('/'))
    const acme = manager.socket('/acme')
    // Nothing that serves it would suffer from the end of its connection, and a refusal would be final.
    acme.on('connect_error', error => { t.notOk('data' in error, error.message) })
    await new Promise<void>(resolve => { acme.once('connect', resolve) })
    if (!root.connected) await new Promise<void>(resolve => { root.once('connect', resolve) })
    t.ok(failures > 3, transport)
  }
})

t.test('the root of traditional mode admits anybody, and sends nothing', async t => {
  for (const transport of transports) {
    const { fastify, url } = await startServer(t, options)
    await fastify.wsEvents.set('acme', { enabled: true })
    for (const query of [{}, { apikey: 'wrong' }, { apikey: 'token-of-acme' }, { apikey: 'global' }]) {
      const { socket, inbox } = await listen(t, url, { transports: [transport], query })
      t.strictSame((await fastify.wsEvents.emit('acme', 'messages.upsert', 1)).routes, ['/acme'])
      await roundTrip(socket)
      t.strictSame(inbox.messages, [], JSON.stringify(query))
    }
    t.equal((await refused(connect(t, `${url}/acme`, { transports: [transport], query: { apikey: 'wrong' } }))).code, `${PREFIX}FORBIDDEN`, 'its namespaces do not')
  }
})

t.test('in global mode the root asks for a key, as without evolution', async t => {
  const { url } = await startServer(t, { ...options, globalEvents: true })
  for (const [query, code] of [[{}, 'UNAUTHORIZED'], [{ apikey: 'wrong' }, 'FORBIDDEN'], [{ apikey: 'token-of-acme' }, 'FORBIDDEN']] as const) {
    t.equal((await refused(connect(t, url, { query }))).code, `${PREFIX}${code}`)
  }
})

t.test('enabled: false mutes an instance\'s clients and keeps them, and enabled: true lets them hear again', async t => {
  await eachWay(t, async (t, mode, more, transport) => {
    const { fastify, url } = await startServer(t, more)
    const { post } = http(url)
    const client = { transports: [transport], query: { apikey: 'token-of-acme' } }
    await post('/websocket/set/acme', { websocket: { enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] } })
    const { socket, inbox } = await listen(t, `${url}/acme`, client)
    const ends: unknown[] = []
    socket.on('disconnect', reason => { ends.push(reason) })
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'before')
    t.strictSame(await post('/websocket/set/acme', { websocket: { enabled: false, events: [] } }),
      { status: 201, body: { instance: 'acme', enabled: false, events: ['MESSAGES_UPSERT', 'CALL'] } }, 'the list is kept')
    t.match(await fastify.wsEvents.emit('acme', 'messages.upsert', 'muted'), { routes: mode === 'global' ? ['/'] : [], skipped: 'instance-disabled' })
    const { inbox: later } = await listen(t, `${url}/acme`, client)
    await fastify.wsEvents.emit('acme', 'messages.upsert', 'muted')
    t.equal((await post('/websocket/set/acme', { enabled: true, events: ['MESSAGES_UPSERT', 'CALL'] })).status, 201)
    await fastify.wsEvents.emit('acme', 'call', 'again')
    t.strictSame((await inbox.got(2)).map(({ data }) => data), ['before', 'again'])
    t.strictSame((await later.got(1)).map(({ data }) => data), ['again'], 'one that came while it was muted, too')
    t.strictSame(ends, [])
    const ended = disconnected(socket)
    await fastify.wsEvents.remove('acme')
    t.equal(await ended, 'io server disconnect', 'remove still ends them')
  })
})

t.test('an instance that was never set refuses its clients also here', async t => {
  const { url } = await startServer(t, options)
  for (const transport of transports) {
    t.match(await refused(connect(t, `${url}/acme`, { transports: [transport], query: { apikey: 'global' } })), { code: `${PREFIX}NOT_SET`, retry: true })
  }
})

t.test('find answers null for what was never set, and what removed leaves behind', async t => {
  const { fastify, url } = await startServer(t, options)
  const { post, get } = http(url)
  t.strictSame(await get('/websocket/find/acme'), { status: 200, body: null })
  const set = await post('/websocket/set/acme', { websocket: { enabled: true } })
  t.match(set, { status: 201, body: { instance: 'acme', enabled: true } })
  const { events } = set.body as { events: string[] }
  t.ok(events.length > 20 && events.every(name => ALL.test(name)), 'no list means all, in the constant spelling')
  t.strictSame(await get('/websocket/find/acme'), { status: 200, body: set.body })
  await fastify.wsEvents.remove('acme')
  t.strictSame(await get('/websocket/find/acme'), { status: 200, body: null })
})

t.test('a list of events outlives that its instance is switched off and on, by every route and call', async t => {
  for (const store of ['memory:', `lmdb:${t.testdir()}`]) {
    const { fastify } = await startServer(t, { evolution: true, store })
    const put = async (payload: object) => (await fastify.inject({ method: 'PUT', url: '/instance/acme/websocket', payload })).json()
    const post = async (payload: object) => (await fastify.inject({ method: 'POST', url: '/websocket/set/acme', payload })).json()
    const events = ['MESSAGES_UPSERT', 'CALL']
    await put({ enabled: true, events: ['call', 'messages.upsert'] })
    const steps: ReadonlyArray<readonly [boolean, () => Promise<unknown>]> = [
      [false, async () => await put({ enabled: false })],
      [true, async () => await put({ enabled: true })],
      [false, async () => await post({ websocket: { enabled: false, events: [] } })],
      [true, async () => await post({ websocket: { enabled: true } })],
      [false, async () => await post({ enabled: false })],
      [true, async () => await fastify.wsEvents.set('acme', { enabled: true })]
    ]
    for (const [enabled, set] of steps) {
      t.strictSame(await set(), { instance: 'acme', enabled, events })
      t.strictSame((await fastify.inject('/websocket/find/acme')).json(), { instance: 'acme', enabled, events })
    }
    t.strictSame((await put({ enabled: true, events: [] })).events.length > 20, true, 'an empty list is all')
    await fastify.close()
  }
})

t.test('set answers 201 each time', async t => {
  const { url } = await startServer(t, options)
  const { post } = http(url)
  for (const enabled of [true, true, false, true]) t.equal((await post('/websocket/set/acme', { websocket: { enabled } })).status, 201)
})

t.test('the name that Evolution\'s manager has for changes of groups can be switched on and off', async t => {
  const { fastify, url } = await startServer(t, options)
  const { post, get } = http(url)
  for (const name of ['GROUP_UPDATE', 'GROUPS_UPDATE', 'groups.update']) {
    const config = { instance: 'acme', enabled: true, events: ['GROUP_UPDATE', 'CALL'] }
    t.strictSame(await post('/websocket/set/acme', { websocket: { enabled: true, events: [name, 'CALL'] } }), { status: 201, body: config })
    t.strictSame(await get('/websocket/find/acme'), { status: 200, body: config }, 'as the manager shows it')
    t.strictSame((await get('/instance/acme/websocket')).body, { ...config, events: ['GROUPS_UPDATE', 'CALL'] }, 'the plugin\'s own route')
    t.strictSame((await fastify.wsEvents.find('acme'))?.events, ['GROUPS_UPDATE', 'CALL'])
    const { inbox, socket } = await listen(t, `${url}/acme?apikey=global`)
    await fastify.wsEvents.emit('acme', 'GROUP_UPDATE', 1)
    t.equal((await inbox.got(1))[0]?.event, 'groups.update')
    socket.disconnect()
    // The manager sends what find showed, without what was switched off.
    const shown = (await get('/websocket/find/acme')).body as typeof config
    const { body } = await post('/websocket/set/acme', { websocket: { enabled: true, events: shown.events.filter(event => event !== 'GROUP_UPDATE') } })
    t.strictSame(body, { ...config, events: ['CALL'] })
    t.match(await fastify.wsEvents.emit('acme', 'groups.update', 2), { skipped: 'filtered' })
  }
})

t.test('an event of the host\'s that is spelled GROUP_UPDATE is not taken for Evolution\'s', async t => {
  const { url } = await startServer(t, { ...options, events: ['groups.update', 'group.update'] })
  const { body } = await http(url).post('/websocket/set/acme', { websocket: { enabled: true, events: ['GROUPS_UPDATE'] } })
  t.strictSame((body as { events: string[] }).events, ['GROUPS_UPDATE'])
})

t.test('errors have what Evolution\'s clients read, besides what they have everywhere', async t => {
  const { url } = await startServer(t, { ...options, instanceExists: name => name !== 'ghost' })
  const { post, get } = http(url)
  const enabled = { websocket: { enabled: true } }
  const cases: ReadonlyArray<readonly [string, Promise<Answer>, number, string, RegExp]> = [
    ['a wrong key', post('/websocket/set/acme', enabled, 'wrong'), 403, `${PREFIX}FORBIDDEN`, /key/],
    ['another instance\'s key', get('/websocket/find/acme', 'token-of-beta'), 403, `${PREFIX}FORBIDDEN`, /key/],
    ['no key', get('/websocket/find/acme', ''), 401, `${PREFIX}UNAUTHORIZED`, /key/],
    ['a bad name', get('/websocket/find/a%2Cb'), 400, `${PREFIX}INVALID_NAME`, /,/],
    ['no such instance', post('/websocket/set/ghost', enabled), 404, `${PREFIX}INSTANCE_UNKNOWN`, /ghost/],
    ['an unknown event', post('/websocket/set/acme', { websocket: { enabled: true, events: ['MESSAGES_UPSRET'] } }), 400, `${PREFIX}UNKNOWN_EVENT`, /MESSAGES_UPSERT|messages\.upsert/],
    ['an unknown property', post('/websocket/set/acme', { websocket: { enabled: true, evnts: [] } }), 400, 'FST_ERR_VALIDATION', /evnts/],
    ['an unknown property at the top level', post('/websocket/set/acme', { enabled: true, url: 'x' }), 400, 'FST_ERR_VALIDATION', /url/],
    ['both shapes at once', post('/websocket/set/acme', { websocket: { enabled: true }, enabled: true }), 400, 'FST_ERR_VALIDATION', /enabled/],
    ['a wrong type', post('/websocket/set/acme', { websocket: { enabled: 'true' } }), 400, 'FST_ERR_VALIDATION', /enabled/],
    ['broken JSON', post('/websocket/set/acme', '{"websocket":'), 400, 'FST_ERR_CTP_INVALID_JSON_BODY', /JSON/],
    ['an empty body', post('/websocket/set/acme', ''), 400, 'FST_ERR_CTP_EMPTY_JSON_BODY', /empty/]
  ]
  for (const [what, asked, status, code, named] of cases) {
    const answer = await asked
    t.equal(answer.status, status, what)
    const body = answer.body as { message: string }
    t.match(body, { statusCode: status, code, message: named, error: String, status, response: { message: [body.message] } }, what)
  }
})

t.test('errors of the plugin\'s own routes stay as they are', async t => {
  const { url } = await startServer(t, options)
  const { get } = http(url)
  const { body } = await get('/instance/acme/websocket', 'wrong')
  t.strictSame(Object.keys(body as object).sort(), ['code', 'error', 'message', 'statusCode'])
})

t.test('without evolution none of this is there', async t => {
  const { url } = await startServer(t, { ...options, evolution: false })
  const { post, get } = http(url)
  t.equal((await post('/websocket/set/acme', { websocket: { enabled: true } })).status, 404)
  t.equal((await get('/websocket/find/acme')).status, 404)
  t.match(await refused(connect(t, url, { query: { apikey: 'global' } })), { code: `${PREFIX}GLOBAL_DISABLED`, retry: true })
})

t.test('the routes of Evolution move with routes.prefix, and go with routes: false', async t => {
  const moved = await startServer(t, { ...options, routes: { prefix: '/api' } })
  t.equal((await http(moved.url).post('/api/websocket/set/acme', { websocket: { enabled: true } })).status, 201)
  t.equal((await http(moved.url).get('/websocket/find/acme')).status, 404)
  const gone = await startServer(t, { ...options, routes: false })
  t.equal((await http(gone.url).get('/websocket/find/acme')).status, 404)
})
