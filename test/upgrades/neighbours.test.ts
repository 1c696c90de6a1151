import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import mercurius from 'mercurius'
import { Server } from 'socket.io'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { admitted, connect, Inbox } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** Another user of the server's upgrades, with what shows that it works. */
interface Neighbour {
  readonly name: string
  add (t: Test, fastify: FastifyInstance): Promise<void>
  works (t: Test, url: string): Promise<void>
}

async function echoes (t: Test, url: string): Promise<void> {
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  socket.send('hello')
  const [data] = await once(socket, 'message') as [Buffer]
  t.equal(data.toString(), 'hello', url)
}

const echo = (socket: WebSocket): void => { socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) }) }

/** Resolves to what a subscription gives first. */
async function firstOf (t: Test, url: string, query: string): Promise<unknown> {
  const socket = new WebSocket(url, 'graphql-transport-ws')
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  socket.send('{"type":"connection_init"}')
  await once(socket, 'message')
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  const [data] = await once(socket, 'message') as [Buffer]
  return JSON.parse(data.toString())
}

const neighbours: Neighbour[] = [
  {
    name: '@fastify/websocket',
    add: async (t, fastify) => {
      await fastify.register(websocket)
      await fastify.register(async scope => { scope.get('/echo', { websocket: true }, echo) })
    },
    works: async (t, url) => { await echoes(t, `${url}/echo`) }
  },
  {
    name: 'mercurius with subscriptions',
    add: async (t, fastify) => {
      await fastify.register(mercurius, {
        schema: 'type Query { one: Int } type Subscription { two: Int }',
        resolvers: { Subscription: { two: { subscribe: async function * () { yield { two: 2 } } } } },
        subscription: true
      })
    },
    works: async (t, url) => { t.match(await firstOf(t, `${url}/graphql`, 'subscription { two }'), { type: 'next', payload: { data: { two: 2 } } }) }
  },
  {
    name: '@fastify/http-proxy with websocket',
    add: async (t, fastify) => {
      const upstream = createServer()
      const sockets = new WebSocketServer({ server: upstream })
      sockets.on('connection', echo)
      upstream.listen(0, '127.0.0.1')
      await once(upstream, 'listening')
      t.teardown(() => {
        for (const socket of sockets.clients) socket.terminate()
        upstream.close()
      })
      await fastify.register(httpProxy, { upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, prefix: '/proxied', websocket: true })
    },
    works: async (t, url) => { await echoes(t, `${url}/proxied/echo`) }
  },
  {
    name: "the host's own listener",
    add: async (t, fastify) => {
      const sockets = new WebSocketServer({ noServer: true })
      fastify.server.on('upgrade', (request, socket, head) => {
        if (request.url === '/own') sockets.handleUpgrade(request, socket, head, echo)
      })
      fastify.addHook('preClose', async () => { for (const socket of sockets.clients) socket.terminate() })
    },
    works: async (t, url) => { await echoes(t, `${url}/own`) }
  }
]

/** A stock client is in by WebSocket, whether it begins there or upgrades, and gets an event. */
async function serves (t: Test, { url, fastify }: TestServer): Promise<void> {
  for (const transports of [['websocket'], ['polling', 'websocket']]) {
    const client = connect(t, `${url}/acme`, { transports, reconnection: false })
    const upgraded = transports.length === 1 ? Promise.resolve() : new Promise(resolve => { client.io.engine?.once('upgrade', resolve) ?? client.io.once('open', () => { client.io.engine.once('upgrade', resolve) }) })
    const inbox = new Inbox(client)
    await admitted(client)
    await upgraded
    t.equal(client.io.engine.transport.name, 'websocket', transports.join())
    await fastify.wsEvents.emit('acme', 'call', 7)
    t.equal((await inbox.got(1))[0]?.data, 7)
  }
}

for (const { name, add, works } of neighbours) {
  for (const order of ['before', 'after'] as const) {
    for (const server of ['ours', "the host's own Server"] as const) {
      t.test(`${name}, registered ${order} the plugin, with ${server}`, async t => {
        const started = await start(t, order, server, async fastify => { await add(t, fastify) })
        await works(t, started.url)
        await serves(t, started)
        await works(t, started.url)
      })
    }
  }
}

/** A server with something that is added before or after the plugin. */
async function start (t: Test, order: 'before' | 'after', server: 'ours' | "the host's own Server", add: (fastify: FastifyInstance) => Promise<void>): Promise<TestServer & { lines: ReturnType<typeof recordLog>['lines'] }> {
  const { lines, fastify: options } = recordLog('warn')
  const started = await startServer(t, { defaultConfig: { enabled: true } }, {
    fastify: options,
    before: async fastify => {
      if (server !== 'ours') fastify.decorate('io', new Server(fastify.server) as never)
      if (order === 'before') await add(fastify)
    },
    ...(order === 'after' && { after: add })
  })
  return { ...started, lines }
}

t.test('a listener that takes a second and a half is not cut off', async t => {
  const asked = latch()
  const { url } = await start(t, 'before', 'ours', async fastify => {
    const sockets = new WebSocketServer({ noServer: true })
    fastify.server.on('upgrade', (request, socket, head) => {
      asked.open()
      // An asynchronous check of a key, say.
      setTimeout(() => { sockets.handleUpgrade(request, socket, head, echo) }, 1500)
    })
    fastify.addHook('preClose', async () => { for (const socket of sockets.clients) socket.terminate() })
  })
  const works = echoes(t, `${url}/own`)
  await asked.opened
  await works
})

t.test("a host's own Server that ends the upgrades of others says what to set", async t => {
  const listener = async (fastify: FastifyInstance) => { fastify.server.on('upgrade', (request, socket) => { if (request.url === '/own') socket.destroy() }) }
  const { lines } = await start(t, 'before', "the host's own Server", listener)
  t.match(lines.map(({ msg }) => msg), [/destroyUpgrade: false/])
  const alone = await start(t, 'before', "the host's own Server", async () => {})
  t.strictSame(alone.lines.filter(({ msg }) => msg.includes('destroyUpgrade')), [], 'nobody else listens')
})
