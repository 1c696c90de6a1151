import { once } from 'node:events'
import { mock } from 'node:test'
import type { Socket } from 'socket.io-client'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { WsEventsOptions } from '../../lib/index.js'
import { admitted, connect, listen, transports, type Transport } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { openClient, outcomeOf } from '../helpers/outcome.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { cameBack, enabled, hear, reached, UNLIMITED } from './setup.js'

// An address is held to its refusals: by limits.refusalsPerMinute, from one turn of a minute to the next.

const MINUTE = 60_000
const ONE = '198.51.100.1'
const ANOTHER = '198.51.100.2'

/**
 * A clock of the test's own, in ms, which stands still: that of the server, which counts minutes by the monotonic one.
 * Whole, or a minute later could be a bit less than that.
 */
let clock = Math.ceil(performance.now())

async function startHolding (t: Test, refusalsPerMinute: number, options: WsEventsOptions = {}): Promise<TestServer> {
  const { mock: stopped } = mock.method(performance, 'now', () => clock)
  t.teardown(() => { stopped.restore() })
  return await startServer(t, { ...enabled, trustProxy: true, apikey: 'good', limits: { ...UNLIMITED, refusalsPerMinute }, ...options })
}

const optionsOf = (transport: Transport, address: string, apikey: string) =>
  ({ transports: [transport], auth: { apikey }, extraHeaders: { 'x-forwarded-for': address } })

/** What becomes of a client that tries once: `in`, a code, or `comes back`. */
async function attempt (t: Test, { url }: TestServer, transport: Transport, address: string, apikey: string, instance = 'acme'): Promise<string> {
  const socket = openClient(`${url}/${instance}`, transport, optionsOf(transport, address, apikey))
  t.teardown(() => { socket.disconnect() })
  const { word } = await outcomeOf(socket)
  socket.disconnect()
  return word
}

for (const transport of transports) {
  t.test(`over ${transport}, an address that was refused so often is sent away for the rest of the minute, with a good key too, and no other is`, async t => {
    const server = await startHolding(t, 3)
    const inside = await listen(t, `${server.url}/acme`, optionsOf(transport, ONE, 'good'))
    for (let time = 0; time < 3; time++) t.equal(await attempt(t, server, transport, ONE, 'bad'), 'FORBIDDEN')
    t.strictSame(reached(server), {})
    t.equal(await attempt(t, server, transport, ONE, 'bad'), 'comes back', 'it does not learn whether its key is right')
    t.equal(await attempt(t, server, transport, ONE, 'good'), 'comes back')
    t.strictSame(reached(server), { refusalsPerMinute: 2 })
    t.equal(await attempt(t, server, transport, ANOTHER, 'good'), 'in')
    t.equal(await attempt(t, server, transport, ANOTHER, 'bad'), 'FORBIDDEN')
    await hear(t, server, 'acme', [inside.inbox])
    t.ok(inside.socket.connected, 'who is in stays')
  })

  t.test(`over ${transport}, a client with a good key that was sent away is in when the minute is over`, async t => {
    const server = await startHolding(t, 1)
    t.equal(await attempt(t, server, transport, ONE, 'bad'), 'FORBIDDEN')
    const socket: Socket = connect(t, `${server.url}/acme`, optionsOf(transport, ONE, 'good'))
    t.equal((await outcomeOf(socket)).word, 'comes back')
    clock += MINUTE
    await (socket.connected ? admitted(socket) : cameBack(socket))
    t.equal(await attempt(t, server, transport, ONE, 'bad'), 'FORBIDDEN', 'and so are those that may be refused')
    t.equal(await attempt(t, server, transport, ONE, 'good'), 'comes back')
  })

  t.test(`over ${transport}, clients that are let in count for nothing, however many`, async t => {
    const server = await startHolding(t, 1)
    for (let time = 0; time < 10; time++) t.equal(await attempt(t, server, transport, ONE, 'good'), 'in')
    t.strictSame(reached(server), {})
    t.strictSame(server.fastify.wsEvents.stats().clients.refused, {})
  })

  t.test(`over ${transport}, with 0 an address may be refused for ever`, async t => {
    const server = await startHolding(t, 0)
    for (let time = 0; time < 20; time++) t.equal(await attempt(t, server, transport, ONE, 'bad'), 'FORBIDDEN')
    t.equal(await attempt(t, server, transport, ONE, 'good'), 'in')
  })
}

t.test('every final refusal counts, not only that of a key', async t => {
  const refusals: Record<string, [WsEventsOptions, instance: string]> = {
    NOT_SET: [{ defaultConfig: undefined }, 'acme'],
    INSTANCE_DISABLED: [{ defaultConfig: { enabled: false } }, 'acme'],
    GLOBAL_DISABLED: [{}, ''],
    INVALID_NAME: [{}, `${'x'.repeat(101)}`]
  }
  for (const [code, [options, instance]] of Object.entries(refusals)) {
    const server = await startHolding(t, 1, options)
    t.equal(await attempt(t, server, 'websocket', ONE, 'good', instance), code)
    t.equal(await attempt(t, server, 'websocket', ONE, 'good', instance), 'comes back', code)
  }
})

t.test("what is the server's own fault counts for nobody: an outage locks no address out", async t => {
  let isAway = true
  const verify = () => {
    if (isAway) throw new Error('the database is away')
    return true
  }
  const server = await startHolding(t, 1, { verify })
  for (let time = 0; time < 3; time++) t.equal(await attempt(t, server, 'websocket', ONE, 'mine'), 'comes back')
  t.strictSame(server.fastify.wsEvents.stats().clients.refused, { VERIFY_FAILED: 3 })
  isAway = false
  t.equal(await attempt(t, server, 'websocket', ONE, 'mine'), 'in')
  await eventually(() => server.fastify.wsEvents.stats().clients.connections === 0)
})

/** Joins namespaces over one connection, one after the other, and leaves. Resolves to how each was answered. */
async function joinEach ({ url, fastify }: TestServer, address: string, namespaces: readonly string[]): Promise<string[]> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&apikey=good`, { headers: { 'x-forwarded-for': address } })
  await once(socket, 'message')
  const answers: string[] = []
  for (const namespace of namespaces) {
    socket.send(`40${namespace}`)
    const [answer] = await once(socket, 'message') as [Buffer]
    answers.push(String(answer).slice(0, 2 + namespace.length))
  }
  socket.close()
  await eventually(() => fastify.io.engine.clientsCount === 0)
  return answers
}

t.test('the root of traditional mode, which Socket.IO 2 and Python clients join unasked, counts only for those who join nothing else', async t => {
  const server = await startHolding(t, 2)
  for (let time = 0; time < 3; time++) {
    t.strictSame(await joinEach(server, ONE, ['', '/acme,']), ['44', '40/acme,'], 'Socket.IO 2 joins it first')
    t.strictSame(await joinEach(server, ONE, ['/acme,', '']), ['40/acme,', '44'], 'others join it afterwards')
  }
  t.equal(await attempt(t, server, 'websocket', ONE, 'good'), 'in')
  t.equal(server.fastify.wsEvents.stats().clients.refused.GLOBAL_DISABLED, 6)
  t.strictSame(reached(server), {})
  for (let time = 0; time < 2; time++) t.strictSame(await joinEach(server, ANOTHER, ['']), ['44'])
  t.equal(await attempt(t, server, 'websocket', ANOTHER, 'good'), 'comes back')
})
