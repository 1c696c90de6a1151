import { connect } from 'fastify-ws-events/client'
// For its types alone: the names of the events, and their data.
import type {} from './events.ts'

const [url = 'http://localhost:8080', tenant = 'acme', apikey = ''] = process.argv.slice(2)

// Resumes by itself: what came while the connection was lost arrives first.
const socket = connect(`${url}/${tenant}`, {
  apikey,
  onGap: () => { console.log('too much was missed: load your orders anew') },
  onError: ({ message }) => { console.log(message) }
})
socket.socket.on('connect', () => { console.log(`connected to ${tenant}`) })
socket.on('order.paid', ({ data }) => { console.log(`order ${data.id} is paid: ${data.cents / 100}`) })
socket.on('order.sent', ({ data }) => { console.log(`order ${data.id} is on its way: ${data.parcel}`) })
