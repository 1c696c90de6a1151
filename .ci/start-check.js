// `npm start` in the clone: it prints where the monitor is, and a stock client gets an event. Ctrl-C ends all of it, and so
// does SIGTERM to npm, which a service manager sends.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { io } from 'socket.io-client'
import { freePort, Program } from './helpers.js'

const ENDS = {
  'Ctrl-C': async server => await server.interrupt(),
  'SIGTERM to npm': async server => await server.stop()
}

async function isListening (port) {
  const socket = connect({ port, host: 'localhost' })
  // Rejects when the connection is refused.
  const isOpen = await once(socket, 'connect').then(() => true, err => {
    assert.match(err.code ?? err.message, /ECONNREFUSED/)
    return false
  })
  socket.destroy()
  return isOpen
}

/** @returns how npm ended */
async function serveAndEnd (end) {
  const port = await freePort()
  const server = new Program('npm', ['start'], { env: { ...process.env, PORT: String(port) }, detached: true })
  // It comes back by itself until the server is there.
  const client = io(`http://localhost:${port}/acme`, { reconnectionDelayMax: 1000 })
  let exit
  try {
    const seen = new EventEmitter()
    client.onAny((event, message) => { seen.emit('seen', event, message) })
    client.on('connect_error', err => { if (err.data !== undefined) seen.emit('error', new Error(`refused: ${JSON.stringify(err.data)}`)) })
    const [event, message] = await server.until(seen, 'seen', 300)
    console.log(`got ${event} of ${message.instance}`)
    assert.equal(message.event, event)
    assert.equal(message.instance, 'acme')
    // Before it there is only what npm says.
    await server.prints(new RegExp(`^(?:(?:>.*|npm .*)?\\n)*Monitor: http://localhost:${port}/monitor `), 60)
    assert.equal((await fetch(`http://localhost:${port}/monitor`)).status, 200)
  } finally {
    client.disconnect()
    exit = await end(server)
    const isOpen = await isListening(port)
    server.kill()
    assert.equal(isOpen, false, `port ${port} is free`)
  }
  return exit
}

for (const [name, end] of Object.entries(ENDS)) assert.equal(await serveAndEnd(end), 0, `the exit code of npm after ${name}`)
