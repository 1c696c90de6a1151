import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { storeWith } from '../helpers/stores.js'

// What waits for one TCP socket, or for one HTTP/2 session, whatever wrote it.

const MB = 1024 * 1024
const enabled = { defaultConfig: { enabled: true } }

function open (t: Test, port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  return socket
}

/** Requests that are sent at once, by one connection that reads nothing. */
function pipeline (t: Test, port: number, paths: readonly string[], accept: string): Socket {
  const socket = open(t, port).pause()
  socket.write(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`).join(''))
  return socket
}

t.test('pages that are asked for at once are made as they are read, and all of them come in order', async t => {
  const pages = 200
  let reads = 0
  const store = storeWith(log => ({ read: (...args) => { reads++; return log.read(...args) } }))
  const { fastify: { wsEvents }, port, url } = await startServer(t, { ...enabled, store })
  const { lastEventId } = await (await fetch(`${url}/instance/acme/events?limit=1`)).json() as { lastEventId: string }
  for (let number = 0; number < 8; number++) await wsEvents.emit('acme', 'call', 'x'.repeat(MB / 8))
  reads = 0
  const path = `/instance/acme/events?limit=1000&after=${lastEventId}`
  const socket = pipeline(t, port, Array.from({ length: pages }, () => path), 'application/json')
  // All but those that the kernel has taken already.
  await eventually(() => wsEvents.stats().clients.connections >= pages - 20)
  for (let time = 0; time < 50; time++) await fetch(`${url}/instance/acme/events?limit=1`)
  // A page needs nine reads, and the kernel takes some pages.
  t.ok(reads < 9 * 20, `${reads} reads while nothing is read`)
  let text = ''
  let complete = 0
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    const parts = text.split('HTTP/1.1 200 OK')
    complete += parts.length - 1
    text = (parts.at(-1) ?? '').slice(1 - 'HTTP/1.1 200 OK'.length)
  })
  socket.resume()
  await eventually(() => complete === pages)
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.equal(complete, pages)
})

t.test('a page that waits for its turn counts, and ends with its connection', async t => {
  const { fastify: { wsEvents }, port } = await startServer(t, { ...enabled, limits: { connections: 20 } })
  for (let number = 0; number < 8; number++) await wsEvents.emit('acme', 'call', 'x'.repeat(MB / 8))
  const socket = pipeline(t, port, ['/instance/acme/events', ...Array.from({ length: 30 }, () => '/instance/acme/events?limit=1')], 'application/json, text/event-stream')
  await eventually(() => wsEvents.stats().clients.refused.LIMIT_REACHED === 11)
  t.equal(wsEvents.stats().clients.connections, 20)
  socket.destroy()
  await eventually(() => wsEvents.stats().clients.connections === 0)
})

t.test('twenty streams on one connection make no warning, share what may wait, and end together', async t => {
  const warnings: string[] = []
  const warned = (warning: Error): void => { warnings.push(warning.message) }
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const { fastify: { wsEvents }, port } = await startServer(t, { ...enabled, limits: { queuedBytes: MB } })
  pipeline(t, port, Array.from({ length: 20 }, () => '/instance/acme/events'), 'text/event-stream')
  await eventually(() => wsEvents.stats().clients.inInstances === 20)
  let events = 0
  for (; wsEvents.stats().clients.inInstances > 0; events++) {
    await wsEvents.emit('acme', 'call', 'x'.repeat(10_000))
    await new Promise(resolve => { setImmediate(resolve) })
  }
  // All but the first wait for it: each event waits nineteen times. A tick may have 256 KiB of events, which count in
  // the next one. Alone, the second stream would be ended after 105 events.
  t.ok(events < 70, `${events} events`)
  t.ok(wsEvents.stats().delivery.slowConsumers >= 1)
  t.strictSame(warnings, [])
})

const STALL = { socketio: { pingInterval: 1000, pingTimeout: 1500 }, limits: { queuedBytes: 0 } }

t.test('a client that takes nothing is ended, as a stream and as a page; one that reads a large message slowly is not', async t => {
  const { fastify: { wsEvents }, port, url } = await startServer(t, { ...enabled, ...STALL, retention: { maxBytes: 64 * MB } })
  const { lastEventId } = await (await fetch(`${url}/instance/acme/events?limit=1`)).json() as { lastEventId: string }
  const slow = pipeline(t, port, ['/instance/acme/events'], 'text/event-stream')
  await eventually(() => wsEvents.stats().clients.inInstances === 1)
  await wsEvents.emit('acme', 'call', 'x'.repeat(12 * MB))
  const stalled = pipeline(t, port, ['/instance/acme/events'], 'text/event-stream')
  await eventually(() => wsEvents.stats().clients.inInstances === 2)
  await wsEvents.emit('acme', 'call', 'x'.repeat(6 * MB))
  const page = pipeline(t, port, [`/instance/acme/events?after=${lastEventId}`], 'application/json')
  for (const socket of [stalled, page]) socket.on('error', () => {})
  // Some at a time, for longer than the others take to be ended.
  let bytes = 0
  const reader = setInterval(() => { bytes += (slow.read() as Buffer | null)?.length ?? 0 }, 16)
  t.teardown(() => { clearInterval(reader) })
  await eventually(() => wsEvents.stats().delivery.slowConsumers >= 2)
  await eventually(() => bytes > 18 * MB)
  t.equal(wsEvents.stats().delivery.slowConsumers, 2)
  t.equal(wsEvents.stats().clients.inInstances, 1)
})
