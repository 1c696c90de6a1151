import { Server } from 'socket.io'
import { createServer } from 'node:http'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { admitted, connect } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import type { WsEventsOptions } from '../../lib/index.js'
import { ADDRESSES, RawConnection, startHost } from './helpers/host.js'

const offer = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers, '', ''].join('\r\n')

/** Requests that nobody serves, and what they are answered. */
const OFFERS: ReadonlyArray<readonly [name: string, request: string, status: number]> = [
  ['to a path of nobody', offer('/elsewhere'), 404],
  ['to a route of the host', offer('/host'), 404],
  ['with a whole body', `${offer('/elsewhere', 'Content-Length: 5')}hello`, 404],
  ['with a body of which a part is missing', `${offer('/elsewhere', 'Content-Length: 500')}hello`, 404],
  ['with a chunked body', `${offer('/elsewhere', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`, 404],
  ['of a protocol that nobody speaks', 'GET /elsewhere HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n', 404],
  ['of a request that is not a GET', 'POST /elsewhere HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 3\r\n\r\nabc', 404]
]

async function answers (t: Test, options: WsEventsOptions, offers: typeof OFFERS, before?: (fastify: FastifyInstance) => unknown): Promise<void> {
  const { port } = await startHost(t, { options, ...(before !== undefined && { before }) })
  for (const host of ADDRESSES) {
    for (const [name, request, status] of offers) {
      const raw = new RawConnection(t, port, { host })
      raw.socket.write(request, 'latin1')
      const [answer] = await raw.answers(1)
      t.equal(answer?.status, status, `${name} at ${host}`)
      t.match(answer?.headers, /connection: close/i)
      // It goes on sending.
      raw.socket.write(Buffer.alloc(200_000))
      await raw.end()
    }
  }
}

const ENGINE = '/socket.io/?EIO=4&transport=websocket'

t.test('an upgrade that nobody serves is answered, and its socket is closed', async t => {
  await answers(t, {}, OFFERS)
})

t.test('and so without WebSockets', async t => {
  await answers(t, { socketio: { transports: ['polling'] } }, [...OFFERS, ['to Socket.IO', offer(ENGINE), 400], ['to Socket.IO with a body', `${offer(ENGINE, 'Content-Length: 500')}hello`, 400]])
})

t.test("and so with the host's own Server", async t => {
  await answers(t, {}, OFFERS, fastify => { fastify.decorate('io', new Server(fastify.server) as never) })
})

t.test('and so on a connection that has had answers before', async t => {
  const { port } = await startHost(t)
  const raw = new RawConnection(t, port)
  raw.socket.write('GET /host HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await raw.answers(1)
  raw.socket.write(offer('/elsewhere'))
  t.strictSame((await raw.answers(2)).map(({ status }) => status), [200, 404])
  await raw.end()
  const pipelined = new RawConnection(t, port)
  pipelined.socket.write(`GET /host HTTP/1.1\r\nHost: localhost\r\n\r\n${offer('/elsewhere')}`)
  t.strictSame((await pipelined.answers(2)).map(({ status }) => status), [200, 404], 'after the answer that it waits behind')
})

t.test('close() waits for none of them', async t => {
  for (const transports of [['polling'], ['polling', 'websocket']] as const) {
    for (const request of [offer('/elsewhere'), `${offer('/elsewhere', 'Content-Length: 500')}hello`, offer(ENGINE, 'Content-Length: 500')]) {
      const asked = latch()
      const { fastify, port } = await startHost(t, {
        options: { socketio: { transports: [...transports] } },
        // One that does nothing with it, so that somebody might still take it.
        before: fastify => { fastify.server.on('upgrade', () => { asked.open() }) }
      })
      const raw = new RawConnection(t, port)
      raw.socket.write(request)
      if (request.includes('/elsewhere')) await asked.opened
      else await raw.answers(1).catch(() => {})
      await fastify.close()
      await raw.end()
      t.pass(`${transports.join()}: ${request.slice(0, 20)}`)
    }
  }
})

t.test('a listener that takes none of it leaves it to be answered', async t => {
  const { port } = await startHost(t, { before: fastify => { fastify.server.on('upgrade', () => {}) } })
  const raw = new RawConnection(t, port)
  raw.socket.write(offer('/elsewhere'))
  t.equal((await raw.answers(1))[0]?.status, 404)
  await raw.end()
})

t.test("a host's Server on another port leaves the upgrades of this one alone", async t => {
  const other = createServer()
  const io = new Server(other)
  await new Promise<void>(resolve => { other.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => { await io.close() })
  const { port } = await startHost(t, { options: { socketio: io } })
  const raw = new RawConnection(t, port)
  raw.socket.write(offer('/host'))
  t.equal((await raw.answers(1))[0]?.status, 200, 'as without the plugin: a plain request')
})

t.test('without a slash at the end of its path, Socket.IO gets its upgrades, and its limits count', async t => {
  const { fastify, port } = await startHost(t, { options: { socketio: { addTrailingSlash: false }, limits: { inboundBytes: 1000 } } })
  for (const host of ADDRESSES) {
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      for (const addTrailingSlash of [true, false]) await admitted(connect(t, `http://${host}:${port}/acme`, { transports, addTrailingSlash }))
    }
    const before = fastify.wsEvents.stats().limits.inboundBytes
    const client = connect(t, `http://${host}:${port}/acme`, { transports: ['polling'], addTrailingSlash: false, reconnection: false })
    await admitted(client)
    const gone = new Promise(resolve => { client.once('disconnect', resolve) })
    client.emit('too much', 'x'.repeat(2000))
    await gone
    t.equal(fastify.wsEvents.stats().limits.inboundBytes, before + 1, `counted at ${host}`)
  }
})
