import t from 'tap'
import type { Limits } from '../../lib/index.js'
import { admitted, type ClientOptions, connect, disconnected, Inbox, listen, refused, transports } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { outcomeOf } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'
import { cameBack, closed, enabled, hear, IDLE, idled, oneConnection, reached, UNLIMITED } from './setup.js'

// How many may come in: what a stock client sees of each limit, and what others see, which is nothing.

interface Case {
  /** Where the so-many-th client connects, and what it brings. */
  readonly client: (at: number) => readonly [instance: string, options?: ClientOptions]
  /** One that the limit does not touch while it is reached; left out: there is none. */
  readonly other?: readonly [instance: string, options?: ClientOptions]
}

const from = (address: string): ClientOptions => ({ extraHeaders: { 'x-forwarded-for': address } })

const cases: Partial<Record<keyof Limits, Case>> = {
  connections: { client: at => [`instance-${at}`, from(`198.51.100.${at}`)] },
  connectionsPerInstance: { client: at => ['acme', from(`198.51.100.${at}`)], other: ['beta', from('198.51.100.0')] },
  connectionsPerAddress: { client: at => [`instance-${at}`, from('198.51.100.1')], other: ['instance-1', from('198.51.100.2')] }
}

for (const transport of transports) {
  for (const [limit, { client, other }] of Object.entries(cases)) {
    t.test(`over ${limit}, a client's ${transport} connection is ended; it comes back by itself, and is in when there is a place`, async t => {
      const server = await startServer(t, { ...enabled, trustProxy: true, apikey: 'key', limits: { ...UNLIMITED, [limit]: 2 } })
      const open = (at: number) => {
        const [instance, options] = client(at)
        return connect(t, `${server.url}/${instance}`, { transports: [transport], auth: { apikey: 'key' }, ...options })
      }
      const [first, second] = [open(1), open(2)]
      const inboxes = [first, second].map(socket => new Inbox(socket))
      await Promise.all([first, second].map(admitted))
      t.strictSame(reached(server), {})

      const third = open(3)
      const inbox = new Inbox(third)
      t.match(await outcomeOf(third), { word: 'comes back', refusal: undefined, comesBack: true })
      t.strictSame(Object.keys(reached(server)), [limit])
      t.equal(server.fastify.wsEvents.stats().clients.refused.LIMIT_REACHED, server.fastify.wsEvents.stats().limits[limit as keyof Limits])
      if (other !== undefined) {
        const [instance, options] = other
        const others = await listen(t, `${server.url}/${instance}`, { transports: [transport], auth: { apikey: 'key' }, ...options })
        await hear(t, server, instance, [others.inbox])
      }
      for (const [at, inbox] of inboxes.entries()) await hear(t, server, client(at + 1)[0], [inbox])

      first.disconnect()
      await admitted(third).catch(async () => { await cameBack(third) })
      await hear(t, server, client(3)[0], [inbox])
      t.ok(second.connected)
    })
  }

  t.test(`over namespacesPerConnection, a client's namespace is refused over ${transport}, because coming back would change nothing, and the others stay`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, namespacesPerConnection: 2 } })
    const manager = oneConnection(t, server.url, transport)
    const [first, second] = ['/acme', '/beta'].map(name => manager.socket(name)) as [ReturnType<typeof connect>, ReturnType<typeof connect>]
    const inboxes = [first, second].map(socket => new Inbox(socket))
    await Promise.all([first, second].map(admitted))
    const third = manager.socket('/gamma')
    t.match(await refused(third), { code: 'FST_ERR_WS_EVENTS_LIMIT_REACHED', statusCode: 429, retry: true, message: 'the limit namespacesPerConnection is reached' })
    t.equal(third.active, false, 'it tries again when it is told to')
    t.strictSame(reached(server), { namespacesPerConnection: 1 })
    await hear(t, server, 'acme', inboxes.slice(0, 1))
    await hear(t, server, 'beta', inboxes.slice(1))
    // Another connection has places of its own.
    await listen(t, `${server.url}/gamma`, { transports: [transport] })

    first.disconnect()
    await eventually(() => server.fastify.wsEvents.clients({ instance: 'acme' }).length === 0)
    const inbox = new Inbox(third.connect())
    await admitted(third)
    await hear(t, server, 'gamma', [inbox])
  })

  t.test(`a connection that serves nobody is ended over ${transport} when it was refused more often than it may have namespaces`, async t => {
    const server = await startServer(t, { limits: { ...UNLIMITED, namespacesPerConnection: 3 } })
    const manager = oneConnection(t, server.url, transport, { reconnection: false })
    const ended = closed(manager)
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) manager.socket(`/${name}`)
    await ended
    t.strictSame(Object.keys(reached(server)), ['namespacesPerConnection'])
    const { NOT_SET = 0, LIMIT_REACHED = 0 } = server.fastify.wsEvents.stats().clients.refused
    t.equal(NOT_SET + LIMIT_REACHED, 4, 'those after these were not looked at')
  })

  t.test(`a connection over ${transport} that asks for namespaces faster than it may send and have them is ended, and counts for inboundPerSecond`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, namespacesPerConnection: 3, inboundPerSecond: 5 } })
    const other = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const manager = oneConnection(t, server.url, transport, { reconnection: false })
    const socket = manager.socket('/acme')
    await admitted(socket)
    const ended = closed(manager)
    // Many more than two seconds' worth, which is what the turn of a second may let through.
    for (let at = 0; at < 40; at++) manager.socket(`/instance-${at}`)
    await ended
    await eventually(() => server.fastify.wsEvents.stats().clients.connections === 1)
    t.equal(reached(server).inboundPerSecond, 1)
    t.ok((reached(server).namespacesPerConnection ?? 0) <= 10)
    await hear(t, server, 'acme', [other.inbox])
  })

  t.test(`a connection over ${transport} that is in no namespace is ended after idleMs, and one that is in one is not`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, idleMs: IDLE } })
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const manager = oneConnection(t, server.url, transport)
    await new Promise<void>(resolve => { manager.once('open', resolve) })
    await closed(manager)
    await eventually(() => idled(server) > 0)
    t.strictSame(reached(server), { idleMs: 1 })
    await new Promise<void>(resolve => { manager.once('reconnect', () => { resolve() }) })
    t.ok(socket.connected)
    await hear(t, server, 'acme', [inbox])
  })

  t.test(`a connection over ${transport} that is ended after idleMs is counted, however long the server took to let it come`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, idleMs: 200 } })
    const { engine } = server.fastify.io
    // Each of those that hear of a connection comes 20 ms after the one before.
    const listeners = engine.listeners('connection') as Array<(...args: unknown[]) => void>
    engine.removeAllListeners('connection')
    for (const listener of listeners) {
      engine.on('connection', listener)
      engine.on('connection', () => { for (const start = performance.now(); performance.now() - start < 20;) ; })
    }
    await closed(oneConnection(t, server.url, transport, { reconnection: false }))
    await eventually(() => server.fastify.io.engine.clientsCount === 0)
    t.strictSame(reached(server), { idleMs: 1 })
  })

  t.test(`with 0 there is no limit over ${transport}`, async t => {
    const server = await startServer(t, { ...enabled, limits: UNLIMITED })
    const manager = oneConnection(t, server.url, transport)
    await new Promise<void>(resolve => { manager.once('open', resolve) })
    const sockets = Array.from({ length: 300 }, (empty, at) => manager.socket(`/instance-${at}`))
    const clients = Array.from({ length: 20 }, () => connect(t, `${server.url}/instance-0`, { transports: [transport] }))
    await Promise.all([...sockets, ...clients].map(admitted))
    const [socket] = sockets
    for (let at = 0; at < 200; at++) socket?.emit('noise', at)
    // More than any limit has by default, in one message.
    socket?.emit('noise', 'x'.repeat(200_000))
    const inbox = new Inbox(clients[0] ?? connect(t, server.url))
    await eventually(() => server.fastify.wsEvents.stats().clients.received.dropped === 201)
    await hear(t, server, 'instance-0', [inbox])
    t.strictSame(reached(server), {})
    t.match(server.fastify.wsEvents.stats(), { clients: { refused: {}, connections: 21, inInstances: 320 } })
  })
}

t.test('a client that its server sends away gives its place back', async t => {
  const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, connections: 1 } })
  const { socket } = await listen(t, `${server.url}/acme`)
  const gone = disconnected(socket)
  await server.fastify.wsEvents.disconnect({ instance: 'acme' })
  t.equal(await gone, 'io server disconnect')
  await listen(t, `${server.url}/beta`)
  t.strictSame(reached(server), {})
})
