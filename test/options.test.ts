import fc from 'fast-check'
import { Writable } from 'node:stream'
import t from 'tap'
import Fastify from 'fastify'
import wsEvents, { evolutionEvents } from '../lib/index.js'
import { optionSchemas, readSettings } from '../lib/options.js'
import { memoryStore } from '../lib/stores/memory/index.js'
import type { Store } from '../lib/stores/store.js'
import { listen } from './helpers/client.js'
import { recordLog } from './helpers/log.js'
import { register, registrationError } from './helpers/register.js'
import { startServer } from './helpers/server.js'

const OPTION = 'FST_ERR_WS_EVENTS_INVALID_OPTION'
const SECRET = 'zR8kQ2-secret'

/** The settings of options and variables; nothing else is read. */
const settingsOf = (options: object, env: Record<string, string | undefined> | false = false) =>
  readSettings({ env, ...options })

/** A setting; of the store its name, because stores are not compared. */
function settingAt (setting: string, options: object, env: Record<string, string | undefined> | false = false): unknown {
  const settings = settingsOf(options, env)
  return setting === 'store' ? settings.store.name : settings[setting as 'mode']
}

const limitDefaults = {
  connections: 0,
  connectionsPerInstance: 10_000,
  connectionsPerAddress: 0,
  refusalsPerMinute: 0,
  namespacesPerConnection: 256,
  idleMs: 10_000,
  queuedBytes: 1024 * 1024,
  queuedBytesMax: 32 * 1024 * 1024,
  queuedBytesTotal: 256 * 1024 * 1024,
  messageBytes: 32 * 1024 * 1024,
  instances: 100_000,
  inboundBytes: 64 * 1024,
  inboundPerSecond: 50,
  publishPerSecond: 0,
  pendingEvents: 10_000,
  pendingBytes: 64 * 1024 * 1024
}

interface Bad {
  readonly value: unknown
  /** What the error says besides the option's name. */
  readonly says: RegExp
  /** What the error names, where it is not the option itself. */
  readonly named?: string
}

interface Row {
  /** Which setting shows the option. */
  readonly setting: string
  readonly byDefault: unknown
  /** Values, and the setting that each makes. */
  readonly good: ReadonlyArray<readonly [value: unknown, setting: unknown]>
  readonly bad: readonly Bad[]
}

const verify = () => true
const keySource = () => 'k1'
const instanceExists = () => false
const trust = () => true

const ownStore = { ...memoryStore(), name: 'own', retention: { maxAge: 1, maxEvents: 2, maxBytes: 3 } }
const registry = { registerMetric: () => {}, getSingleMetric: () => undefined, removeSingleMetric: () => {} }
const ownConfigs = { get: () => null, set: () => {}, delete: () => false, list: () => [] }
const MiB = 1024 * 1024

/** Every option but `env`, which makes no setting. */
const rows: Record<Exclude<keyof typeof optionSchemas, 'env'>, Row> = {
  store: {
    setting: 'store',
    byDefault: 'memory:',
    good: [['memory:', 'memory:'], ['lmdb:./data', 'lmdb:./data'], ['lmdb:C:\\data', 'lmdb:C:\\data'], [ownStore, 'own']],
    // Any of these may have a password in it.
    bad: ['', 'memory', 'lmdb:', './data', 'postgres://u:hunter2@host/db', {}, { open: 5 }, { ...ownStore, open: 5 }, { ...ownStore, retention: { maxAge: 5 } }, null].map(value => ({ value, says: /must be "memory:", "lmdb:PATH".*; got (a|an|nothing|null)[ \w]*$/ }))
  },
  configs: {
    setting: 'configs',
    byDefault: null,
    good: [[ownConfigs, ownConfigs]],
    bad: [
      { value: { ...ownConfigs, list: undefined }, says: /functions \{ get, set, delete, list \}; got an object/ },
      { value: { ...ownConfigs, get: 'x' }, says: /functions \{ get, set, delete, list \}/ },
      { value: 5, says: /functions \{ get, set, delete, list \}/ },
      { value: null, says: /functions \{ get, set, delete, list \}/ }
    ]
  },
  retention: {
    setting: 'retention',
    byDefault: { maxAge: 120_000, maxEvents: 10_000, maxBytes: 8 * MiB },
    good: [
      [{}, { maxAge: 120_000, maxEvents: 10_000, maxBytes: 8 * MiB }],
      [{ maxAge: 5, maxEvents: undefined }, { maxAge: 5, maxEvents: 10_000, maxBytes: 8 * MiB }],
      [{ maxEvents: 1, maxBytes: 1 }, { maxAge: 120_000, maxEvents: 1, maxBytes: 1 }]
    ],
    bad: [
      { value: { maxAge: 0 }, says: /"retention\.maxAge" must be a whole number of milliseconds, at least 1; got 0/ },
      { value: { maxEvents: 1.5 }, says: /"retention\.maxEvents" must be a whole number of records/ },
      { value: { maxBytes: '8MB' }, says: /"retention\.maxBytes" must be a whole number of bytes/ },
      { value: { maxage: 5 }, says: /"retention\.maxage" is unknown: the options of "retention" are maxAge, maxEvents, maxBytes/ },
      { value: 5, says: /an object of maxAge, maxEvents, maxBytes/ }
    ]
  },
  enabled: {
    setting: 'mode',
    byDefault: 'traditional',
    good: [[true, 'traditional'], [false, 'disabled']],
    bad: [{ value: 'true', says: /true or false/ }, { value: 1, says: /true or false/ }, { value: null, says: /true or false/ }]
  },
  globalEvents: {
    setting: 'mode',
    byDefault: 'traditional',
    good: [[true, 'global'], [false, 'traditional']],
    bad: [{ value: 'yes', says: /true or false.*"yes"/ }, { value: 0, says: /true or false/ }]
  },
  evolution: {
    setting: 'evolution',
    byDefault: false,
    good: [[true, true], [false, false], [{}, true], [{ timeZone: undefined }, true], [{ timeZone: 'UTC' }, true]],
    bad: [
      { value: 'on', says: /true, false, or \{ timeZone \}/ },
      { value: { timezone: 'UTC' }, says: /\{ timeZone \}/ },
      ...['', 'America/Sao_Paolo', '-03:00', '+0300', 'UTC ', 5, null].map(timeZone => ({ value: { timeZone }, says: /IANA time zone/ }))
    ]
  },
  apikey: {
    setting: 'apikeys',
    byDefault: [],
    good: [['k1', ['k1']], [' k1\n', ['k1']], [['k1', 'k2 '], ['k1', 'k2']], [keySource, keySource]],
    bad: [{ value: '', says: /key/ }, { value: '  ', says: /blank/ }, { value: [], says: /key/ }, { value: ['k1', ' '], says: /blank/ }, { value: 5, says: /key/ }, { value: [5], says: /key/ }]
  },
  publishKey: {
    setting: 'publishKeys',
    byDefault: [],
    good: [['k1', ['k1']], [' k1\n', ['k1']], [['k1', 'k2 '], ['k1', 'k2']]],
    bad: ['', '  ', [], ['k1', ' '], 5, [5], keySource].map(value => ({ value, says: /a key or a list of keys, none of them blank; got (a|an) [ \w]*$/ }))
  },
  verify: {
    setting: 'verify',
    byDefault: null,
    good: [[verify, verify]],
    bad: [{ value: true, says: /function/ }, { value: 'https://auth.example', says: /function/ }]
  },
  allowedHosts: {
    setting: 'allowedHosts',
    byDefault: ['loopback'],
    good: [['10.0.0.1', ['10.0.0.1']], [['10.0.0.0/8', '::1'], ['10.0.0.0/8', '::1']], ['*', ['*']]],
    bad: [{ value: 5, says: /CIDR/ }, { value: [5], says: /CIDR/ }, { value: 'example.com', says: /CIDR/ }, { value: ['10.0.0.0/99'], says: /CIDR/ }, { value: '', says: /CIDR/ }]
  },
  trustProxy: {
    setting: 'trustProxy',
    byDefault: false,
    good: [[true, true], ['10.0.0.1', '10.0.0.1'], [['10.0.0.0/8'], ['10.0.0.0/8']], [trust, trust]],
    bad: [{ value: {}, says: /true, false/ }, { value: 'nginx', says: /CIDR/ }]
  },
  cors: {
    setting: 'cors',
    byDefault: null,
    good: [['*', ['*']], ['https://App.example', ['https://app.example']], [['https://a.example', 'https://b.example:444/'], ['https://a.example', 'https://b.example:444']]],
    bad: [{ value: true, says: /origins/ }, { value: 'app.example', says: /origins/ }, { value: ['https://a.example/app'], says: /origins/ }, { value: '', says: /origins/ }]
  },
  serverUrl: {
    setting: 'serverUrl',
    byDefault: null,
    good: [['https://api.example', 'https://api.example']],
    bad: [{ value: 'api.example', says: /URL.*"api\.example"/ }, { value: 5, says: /URL/ }, { value: '', says: /URL/ }]
  },
  defaultConfig: {
    setting: 'defaultConfig',
    byDefault: null,
    good: [[{ enabled: true }, { enabled: true }], [{ enabled: false, events: ['call'] }, { enabled: false, events: ['call'] }]],
    bad: [
      { value: true, says: /enabled/ },
      { value: {}, says: /true or false/ },
      { value: { enabled: 'yes' }, says: /true or false/ },
      { value: { enabled: true, events: 'call' }, says: /list of event names/ },
      { value: { enabled: true, evnts: [] }, says: /enabled, events/, named: 'defaultConfig.evnts' },
      { value: { enabled: true, events: ['message.upsert'] }, says: /messages\.upsert/ }
    ]
  },
  instanceExists: {
    setting: 'instanceExists',
    byDefault: null,
    good: [[instanceExists, instanceExists]],
    bad: [{ value: ['acme'], says: /function/ }]
  },
  events: {
    setting: 'events',
    byDefault: evolutionEvents,
    good: [[['a', 'b.c'], ['a', 'b.c']], [{ a: true, b: { type: 'string' } }, { a: true, b: { type: 'string' } }]],
    bad: [
      { value: 'call', says: /list of event names/ },
      { value: [5], says: /list of event names/ },
      { value: { a: 'string' }, says: /JSON Schema/ },
      { value: { a: false }, says: /JSON Schema/ },
      { value: [], says: /at least one/ },
      { value: { a: { type: 'strnig' } }, says: /schema of "a"/ }
    ]
  },
  limits: {
    setting: 'limits',
    byDefault: limitDefaults,
    good: [
      [{}, limitDefaults],
      ...Object.keys(limitDefaults).flatMap(name => [0, 1, 7_000_000].map(value => [{ [name]: value }, { ...limitDefaults, [name]: value }] as const)),
      [{ idleMs: undefined }, limitDefaults]
    ],
    bad: [
      { value: 5, says: /connectionsPerInstance/ },
      ...Object.keys(limitDefaults).flatMap(name => [-1, 1.5, '10', null, Infinity, NaN].map(value => ({ value: { [name]: value }, says: /whole number of \w+( up to \d+)?, 0 for no limit/, named: `limits.${name}` }))),
      { value: { connectionPerInstance: 5 }, says: /unknown.*connectionsPerInstance/, named: 'limits.connectionPerInstance' }
    ]
  },
  routes: {
    setting: 'routes',
    byDefault: { prefix: '', publish: { bodyLimit: null } },
    good: [
      [false, null],
      [{}, { prefix: '', publish: { bodyLimit: null } }],
      [{ prefix: '/api' }, { prefix: '/api', publish: { bodyLimit: null } }],
      [{ prefix: '/a/b' }, { prefix: '/a/b', publish: { bodyLimit: null } }],
      [{ publish: false }, { prefix: '', publish: null }],
      [{ publish: {} }, { prefix: '', publish: { bodyLimit: null } }],
      [{ publish: { bodyLimit: 1 } }, { prefix: '', publish: { bodyLimit: 1 } }],
      [{ publish: { bodyLimit: 128 * MiB } }, { prefix: '', publish: { bodyLimit: 128 * MiB } }]
    ],
    bad: [
      { value: true, says: /false, or \{ prefix, publish \}/ },
      { value: { prefix: 'api' }, says: /\/api/ },
      { value: { prefix: '/api/' }, says: /\/api/ },
      { value: { prefix: 5 }, says: /prefix/ },
      { value: { prefx: '/api' }, says: /\{ prefix, publish \}/ },
      ...[true, 5, { bodyLimit: 0 }, { bodyLimit: 1.5 }, { bodyLimit: 128 * MiB + 1 }, { bodylimit: 5 }].map(publish => ({ value: { publish }, says: /publish is false or \{ bodyLimit \}, a whole number of bytes from 1 to 134217728/ }))
    ]
  },
  handshakeRequest: {
    setting: 'handshakeRequest',
    byDefault: null,
    good: [['release', 'release'], ['keep', 'keep']],
    bad: [{ value: true, says: /"release" or "keep"; got true/ }, { value: 'free', says: /"release" or "keep"/ }]
  },
  fastPath: {
    setting: 'fastPath',
    byDefault: true,
    good: [[true, true], [false, false]],
    bad: [{ value: 'no', says: /true or false/ }, { value: 0, says: /true or false/ }]
  },
  stockResume: {
    setting: 'stockResume',
    byDefault: false,
    good: [[true, true], [false, false], ['browsers', 'browsers']],
    bad: [{ value: 'all', says: /true, false or "browsers"; got "all"/ }, { value: 1, says: /true, false or "browsers"/ }, { value: null, says: /true, false or "browsers"/ }]
  },
  drainMs: {
    setting: 'drainMs',
    byDefault: 0,
    good: [[0, 0], [30_000, 30_000], [2 ** 31 - 1, 2 ** 31 - 1]],
    bad: [...[-1, 1.5, 2 ** 31].map(value => ({ value, says: /a whole number of milliseconds up to 2147483647/ })), { value: '5', says: /whole number of milliseconds/ }]
  },
  metrics: {
    setting: 'metrics',
    byDefault: null,
    good: [[{ registry }, { registry }]],
    bad: [
      { value: true, says: /\{ registry \}, a registry of prom-client; got true/ },
      { value: {}, says: /must be a registry of prom-client; got nothing/, named: 'metrics.registry' },
      { value: { registry: {} }, says: /\{ registry \}, a registry of prom-client; got an object/ },
      { value: { registry, prefix: 'x' }, says: /the options of "metrics" are registry/, named: 'metrics.prefix' }
    ]
  },
  socketio: {
    setting: 'socketio',
    byDefault: {},
    good: [[{ pingInterval: 5000 }, { pingInterval: 5000 }]],
    bad: [
      { value: true, says: /Server/ },
      { value: { cors: {} }, says: /option cors/, named: 'socketio.cors' },
      { value: { connectTimeout: 5 }, says: /limits\.idleMs/, named: 'socketio.connectTimeout' },
      { value: { maxHttpBufferSize: 5 }, says: /limits\.inboundBytes/, named: 'socketio.maxHttpBufferSize' },
      { value: { connectionStateRecovery: {} }, says: /key check/, named: 'socketio.connectionStateRecovery' }
    ]
  }
}

interface VariableRow {
  readonly option: keyof typeof rows
  readonly good: ReadonlyArray<readonly [text: string, setting: unknown]>
  readonly bad: ReadonlyArray<readonly [text: string, says: RegExp]>
  /** Options without which the variable is not read. */
  readonly when?: object
  /** A value of the option, to win over the first good text. */
  readonly wins: readonly [value: unknown, setting: unknown]
}

const variables: Record<string, VariableRow> = {
  WEBSOCKET_ENABLED: {
    option: 'enabled',
    good: [['false', 'disabled'], ['0', 'disabled'], ['False', 'disabled'], ['FALSE', 'disabled'], [' false ', 'disabled'], ['true', 'traditional'], ['TRUE', 'traditional'], ['1', 'traditional']],
    bad: [['yes', /true or false.*"yes"/], ['2', /true or false/], ['constructor', /true or false.*"constructor"/]],
    wins: [true, 'traditional']
  },
  WEBSOCKET_GLOBAL_EVENTS: {
    option: 'globalEvents',
    good: [['true', 'global'], ['True', 'global'], ['1', 'global'], ['0', 'traditional'], ['fALSE', 'traditional']],
    bad: [['on', /true or false.*"on"/], ['null', /true or false/]],
    wins: [false, 'traditional']
  },
  WEBSOCKET_STOCK_RESUME: {
    option: 'stockResume',
    good: [['true', true], ['1', true], ['False', false], ['0', false], ['browsers', 'browsers'], [' Browsers ', 'browsers']],
    bad: [['browser', /true, false or "browsers".*"browser"/], ['all', /true, false or "browsers"/]],
    wins: [false, false]
  },
  WEBSOCKET_DRAIN_MS: {
    option: 'drainMs',
    good: [['0', 0], [' 30000 ', 30_000]],
    bad: [['30s', /a whole number of milliseconds.*"30s"/], ['-1', /whole number/], ['1.5', /whole number/], ['2147483648', /up to 2147483647/]],
    wins: [5, 5]
  },
  AUTHENTICATION_API_KEY: {
    option: 'apikey',
    good: [['k1', ['k1']], [' k1 ', ['k1']], ['a,b', ['a,b']]],
    bad: [],
    wins: ['k2', ['k2']]
  },
  WEBSOCKET_ALLOWED_HOSTS: {
    option: 'allowedHosts',
    good: [['10.0.0.1', ['10.0.0.1']], ['10.0.0.1, ::1 ,10.1.0.0/16', ['10.0.0.1', '::1', '10.1.0.0/16']], ['*', ['*']]],
    bad: [['example.com', /CIDR/], ['10.0.0.1,10.0.0.0/99', /CIDR/]],
    wins: ['10.9.9.9', ['10.9.9.9']]
  },
  CORS_ORIGIN: {
    option: 'cors',
    good: [['https://a.example', ['https://a.example']], ['https://a.example, https://b.example', ['https://a.example', 'https://b.example']], ['*', ['*']]],
    bad: [['a.example', /origins such as https:/], ['https://a.example,/x', /origins such as https:/]],
    when: { evolution: true },
    wins: ['https://c.example', ['https://c.example']]
  },
  WEBSOCKET_PUBLISH_KEY: {
    option: 'publishKey',
    good: [['k1', ['k1']], ['k1, k2', ['k1, k2']]],
    bad: [],
    wins: ['k3', ['k3']]
  },
  WEBSOCKET_STORE: {
    option: 'store',
    good: [['lmdb:/var/lib/events', 'lmdb:/var/lib/events'], ['memory:', 'memory:']],
    bad: [['lmdb', /must be "memory:", "lmdb:PATH"/], ['file:./data', /got a text$/]],
    wins: [ownStore, 'own']
  },
  SERVER_URL: {
    option: 'serverUrl',
    good: [['https://api.example', 'https://api.example']],
    bad: [['api', /URL such as https:.*"api"/]],
    when: { evolution: true },
    wins: ['https://other.example', 'https://other.example']
  }
}

t.test('the tables of this test are complete', async t => {
  t.same([...Object.keys(rows), 'env'].sort(), Object.keys(optionSchemas).sort(), 'every option has its row')
  const known = Object.values(optionSchemas).map(({ env }) => env as string | undefined).filter(name => name !== undefined)
  t.same(Object.keys(variables).sort(), known.sort(), 'every variable has its row')
  t.same(Object.keys(optionSchemas.limits.properties).sort(), Object.keys(limitDefaults).sort(), 'every limit has its default here')
})

for (const [option, { setting, byDefault, good }] of Object.entries(rows)) {
  t.test(`option ${option} has its default, and each of its values counts`, async t => {
    const read = (options: object) => settingAt(setting, options)
    t.same(read({}), byDefault, 'left out')
    t.same(read({ [option]: undefined }), byDefault, 'undefined is left out')
    for (const [value, expected] of good) t.strictSame(read({ [option]: value }), expected, String(JSON.stringify(value)))
  })
}

for (const [option, { bad }] of Object.entries(rows)) {
  t.test(`a bad ${option} fails the registration, by name and with what is allowed`, async t => {
    for (const { value, says, named = option } of bad) {
      const error = await registrationError(t, { [option]: value })
      const shown = typeof value === 'object' ? JSON.stringify(value) : String(value)
      t.equal(error.code, OPTION, shown)
      t.equal(error.statusCode, 500, shown)
      t.ok(error.message.includes(named), `"${error.message}" names ${named}`)
      t.match(error.message, says, shown)
    }
  })
}

for (const [variable, { option, good, bad, wins, when = {} }] of Object.entries(variables)) {
  const { setting, byDefault } = rows[option]
  const read = (options: object, text?: string) => settingAt(setting, { ...when, ...options }, { [variable]: text })

  t.test(`${variable} wins over the default of ${option}, and the option over ${variable}`, async t => {
    for (const [text, expected] of good) t.same(read({}, text), expected, JSON.stringify(text))
    const [first] = good
    t.same(read({ [option]: wins[0] }, first?.[0]), wins[1], 'the option wins')
    t.same(read({ [option]: undefined }, first?.[0]), first?.[1], 'an option that is undefined does not')
    for (const text of [undefined, '', '  ', '\t\n']) t.same(read({}, text), byDefault, `${JSON.stringify(text)} is unset`)
  })

  if (bad.length === 0) continue
  t.test(`a bad ${variable} fails the registration, by its name and with what is allowed`, async t => {
    for (const [text, says] of bad) {
      const error = await registrationError(t, { ...when, env: { [variable]: text } })
      t.equal(error.code, OPTION, text)
      t.match(error.message, variable)
      t.match(error.message, says)
    }
  })
}

t.test('generic variables belong to others, and are read with evolution alone', async t => {
  const env = { CORS_ORIGIN: 'https://a.example', SERVER_URL: 'https://api.example' }
  const readBy = (options: object) => [settingAt('cors', options, env), settingAt('serverUrl', options, env)]
  for (const evolution of [undefined, false]) t.strictSame(readBy({ evolution }), [null, null])
  for (const evolution of [true, {}, { timeZone: 'UTC' }]) {
    t.strictSame(readBy({ evolution }), [['https://a.example'], 'https://api.example'])
  }
  await register(t, { env: { CORS_ORIGIN: 'no origin', SERVER_URL: 'no URL' } })
})

t.test('the log says that a generic variable is set and not read, and how its value counts', async t => {
  const env = { CORS_ORIGIN: 'https://a.example', SERVER_URL: 'https://api.example' }
  const hints = async (given: object): Promise<string[]> => {
    const { lines, fastify: options } = recordLog('info')
    const fastify = Fastify(options)
    t.teardown(async () => { await fastify.close() })
    await fastify.register(wsEvents, { env, ...given })
    return lines.map(({ msg }) => msg).filter(msg => msg.includes('is not read'))
  }
  t.match(await hints({}), [/CORS_ORIGIN is not read.*option cors.*evolution: true/, /SERVER_URL is not read.*option serverUrl/])
  t.match(await hints({ cors: '*' }), [/SERVER_URL is not read/])
  t.strictSame(await hints({ evolution: true }), [])
  t.strictSame(await hints({ env: { CORS_ORIGIN: ' ' } }), [])
})

t.test('the time zone of Evolution is a setting of its own', async t => {
  const zoneOf = (evolution: unknown) => settingsOf({ evolution } as object).timeZone
  for (const evolution of [undefined, true, false, {}]) t.equal(zoneOf(evolution), null)
  for (const timeZone of ['UTC', 'America/Sao_Paulo', 'Asia/Kolkata']) t.equal(zoneOf({ timeZone }), timeZone)
})

t.test('a store says how much it remembers where the option retention does not', async t => {
  t.same(settingsOf({ store: ownStore, retention: { maxEvents: 7 } }).retention, { maxAge: 1, maxEvents: 7, maxBytes: 3 })
  t.same(settingsOf({ store: 'lmdb:./data' }).retention, { maxAge: 24 * 3_600_000, maxEvents: 100_000, maxBytes: 64 * MiB })
})

t.test('a variable that is not used need not be good: the option is there', async t => {
  await register(t, { evolution: true, serverUrl: 'https://api.example', env: { SERVER_URL: 'nonsense' } })
})

t.test('no other variable is read', async t => {
  const asked = new Set<string>()
  const env = new Proxy<Record<string, string | undefined>>({}, {
    get: (target, name) => { asked.add(String(name)); return undefined }
  })
  await register(t, { env })
  t.same([...asked].sort(), Object.keys(variables).sort())
})

t.test('without the option env it is the environment of the process, read once', async t => {
  process.env.SERVER_URL = 'https://first.example'
  t.teardown(() => { delete process.env.SERVER_URL })
  const { fastify, url } = await startServer(t, { env: undefined, evolution: true, defaultConfig: { enabled: true } })
  process.env.SERVER_URL = 'https://second.example'
  const { inbox } = await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', null)
  const [message] = await inbox.got(1)
  t.equal(message?.server_url, 'https://first.example')
})

t.test('with env: false no variable counts, not even a bad one', async t => {
  for (const name of Object.keys(variables)) process.env[name] = 'cannot-be-understood'
  t.teardown(() => { for (const name of Object.keys(variables)) delete process.env[name] })
  const fastify = await register(t, { env: false })
  t.equal(fastify.wsEvents.mode, 'traditional')
  t.equal((await registrationError(t, { env: undefined })).code, OPTION, 'they are there')
})

t.test('an environment that is none, or has values that are no strings, is named', async t => {
  for (const env of [true, 'X=1', 5, null]) {
    const error = await registrationError(t, { env })
    t.equal(error.code, OPTION, String(env))
    t.match(error.message, /"env".*object of strings, or false/)
  }
  for (const value of [true, 1, {}]) {
    const error = await registrationError(t, { env: { WEBSOCKET_ENABLED: value } })
    t.equal(error.code, OPTION, String(value))
    t.match(error.message, /WEBSOCKET_ENABLED|"env"/)
  }
})

t.test('an unknown option is named, with those that are known', async t => {
  const error = await registrationError(t, { globalEvent: true })
  t.equal(error.code, OPTION)
  t.match(error.message, /"globalEvent"/)
  for (const option of Object.keys(optionSchemas)) t.match(error.message, option)
})

t.test('prefix is an error that names routes.prefix', async t => {
  const error = await registrationError(t, { prefix: '/api' })
  t.equal(error.code, OPTION)
  t.match(error.message, /routes\.prefix/)
})

t.test('logLevel and logSerializers of Fastify pass', async t => {
  const lines: string[] = []
  const stream = new Writable({ write (chunk: Buffer, encoding, done) { lines.push(chunk.toString()); done() } })
  const fastify = Fastify({ logger: { level: 'trace', stream } })
  t.teardown(async () => { await fastify.close() })
  await fastify.register(wsEvents, { env: false, logLevel: 'warn', logSerializers: { instance: () => 'x' } } as object)
  t.equal(fastify.wsEvents.mode, 'traditional')
})

t.test('hosts that need no key: loopback only while there is neither a key nor a check', async t => {
  t.same(settingsOf({}).allowedHosts, ['loopback'])
  t.same(settingsOf({ apikey: 'k' }).allowedHosts, [])
  t.same(settingsOf({ verify }).allowedHosts, [])
  t.same(settingsOf({}, { AUTHENTICATION_API_KEY: 'k' }).allowedHosts, [])
  t.same(settingsOf({}, { AUTHENTICATION_API_KEY: '' }).allowedHosts, ['loopback'])
  t.same(settingsOf({ apikey: 'k', allowedHosts: '10.0.0.1' }).allowedHosts, ['10.0.0.1'])
})

t.test('enabled: false wins over global mode', async t => {
  t.equal(settingsOf({ enabled: false, globalEvents: true }).mode, 'disabled')
  t.equal(settingsOf({}, { WEBSOCKET_ENABLED: 'false', WEBSOCKET_GLOBAL_EVENTS: 'true' }).mode, 'disabled')
})

t.test('a name of an event that cannot be one is an error, and says why', async t => {
  const cases: ReadonlyArray<readonly [events: unknown, says: RegExp]> = [
    [['connect'], /"connect".*Socket\.IO/],
    [['connect_error'], /"connect_error".*Socket\.IO/],
    [['disconnect'], /Socket\.IO/],
    [['disconnecting'], /Socket\.IO/],
    [['newListener'], /Socket\.IO/],
    [{ removeListener: true }, /Socket\.IO/],
    [['ws.ready'], /"ws\.ready".*plugin/],
    [['subscribe'], /plugin/],
    [['subscribed'], /plugin/],
    [['a.b', 'a-b'], /"a-b".*A_B.*"a\.b"/],
    [['a', 'a'], /"a"/],
    [{ 'a.b': true, A_B: true }, /A_B/],
    [[''], /""/],
    [['a b'], /"a b"/],
    [['a,b'], /"a,b"/],
    [['messages.*'], /"messages\.\*"/],
    [['x'.repeat(101)], /100/]
  ]
  for (const [events, says] of cases) {
    const error = await registrationError(t, { events })
    t.equal(error.code, OPTION, JSON.stringify(events))
    t.match(error.message, /"events"/)
    t.match(error.message, says)
  }
})

t.test('whatever is wrong, no key shows in the error', async t => {
  const secretNumber = 31_415_926
  const cases: object[] = [
    { apikey: secretNumber },
    { apikey: [secretNumber] },
    { apikey: { key: SECRET } },
    { apikey: [SECRET, ''] },
    { apikey: [SECRET, 5] },
    { apikey: Buffer.from(SECRET) },
    { apikey: BigInt(secretNumber) },
    { apikey: Symbol(SECRET) },
    { apikey: SECRET, globalEvents: 'yes' },
    { apiKey: SECRET },
    { verify: SECRET },
    { env: { AUTHENTICATION_API_KEY: SECRET, WEBSOCKET_ENABLED: 'yes' } },
    { evolution: true, env: { AUTHENTICATION_API_KEY: SECRET, SERVER_URL: 'x' } }
  ]
  for (const options of cases) {
    const error = await registrationError(t, options)
    t.equal(error.code, OPTION)
    t.notMatch(`${error.message}\n${error.stack ?? ''}`, SECRET)
    t.notMatch(`${error.message}\n${error.stack ?? ''}`, String(secretNumber))
  }
})

t.test('whatever is given, the settings are complete or the error is coded', async t => {
  const value = fc.oneof(fc.anything(), fc.string(), fc.boolean(), fc.integer(), fc.array(fc.string()))
  const options = fc.dictionary(fc.constantFrom(...Object.keys(optionSchemas).filter(name => name !== 'env')), value, { maxKeys: 3 })
  const complete = Object.keys(settingsOf({})).sort()
  fc.assert(fc.property(options, given => {
    try {
      const settings = settingsOf(given)
      return Object.keys(settings).sort().join() === complete.join() && !Object.values(settings).includes(undefined as never)
    } catch (error) {
      return (error as { code?: string }).code === OPTION
    }
  }), { numRuns: 500 })
})

t.test('what may wait for the store is told to it', async t => {
  const told: unknown[] = []
  const store: Store = {
    ...memoryStore(),
    open: async options => {
      told.push(options.limits)
      return await memoryStore().open(options)
    }
  }
  await register(t, { store })
  await register(t, { store, limits: { pendingEvents: 5, pendingBytes: 0 } })
  t.strictSame(told, [{ pendingEvents: 10_000, pendingBytes: 64 * MiB }, { pendingEvents: 5, pendingBytes: 0 }])
})
