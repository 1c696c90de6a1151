import { evolutionEvents } from '../../events/evolution.js'
import { type Env, isUnderstood } from './variables.js'
import type { Texts } from './texts.js'

/** Ports for a server beside an Evolution API, in order of preference. The documentation uses the first one. */
const PORTS = ['8081', '8082', '8083']

/**
 * Events that the global webhook never sends: Evolution does not emit them, or sends them only to the webhook of their
 * instance.
 */
const NOT_GLOBAL: ReadonlySet<string> = new Set([
  'application.startup', 'contacts.set', 'groups.update', 'status.instance', 'remove.instance', 'logout.instance'
])

/** The variable that makes the global webhook send an event. */
const variableOf = (event: string): string => `WEBHOOK_EVENTS_${event.replaceAll(/[.-]/g, '_').toUpperCase()}`

/** The text of the `.env` for a server beside this Evolution API. */
export function envBeside (env: Env, texts: Texts): string {
  const url = evolutionUrl(env)
  const lines = [
    `# ${texts.keyOfEvolution}`,
    'AUTHENTICATION_API_KEY=',
    `# ${texts.publishKey}`,
    `WEBSOCKET_PUBLISH_KEY=${texts.publishKeyHere}`,
    `EVOLUTION_API_URL=${url}`,
    `# ${texts.port}`,
    `PORT=${portBeside(env)}`,
    `WEBSOCKET_GLOBAL_EVENTS=${String(env.WEBSOCKET_GLOBAL_EVENTS === 'true')}`,
    `# ${env.TZ === undefined ? texts.timeZoneOfImage : texts.timeZone}`,
    `EVOLUTION_TIME_ZONE=${timeZone(env.TZ)}`
  ]
  for (const name of ['CORS_ORIGIN', 'WEBSOCKET_ALLOWED_HOSTS', 'SERVER_URL']) {
    const value = env[name]
    if (value === undefined) continue
    // An invalid value is left out, because it could be anything, even a password.
    if (isUnderstood(name, value)) lines.push(`${name}=${value}`)
    else lines.push(`# ${texts.notUnderstood(name)}`)
  }
  return lines.join('\n')
}

/** The lines to change in Evolution's `.env`, with the consequences of each. */
export function changesInEvolution (env: Env, texts: Texts): string {
  const global = Object.keys(evolutionEvents).filter(event => !NOT_GLOBAL.has(event))
  const isOn = (event: string): boolean => env[variableOf(event)] === 'true'
  return [
    `# ${texts.globalWebhook}`,
    'WEBHOOK_GLOBAL_ENABLED=true',
    `WEBHOOK_GLOBAL_URL=http://x:${texts.publishKeyHere}@localhost:${portBeside(env)}/webhook/evolution`,
    'WEBHOOK_GLOBAL_WEBHOOK_BY_EVENTS=false',
    `# ${texts.eventsOn}`,
    ...global.map(event => `${variableOf(event)}=true${isOn(event) ? `   # ${texts.already}` : ''}`),
    `# ${texts.notGlobal([...NOT_GLOBAL].join(', '))}`,
    `# ${texts.socketOff}`,
    'WEBSOCKET_ENABLED=false'
  ].join('\n')
}

/** Which of Evolution's two webhooks is used already, and the consequences. */
export function slots (env: Env, texts: Texts): string {
  const url = env.WEBHOOK_GLOBAL_URL?.replaceAll(/^['"]+|['"]+$/g, '') ?? ''
  const isTaken = env.WEBHOOK_GLOBAL_ENABLED === 'true' && url !== ''
  // Only the host of the URL: the rest may contain a key.
  return isTaken ? texts.slotTaken(URL.canParse(url) ? new URL(url).host : '?') : texts.slotFree
}

/** The URL of the Evolution API according to its `.env`. */
export function evolutionUrl ({ SERVER_URL: url, SERVER_PORT: port, SERVER_TYPE: type }: Env): string {
  const isUrl = url !== undefined && isUnderstood('SERVER_URL', url) && new URL(url).username === ''
  if (isUrl) return url.replace(/\/$/, '')
  return `${type === 'https' ? 'https' : 'http'}://localhost:${/^\d+$/.test(port ?? '') ? String(port) : '8080'}`
}

/** A port that the Evolution API does not use. */
export function portBeside (env: Env): string {
  const taken = [env.SERVER_PORT, new URL(evolutionUrl(env)).port]
  return PORTS.find(port => !taken.includes(port)) ?? ''
}

/** The time zone in the file; otherwise that of Evolution's Docker image. */
function timeZone (name: string | undefined): string {
  if (name === undefined) return 'America/Sao_Paulo'
  return /^[A-Za-z]+(\/[\w+-]+)*$/.test(name) ? name : ''
}
