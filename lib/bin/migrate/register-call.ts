import { splitList } from '../../access/addresses.js'
import { evolutionUrl, portBeside } from './beside.js'
import { type Env, isUnderstood } from './variables.js'

/**
 * The code of a server that registers the plugin with the settings of the file. The plugin reads its variables itself,
 * so the code only has options for variables with an invalid value, which it corrects.
 */
export function registerCall (file: string, env: Env): string {
  const isHttps = env.SERVER_TYPE === 'https'
  const tls = ', https: { key: readFileSync(process.env.SSL_CONF_PRIVKEY), cert: readFileSync(process.env.SSL_CONF_FULLCHAIN) }'
  return [
    "import Fastify from 'fastify'",
    "import wsEvents, { evolutionKeys } from 'fastify-ws-events'",
    ...(isHttps ? ["import { readFileSync } from 'node:fs'"] : []),
    '',
    `process.loadEnvFile(${quote(file)})`,
    `const fastify = Fastify({ logger: true${isHttps ? tls : ''} })`,
    'await fastify.register(wsEvents, {',
    ['evolution: true', `verify: evolutionKeys({ url: ${quote(evolutionUrl(env))} })`, ...corrections(env)]
      .map(line => `  ${line}`)
      .join(',\n'),
    '})',
    `await fastify.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? ${portBeside(env)}) })`
  ].join('\n')
}

/** Options for variables whose values the plugin would refuse. If an option is set, its variable is not read. */
function corrections (env: Env): string[] {
  const lines: string[] = []
  const correct = (name: string, line: (value: string) => string): void => {
    const value = env[name]
    if (value !== undefined && !isUnderstood(name, value)) lines.push(line(value))
  }
  correct('WEBSOCKET_ENABLED', () => 'enabled: false')
  correct('WEBSOCKET_GLOBAL_EVENTS', () => 'globalEvents: false')
  correct('WEBSOCKET_ALLOWED_HOSTS', value =>
    `allowedHosts: ${list(splitList(value).filter(host => isUnderstood('WEBSOCKET_ALLOWED_HOSTS', host)))}`)
  correct('CORS_ORIGIN', value => `cors: ${list(splitList(value).flatMap(asOrigin))}`)
  correct('SERVER_URL', value => `serverUrl: ${quote(asUrl(value))}`)
  return lines
}

const asOrigin = (text: string): string[] =>
  [text, `https://${text}`].filter(origin => isUnderstood('CORS_ORIGIN', origin)).slice(0, 1)

/** Adds a scheme to a URL. A value that cannot be corrected, or may contain a password, is not shown. */
function asUrl (text: string): string {
  const url = `https://${text}`
  return isUnderstood('SERVER_URL', url) && new URL(url).username === '' ? url : 'https://api.example.com'
}

const list = (items: readonly string[]): string => `[${items.map(quote).join(', ')}]`
/** A JavaScript string literal. It also escapes control characters, which must not reach the terminal. */
const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
