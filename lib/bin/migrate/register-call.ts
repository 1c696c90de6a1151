import { splitList } from '../../access/addresses.js'
import { evolutionUrl, portBeside } from './beside.js'
import { type Env, isUnderstood } from './variables.js'

/**
 * A server that registers the plugin with what the file says. The plugin reads its variables itself: only what it
 * would not understand stands in the call, corrected.
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

/** Options for variables that would make registering fail: an option wins, and then its variable is not looked at. */
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

/** With a scheme. What cannot be corrected is not shown, nor is what may hold a password. */
function asUrl (text: string): string {
  const url = `https://${text}`
  return isUnderstood('SERVER_URL', url) && new URL(url).username === '' ? url : 'https://api.example.com'
}

const list = (items: readonly string[]): string => `[${items.map(quote).join(', ')}]`
/** As a text of JavaScript, which also keeps control characters from the terminal. */
const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
