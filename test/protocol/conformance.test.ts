import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, type ServerOptions } from 'socket.io'
import t from 'tap'
import '../../lib/gateway/io.js'
import { closesWithin, type EngineConnection, connectionsOf } from '../../lib/gateway/socketio/engine.js'
import { type Scope, startServer } from '../helpers/server.js'
import { connectAck, holdAll, openClient, type Script, withoutIds } from './helpers/conversation.js'
import { answerLine, outcomeLine, pollWaits, sameFromAll, Session } from './helpers/engine.js'
import { Http, SEPARATOR } from './helpers/polling.js'
import { RawWebSocket } from './helpers/raw-web-socket.js'
import { type Spoken, watch } from './helpers/servers.js'

/*
 * The cases of Socket.IO's public suites for Engine.IO v4 and Socket.IO v5, in our own words and with no times to wait:
 * played against a plain Socket.IO server, against the plugin on a host's Server, and on a Server of its own in global
 * mode. What the other tests of this directory play against plain Socket.IO and ours is played here on a host's Server,
 * too; they have more of each kind:
 *
 * | case | here | more of it |
 * | --- | --- | --- |
 * | handshake: polling, WebSocket; wrong EIO, transport, method | "opens", "is refused" | handshake.test.ts |
 * | a payload of one packet, of several, with bytes; an invalid one | "raw packets" | polling.test.ts |
 * | two polls at once, a poll that is cancelled | "polls" | polling.test.ts |
 * | WebSocket: text, bytes, an invalid packet | "raw packets" | websocket.test.ts |
 * | ping and pong, ping timeout | "heartbeats" | polling.test.ts, websocket.test.ts |
 * | close, over polling and over WebSocket | "polls", "heartbeats" | polling.test.ts, endings.test.ts |
 * | upgrade; requests of the same session after it | "upgrade" | upgrade.test.ts |
 * | connect: the root, a namespace, with a payload | "a namespace" | connect.test.ts |
 * | connect: an unknown namespace (the one difference) | "unknown namespace" | connect.test.ts |
 * | connect: an invalid packet, none at all | "broken", "no handshake" | connect.test.ts, packets.test.ts |
 * | disconnect: the root, a namespace | "a namespace" | connect.test.ts |
 * | events and acknowledgements, with and without bytes | "messages" | packets.test.ts |
 * | an unknown type, an invalid payload, an invalid ack id | "broken" | packets.test.ts |
 */

/** What the suites ask for. Where a busy machine could be too late for them, a test has longer ones. */
const SUITE = { pingInterval: 300, pingTimeout: 200 }
const PATIENT = { pingInterval: 300, pingTimeout: 60_000 }
const QUIET = { pingInterval: 60_000, pingTimeout: 60_000 }
const MAX_PAYLOAD = 1_000_000

type Times = Pick<ServerOptions, 'pingInterval' | 'pingTimeout'> & { readonly connectTimeout?: number }
/** What a server answers. */
type Echo = (io: Server) => void

/** The servers of the Socket.IO suite. */
function echoEvents (io: Server): void {
  for (const name of ['/', '/custom']) {
    io.of(name).on('connection', socket => {
      socket.emit('auth', socket.handshake.auth)
      socket.on('message', (...args: unknown[]) => { socket.emit('message-back', ...args) })
      socket.on('message-with-ack', (...args: unknown[]) => { (args.pop() as (...args: unknown[]) => void)(...args) })
    })
  }
}

/** The server of the Engine.IO suite: what comes goes back, and Socket.IO does not read it. */
function echoPackets (io: Server): void {
  io.engine.on('connection', (connection: EngineConnection) => {
    connection.removeAllListeners('data')
    connection.on('data', (data: string) => { connection.send(data) })
  })
}

async function startPlain (t: Scope, echo: Echo, times: Times): Promise<Spoken> {
  const http = createServer()
  const io = new Server(http, { ...times, maxHttpBufferSize: MAX_PAYLOAD })
  t.teardown(async () => { await io.close() })
  echo(io)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return spoken('the reference', (http.address() as AddressInfo).port, io)
}

const limitsFor = ({ connectTimeout = 45_000 }: Times) => ({ inboundBytes: MAX_PAYLOAD, idleMs: connectTimeout })

async function startOnHost (t: Scope, echo: Echo, times: Times): Promise<Spoken> {
  const { fastify, port } = await startServer(t, { limits: limitsFor(times) }, {
    before: fastify => {
      const io = new Server(fastify.server, { ...times, maxHttpBufferSize: MAX_PAYLOAD })
      fastify.decorate('io', io)
      echo(io)
    }
  })
  return spoken("on a host's Server", port, fastify.io)
}

async function startGlobal (t: Scope, echo: Echo, { connectTimeout, ...times }: Times): Promise<Spoken> {
  const limits = limitsFor({ ...times, ...(connectTimeout !== undefined && { connectTimeout }) })
  const { fastify, port } = await startServer(t, { globalEvents: true, limits, socketio: times })
  echo(fastify.io)
  return spoken('ours in global mode', port, fastify.io)
}

function spoken (name: string, port: number, io: Server): Spoken {
  // Engine.IO waits for 30 s, and keeps the process, for a client that has stopped polling.
  io.engine.on('connection', (connection: EngineConnection) => { closesWithin(connection, 1000) })
  return { name, port, io, reasons: watch(io), emit: (instance, event, data) => { io.of(`/${instance}`).emit(event, data) } }
}

async function start (t: Scope, echo: Echo, times: Times): Promise<Spoken[]> {
  return await Promise.all([startPlain, startOnHost, startGlobal].map(async start => await start(t, echo, times)))
}

const UNKNOWN_SID = '400 {"code":1,"message":"Session ID unknown"}'
const BAD_REQUEST = '400 {"code":3,"message":"Bad request"}'

const opened = (upgrades: string): string =>
  `0{"sid":"SID","upgrades":[${upgrades}],"pingInterval":300,"pingTimeout":200,"maxPayload":${MAX_PAYLOAD}}`

async function ask (port: number, method: string, query: string): Promise<string> {
  const http = new Http(port)
  const answer = answerLine(await http.request(method, query).response)
  http.close()
  return answer
}

/** The first line of a WebSocket, or how HTTP refused it. */
async function upgrade (port: number, query: string): Promise<string> {
  const client = await RawWebSocket.open(port, { query })
  if (client.answer.status !== 101) return `${client.answer.status} ${client.body}`
  const first = await client.next()
  await client.leave()
  return withoutIds(first)
}

t.test('Engine.IO: handshake', async t => {
  const servers = await start(t, echoPackets, SUITE)
  await t.test('opens', async t => {
    await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', 'EIO=4&transport=polling'), `200 ${opened('"websocket"')}`)
    await sameFromAll(t, servers, async ({ port }) => await upgrade(port, 'EIO=4&transport=websocket'), opened(''))
  })
  await t.test('is refused', async t => {
    const version = 'Unsupported protocol version'
    // Engine.IO finds out too late, and writes HTTP where frames belong.
    const late = `a frame that begins with ${Buffer.from('HT').toString('hex')}`
    for (const query of ['transport=NAME', 'EIO=abc&transport=NAME']) {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', query.replace('NAME', 'polling')), `400 {"code":5,"message":"${version}"}`)
      await sameFromAll(t, servers, async ({ port }) => await upgrade(port, query.replace('NAME', 'websocket')), late)
    }
    for (const query of ['EIO=4', 'EIO=4&transport=abc']) {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', query), '400 {"code":0,"message":"Transport unknown"}')
      await sameFromAll(t, servers, async ({ port }) => await upgrade(port, query), '400 Transport unknown')
    }
    for (const method of ['POST', 'PUT']) {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, method, 'EIO=4&transport=polling'), '400 {"code":2,"message":"Bad handshake method"}')
    }
  })
})

t.test('Engine.IO: raw packets', async t => {
  const servers = await start(t, echoPackets, QUIET)
  await t.test('text and bytes go back', async t => { await holdAll(t, servers, ['> 4hello', '< 4hello', '> [01 02 03 04]', '< [01 02 03 04]']) })
  await t.test('an invalid packet closes the session', async t => { await holdAll(t, servers, ['> abc', '< closed']) })
  for (const payload of ['4hello', ['4test1', '4test2', '4test3'].join(SEPARATOR), ['4hello', 'bAQIDBA=='].join(SEPARATOR)]) {
    await t.test(`the payload ${JSON.stringify(payload)} comes back as one`, async t => {
      await sameFromAll(t, servers, async ({ port }) => {
        const session = await Session.open(port)
        const said = [await session.post(payload), await session.poll()]
        await session.leave()
        return said
      }, ['200 ok', `200 ${payload}`])
    })
  }
})

t.test('Engine.IO: polls', async t => {
  const servers = await start(t, echoPackets, QUIET)
  /** What a session gets that has a poll waiting. */
  const waiting = async (server: Spoken, then: (session: Session) => Promise<string>): Promise<string[]> => {
    const session = await Session.open(server.port)
    const poll = session.poll()
    await pollWaits(server)
    const said = [await then(session), await poll, await session.poll()]
    session.http.close()
    return said
  }
  await t.test('two at once close the session', async t => {
    await sameFromAll(t, servers, async server => await waiting(server, async session => await session.poll()), ['400 ', '200 1', UNKNOWN_SID])
  })
  await t.test('a goodbye answers the one that waits', async t => {
    await sameFromAll(t, servers, async server => await waiting(server, async session => await session.post('1')), ['200 ok', '200 6', UNKNOWN_SID])
  })
  await t.test('one that is cancelled closes the session', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const poll = session.http.request('GET', session.query)
      const outcome = outcomeLine(poll.response)
      await pollWaits(server)
      poll.abort()
      const said = [await outcome, ...await server.reasons(), await session.poll()]
      session.http.close()
      return said
    }, ['ECONNRESET', 'transport error', UNKNOWN_SID])
  })
})

t.test('heartbeats', async t => {
  const patient = await start(t, echoPackets, PATIENT)
  await t.test('go on as long as they are answered', async t => {
    await holdAll(t, patient, ['< 2', '> 3', '< 2', '> 3', '< 2', '> 3'])
  })
  const servers = await start(t, echoPackets, SUITE)
  await t.test('a client that does not answer is closed', async t => { await holdAll(t, servers, ['< 2', '< closed']) })
  await t.test("a WebSocket's goodbye is no packet that Engine.IO reads: its silence closes it", async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const client = await openClient(port, 'websocket')
      await client.send('1')
      return [await client.next(), await client.next(), client.ending]
    }, ['2', 'closed', 'close'])
  })
  await t.test('so is one that does not poll', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const said = [...await server.reasons(), await session.poll()]
      session.http.close()
      return said
    }, ['ping timeout', UNKNOWN_SID])
  })
})

t.test('Engine.IO: upgrade, and nothing else of its session afterwards', async t => {
  const servers = await start(t, echoPackets, QUIET)
  await sameFromAll(t, servers, async server => {
    const session = await Session.open(server.port)
    const query = `EIO=4&transport=websocket&sid=${session.sid}`
    const client = await RawWebSocket.open(server.port, { query })
    await client.send('2probe')
    const said = [await client.next(), await session.poll()]
    const over = once(connectionsOf(server.io)[0] as never, 'upgrade')
    await client.send('5')
    await over
    const second = await RawWebSocket.open(server.port, { query })
    said.push(await session.poll(), await second.next())
    await client.send('4hello')
    said.push(await client.next(), ...await client.leave())
    session.http.close()
    return said
  }, ['3probe', '200 6', BAD_REQUEST, 'closed', '4hello'])
})

/** A client that is in: the host says what its `auth` was. */
const join = (namespace = '', auth = ''): string[] =>
  [`> 40${namespace}${auth}`, connectAck(namespace), `< 42${namespace}["auth",${auth === '' ? '{}' : auth}]`]
const says = (namespace = ''): string[] => [`> 42${namespace}["message","a"]`, `< 42${namespace}["message-back","a"]`]
const PLACES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
const BYTES = ['[01 02 03]', '[04 05 06]'] as const
const BOTH = { sent: BYTES.map(line => `> ${line}`), got: BYTES.map(line => `< ${line}`) }

const conversations: Readonly<Record<string, Script>> = {
  'a namespace: the root': join(),
  'a namespace: the root, with a payload': join('', '{"token":"123"}'),
  'a namespace: of the host': join('/custom,'),
  'a namespace: of the host, with a payload': join('/custom,', '{"token":"abc"}'),
  'a namespace: left, beside the root': [...join(), ...join('/custom,'), '> 41/custom,', ...says()],
  'messages: text': [...join(), '> 42["message",1,"2",{"3":[true]}]', '< 42["message-back",1,"2",{"3":[true]}]'],
  'messages: bytes': [...join(), `> 452-["message",${PLACES}]`, ...BOTH.sent, `< 452-["message-back",${PLACES}]`, ...BOTH.got],
  'messages: an acknowledgement': [...join(), '> 42456["message-with-ack",1,"2",{"3":[false]}]', '< 43456[1,"2",{"3":[false]}]'],
  'messages: an acknowledgement with bytes': [...join(), `> 452-789["message-with-ack",${PLACES}]`, ...BOTH.sent, `< 462-789[${PLACES}]`, ...BOTH.got],
  'broken: a packet before the handshake': ['> 4abc', '< closed'],
  'broken: an unknown type': [...join(), '> 4abc', '< closed'],
  'broken: an invalid payload': [...join(), '> 42{}', '< closed'],
  'broken: an invalid ack id': [...join(), '> 42abc["message-with-ack",1,"2",{"3":[false]}]', '< closed']
}

t.test('Socket.IO', async t => {
  const servers = await start(t, echoEvents, QUIET)
  for (const [name, script] of Object.entries(conversations)) await t.test(name, async t => { await holdAll(t, servers, script) })
  await t.test('unknown namespace: refused by all, by us with a code', async t => {
    const message = 'the instance "random" was never set: PUT /instance/random/websocket with {"enabled":true} first'
    const data = { code: 'FST_ERR_WS_EVENTS_NOT_SET', statusCode: 404, message, retry: true }
    const [reference, ...ours] = servers as [Spoken, ...Spoken[]]
    await holdAll(t, [reference], ['> 40/random', '< 44/random,{"message":"Invalid namespace"}'])
    await holdAll(t, ours, ['> 40/random', `< 44/random,${JSON.stringify({ message, data })}`])
  })
})

t.test('Socket.IO: a client of the root that has left it is still pinged', async t => {
  const servers = await start(t, echoEvents, PATIENT)
  await sameFromAll(t, servers, async ({ port }) => {
    const client = await RawWebSocket.open(port)
    await client.next()
    await client.send('40')
    const said: string[] = []
    // A ping may come before it is in. One that leaves before it is in is cut off.
    while (!said.includes('42["auth",{}]')) said.push(withoutIds(await client.next()))
    await client.send('41')
    if (said.includes('2')) await client.send('3')
    const ping = await client.next()
    await client.leave()
    return [...said.filter(line => line !== '2'), ping]
  }, ['40{"sid":"SID"}', '42["auth",{}]', '2'])
})

t.test('Socket.IO: no handshake closes the connection', async t => {
  const servers = await start(t, echoEvents, { ...QUIET, connectTimeout: 300 })
  await holdAll(t, servers, ['< closed'])
})
