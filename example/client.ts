import type { Message } from 'fastify-ws-events'
import { parseArgs } from 'node:util'
import { io, type Socket } from 'socket.io-client'
import { describeRefusal, type Refusal } from './refusals.js'
import { clientTarget, loadEnv } from './settings.js'

const USAGE = `npm run client -- [INSTANCE] [--global] [--events N]

  INSTANCE    whose events to show (default: acme)
  --global    show the events of every instance; the server must be in global mode
  --events N  leave after N events (default: 20); 0: stay until Ctrl-C`

const sockets: Socket[] = []

/** Connects to a namespace. All of them share one connection, and each one is let in or refused by itself. */
function connect (namespace: string): Socket {
  const { url, apikey } = clientTarget()
  const socket = io(`${url}${namespace}`, { auth: { apikey } })
  sockets.push(socket)
  return socket
}

/** Shows what happens to a client that asks for an instance that was never set. */
function showRefusal (then: () => void): void {
  const socket = connect('/never-set')
  socket.on('connect', () => {
    console.log('Somebody has set the instance "never-set", so nothing is refused this time.\n')
    socket.disconnect()
    then()
  })
  onRefusal(socket, '/never-set', then)
}

/** A refusal is final: the server has answered. Anything else passes, and the client tries again by itself. */
function onRefusal (socket: Socket, namespace: string, refused: () => void): void {
  let waiting = false
  socket.on('connect_error', (err: Error & { data?: Refusal }) => {
    if (err.data !== undefined) {
      console.log(`${describeRefusal(namespace, err.data)}\n`)
      refused()
    } else if (!waiting) {
      waiting = true
      console.log(`No connection to ${clientTarget().url} (${err.message}). Does the server run, with its events on? Trying again…`)
    }
  })
}

/** Prints events, and leaves after so many. */
function follow (namespace: string, count: number): void {
  const socket = connect(namespace)
  let seen = 0
  socket.on('connect', () => { console.log(`Connected to ${namespace}. Ctrl-C ends it.`) })
  socket.on('disconnect', reason => { console.log(describeEnd(reason, socket.active)) })
  onRefusal(socket, namespace, () => { process.exitCode = 1 })
  socket.onAny((event: string, message: Message) => {
    console.log(formatMessage(message))
    if (++seen === count) socket.disconnect()
  })
}

function describeEnd (reason: string, comesBack: boolean): string {
  if (reason === 'io client disconnect') return 'Disconnected: this client has left. socket.connect() would bring it back.'
  if (comesBack) return `The connection was lost (${reason}). The client comes back by itself…`
  return `Disconnected by the server (${reason}): its instance was disabled or removed, or its key was revoked. It stays away until it calls socket.connect().`
}

function formatMessage ({ date_time: time, instance, event, data }: Message): string {
  return `${new Date(time).toTimeString().slice(0, 8)}  ${instance.padEnd(10)}  ${event.padEnd(25)}  ${shorten(data)}`
}

/** Who says what, for chat messages; for other events the beginning of the data. */
function shorten (data: unknown): string {
  const { pushName, message } = (data ?? {}) as { pushName?: string, message?: Record<string, unknown> | null }
  const text = message ? `${pushName}: ${message.conversation ?? Object.keys(message).join()}` : data ?? null
  // As JSON: whatever somebody wrote in a chat stays on one line and cannot control the terminal.
  return JSON.stringify(text).slice(0, 80)
}

function readArguments (): { namespace: string, count: number } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { global: { type: 'boolean', default: false }, events: { type: 'string', default: '20' } }
  })
  const [instance = 'acme'] = positionals
  return { namespace: values.global ? '/' : `/${encodeURIComponent(instance)}`, count: Number(values.events) }
}

function main (): void {
  loadEnv()
  const { namespace, count } = readArguments()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => { for (const socket of sockets) socket.disconnect() })
  }
  showRefusal(() => { follow(namespace, count) })
}

try {
  main()
} catch (err) {
  console.error(`${(err as Error).message}\n\n${USAGE}`)
  process.exitCode = 1
}
