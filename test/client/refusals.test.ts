import t from 'tap'
import '../../lib/gateway/io.js'
import type { ClientError } from '../../lib/client/index.js'
import type { Refusal } from '../../lib/index.js'
import { disconnected, refused, transports } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { PREFIX } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'
import { enabled, nextReady, read, readyOf, startFake } from './setup.js'

/** Resolves when a client has been refused so many times more, to what it was told. */
async function refusals (socket: Parameters<typeof refused>[0], count: number): Promise<string[]> {
  const codes: string[] = []
  while (codes.length < count) codes.push((await refused(socket)).code)
  return codes
}

for (const transport of transports) {
  t.test(`over ${transport}, who is refused until an instance is set gets in when it is`, async t => {
    const { fastify, url } = await startServer(t)
    const reader = read(t, `${url}/acme`, { transports: [transport] })
    t.strictSame(await refusals(reader.events.socket, 3), Array(3).fill(`${PREFIX}NOT_SET`))
    const ready = nextReady(reader)
    await fastify.wsEvents.set('acme', { enabled: true })
    t.equal((await ready).recovered, null)
    void fastify.wsEvents.emit('acme', 'call', 1)
    t.strictSame(await reader.got(1), [1])
    const errors = reader.errors as ClientError[]
    t.match(errors, [{ data: { code: `${PREFIX}NOT_SET`, retry: true } }], 'told once, however often it was refused')
    t.equal(errors.length, 1)
    // Once more, since it was in meanwhile.
    await Promise.all([disconnected(reader.events.socket), fastify.wsEvents.remove('acme')])
    reader.events.socket.connect()
    await refusals(reader.events.socket, 2)
    t.equal(errors.filter(({ data }) => data?.code === `${PREFIX}NOT_SET`).length, 2)
  })
}

t.test('a final refusal is told, and there is no further try, until the application says so', async t => {
  let asked = 0
  const { url } = await startServer(t, { ...enabled, verify: () => { asked++; return asked > 1 } })
  const reader = read(t, `${url}/acme`, { apikey: 'key', reconnectionDelay: 1, retryDelayMax: 1 })
  const [error] = await eventually(() => reader.errors.length > 0 && reader.errors) as ClientError[]
  t.match(error?.data, { code: `${PREFIX}FORBIDDEN`, statusCode: 403, retry: false } satisfies Partial<Refusal>)
  t.notOk(reader.events.socket.active)
  const other = read(t, `${url}/acme`, { apikey: 'key' })
  await nextReady(other)
  other.events.socket.io.engine.close()
  await nextReady(other)
  t.equal(asked, 3, 'others have come and come back meanwhile')
  t.equal(reader.errors.length, 1)
  const ready = nextReady(reader)
  reader.events.socket.connect()
  t.equal((await ready).recovered, null)
})

t.test('who is sent away is told, and stays away', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const reader = read(t, `${url}/acme`, { apikey: undefined, reconnectionDelay: 1, retryDelayMax: 1 })
  await nextReady(reader)
  const left = disconnected(reader.events.socket)
  await fastify.wsEvents.disconnect({ instance: 'acme' })
  t.equal(await left, 'io server disconnect')
  t.match(reader.errors, [{ message: 'the server has sent this client away' }])
  const other = read(t, `${url}/acme`)
  await nextReady(other)
  t.strictSame(fastify.wsEvents.stats().clients.admitted, 2)
  t.notOk(reader.events.socket.active)
})

t.test('who comes back by itself is not told to anybody', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const reader = read(t, `${url}/acme`)
  await nextReady(reader)
  await fastify.close()
  await new Promise(resolve => { reader.events.socket.once('connect_error', resolve) })
  t.strictSame(reader.errors, [])
})

t.test('tries after refusals are as many as socket.io-client is told to make', async t => {
  const { url } = await startServer(t)
  for (const [options, tries] of [[{ reconnection: false }, 1], [{ reconnectionAttempts: 2 }, 3]] as const) {
    const reader = read(t, `${url}/acme`, options)
    let refusals = 0
    reader.events.socket.on('connect_error', () => { refusals++ })
    // Told of the first refusal, and of the last, after which it gives up.
    const told = Math.min(tries, 2)
    await eventually(() => refusals === tries && reader.errors.length === told)
    t.match(reader.errors, Array(told).fill({ data: { code: `${PREFIX}NOT_SET`, retry: true } }))
  }
})

t.test('the distance between tries grows up to a limit, and begins anew after a success', async t => {
  let connects = 0
  const { url } = await startFake(t, socket => { socket.emit('ws.ready', readyOf(null, 'a0')) }, () => ++connects < 9 || connects === 10)
  const { random } = Math
  const { setTimeout } = globalThis
  t.teardown(() => {
    Object.assign(Math, { random })
    Object.assign(globalThis, { setTimeout })
  })
  Object.assign(Math, { random: () => 0.99 })
  // What it waits by the clock depends on how busy the machine is; what it asks for does not.
  const asked: number[] = []
  const record = (run: () => void, ms: number, ...args: []): unknown => {
    asked.push(ms)
    return setTimeout(run, ms, ...args)
  }
  Object.assign(globalThis, { setTimeout: Object.assign(record, setTimeout) })
  const growing = [8, 16, 32, 64, 128, 256, 512, 600].map(ms => ms * 1.99 / 2)
  const reader = read(t, url, { reconnectionDelay: 8, retryDelayMax: 600 })
  await nextReady(reader)
  t.strictSame(asked.filter(ms => growing.includes(ms) || (ms > 600 && ms < 1100)), growing, 'and not 1024 ms')
  asked.length = 0
  reader.events.socket.io.engine.close()
  await nextReady(reader)
  t.ok(asked.includes(8 * 1.99 / 2), 'and not 600 ms')
  t.notOk(asked.includes(600 * 1.99 / 2), 'and not 600 ms')
})

t.test('a key that is renewed is asked for at each connect', async t => {
  const keys: unknown[] = []
  const { url } = await startServer(t, { ...enabled, verify: ({ apikey }) => { keys.push(apikey); return true } })
  let asked = 0
  const reader = read(t, `${url}/acme`, { apikey: async () => `token ${++asked}` })
  await nextReady(reader)
  reader.events.socket.io.engine.close()
  await nextReady(reader)
  t.strictSame(keys, ['token 1', 'token 2'])
})

t.test('a key that cannot be had is told, and asked for again', async t => {
  const { url } = await startServer(t, enabled)
  const cause = new Error('the token server is away')
  let asked = 0
  const apikey = () => { if (++asked < 3) throw cause; return '' }
  const reader = read(t, `${url}/acme`, { apikey })
  t.equal((await nextReady(reader)).recovered, null)
  t.equal(asked, 3)
  t.strictSame(reader.errors.map(error => error.cause), [cause, cause])
})

t.test('of two answers about the key only that for the present connection counts', async t => {
  let asked = 0
  const first = latch()
  const { io, url } = await startFake(t, socket => { socket.emit('ws.ready', readyOf(null, 'a0')) })
  io.engine.once('connection', (connection: { close: () => void }) => { connection.close() })
  const apikey = async () => {
    if (++asked === 1) await first.opened
    return `${asked}`
  }
  const reader = read(t, url, { apikey })
  const ends: string[] = []
  reader.events.socket.on('disconnect', reason => { ends.push(reason) })
  // The next connection is being opened then.
  reader.events.socket.io.once('reconnect_attempt', first.open)
  let joined = 0
  io.of('/acme').use((socket, next) => {
    joined++
    setImmediate(next)
  })
  await nextReady(reader)
  t.strictSame([asked, joined, ends], [2, 1, ['transport close']])
})

t.test('who is closed while the key is asked for does not come in', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const key = latch()
  const asked = latch()
  const stays = read(t, `${url}/other`, { forceNew: false })
  await nextReady(stays)
  const { events } = read(t, `${url}/acme`, { forceNew: false, apikey: async () => { asked.open(); await key.opened; return '' } })
  await asked.opened
  events.close()
  key.open()
  await key.opened
  void fastify.wsEvents.emit('other', 'call', 1)
  await stays.got(1)
  t.equal(fastify.wsEvents.stats().clients.admitted, 1)
})

t.test('what the application and the client do at once is one try', async t => {
  const { fastify, url } = await startServer(t)
  const stays = read(t, `${url}/other`, { forceNew: false })
  await fastify.wsEvents.set('other', { enabled: true })
  await nextReady(stays)
  const keys = [latch(), latch()] as const
  let asked = 0
  const apikey = async () => {
    await keys[asked++ - 1]?.opened
    return ''
  }
  const reader = read(t, `${url}/acme`, { forceNew: false, apikey, reconnectionDelay: 1, retryDelayMax: 1 })
  await refused(reader.events.socket)
  await fastify.wsEvents.set('acme', { enabled: true })
  reader.events.socket.connect()
  const other = read(t, `${url}/other`)
  await nextReady(other)
  t.equal(asked, 2, 'the try that was to come did not')
  reader.events.socket.disconnect().connect()
  await eventually(() => asked === 3)
  const ready = nextReady(reader)
  keys[0].open()
  keys[1].open()
  await ready
  void fastify.wsEvents.emit('acme', 'call', 1)
  await reader.got(1)
  void fastify.wsEvents.emit('other', 'call', 2)
  await stays.got(1)
  t.equal(fastify.wsEvents.stats().clients.admitted, 3)
  t.equal(asked, 3)
})

t.test('no handler is called after close(), also not of the message that one of them closes it for', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const { events } = read(t, `${url}/acme`)
  const called: string[] = []
  const closed = new Promise<void>(resolve => {
    events.on('call', () => {
      called.push('first')
      events.close()
      resolve()
    })
  })
  events.on('call', () => { called.push('second') })
  const joined = new Promise(resolve => { events.socket.once('ws.ready', resolve) })
  await joined
  await fastify.wsEvents.emit('acme', 'call', 1)
  await closed
  t.strictSame(called, ['first'])
})
