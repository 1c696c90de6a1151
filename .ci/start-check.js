// `npm start` in the clone: it prints where the monitor is, a stock client gets an event, and Ctrl-C ends all of it.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { io } from 'socket.io-client'
import { freePort, Program } from './helpers.js'

const port = await freePort()
const server = new Program('npm', ['start'], { env: { ...process.env, PORT: String(port) }, detached: true })
// It comes back by itself until the server is there.
const client = io(`http://localhost:${port}/acme`, { reconnectionDelayMax: 1000 })
try {
  const seen = new EventEmitter()
  client.onAny((event, message) => { seen.emit('seen', event, message) })
  client.on('connect_error', err => { if (err.data !== undefined) seen.emit('error', new Error(`refused: ${JSON.stringify(err.data)}`)) })
  const [event, message] = await server.until(seen, 'seen', 120)
  console.log(`got ${event} of ${message.instance}`)
  assert.equal(message.event, event)
  assert.equal(message.instance, 'acme')
  // Before it there is only what npm says.
  await server.prints(new RegExp(`^(?:(?:>.*|npm .*)?\\n)*Monitor: http://localhost:${port}/monitor `), 20)
  assert.equal((await fetch(`http://localhost:${port}/monitor`)).status, 200)
} finally {
  const left = client.connected ? once(client, 'disconnect') : undefined
  await server.interrupt()
  // npm may be gone before the server that it started is.
  await left
  client.disconnect()
}
const [err] = await once(connect({ port, host: 'localhost' }), 'error')
assert.match(err.code ?? err.message, /ECONNREFUSED/)
