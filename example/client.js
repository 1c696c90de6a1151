/**
 * @import { Message, Refusal } from 'fastify-ws-events'
 * @import { Socket } from 'socket.io-client'
 */
import { parseArgs } from 'node:util'
import { io } from 'socket.io-client'
import { describeRefusal } from './refusals.js'
import { clientTarget, loadEnv } from './settings.js'

const USAGE = `node example/client.js [INSTANCE] [--global] [--events N]

  INSTANCE    whose events to show (default: acme)
  --global    show the events of every instance; the server must be in global mode
  --events N  leave after N events (default: 20); 0: stay until Ctrl-C`

/** @type {Socket[]} */
const sockets = []

/**
 * Connects to a namespace. All of them share one connection, and each one is let in or refused by itself.
 *
 * @param {string} namespace
 */
function connect (namespace) {
  const { url, apikey } = clientTarget()
  const socket = io(`${url}${namespace}`, { auth: { apikey } })
  sockets.push(socket)
  return socket
}

/**
 * Shows what happens to a client that asks for an instance that was never set.
 *
 * @param {() => void} then
 */
function showRefusal (then) {
  const socket = connect('/never-set')
  socket.on('connect', () => {
    console.log('Somebody has set the instance "never-set", so nothing is refused this time.\n')
    socket.disconnect()
    then()
  })
  onRefusal(socket, '/never-set', then)
}

/**
 * A refusal is final: the server has answered. Anything else passes, and the client tries again by itself.
 *
 * @param {Socket} socket
 * @param {string} namespace
 * @param {() => void} refused
 */
function onRefusal (socket, namespace, refused) {
  let waiting = false
  socket.on('connect_error', (/** @type {Error & { data?: Refusal }} */ err) => {
    if (err.data !== undefined) {
      console.log(`${describeRefusal(namespace, err.data)}\n`)
      refused()
    } else if (!waiting) {
      waiting = true
      console.log(`No connection to ${clientTarget().url} (${err.message}). Does the server run, with its events on? Trying again…`)
    }
  })
}

/**
 * Prints events, and leaves after so many.
 *
 * @param {string} namespace
 * @param {number} count
 */
function follow (namespace, count) {
  const socket = connect(namespace)
  let seen = 0
  socket.on('connect', () => { console.log(`Connected to ${namespace}. Ctrl-C ends it.`) })
  socket.on('disconnect', reason => { console.log(describeEnd(reason, socket.active)) })
  onRefusal(socket, namespace, () => { process.exitCode = 1 })
  socket.onAny((/** @type {string} */ event, /** @type {Message} */ message) => {
    console.log(formatMessage(message))
    if (++seen === count) socket.disconnect()
  })
}

/**
 * @param {string} reason
 * @param {boolean} comesBack
 */
function describeEnd (reason, comesBack) {
  if (reason === 'io client disconnect') return 'Disconnected: this client has left. socket.connect() would bring it back.'
  if (comesBack) return `The connection was lost (${reason}). The client comes back by itself…`
  return `Disconnected by the server (${reason}): its instance was disabled or removed, or its key was revoked. It stays away until it calls socket.connect().`
}

/** @param {Message} message */
function formatMessage ({ date_time: time, instance, event, data }) {
  return `${new Date(time).toTimeString().slice(0, 8)}  ${instance.padEnd(10)}  ${event.padEnd(25)}  ${shorten(data)}`
}

/**
 * Who says what, for chat messages; for other events the beginning of the data.
 *
 * @param {unknown} data
 */
function shorten (data) {
  const { pushName, message } = /** @type {{ pushName?: string, message?: Record<string, unknown> | null }} */ (data ?? {})
  const text = message ? `${pushName}: ${message.conversation ?? Object.keys(message).join()}` : data ?? null
  // As JSON: whatever somebody wrote in a chat stays on one line and cannot control the terminal.
  return JSON.stringify(text).slice(0, 80)
}

function readArguments () {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { global: { type: 'boolean', default: false }, events: { type: 'string', default: '20' } }
  })
  const [instance = 'acme'] = positionals
  return { namespace: values.global ? '/' : `/${encodeURIComponent(instance)}`, count: Number(values.events) }
}

function main () {
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
  console.error(`${/** @type {Error} */ (err).message}\n\n${USAGE}`)
  process.exitCode = 1
}
