import type { FastifyInstance } from 'fastify'
import { IncomingMessage } from 'node:http'
import { Server, type Socket } from 'socket.io'
import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, transports } from '../helpers/client.js'
import { collectGarbage } from '../helpers/memory.js'
import { startServer } from '../helpers/server.js'

const OPTIONS: WsEventsOptions = { defaultConfig: { enabled: true } }

const settle = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve) }) }

/** The server's side of a client. */
function socketOf (io: Server, name: string): Socket {
  const [socket] = io.of(name).sockets.values()
  return socket as Socket
}

/** Waits until the request of a connection is released; it never ends where that is not so. */
async function released (socket: Socket): Promise<void> {
  while (socket.request instanceof IncomingMessage) await settle()
}

/** A new server; its client, as the server sees it, when several turns have passed since it came in. */
async function enter (t: Test, options: WsEventsOptions, use: (io: Server) => void = () => {}): Promise<Socket> {
  const after = async (fastify: FastifyInstance): Promise<void> => {
    await fastify.after()
    use((fastify as unknown as { io: Server }).io)
  }
  const { fastify, url } = await startServer(t, { ...OPTIONS, ...options }, { after })
  await admitted(connect(t, `${url}/acme`))
  for (let turn = 0; turn < 5; turn++) await settle()
  return socketOf((fastify as unknown as { io: Server }).io, '/acme')
}

for (const transport of [...transports, 'upgrade'] as const) {
  t.test(`the request of a connection is released once its client is in, and can be collected (${transport})`, async t => {
    const requests: Array<WeakRef<IncomingMessage>> = []
    const { fastify, url } = await startServer(t, OPTIONS)
    const { io } = fastify as unknown as { io: Server }
    io.engine.on('initial_headers', (headers: object, request: IncomingMessage) => { requests.push(new WeakRef(request)) })
    io.engine.on('headers', (headers: object, request: IncomingMessage) => { requests.push(new WeakRef(request)) })
    const client = connect(t, `${url}/acme?color=blue`, {
      transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport],
      extraHeaders: { 'X-Shape': 'round' }
    })
    await admitted(client)
    if (transport === 'upgrade' && client.io.engine.transport.name !== 'websocket') await new Promise(resolve => { client.io.engine.once('upgrade', resolve) })
    const socket = socketOf(io, '/acme')
    await released(socket)
    t.equal(socket.request.headers['x-shape'], 'round')
    t.match(socket.request.url, /color=blue/)
    t.equal(socket.request.method, 'GET')
    t.equal(socket.request.socket.remoteAddress, '127.0.0.1')
    t.equal(socket.request.connection, socket.request.socket)
    t.ok(requests.length > 0)
    // To look at one holds it until the turn ends.
    for (const request of requests) {
      do {
        await settle()
        collectGarbage()
      } while (request.deref() !== undefined)
    }
    t.pass('nothing holds them')
  })
}

t.test('a client that joins another namespace afterwards has the handshake of its connection', async t => {
  const { fastify, url } = await startServer(t, OPTIONS)
  const { io } = fastify as unknown as { io: Server }
  const first = connect(t, `${url}/acme?color=blue`, { extraHeaders: { 'X-Shape': 'round' } })
  await admitted(first)
  await released(socketOf(io, '/acme'))
  const second = first.io.socket('/other', { auth: { token: 't' } })
  t.teardown(() => { second.disconnect() })
  await admitted(second)
  const { handshake } = socketOf(io, '/other')
  t.match(handshake, { headers: { 'x-shape': 'round' }, query: { color: 'blue' }, address: '127.0.0.1', secure: false, xdomain: false, auth: { token: 't' } })
  t.equal(handshake.url, socketOf(io, '/acme').handshake.url)
})

t.test('by default it is kept where the application uses the server itself', async t => {
  const uses: Readonly<Record<string, (io: Server) => void>> = {
    'a namespace': io => { io.of('/mine') },
    'a namespace with the name of an instance': io => { io.of('/acme').on('connection', () => {}) },
    'a dynamic namespace': io => { io.of(/^\/mine-/) },
    'a listener of the root': io => { io.on('connection', () => {}) },
    'a middleware of the root': io => { io.use((socket, next) => { next() }) },
    'a middleware of Engine.IO': io => { io.engine.use((request: unknown, response: unknown, next: () => void) => { next() }) }
  }
  for (const [what, use] of Object.entries(uses)) t.ok((await enter(t, {}, use)).request instanceof IncomingMessage, what)
  t.notOk((await enter(t, {})).request instanceof IncomingMessage, 'released where it does not')
})

t.test('the option decides, whatever the application does', async t => {
  t.ok((await enter(t, { handshakeRequest: 'keep' })).request instanceof IncomingMessage)
  t.notOk((await enter(t, { handshakeRequest: 'release' }, io => { io.of('/mine') })).request instanceof IncomingMessage)
})

t.test('on a server of the application it is kept, unless the option says otherwise', async t => {
  for (const handshakeRequest of ['release', undefined] as const) {
    const { fastify, url } = await startServer(t, { ...OPTIONS, handshakeRequest }, {
      before: fastify => { fastify.decorate('io', new Server(fastify.server)) }
    })
    const { io } = fastify as unknown as { io: Server }
    await admitted(connect(t, `${url}/acme`))
    for (let turn = 0; turn < 5; turn++) await settle()
    t.equal(socketOf(io, '/acme').request instanceof IncomingMessage, handshakeRequest === undefined)
  }
})
