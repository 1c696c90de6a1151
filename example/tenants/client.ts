import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect, type IdStorage } from 'fastify-ws-events/client'
// For its types alone: the names of the events, and their data.
import type {} from './events.ts'

const [url = 'http://localhost:8080', tenant = 'acme', apikey = ''] = process.argv.slice(2)

// Keeps the id of the last event in a file. Without it, the client resumes over reconnects, but not over a restart of
// this process: it would begin with live events, and miss what was emitted meanwhile. Each tenant has ids of its own.
const file = `last-event-id-of-${encodeURIComponent(tenant)}`
const storage: IdStorage = {
  getItem: () => existsSync(file) ? readFileSync(file, 'utf8') : null,
  // By way of a second file, so that a crash in the middle of it leaves a whole id.
  setItem: (key, id) => {
    writeFileSync(`${file}.new`, id)
    renameSync(`${file}.new`, file)
  }
}

// Resumes by itself: what came while the client was away arrives first.
const client = connect(`${url}/${tenant}`, {
  apikey,
  storage,
  onGap: () => { console.log('too much was missed: load your orders anew') },
  onError: ({ message }) => { console.log(message) }
})
client.socket.on('connect', () => { console.log(`connected to ${tenant}`) })
// While the server cannot be reached, Socket.IO tries again by itself and onError is not called.
client.socket.on('connect_error', error => { if (client.socket.active) console.log(`trying again: ${error.message}`) })
client.on('order.paid', ({ data }) => { console.log(`order ${data.id} is paid: ${data.cents / 100}`) })
client.on('order.sent', ({ data }) => { console.log(`order ${data.id} is on its way: ${data.parcel}`) })
