import type { Mode } from '../../types.js'
import { EVENTS_PER_SECOND, INSTANCES } from './session.js'

export interface ServerFacts {
  readonly mode: Mode
  /** URL of the server, without a slash at the end. */
  readonly url: string
  /** Whether a global key is set. The key itself must not be printed: others may read the terminal or the log. */
  readonly key: boolean
  readonly allowedHosts: boolean
  /** Whether there are routes for event streams over HTTP. */
  readonly stream: boolean
}

/** Instructions for a new user to see the first events. */
export function instructions (server: ServerFacts): string {
  const sections = server.mode === 'disabled'
    ? [disabled(server)]
    : [monitorAddress(server), title(server), access(server), curl(server), clientCode(server), urls(server)]
  return `${sections.join('\n\n')}\n`
}

function disabled ({ url }: ServerFacts): string {
  return lines(
    `Listening on ${url}, but events are off: WEBSOCKET_ENABLED is false, so no client can connect.`,
    'To change that, set WEBSOCKET_ENABLED=true (or remove it, also from .env) and start again. Ctrl-C ends this.'
  )
}

function monitorAddress ({ url, key, allowedHosts }: ServerFacts): string {
  const note = key
    ? 'it asks for your key'
    : allowedHosts ? 'no key is needed from the allowed addresses' : 'no key is needed on this machine'
  return `Monitor: ${url}/monitor (open it in a browser; ${note})`
}

function title ({ mode, url }: ServerFacts): string {
  return lines(
    `fastify-ws-events in ${mode} mode on ${url}`,
    `A recorded session of ${INSTANCES.length} instances plays in a loop, ${EVENTS_PER_SECOND} events a second. Ctrl-C ends it.`
  )
}

function access ({ key, allowedHosts }: ServerFacts): string {
  if (key) {
    return lines(
      'A key is needed (AUTHENTICATION_API_KEY). Put it in here; the lines below read it:',
      "  export WS_APIKEY='YOUR_KEY'"
    )
  }
  if (allowedHosts) return 'No key is set: only the addresses in WEBSOCKET_ALLOWED_HOSTS may connect.'
  return 'No key is set: only this machine may connect. Set AUTHENTICATION_API_KEY to let others in.'
}

// In a URL the name must be percent-encoded. Socket.IO clients may also send it unencoded, for the same instance.
const namespaceUrl = (url: string, instance: string): string => `${url}/${encodeURIComponent(instance)}`

function curl ({ url, key, stream }: ServerFacts): string {
  const withKey = key ? ' -H "apikey: $WS_APIKEY"' : ''
  const config = `${url}/instance/acme/websocket`
  return lines(
    ...(stream ? ['curl: the live events of acme', `  curl -N${withKey} ${url}/instance/acme/events`, ''] : []),
    'curl: see what acme sends, then let it send only two kinds of events',
    `  curl${withKey} ${config}`,
    `  curl${withKey} -X PUT ${config} -H 'content-type: application/json' -d '{"enabled":true,"events":["MESSAGES_UPSERT","SEND_MESSAGE"]}'`
  )
}

function clientCode ({ mode, url, key }: ServerFacts): string {
  const namespace = mode === 'global' ? url : namespaceUrl(url, 'acme')
  const auth = key ? ', { auth: { apikey: process.env.WS_APIKEY } }' : ''
  return lines(
    'Client code: save it as client.mjs, then run `npm install socket.io-client` and `node client.mjs`',
    "  import { io } from 'socket.io-client'",
    `  const socket = io('${namespace}'${auth})`,
    "  socket.on('connect', () => console.log('connected'))",
    "  socket.on('connect_error', (err) => console.log('not connected:', err.data ?? err.message))",
    '  socket.onAny((event, message) => console.log(message.instance, event, JSON.stringify(message.data).slice(0, 80)))'
  )
}

function urls ({ mode, url }: ServerFacts): string {
  return lines(
    'URL, for Socket.IO clients (not for a browser\'s address bar)',
    ...(mode === 'global' ? [`  ${url}/  (every instance)`] : []),
    ...INSTANCES.map(instance => `  ${namespaceUrl(url, instance)}`)
  )
}

const lines = (...text: string[]): string => text.join('\n')
