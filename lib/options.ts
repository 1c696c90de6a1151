import { type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { areAddresses, splitList } from './access/addresses.js'
import { errors } from './errors.js'
import { type EventDefinitions } from './events/catalogue.js'
import { evolutionEvents } from './events/evolution.js'
import type { SocketIOOption } from './gateway/socketio/option.js'
import type { Retention } from './log/event-log.js'
import { excerpt } from './instances/names.js'
import { RENAMED } from './plugin/renamed.js'
import { storeFrom } from './stores/from-text.js'
import type { HostConfigs, Store } from './stores/store.js'
import type {
  ApiKeys,
  ApiKeySource,
  HandshakeRequestOption,
  InstanceConfigInput,
  Limits,
  MetricsRegistry,
  Mode,
  StockResumeOption,
  TrustProxy,
  Verify,
  WsEventsOptions
} from './types.js'

/** The result of merging options, environment and defaults. Every field is set and valid. */
export interface Settings {
  readonly mode: Mode
  readonly evolution: boolean
  /** The IANA time zone of Evolution's local times; `null`: not known. */
  readonly timeZone: string | null
  /** The global keys, trimmed; or the application's function, called at each check. */
  readonly apikeys: readonly string[] | ApiKeySource
  readonly verify: Verify | null
  /** Keys, trimmed, that may publish over HTTP and grant nothing else. */
  readonly publishKeys: readonly string[]
  readonly allowedHosts: readonly string[]
  readonly trustProxy: TrustProxy
  /** `null`: the option was left out. */
  readonly cors: readonly string[] | null
  readonly serverUrl: string | null
  readonly store: Store
  /** Where configs are stored; `null`: in the store. */
  readonly configs: HostConfigs | null
  readonly retention: Retention
  readonly defaultConfig: InstanceConfigInput | null
  readonly instanceExists: ((name: string) => boolean | Promise<boolean>) | null
  readonly events: EventDefinitions
  readonly limits: Limits
  readonly routes: {
    readonly prefix: string
    /** `bodyLimit` in bytes; `null`: each route has its own default. */
    readonly publish: { readonly bodyLimit: number | null } | null
  } | null
  readonly socketio: SocketIOOption
  /** What to keep of a handshake; `null`: decided by how the application uses the server. */
  readonly handshakeRequest: HandshakeRequestOption | null
  readonly fastPath: boolean
  readonly stockResume: StockResumeOption
  /** Milliseconds over which `close()` ends the connections. */
  readonly drainMs: number
  readonly metrics: { readonly registry: MetricsRegistry } | null
  /** Variables, with their options, that are set but ignored because the option `evolution` is not set. */
  readonly unread: readonly UnreadVariable[]
}

export interface UnreadVariable {
  readonly variable: string
  readonly option: string
}

/** The longest delay of a Node timer, in ms. */
const MAX_TIMER = 2 ** 31 - 1

/** Limit for the bodies of all publishing requests that are being read at the same time, in bytes. */
export const MAX_BODIES = 128 * 1024 * 1024

/** Parses the text of a variable; `undefined` if the text is invalid. */
type FromText = (text: string) => unknown

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([['true', true], ['1', true], ['false', false], ['0', false]])
const asBoolean: FromText = text => BOOLEANS.get(text.toLowerCase())
const asStockResume: FromText = text => text.toLowerCase() === 'browsers' ? 'browsers' : asBoolean(text)
const asText: FromText = text => text
const asList: FromText = splitList
const asWhole: FromText = text => /^\d+$/.test(text) ? Number(text) : undefined

/** `allowed` completes the error message "OPTION must be …". */
const bool = (more: object) => Type.Boolean({ allowed: 'true or false', ...more })
const keyOrKeys = [Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))]
const list = (allowed: string, more: object) => Type.Union(keyOrKeys, { allowed, ...more })
// `secret`: a value given instead of a function may be a key, so the error must not show it.
const func = (allowed: string) => Type.Function([], Type.Unknown(), { allowed, secret: true })
const limit = (byDefault: number, unit: string) =>
  Type.Integer({
    default: byDefault,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    allowed: `a whole number of ${unit}, 0 for no limit`
  })
const optional = <Properties extends Record<string, TSchema>>(properties: Properties, allowed: string) =>
  Type.Partial(Type.Object(properties), { additionalProperties: false, allowed })

const limits = {
  connections: limit(0, 'connections'),
  connectionsPerInstance: limit(10_000, 'clients'),
  connectionsPerAddress: limit(0, 'connections'),
  refusalsPerMinute: limit(0, 'refusals'),
  namespacesPerConnection: limit(256, 'namespaces'),
  // A Node timer cannot have a longer delay.
  idleMs: Type.Integer({
    default: 10_000,
    minimum: 0,
    maximum: MAX_TIMER,
    allowed: `a whole number of milliseconds up to ${MAX_TIMER}, 0 for no limit`
  }),
  queuedBytes: limit(1024 * 1024, 'bytes'),
  queuedBytesMax: limit(32 * 1024 * 1024, 'bytes'),
  queuedBytesTotal: limit(256 * 1024 * 1024, 'bytes'),
  messageBytes: limit(32 * 1024 * 1024, 'bytes'),
  instances: limit(100_000, 'names'),
  inboundBytes: limit(64 * 1024, 'bytes'),
  inboundPerSecond: limit(50, 'messages'),
  publishPerSecond: limit(0, 'events'),
  pendingEvents: limit(10_000, 'events'),
  pendingBytes: limit(64 * 1024 * 1024, 'bytes')
} satisfies Record<keyof Limits, TSchema>

const bound = (unit: string) =>
  Type.Optional(Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    allowed: `a whole number of ${unit}, at least 1`
  }))
const retention = {
  maxAge: bound('milliseconds'),
  maxEvents: bound('records'),
  maxBytes: bound('bytes')
} satisfies Record<keyof Retention, TSchema>

/** The limit of all bodies together is also the most that one body may have. */
const publish = Type.Union([
  Type.Literal(false),
  optional({ bodyLimit: Type.Integer({ minimum: 1, maximum: MAX_BODIES }) }, '')
])

/**
 * Every option: its schema, its variable, how to parse the variable's text, and its default. `withEvolution`: the
 * variable has a generic name and may belong to another program, so it is read only with the option `evolution`.
 */
export const optionSchemas = {
  enabled: bool({ env: 'WEBSOCKET_ENABLED', fromText: asBoolean, default: true }),
  globalEvents: bool({ env: 'WEBSOCKET_GLOBAL_EVENTS', fromText: asBoolean, default: false }),
  evolution: Type.Union([Type.Boolean(), optional({ timeZone: Type.String() }, '')], {
    allowed: 'true, false, or { timeZone } where timeZone is an IANA time zone such as "America/Sao_Paulo"',
    default: false
  }),
  apikey: Type.Union([...keyOrKeys, Type.Function([], Type.Unknown())], {
    env: 'AUTHENTICATION_API_KEY',
    fromText: asText,
    allowed: 'a key, a list of keys, none of them blank, or a function that answers one of these',
    secret: true
  }),
  verify: func('a function of { apikey, instance, address, headers }'),
  publishKey: Type.Union(keyOrKeys, {
    env: 'WEBSOCKET_PUBLISH_KEY',
    fromText: asText,
    allowed: 'a key or a list of keys, none of them blank',
    secret: true
  }),
  allowedHosts: list('IP addresses, CIDR blocks such as 10.0.0.0/8, or "*"', {
    env: 'WEBSOCKET_ALLOWED_HOSTS',
    fromText: asList
  }),
  trustProxy: Type.Union([
    Type.Boolean(),
    Type.String({ minLength: 1 }),
    Type.Array(Type.String({ minLength: 1 })),
    Type.Function([], Type.Unknown())
  ], {
    allowed: 'true, false, addresses or CIDR blocks of the proxies, or a function of (address, hop); a number of hops cannot tell whether the nearest one is a proxy at all',
    default: false
  }),
  cors: list('origins such as https://app.example.com, or "*"', {
    env: 'CORS_ORIGIN',
    withEvolution: true,
    fromText: asList
  }),
  serverUrl: Type.String({
    env: 'SERVER_URL',
    withEvolution: true,
    fromText: asText,
    allowed: 'a URL such as https://api.example.com',
    minLength: 1
  }),
  // `secret`: the URL may contain a password.
  store: Type.Union([Type.String(), Type.Object({})], {
    env: 'WEBSOCKET_STORE',
    fromText: asText,
    allowed: '"memory:", "lmdb:PATH", "redis://HOST", or a store from fastify-ws-events/stores',
    default: 'memory:',
    secret: true
  }),
  configs: Type.Object({}, { allowed: 'an object of functions { get, set, delete, list }' }),
  retention: optional(retention, `an object of ${Object.keys(retention).join(', ')}`),
  defaultConfig: Type.Object({
    enabled: bool({}),
    events: Type.Optional(Type.Array(Type.String(), { allowed: 'a list of event names' }))
  }, {
    additionalProperties: false,
    allowed: '{ enabled, events? }'
  }),
  instanceExists: func('a function of the name'),
  events: Type.Union([
    Type.Array(Type.String()),
    Type.Record(Type.String(), Type.Union([Type.Literal(true), Type.Object({})]))
  ], {
    allowed: 'a list of event names, or a map from name to a JSON Schema or true',
    default: 'evolutionEvents'
  }),
  limits: optional(limits, `an object of ${Object.keys(limits).join(', ')}`),
  routes: Type.Union([Type.Literal(false), optional({ prefix: Type.String(), publish }, '')], {
    allowed: `false, or { prefix, publish } where prefix is "" or a path such as "/api", and publish is false or { bodyLimit }, a whole number of bytes from 1 to ${MAX_BODIES}`,
    default: { prefix: '' }
  }),
  handshakeRequest: Type.Union([Type.Literal('release'), Type.Literal('keep')], { allowed: '"release" or "keep"' }),
  fastPath: bool({ default: true }),
  stockResume: Type.Union([Type.Boolean(), Type.Literal('browsers')], {
    env: 'WEBSOCKET_STOCK_RESUME',
    fromText: asStockResume,
    allowed: 'true, false or "browsers"',
    default: false
  }),
  // A Node timer cannot have a longer delay.
  drainMs: Type.Integer({
    env: 'WEBSOCKET_DRAIN_MS',
    fromText: asWhole,
    minimum: 0,
    maximum: MAX_TIMER,
    allowed: `a whole number of milliseconds up to ${MAX_TIMER}`,
    default: 0
  }),
  metrics: Type.Object(
    { registry: Type.Object({}, { allowed: 'a registry of prom-client' }) },
    { additionalProperties: false, allowed: '{ registry }, a registry of prom-client' }
  ),
  socketio: Type.Object({}, { allowed: 'options for the Socket.IO server, or a Server' }),
  env: Type.Union(
    [Type.Literal(false), Type.Record(Type.String(), Type.Union([Type.String(), Type.Undefined()]))],
    { allowed: 'an object of strings, or false', default: 'process.env' }
  )
} satisfies Record<keyof WsEventsOptions, TSchema>

type OptionSchema = TSchema & { env?: string, fromText?: FromText, withEvolution?: true }
type OptionName = keyof typeof optionSchemas
const optionNames = Object.keys(optionSchemas) as OptionName[]
const allOptions = Type.Partial(Type.Object(optionSchemas), { additionalProperties: false })

/** Options of Fastify's `register` that reach the plugin, which ignores them. */
const FASTIFY_OPTIONS = ['logLevel', 'logSerializers']

/**
 * Makes the settings from the options of `register` and the environment.
 *
 * @throws INVALID_OPTION naming the option or the variable, and saying what is allowed
 */
export function readSettings (given: Readonly<Record<string, unknown>>): Settings {
  const options = withoutFastifys(given)
  check(options)
  const variables = readEnvironment(options)
  const use = { ...variables, ...options } as WsEventsOptions
  const store = typeof use.store === 'object' ? use.store : storeFrom(use.store ?? optionSchemas.store.default) as Store
  const hasKeys = use.apikey !== undefined || use.verify !== undefined
  return {
    mode: use.enabled === false ? 'disabled' : use.globalEvents === true ? 'global' : 'traditional',
    evolution: isEvolution(use.evolution),
    timeZone: typeof use.evolution === 'object' ? use.evolution.timeZone ?? null : null,
    apikeys: typeof use.apikey === 'function' ? use.apikey : asArray(use.apikey).map(key => key.trim()),
    verify: use.verify ?? null,
    publishKeys: asArray(use.publishKey).map(key => key.trim()),
    allowedHosts: use.allowedHosts === undefined && !hasKeys ? ['loopback'] : asListed(use.allowedHosts),
    trustProxy: use.trustProxy ?? optionSchemas.trustProxy.default,
    cors: use.cors === undefined ? null : asListed(use.cors).map(origin => originOf(origin) ?? origin),
    serverUrl: use.serverUrl ?? null,
    store,
    configs: use.configs ?? null,
    retention: {
      maxAge: use.retention?.maxAge ?? store.retention.maxAge,
      maxEvents: use.retention?.maxEvents ?? store.retention.maxEvents,
      maxBytes: use.retention?.maxBytes ?? store.retention.maxBytes
    },
    defaultConfig: use.defaultConfig ?? null,
    instanceExists: use.instanceExists ?? null,
    events: use.events ?? evolutionEvents,
    limits: Object.fromEntries(Object.entries(limits)
      .map(([name, schema]) => [name, use.limits?.[name as keyof Limits] ?? schema.default])) as unknown as Limits,
    routes: routesOf(use.routes),
    socketio: use.socketio ?? {},
    handshakeRequest: use.handshakeRequest ?? null,
    fastPath: use.fastPath ?? optionSchemas.fastPath.default,
    stockResume: use.stockResume ?? optionSchemas.stockResume.default,
    drainMs: use.drainMs ?? optionSchemas.drainMs.default,
    metrics: use.metrics ?? null,
    unread: unreadVariables(options)
  }
}

function routesOf (routes: WsEventsOptions['routes']): Settings['routes'] {
  if (routes === false) return null
  const { prefix = '', publish } = routes ?? {}
  return { prefix, publish: publish === false ? null : { bodyLimit: publish?.bodyLimit ?? null } }
}

/** `{ timeZone }` implies `true`. */
const isEvolution = (option: unknown): boolean => option !== undefined && option !== false

const asArray = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value
/** A list may also be given as an option in the form of a variable: one string with commas. */
const asListed = (value: string | readonly string[] | undefined): readonly string[] =>
  typeof value === 'string' ? splitList(value) : value ?? []

function withoutFastifys (given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (given.prefix !== undefined) {
    throw new errors.INVALID_OPTION(
      'option "prefix" of register would not move the namespaces: use routes.prefix to move the routes'
    )
  }
  return Object.fromEntries(Object.entries(given)
    .filter(([name, value]) => value !== undefined && !FASTIFY_OPTIONS.includes(name)))
}

type Environment = Readonly<Record<string, string | undefined>>

const environmentOf = ({ env }: Record<string, unknown>): Environment =>
  env === false ? {} : (env ?? process.env) as Environment

function unreadVariables (options: Record<string, unknown>): UnreadVariable[] {
  if (isEvolution(options.evolution)) return []
  const env = environmentOf(options)
  return optionNames.flatMap(option => {
    const { env: variable, withEvolution } = optionSchemas[option] as OptionSchema
    const isUnread = withEvolution === true && variable !== undefined && options[option] === undefined
    return isUnread && (env[variable]?.trim() ?? '') !== '' ? [{ variable, option }] : []
  })
}

function readEnvironment (options: Record<string, unknown>): Record<string, unknown> {
  const env = environmentOf(options)
  const found: Record<string, unknown> = {}
  for (const name of optionNames) {
    const { env: variable, fromText, withEvolution } = optionSchemas[name] as OptionSchema
    const isRead = variable !== undefined && (withEvolution !== true || isEvolution(options.evolution))
    const text = isRead ? env[variable]?.trim() : undefined
    if (options[name] !== undefined || text === undefined || text === '') continue
    const value = fromText?.(text)
    if (value === undefined) throw unfit(`the environment variable ${variable}`, optionSchemas[name], text)
    check({ [name]: value }, { name: `the environment variable ${variable}`, text })
    found[name] = value
  }
  return found
}

/** Checks of single options that their schemas cannot express. */
const rules: { readonly [Name in OptionName]?: (value: never) => boolean } = {
  apikey: (keys: ApiKeys | ApiKeySource) =>
    typeof keys === 'function' || (asArray(keys).length > 0 && asArray(keys).every(key => key.trim() !== '')),
  publishKey: (keys: ApiKeys) => asArray(keys).length > 0 && asArray(keys).every(key => key.trim() !== ''),
  evolution: (evolution: boolean | { timeZone?: string }) =>
    typeof evolution === 'boolean' || evolution.timeZone === undefined || isTimeZone(evolution.timeZone),
  allowedHosts: (hosts: string | string[]) => asListed(hosts).includes('*') || areAddresses(asListed(hosts)),
  trustProxy: (trust: TrustProxy) =>
    typeof trust === 'boolean' || typeof trust === 'function' ||
    areAddresses(typeof trust === 'string' ? splitList(trust) : trust),
  cors: (origins: string | string[]) =>
    asListed(origins).every(origin => origin === '*' || origin === 'null' || originOf(origin) !== undefined),
  // A schema would not see methods that a class inherits.
  store: (store: string | Partial<Store>) =>
    typeof store === 'string' ? storeFrom(store) !== undefined : isStore(store),
  configs: (configs: Partial<HostConfigs>) =>
    [configs.get, configs.set, configs.delete, configs.list].every(isFunction),
  // A schema would not see methods that a class inherits.
  metrics: ({ registry }: { registry: Partial<MetricsRegistry> }) =>
    [registry.registerMetric, registry.getSingleMetric, registry.removeSingleMetric].every(isFunction),
  serverUrl: (url: string) => /^https?:\/\//.test(url) && URL.canParse(url),
  routes: (routes: false | { prefix?: string }) =>
    routes === false || routes.prefix === undefined || /^(\/[^/]+)*$/.test(routes.prefix)
}

/** Accepts named zones only, such as `UTC`. An offset such as `-03:00` does not follow daylight saving time. */
function isTimeZone (name: string): boolean {
  try {
    return /^[a-z]/i.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch {
    return false
  }
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

function isStore ({ name, open, retention }: Partial<Store>): boolean {
  const bounds = [retention?.maxAge, retention?.maxEvents, retention?.maxBytes]
  return typeof name === 'string' && isFunction(open) && bounds.every(bound => typeof bound === 'number' && bound > 0)
}

/** The origin of a URL, as browsers send it; `undefined` if the URL has a path, a query or credentials. */
function originOf (text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const bare = url.origin !== 'null' && url.pathname === '/' && url.search === '' && url.hash === '' &&
    url.username === ''
  return bare ? url.origin : undefined
}

/** @param source the variable that the options were read from, and its text; left out for options of `register` */
function check (options: Record<string, unknown>, source?: { readonly name: string, readonly text: string }): void {
  checkNames(Object.keys(options), optionNames)
  for (const [group, known] of Object.entries({ limits, retention })) {
    const given = options[group]
    if (typeof given === 'object' && given !== null) checkNames(Object.keys(given), Object.keys(known), group)
  }
  const fault = Value.Errors(allOptions, options).First()
  if (fault !== undefined) {
    const path = fault.path.slice(1).replaceAll('/', '.')
    const name = source?.name ?? `option "${path}"`
    if (isUnknown(path)) {
      throw new errors.INVALID_OPTION(
        `${name} is unknown: the options of "${path.split('.')[0]}" are ${knownBeside(path).join(', ')}`
      )
    }
    throw unfit(name, schemaAt(path), source?.text ?? fault.value)
  }
  for (const [name, rule] of Object.entries(rules)) {
    const value = options[name]
    if (value !== undefined && !rule(value as never)) {
      throw unfit(source?.name ?? `option "${name}"`, schemaAt(name), source?.text ?? value)
    }
  }
}

/** @throws INVALID_OPTION for the first unknown name in the options, or in a group of options */
function checkNames (given: readonly string[], known: readonly string[], group?: string): void {
  const unknown = given.find(name => !known.includes(name))
  if (unknown === undefined) return
  if (group === undefined && Object.hasOwn(RENAMED.options, unknown)) {
    const name = RENAMED.options[unknown as keyof typeof RENAMED.options]
    throw new errors.INVALID_OPTION(`option "${unknown}" is called "${name}" now`)
  }
  const path = group === undefined ? excerpt(unknown) : `${group}.${excerpt(unknown)}`
  throw new errors.INVALID_OPTION(
    `option "${path}" is unknown: the options ${group === undefined ? '' : `of "${group}" `}are ${known.join(', ')}`
  )
}

/** The schemas on the same level as an option: all options, or those of a group such as `limits`. */
function siblings (path: string): Record<string, TSchema> {
  const [group] = path.split('.')
  if (!path.includes('.')) return optionSchemas
  return group === 'limits' ? limits : (optionSchemas[group as OptionName] as TSchema | undefined)?.properties ?? {}
}

const leaf = (path: string): string => path.split('.')[1] ?? path
const knownBeside = (path: string): string[] => Object.keys(siblings(path))
const isUnknown = (path: string): boolean => knownBeside(path).length > 0 && !Object.hasOwn(siblings(path), leaf(path))

function schemaAt (path: string): TSchema {
  return siblings(path)[leaf(path)] ?? optionSchemas[path.split('.')[0] as OptionName]
}

function unfit (name: string, { allowed, secret }: TSchema, value: unknown): Error {
  return new errors.INVALID_OPTION(
    `${name} must be ${String(allowed ?? 'left out')}; got ${secret === true ? kindOf(value) : shown(value)}`
  )
}

/**
 * An invalid value, as the error message shows it. The contents of lists and objects are left out: they may include a
 * key.
 */
function shown (value: unknown): string {
  if (typeof value === 'string') return value.length > 40 ? 'a longer text' : JSON.stringify(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)
}

function kindOf (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value === '') return 'an empty text'
  return { string: 'a text', object: 'an object', undefined: 'nothing' }[typeof value as string] ?? `a ${typeof value}`
}
