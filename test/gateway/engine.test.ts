import { createServer } from 'node:http'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { Server, type Socket } from 'socket.io'
import { Manager } from 'socket.io-client'
import t, { type Test } from 'tap'
import { carriesPid, closesWithin, type EngineConnection, connectionsOf, deleteNamespace, endConnection, endsUpgradesOfOthers, enginePath, givePid, hasNamespace, isArriving, isAttachedTo, listenToAll, middlewareCount, moveMatcherLast, namespaceCount, recoversConnections, sentTooMuch, takesWebSockets, usesStockParser, onRelease } from '../../lib/gateway/socketio/engine.js'
import { queuedBytes as queuedBytesOf } from '../../lib/gateway/socketio/wire.js'
import { admitted, connect, disconnected, type ClientOptions, transports } from '../helpers/client.js'
import { connectionOf } from '../helpers/gateway.js'
import { KERNEL_BYTES } from '../helpers/kernel.js'

/** Socket.IO as it is installed, on a free port, without the plugin. */
async function serve (t: Test, options: object = {}): Promise<{ io: Server, url: string, port: number }> {
  const server = createServer()
  const io = new Server(server, options)
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => { await io.close() })
  const { port } = server.address() as AddressInfo
  return { io, port, url: `http://127.0.0.1:${port}` }
}

/** A client of a namespace, and the server's side of it. */
async function pair (t: Test, io: Server, url: string, namespace: string, options: ClientOptions = {}) {
  const arrived = new Promise<Socket>(resolve => { io.of(namespace).once('connection', resolve) })
  const client = connect(t, `${url}${namespace}`, options)
  await admitted(client)
  return { client, socket: await arrived }
}

const queuedBytes = (connection: EngineConnection): number => queuedBytesOf(connectionOf(connection))

const settle = async () => { await new Promise(resolve => { setImmediate(resolve) }) }

t.test('hasNamespace knows the namespaces that were made, however they were made', async t => {
  const { io, url } = await serve(t)
  const names = ['/', '/a', '/b', '/c1', '/d']
  io.of('/a')
  io.of('b')
  io.of(/^\/c/)
  t.same(names.filter(name => hasNamespace(io, name)), ['/', '/a', '/b'], 'a dynamic namespace is none until somebody is in it')
  await admitted(connect(t, `${url}/c1`))
  t.same(names.filter(name => hasNamespace(io, name)), ['/', '/a', '/b', '/c1'])
})

t.test('sentTooMuch tells a message over the bound from other ends of a connection', async t => {
  const { io, url } = await serve(t, { maxHttpBufferSize: 1000 })
  const ends: Array<readonly [string, (client: Awaited<ReturnType<typeof pair>>) => void]> = [
    ['too much', ({ client }) => { client.emit('hello', 'x'.repeat(1001)) }],
    ['left', ({ client }) => { client.io.engine.close() }],
    ['ended', ({ socket }) => { endConnection(socket.conn) }]
  ]
  for (const [name, end] of ends) {
    const both = await pair(t, io, url, '/acme', { reconnection: false })
    const cause = new Promise(resolve => { both.socket.on('disconnect', (...args: unknown[]) => { resolve(args[1]) }) })
    end(both)
    t.equal(sentTooMuch(await cause), name === 'too much', name)
  }
  t.equal(sentTooMuch(undefined), false)
})

t.test('middlewareCount counts the middlewares of a namespace', async t => {
  const { io } = await serve(t)
  const namespace = io.of('/acme')
  t.equal(middlewareCount(namespace), 0)
  namespace.use((socket, next) => { next() })
  namespace.use((socket, next) => { next() })
  t.equal(middlewareCount(namespace), 2)
})

/** A client that a middleware holds, and what lets it in or refuses it. */
interface Arrival {
  readonly socket: Socket
  /** Resolves to what the client was answered. */
  readonly decide: (refuse: boolean) => Promise<unknown>
}

/** Connects a client to /acme, where a middleware holds it. */
async function arrival (t: Test): Promise<Arrival> {
  const { io, url } = await serve(t)
  const asked: Array<{ socket: Socket, next: (error?: Error) => void }> = []
  io.of('/acme').use((socket, next) => { asked.push({ socket, next }) })
  const client = connect(t, `${url}/acme`)
  const answer = new Promise(resolve => { client.once('connect', () => { resolve('in') }).once('connect_error', () => { resolve('refused') }) })
  while (asked.length === 0) await settle()
  const { socket, next } = asked.pop() as (typeof asked)[number]
  return {
    socket,
    decide: async refuse => {
      next(refuse ? new Error('no') : undefined)
      return await answer
    }
  }
}

t.test('isArriving tells a client that a middleware has not answered from one that is in, and from one that was refused', async t => {
  for (const refuse of [false, true]) {
    const { socket, decide } = await arrival(t)
    t.equal(isArriving(socket), true)
    t.equal(await decide(refuse), refuse ? 'refused' : 'in')
    t.equal(isArriving(socket), false)
  }
})

t.test('onRelease calls when a middleware refuses a client, and not when it lets one in', async t => {
  for (const refuse of [false, true]) {
    const { socket, decide } = await arrival(t)
    let times = 0
    t.equal(onRelease(socket, () => { times++ }), true)
    t.equal(await decide(refuse), refuse ? 'refused' : 'in')
    t.equal(times, refuse ? 1 : 0)
  }
  t.equal(onRelease({} as unknown as Socket, () => {}), false)
})

t.test('deleteNamespace removes a namespace: the next client of that name makes a new one', async t => {
  const { io, url } = await serve(t)
  const first = io.of('/acme')
  io.of('/other')
  deleteNamespace(io, first)
  t.same(['/', '/acme', '/other'].filter(name => hasNamespace(io, name)), ['/', '/other'])
  const error = await new Promise<Error>(resolve => { connect(t, `${url}/acme`).once('connect_error', resolve) })
  t.equal(error.message, 'Invalid namespace', 'it is gone for clients too')
  const second = io.of('/acme')
  t.not(second, first)
  deleteNamespace(io, first)
  t.ok(hasNamespace(io, '/acme'), 'one that is gone already takes nothing along')
})

t.test('deleteNamespace closes the adapter', async t => {
  const { io } = await serve(t)
  const namespace = io.of('/acme')
  let closed = 0
  namespace.adapter.close = () => { closed++ }
  deleteNamespace(io, namespace)
  deleteNamespace(io, namespace)
  t.equal(closed, 1)
})

t.test('moveMatcherLast lets a matcher be asked after those that came later', async t => {
  const { io, url } = await serve(t)
  const asked: string[] = []
  type Matcher = Parameters<typeof moveMatcherLast>[1]
  const ours: Matcher = (name, auth, next) => {
    if (moveMatcherLast(io, ours)) {
      asked.push('moved')
      next(null, false)
      return
    }
    asked.push('ours')
    next(null, name === '/acme')
  }
  io.of(ours as never)
  io.of(((name: string, auth: unknown, next: (error: null, allow: boolean) => void) => { asked.push('theirs'); next(null, name === '/theirs') }) as never)
  await admitted(connect(t, `${url}/acme`))
  t.same(asked, ['moved', 'theirs', 'ours'], 'it is asked once more, in the same round')
  t.equal(moveMatcherLast(io, ours), false, 'it is the last now')
  asked.length = 0
  await admitted(connect(t, `${url}/theirs`))
  t.same(asked, ['theirs'])
  t.equal(moveMatcherLast(io, () => {}), false, 'one that was never given stays away')
})

t.test('a client of a namespace that a matcher let pass is in that of its own name', async t => {
  const { io, url } = await serve(t)
  const matcher: Parameters<typeof moveMatcherLast>[1] = (name, auth, next) => {
    io.of(name)
    next(null, true)
  }
  io.of(matcher as never)
  const client = connect(t, `${url}/acme`)
  await admitted(client)
  t.equal(io.of('/acme').sockets.size, 1, 'a namespace that was made while the matcher was asked is the one that serves')
  t.equal(io.listenerCount('new_namespace'), 0)
})

t.test('new_namespace tells of each namespace that is made', async t => {
  const { io } = await serve(t)
  const told: string[] = []
  io.on('new_namespace', ({ name }) => { told.push(name) })
  io.of('/a')
  io.of('/a')
  io.of('/b')
  t.same(told, ['/a', '/b'])
})

t.test('recoversConnections tells whether connection state recovery is on', async t => {
  t.equal(recoversConnections((await serve(t)).io), false)
  t.equal(recoversConnections((await serve(t, { connectionStateRecovery: {} })).io), true)
  t.equal(recoversConnections((await serve(t, { connectionStateRecovery: { maxDisconnectionDuration: 1000 } })).io), true)
})

for (const transport of transports) {
  const options = { transports: [transport] }

  t.test(`over ${transport}, namespaceCount counts the namespaces of a connection`, async t => {
    const { io, url } = await serve(t)
    io.of('/a')
    io.of('/b')
    const manager = new Manager(url, options)
    t.teardown(() => { manager._close() })
    const arrived = new Promise<Socket>(resolve => { io.of('/a').once('connection', resolve) })
    await admitted(manager.socket('/a'))
    const socket = await arrived
    t.equal(namespaceCount(socket), 1)
    const b = manager.socket('/b')
    await admitted(b)
    t.equal(namespaceCount(socket), 2)
    const left = new Promise(resolve => { [...io.of('/b').sockets.values()][0]?.once('disconnect', resolve) })
    b.disconnect()
    await left
    await settle()
    t.equal(namespaceCount(socket), 1)
    const gone = new Promise(resolve => { socket.once('disconnect', resolve) })
    socket.disconnect()
    await gone
    await settle()
    t.equal(namespaceCount(socket), 0)
  })

  t.test(`over ${transport}, a client that middleware refuses is not counted`, async t => {
    const { io, url } = await serve(t)
    const counts: number[] = []
    io.of('/a').use((socket, next) => {
      counts.push(namespaceCount(socket))
      next(new Error('no'))
    })
    await new Promise(resolve => { connect(t, `${url}/a`, options).once('connect_error', resolve) })
    t.same(counts, [0])
  })

  t.test(`over ${transport}, connectionsOf lists a connection while it is there, in a namespace or not`, async t => {
    const { io, url } = await serve(t)
    t.same(connectionsOf(io), [])
    const { client, socket } = await pair(t, io, url, '/acme', options)
    t.same(connectionsOf(io), [socket.conn])
    const idle = new Manager(url, { ...options, autoConnect: false, reconnection: false })
    t.teardown(() => { idle._close() })
    await new Promise<void>((resolve, reject) => { idle.open(error => { if (error === undefined) resolve(); else reject(error) }) })
    t.equal(connectionsOf(io).length, 2)
    const closed = new Promise(resolve => { socket.conn.once('close', resolve) })
    client.disconnect()
    await closed
    await settle()
    t.equal(connectionsOf(io).length, 1)
    t.notOk(connectionsOf(io).includes(socket.conn))
  })

  t.test(`over ${transport}, endConnection ends a client at once, and a stock client comes back`, async t => {
    const { io, url } = await serve(t)
    const { client, socket } = await pair(t, io, url, '/acme', options)
    const closed = new Promise(resolve => { socket.conn.once('close', resolve) })
    const gone = disconnected(client)
    const { id } = socket
    endConnection(socket.conn)
    await closed
    t.not(await gone, 'io server disconnect')
    await admitted(client)
    t.not(client.id, id)
    endConnection(socket.conn)
    t.ok(client.connected, 'ending what has ended does nothing')
  })

  t.test(`over ${transport}, queuedBytes is 0 when nothing waits, and counts what waits`, async t => {
    const { io, url } = await serve(t)
    const { client, socket } = await pair(t, io, url, '/acme', options)
    await new Promise<void>(resolve => {
      client.once('ping', resolve)
      socket.emit('ping')
    })
    await settle()
    t.equal(queuedBytes(socket.conn), 0)
    const got = new Promise(resolve => { client.once('large', resolve) })
    const before = queuedBytes(socket.conn)
    for (let at = 0; at < 50; at++) socket.emit('small', 'é'.repeat(50_000), Buffer.alloc(1000))
    t.ok(queuedBytes(socket.conn) - before > 1_000_000, `${queuedBytes(socket.conn)} wait`)
    socket.emit('large')
    await got
  })
}

t.test('endConnection frees a websocket that reads nothing', async t => {
  const { io, url } = await serve(t)
  const { client, socket } = await pair(t, io, url, '/acme')
  const { _socket: tcp } = (client.io.engine.transport as unknown as { ws: { _socket: { pause(): void, resume(): void } } }).ws
  tcp.pause()
  while (queuedBytes(socket.conn) < 5_000_000) {
    for (let at = 0; at < 20; at++) socket.emit('data', Buffer.alloc(100_000))
    await settle()
  }
  const closed = new Promise<string>(resolve => { socket.once('disconnect', resolve) })
  endConnection(socket.conn)
  await closed
  t.equal(socket.conn.readyState, 'closed')
  tcp.resume()
})

t.test('closesWithin lets go of a polling client that has vanished', async t => {
  const { io, url } = await serve(t)
  const raw = async (query: string): Promise<string> => await (await fetch(`${url}/socket.io/?EIO=4&transport=polling${query}`)).text()
  const arrived = new Promise<EngineConnection>(resolve => { io.engine.once('connection', resolve) })
  await raw('')
  const connection = await arrived
  t.equal(closesWithin(connection, 20), true)
  // Nobody polls. Without it this would take 30 s.
  const closed = new Promise(resolve => { connection.once('close', resolve) })
  connection.close()
  await closed
  t.equal(connection.readyState, 'closed')
})

t.test('queuedBytes counts what the kernel has not taken from a websocket', async t => {
  const { io, url, port } = await serve(t)
  t.ok(url)
  // A WebSocket by hand, so that nothing reads it.
  const arrived = new Promise<Socket>(resolve => { io.of('/').once('connection', resolve) })
  const tcp = connectTcp(port, '127.0.0.1')
  t.teardown(() => { tcp.destroy() })
  tcp.write('GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await new Promise<void>(resolve => { tcp.once('data', () => { resolve() }) })
  // "40" as one masked frame, by a mask of zeros.
  tcp.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]))
  const socket = await arrived
  tcp.pause()
  const large = Buffer.alloc(KERNEL_BYTES + 10_000_000)
  socket.emit('data', large)
  await settle()
  const waiting = queuedBytes(socket.conn)
  t.ok(waiting >= 10_000_000 && waiting <= large.length + 1000, `${waiting} bytes wait in the WebSocket`)
  socket.emit('data', Buffer.alloc(1_000_000))
  t.ok(queuedBytes(socket.conn) >= waiting + 1_000_000, 'and what Engine.IO holds behind them counts too')
  endConnection(socket.conn)
})

t.test('usesStockParser tells the stock parser from another', async t => {
  t.equal(usesStockParser((await serve(t)).io), true)
  class Encoder {
    encode (packet: object): unknown[] { return [JSON.stringify(packet)] }
  }
  class Decoder {}
  t.equal(usesStockParser((await serve(t, { parser: { Encoder, Decoder } })).io), false)
})

t.test('a Socket.IO that has none of this is met with something safe', async t => {
  const bare = {} as never
  t.equal(hasNamespace(bare, '/acme'), false)
  t.equal(middlewareCount(bare), 1)
  t.equal(isArriving({ nsp: {}, connected: false } as never), true)
  t.equal(isArriving({ nsp: {}, connected: true } as never), false)
  t.doesNotThrow(() => { deleteNamespace(bare, { name: '/a', adapter: { close () { t.fail('it is not ours to close') } } } as never) })
  t.equal(moveMatcherLast(bare, () => {}), false)
  t.equal(recoversConnections(bare), false)
  t.equal(namespaceCount({ client: {} } as never), 1, 'so that the connection is left alone')
  t.same(connectionsOf({ engine: {} } as never), [])
  t.equal(usesStockParser(bare), false)
  t.equal(closesWithin(bare, 5), false)
  let closed: unknown
  endConnection({ close (discard: boolean) { closed = discard } } as unknown as EngineConnection)
  t.equal(closed, true)
})

t.test('listenToAll hears all that a client sends, takes little room, and leaves it to others to listen too', async t => {
  const { io, url } = await serve(t)
  const { client, socket } = await pair(t, io, url, '/acme')
  const heard: unknown[] = []
  const listener = (event: string, ...args: unknown[]) => { heard.push([event, ...args]) }
  listenToAll(socket, listener)
  t.strictSame(socket.listenersAny(), [listener])
  t.ok(Object.hasOwn(socket, '_anyListeners'), 'it is kept where it is looked for')
  const others = new Promise(resolve => { socket.onAny(resolve) })
  client.emit('hello', 1)
  t.equal(await others, 'hello')
  t.strictSame(heard, [['hello', 1]])
})

t.test('what Engine.IO does with upgrades is read from its options', async t => {
  const servers: Array<readonly [options: object, path: string, webSockets: boolean, ends: boolean]> = [
    [{}, '/socket.io/', true, true],
    [{ path: '/events/' }, '/events/', true, true],
    [{ path: '/events', addTrailingSlash: false }, '/events', true, true],
    [{ transports: ['polling'] }, '/socket.io/', false, false],
    [{ destroyUpgrade: false }, '/socket.io/', true, false]
  ]
  for (const [options, path, webSockets, ends] of servers) {
    const http = createServer()
    const io = new Server(http, options)
    t.teardown(async () => { await io.close() })
    const name = JSON.stringify(options)
    t.strictSame([enginePath(io), takesWebSockets(io), endsUpgradesOfOthers(io)], [path, webSockets, ends], name)
    t.equal(http.listenerCount('upgrade'), webSockets ? 1 : 0, `${name}: one listener for upgrades, or none`)
    t.ok(isAttachedTo(io, http))
    t.notOk(isAttachedTo(io, createServer()))
  }
  t.notOk(isAttachedTo(new Server(), createServer()), 'one that is attached to nothing yet')
})

t.test('givePid: Socket.IO\'s own client keeps the pid of its first packet, and brings it with the last text that ended an event', async t => {
  for (const transport of transports) {
    const { io, url } = await serve(t)
    const brought: unknown[] = []
    const possible: boolean[] = []
    let pid = 'first'
    io.of('/acme').use((socket, next) => {
      brought.push(socket.handshake.auth)
      possible.push(carriesPid(socket))
      givePid(socket, pid)
      next()
    })
    const { client, socket } = await pair(t, io, url, '/acme', { auth: { apikey: 'key' }, transports: [transport] })
    t.notOk(client.recovered)
    const again = async () => {
      const back = new Promise(resolve => { client.once('connect', () => { resolve(client.recovered) }) })
      client.io.engine.close()
      return await back
    }
    socket.emit('event', { id: 1 }, 'one')
    socket.emit('event', { id: 2 }, 'two')
    socket.emit('none', 'three', { id: 3 })
    await new Promise(resolve => { client.once('none', resolve) })
    t.equal(await again(), true)
    t.equal(await again(), true)
    pid = 'second'
    t.equal(await again(), false)
    t.strictSame(brought, [{ apikey: 'key' }, ...Array.from({ length: 3 }, () => ({ apikey: 'key', pid: 'first', offset: 'two' }))])
    t.strictSame(possible, [true, true, true, true])
  }
})

t.test('carriesPid is false for unknown internals of Socket.IO', async t => {
  const { io, url } = await serve(t)
  const { socket } = await pair(t, io, url, '/acme')
  t.equal(carriesPid(socket), true)
  const first = (data: object) => function (this: { packet: (packet: object) => void }) { this.packet({ type: 0, data }) }
  const others = [undefined, 'text', () => {}, () => { throw new Error('another way') }, first({ sid: 'a' }), first({ sid: 'a', pid: 'c' }), first({ pid: 'b' })]
  for (const other of others) t.equal(carriesPid({ _onconnect: other } as unknown as Socket), false)
})
