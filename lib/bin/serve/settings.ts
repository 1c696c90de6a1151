import { distance } from 'fastest-levenshtein'
import { splitList } from '../../access/addresses.js'
import { errorName } from '../../errors.js'
import { MAX_BODIES, optionSchemas } from '../../options.js'
import type { WsEventsOptions } from '../../types.js'
import { type Address, listenAddress } from '../environment.js'
import { Failure } from '../failure.js'
import { EVOLUTIONS_KEYS } from '../known-keys.js'

/** Environment variables, including those of `.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The settings of the server. */
export interface ServerSettings {
  readonly address: Address
  readonly logLevel: string
  /** How long the health check reports the shutdown before connections are ended, in ms. */
  readonly shutdownDelay: number
  /** URL of the Evolution API that checks keys; `null`: none. */
  readonly evolutionUrl: string | null
  /** How long accepted keys are cached, in ms; `undefined`: the default. */
  readonly keysTtl: number | undefined
  readonly options: Omit<WsEventsOptions, 'metrics'>
  /** Lines to log at the start. */
  readonly notes: readonly string[]
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
/** Default of `limits.refusalsPerMinute` in this server. */
const REFUSALS = 60
/** Default of the shutdown delay, in ms. */
const DELAY = 1000
/** The longest delay of a Node timer, in ms. */
const MAX_DELAY = 2 ** 31 - 1

/** Converts `connectionsPerInstance` to `CONNECTIONS_PER_INSTANCE`. */
const upperCase = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()

const asNumber = (text: string): unknown => /^\d+$/.test(text) ? Number(text) : text
const asTrust = (text: string): unknown => {
  const switches: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false }
  return switches[text.toLowerCase()] ?? splitList(text)
}
const asSwitch = (text: string): unknown =>
  (({ true: true, 1: true, false: false, 0: false }) as Readonly<Record<string, boolean>>)[text.toLowerCase()] ?? text

interface Variable {
  /** Path of the option. */
  readonly path: readonly [string, ...string[]]
  readonly read: (text: string) => unknown
  /** What the variable may be, if the option's own description covers more. */
  readonly allowed?: string
}

const group = (name: 'limits' | 'retention', variable: string): Array<[string, Variable]> =>
  Object.keys(optionSchemas[name].properties)
    .map(option => [`${variable}_${upperCase(option)}`, { path: [name, option], read: asNumber }])

/**
 * Variables for options that have no variable in the plugin. An invalid value is passed on unchanged, and the plugin's
 * error says what is allowed.
 */
const OPTIONS: ReadonlyMap<string, Variable> = new Map<string, Variable>([
  ['EVOLUTION_TIME_ZONE', {
    path: ['evolution', 'timeZone'],
    read: text => text,
    allowed: 'an IANA time zone such as America/Sao_Paulo'
  }],
  ['WEBSOCKET_BODY_LIMIT', {
    path: ['routes', 'publish', 'bodyLimit'],
    read: asNumber,
    allowed: `a whole number of bytes from 1 to ${MAX_BODIES}`
  }],
  ['WEBSOCKET_DEFAULT_ENABLED', { path: ['defaultConfig', 'enabled'], read: asSwitch }],
  ['WEBSOCKET_TRUST_PROXY', { path: ['trustProxy'], read: asTrust }],
  ...group('limits', 'WEBSOCKET_LIMIT'),
  ...group('retention', 'WEBSOCKET_RETENTION')
])

/** Variables that only this server reads. */
const OWN = [
  'HOST', 'PORT', 'EVOLUTION_API_URL', 'EVOLUTION_KEYS_TTL_MS', 'WEBSOCKET_LOG_LEVEL', 'WEBSOCKET_SHUTDOWN_DELAY_MS'
]
/** Variables that this server ignores, with the reason. */
const IGNORED: Readonly<Record<string, string>> = {
  WEBSOCKET_ENABLED: 'this server is there to serve events',
  LOG_LEVEL: 'it is Evolution\'s; the level of this server\'s log is WEBSOCKET_LOG_LEVEL'
}
/** Variables that the plugin reads. */
const PLUGINS = Object.values(optionSchemas as Readonly<Record<string, { readonly env?: unknown }>>)
  .flatMap(({ env }) => typeof env === 'string' && !Object.hasOwn(IGNORED, env) ? [env] : [])

/** Every variable that the server reads, in the order of its documentation. */
export const VARIABLES: readonly string[] = [...OWN, ...PLUGINS, ...OPTIONS.keys()]

/**
 * Reads the settings of the server.
 *
 * @param environment with the variables of `.env`
 * @throws Failure naming the variable
 */
export function readServer (environment: Environment): ServerSettings {
  const env = withoutEmpty(environment)
  const key = checkKey(env.AUTHENTICATION_API_KEY)
  const options = optionsOf(env)
  const logLevel = env.WEBSOCKET_LOG_LEVEL ?? 'info'
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new Failure('usage', `WEBSOCKET_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, got "${logLevel}".`)
  }
  return {
    address: listenAddress(undefined, '0.0.0.0'),
    logLevel,
    shutdownDelay: readMilliseconds(env, 'WEBSOCKET_SHUTDOWN_DELAY_MS', 0) ?? DELAY,
    evolutionUrl: env.EVOLUTION_API_URL ?? null,
    keysTtl: readMilliseconds(env, 'EVOLUTION_KEYS_TTL_MS', 1),
    options: {
      ...options,
      apikey: key,
      store: env.WEBSOCKET_STORE ?? 'lmdb:./data',
      stockResume: env.WEBSOCKET_STOCK_RESUME === undefined ? 'browsers' : undefined,
      limits: { refusalsPerMinute: REFUSALS, ...options.limits },
      env: Object.fromEntries(Object.entries(env).filter(([name]) => PLUGINS.includes(name)))
    },
    notes: notesOn(env)
  }
}

/** Converts an error about an option to one that names the option's variable. */
export function named (error: unknown): unknown {
  if (errorName(error) !== 'INVALID_OPTION') return error
  const { message } = error as Error
  const [, path] = /^option "([\w.]+)"/.exec(message) ?? []
  const isOf = ({ path: at }: Variable): boolean => path !== undefined && at.join('.').startsWith(path)
  const [name = '', variable] = [...OPTIONS].find(([, each]) => isOf(each)) ?? []
  if (variable?.allowed !== undefined) return new Failure('usage', `${name} must be ${variable.allowed}.`)
  return new Failure('usage', message
    .replace('evolutionKeys: option "url"', 'EVOLUTION_API_URL')
    .replace(/^option "([\w.]+)"/, found => name === '' ? found : name)
    .replace(/^the environment variable /, ''))
}

function optionsOf (env: Environment): WsEventsOptions {
  const options: Record<string, unknown> = { evolution: true, defaultConfig: { enabled: true } }
  for (const [name, { path, read }] of OPTIONS) {
    const text = env[name]
    if (text !== undefined) put(options, path, read(text))
  }
  const { defaultConfig } = options as WsEventsOptions
  // A disabled default is dropped, so that clients of an instance without a config get NOT_SET. Its message says what
  // to do.
  if (defaultConfig?.enabled === false) delete options.defaultConfig
  return options
}

function put (target: Record<string, unknown>, [first, ...rest]: readonly [string, ...string[]], value: unknown): void {
  const [next, ...others] = rest
  if (next === undefined) {
    target[first] = value
    return
  }
  const inner = target[first]
  const object = typeof inner === 'object' && inner !== null ? inner as Record<string, unknown> : {}
  target[first] = object
  put(object, [next, ...others], value)
}

function checkKey (key: string | undefined): string {
  const advice =
    'Set AUTHENTICATION_API_KEY to the global key of your Evolution API, or to one of your own: openssl rand -hex 16'
  if (key === undefined) throw new Failure('usage', `A key is needed. ${advice}`)
  if (EVOLUTIONS_KEYS.includes(key)) {
    throw new Failure(
      'usage',
      `AUTHENTICATION_API_KEY is a key that Evolution publishes, which everybody can read. ${advice}`
    )
  }
  return key
}

function readMilliseconds (env: Environment, name: string, least: number): number | undefined {
  const text = env[name]
  if (text === undefined) return undefined
  const ms = Number(text)
  if (!/^\d+$/.test(text) || ms < least || ms > MAX_DELAY) {
    throw new Failure(
      'usage',
      `${name} must be a whole number of milliseconds from ${least} to ${MAX_DELAY}, got "${text}".`
    )
  }
  return ms
}

function notesOn (env: Environment): string[] {
  const ignored = Object.entries(IGNORED)
    .filter(([name]) => env[name] !== undefined)
    .map(([name, why]) => `the environment variable ${name} is ignored: ${why}`)
  const unknown = Object.keys(env)
    .filter(name => name.startsWith('WEBSOCKET_') && !VARIABLES.includes(name) && !Object.hasOwn(IGNORED, name))
    .map(name => `the environment variable ${name} is not known: did you mean ${nearest(name)}?`)
  const keys = env.EVOLUTION_API_URL === undefined
    ? ['EVOLUTION_API_URL is not set: clients get in with AUTHENTICATION_API_KEY alone']
    : []
  return [...ignored, ...unknown, ...keys]
}

function nearest (name: string): string {
  const [found = ''] = VARIABLES.toSorted((one, other) => distance(name, one) - distance(name, other))
  return found
}

/** An empty variable counts as unset, as in the plugin. */
const withoutEmpty = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value?.trim()]).filter(([, value]) => value))
