import type { Socket as ServerSocket } from 'socket.io'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { errors, type VerifyAnswer, type WsEventsOptions } from '../lib/index.js'
import type { EventLog } from '../lib/log/event-log.js'
import { memoryStore } from '../lib/stores/memory/index.js'
import type { Store } from '../lib/stores/store.js'
import { connect, disconnected, listen, refused } from './helpers/client.js'
import { read, section } from './helpers/documents.js'
import { eventually, latch } from './helpers/latch.js'
import { type LogLine, recordLog } from './helpers/log.js'
import { startNetwork } from './helpers/network.js'
import { resume } from './helpers/resume.js'
import { startServer, type TestServer } from './helpers/server.js'
import { writeNoPid } from './helpers/stock.js'

// docs/metrics.md has a table of the lines of the log: each is brought about here, and compared with its row.

const LEVELS: Readonly<Record<string, number>> = { debug: 20, info: 30, warn: 40, error: 50 }
/** What pino and the child logger put into each line. */
const COMMON = ['level', 'time', 'pid', 'hostname', 'plugin', 'msg']
const ADDRESS = '127.0.0.1'
const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }

/** Lines of all servers of this file. */
const seen: LogLine[] = []

interface Logged extends TestServer {
  readonly lines: readonly LogLine[]
  /** Resolves to the first line of a text. */
  readonly line: (msg: RegExp) => Promise<LogLine>
}

async function start (t: Test, options: WsEventsOptions = {}): Promise<Logged> {
  const { lines, fastify } = recordLog('debug')
  const server = await startServer(t, { ...enabled, ...options }, { fastify })
  t.teardown(() => { seen.push(...lines.filter(({ plugin }) => plugin === 'fastify-ws-events')) })
  return { ...server, lines, line: async msg => await eventually(() => lines.find(line => msg.test(line.msg))) }
}

/** A store whose log does some things in its own way. */
function storeWith (changed: (log: EventLog) => Partial<EventLog>): Store {
  const store = memoryStore()
  return {
    ...store,
    async open (options) {
      const opened = await store.open(options)
      const changes = changed(opened.log)
      const log = new Proxy(opened.log, {
        get (target, name) {
          const value: unknown = Reflect.get(name in changes ? changes : target, name)
          return typeof value === 'function' ? value.bind(target) : value
        }
      })
      return { ...opened, log, close: async () => { await opened.close() } }
    }
  }
}

t.test('a client that comes and goes', async t => {
  const { url, line } = await start(t)
  const { socket } = await listen(t, `${url}/acme`)
  t.match(await line(/^client connected/), { level: LEVELS.debug, instance: 'acme', address: ADDRESS })
  socket.disconnect()
  t.match(await line(/^client disconnected/), { level: LEVELS.debug, instance: 'acme', address: ADDRESS, reason: 'client namespace disconnect' })
})

t.test('a client that asks for its namespace twice', async t => {
  const checks = latch()
  let asked = 0
  const { port, line } = await start(t, { verify: async () => { asked++; await checks.opened; return true } })
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  t.teardown(() => { socket.terminate() })
  socket.once('message', () => { for (let time = 0; time < 2; time++) socket.send('40/acme,{"apikey":"a-key"}') })
  await eventually(() => asked === 2)
  checks.open()
  t.match(await line(/^client disconnected/), { instance: 'acme', reason: 'replaced' })
})

t.test('clients that are refused', async t => {
  const { url, line } = await start(t, { apikey: 'the-key' })
  await refused(connect(t, `${url}/acme`, { auth: { apikey: 'another-key' } }))
  t.match(await line(/^client refused/), { level: LEVELS.info, code: 'FST_ERR_WS_EVENTS_FORBIDDEN', instance: 'acme', address: ADDRESS })
  const other = await start(t)
  await refused(connect(t, `${other.url}/${'x'.repeat(101)}?apikey=another-key`))
  const { instance } = await other.line(/^client refused/)
  t.equal(instance, `${'x'.repeat(60)}…`)
})

t.test('a function for the global key that fails', async t => {
  const { url, line } = await start(t, { apikey: () => { throw new Error('the vault is away') } })
  connect(t, `${url}/acme`, { auth: { apikey: 'a-key' } })
  t.match(await line(/^the option apikey failed/), { level: LEVELS.error, instance: 'acme', address: ADDRESS })
})

t.test('keys that are asked for again', async t => {
  let answer: () => VerifyAnswer = () => ({ ttl: 10 })
  const { url, line } = await start(t, { verify: () => answer() })
  await listen(t, `${url}/acme`, { auth: { apikey: 'a-key' }, reconnection: false })
  answer = () => { throw new Error('the database is away') }
  t.match(await line(/^API key could not be checked again/), { code: 'FST_ERR_WS_EVENTS_VERIFY_FAILED', instance: 'acme', address: ADDRESS })
  t.match(await line(/^the option verify failed/), { level: LEVELS.error, instance: 'acme', address: ADDRESS })
  answer = () => ({ ttl: 10 })
  const { socket } = await listen(t, `${url}/acme`, { auth: { apikey: 'a-key' } })
  const ended = disconnected(socket)
  answer = () => false
  await ended
  t.match(await line(/^API key revoked/), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', instance: 'acme', address: ADDRESS })
})

t.test('a client that sends too much', async t => {
  const { url, line } = await start(t, { limits: { inboundPerSecond: 1, namespacesPerConnection: 0 } })
  const { socket } = await listen(t, `${url}/acme`, { reconnection: false })
  for (let sent = 0; sent < 20; sent++) socket.emit('noise')
  t.match(await line(/^client sends more/), { level: LEVELS.info, code: 'FST_ERR_WS_EVENTS_LIMIT_REACHED', instance: 'acme', address: ADDRESS })
})

t.test('a client that reads too slowly', async t => {
  const { url, port, line, fastify } = await start(t, { limits: { queuedBytes: 200_000 } })
  const network = await startNetwork(t, port)
  await listen(t, `${network.url}/acme`, { reconnection: false })
  const { inbox } = await listen(t, `${url}/acme`)
  network.stall()
  for (let sent = 1; fastify.wsEvents.stats().delivery.slowConsumers === 0; sent++) {
    await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(100_000))
    await inbox.got(sent)
  }
  const slow = await line(/^slow consumer disconnected/)
  t.match(slow, { level: LEVELS.warn, instances: ['acme'], address: ADDRESS })
  t.ok(Number(slow.queuedBytes) > 200_000)
})

t.test('a client at the root that hears nothing', async t => {
  const { url, line } = await start(t, { evolution: true })
  await listen(t, url)
  t.match(await line(/^a client joined the root/), { level: LEVELS.warn, instance: null, address: ADDRESS })
})

t.test('a client that could not be checked', async t => {
  const { url, line } = await start(t, { apikey: 'the-key', trustProxy: () => { throw new Error('a mistake') } })
  connect(t, `${url}/acme`, { auth: { apikey: 'the-key' }, extraHeaders: { 'x-forwarded-for': '198.51.100.1' }, reconnection: false })
  t.match(await line(/^client could not be checked/), { level: LEVELS.error, code: 'FST_ERR_WS_EVENTS_VERIFY_FAILED', instance: 'acme', err: { message: 'a mistake' } })
})

t.test("listeners of the application's that fail", async t => {
  const { url, line, fastify } = await start(t, { globalEvents: true, fastPath: false })
  fastify.io.on('connection', (socket: ServerSocket) => {
    socket.onAnyOutgoing((event: string) => { if (event === 'call') throw new Error('of an outgoing listener') })
  })
  const { socket } = await listen(t, url, { reconnection: false })
  await fastify.wsEvents.emit('acme', 'chats.set', 1)
  const ended = disconnected(socket)
  await fastify.wsEvents.emit('acme', 'call', 1)
  await ended
  t.match(await line(/^event could not be written/), { level: LEVELS.error, instances: [null], address: ADDRESS, err: { message: 'of an outgoing listener' } })

  const other = await start(t)
  other.fastify.io.on('new_namespace', namespace => {
    namespace.on('connection', (socket: ServerSocket) => { socket.on('disconnect', () => { throw new Error('of a listener') }) })
  })
  await listen(t, `${other.url}/acme`)
  await other.fastify.wsEvents.disconnect({ instance: 'acme' })
  t.match(await other.line(/^a listener of the application/), { level: LEVELS.error, instance: 'acme', address: ADDRESS, err: { message: 'of a listener' } })
})

t.test('a past that cannot be read, and one that is dropped meanwhile', async t => {
  let pages = 0
  const { url, line, fastify } = await start(t, {
    store: storeWith(log => ({
      read (stream, after) {
        if (after === 'broken') return Promise.reject(new Error('the disk is broken'))
        return pages++ === 0 ? log.read(stream, after, 1) : 'gap'
      }
    }))
  })
  await listen(t, `${url}/acme`)
  const { id } = await fastify.wsEvents.emit('acme', 'call', 0)
  for (let event = 1; event < 4; event++) await fastify.wsEvents.emit('acme', 'call', event)
  connect(t, `${url}/acme`, { auth: { lastEventId: 'broken' }, reconnection: false })
  t.match(await line(/^history could not be read/), { level: LEVELS.error, instance: 'acme', address: ADDRESS, err: { message: 'the disk is broken' } })
  connect(t, `${url}/acme`, { auth: { lastEventId: id }, reconnection: false })
  t.match(await line(/^history was dropped/), { level: LEVELS.info, instance: 'acme', address: ADDRESS })
})

t.test('clients that cannot be told where they stand', async t => {
  let isBroken = false
  const { url, line } = await start(t, {
    retention: { maxAge: 40 },
    store: storeWith(log => ({
      head (stream) {
        if (isBroken) throw new Error('the disk is broken')
        return log.head(stream)
      }
    }))
  })
  await resume(t, `${url}/acme`, '')
  isBroken = true
  t.match(await line(/^offset notices/), { level: LEVELS.error })
})

t.test('an event that was not emitted, and a store that does not take what was', async t => {
  const { line, fastify } = await start(t, { store: storeWith(() => ({ drained: () => Promise.reject(new Error('the store is away')) })) })
  await t.rejects(fastify.wsEvents.emit('acme', 'cal', { secret: 'data' }))
  const line1 = await line(/^an event was not emitted/)
  t.match(line1, { level: LEVELS.error, instance: 'acme', event: 'cal', err: { code: 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT' } })
  t.notMatch(JSON.stringify(line1), 'secret')
  await fastify.wsEvents.set('acme', { enabled: false })
  t.match(await line(/^config changed/), { level: LEVELS.warn, instance: 'acme' })
  await fastify.close()
  t.match(await line(/^the server is closed/), { level: LEVELS.warn, available: true, pendingEvents: 0, pendingBytes: 0 })
})

t.test('handlers that fail', async t => {
  const { url, line, fastify } = await start(t)
  fastify.wsEvents.handle('breaks', { handler: () => { throw new Error('a mistake') } })
  fastify.wsEvents.handle('refuses', { handler: () => { throw new errors.FORBIDDEN('this') } })
  // As a tool that traces sockets may do.
  const patch = (socket: object): void => { Object.assign(socket, { packet () { throw new Error('a mistake') } }) }
  fastify.wsEvents.handle('answers', { handler: ({ socket }) => { patch(socket) } })
  const { socket } = await listen(t, `${url}/acme`)
  await socket.emitWithAck('refuses', 'data')
  t.match(await line(/^a handler has failed/), { level: LEVELS.info, instance: 'acme', event: 'refuses' })
  await socket.emitWithAck('breaks', 'data')
  socket.emit('answers', 'data', () => {})
  t.match(await line(/^a message of a client could not be acknowledged/), { level: LEVELS.error, instance: 'acme', address: ADDRESS, event: 'answers' })
})

t.test('a fast path that cannot be used is told of once, with why', async t => {
  const count = (lines: readonly LogLine[]): number => lines.filter(({ msg }) => msg.startsWith('the fast path is off')).length
  const { lines: compressed, fastify: logging } = recordLog('debug')
  t.teardown(() => { seen.push(...compressed.filter(({ plugin }) => plugin === 'fastify-ws-events')) })
  const { fastify, url } = await startServer(t, { ...enabled, socketio: { perMessageDeflate: true } }, { fastify: logging })
  // What polls is the client's own choice, and moves on by itself.
  const { inbox: polled } = await listen(t, `${url}/acme`, { transports: ['polling'] })
  await fastify.wsEvents.emit('acme', 'call', 1)
  await polled.got(1)
  t.equal(count(compressed), 0)
  const clients = [await listen(t, `${url}/acme`, { transports: ['websocket'] }), await listen(t, `${url}/acme`, { transports: ['websocket'] })]
  for (const data of [2, 3]) await fastify.wsEvents.emit('acme', 'call', data)
  for (const { inbox } of clients) await inbox.got(2)
  t.equal(count(compressed), 1)
  t.match(compressed.find(({ msg }) => msg.startsWith('the fast path is off')), { level: LEVELS.warn, why: /perMessageDeflate/ })

  // Another parser is known before anybody connects.
  class Encoder { encode (packet: object): unknown[] { return [JSON.stringify(packet)] } }
  class Decoder {}
  const parser = { Encoder, Decoder }
  const { line } = await start(t, { socketio: { parser } as never })
  t.match(await line(/^the fast path is off/), { level: LEVELS.warn, why: /parser/ })
  // Who has switched it off knows.
  const { lines: off, fastify: silent } = recordLog('debug')
  await startServer(t, { ...enabled, fastPath: false, socketio: { parser } as never }, { fastify: silent })
  t.equal(count(off), 0)
})

t.test('a stockResume without effect is logged, with the reason', async t => {
  writeNoPid(t)
  const { url, line } = await start(t, { stockResume: true })
  await listen(t, `${url}/acme`)
  t.match(await line(/^the option stockResume has no effect/), { level: LEVELS.warn, why: /CONNECT packet/ })
})

t.test('skipped and refused webhooks are logged', async t => {
  const { url, line } = await start(t, { evolution: true })
  const at = `${url}/webhook/evolution`
  const post = async (body: string): Promise<void> => { await (await fetch(at, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).text() }
  const webhook = (parts: object): string => JSON.stringify({ event: 'call', instance: 'acme', data: null, date_time: '2026-01-02T03:04:05.678Z', ...parts })
  await post(webhook({ event: 'no.such.event' }))
  t.match(await line(/^webhooks with an event that/), { level: LEVELS.warn, event: 'no.such.event' })
  await post(webhook({ instance: 'a/b' }))
  t.match(await line(/^webhooks of an instance whose name/), { level: LEVELS.warn, instance: 'a/b' })
  await post(webhook({ event: 'instance.delete' }))
  await post(webhook({ date_time: '2026-01-02T03:04:04.678Z' }))
  t.match(await line(/^webhooks from before the removal/), { level: LEVELS.warn, instance: 'acme' })
  await post('{')
  t.match(await line(/^a webhook was refused/), { level: LEVELS.warn })
  await (await fetch(at)).text()
  t.match(await line(/^a webhook came as GET/), { level: LEVELS.warn })
})

t.test('webhooks and events over HTTP that are refused for their key, once a minute for an address', async t => {
  const { url, line, lines } = await start(t, { evolution: true, trustProxy: '127.0.0.1', apikey: 'the-key', verify: ({ apikey }) => apikey !== null && { publish: true, instances: ['other'] } })
  const post = async (path: string, apikey: string, address: string): Promise<number> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address, ...(apikey !== '' && { apikey }) },
      body: JSON.stringify({ event: 'call', instance: 'acme', data: null, date_time: '2026-01-02T03:04:05.678Z' })
    })
    await response.text()
    return response.status
  }
  const refusals = (lines: readonly LogLine[]): LogLine[] => lines.filter(({ msg }) => msg.startsWith('publishing refused'))
  for (let time = 0; time < 3; time++) t.equal(await post('/webhook/evolution/call', '', '198.51.100.1'), 401)
  t.match(await line(/^publishing refused/), { level: LEVELS.warn, code: 'FST_ERR_WS_EVENTS_UNAUTHORIZED', route: '/webhook/evolution/:event', instance: null, address: '198.51.100.1' })
  t.equal(await post('/webhook/evolution', 'another-key', '198.51.100.2'), 403, 'its body names an instance that the key may not publish for')
  t.equal(await post('/webhook/evolution', 'the-key', '198.51.100.3'), 200)
  t.match(refusals(lines).map(({ address, instance, code }) => [address, instance, code]), [
    ['198.51.100.1', null, 'FST_ERR_WS_EVENTS_UNAUTHORIZED'],
    ['198.51.100.2', 'acme', 'FST_ERR_WS_EVENTS_FORBIDDEN']
  ])
})

t.test('a store without idempotency keys', async t => {
  const { line } = await start(t, { evolution: true, store: storeWith(() => ({ appendOnce: undefined } as never)) })
  t.match(await line(/^the store keeps no idempotency keys/), { level: LEVELS.warn })
})

t.test('in production, level info, a server is quiet about clients that come and go', async t => {
  const { lines, fastify: logging } = recordLog()
  const { fastify, url } = await startServer(t, enabled, { fastify: logging })
  const { socket, inbox } = await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', 1)
  await inbox.got(1)
  socket.disconnect()
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0)
  t.strictSame(lines.filter(({ plugin, msg }) => plugin === 'fastify-ws-events' && !msg.includes('kept in memory')), [])
})

const rowsOf = (text: string): RegExpExecArray[] => [...text.matchAll(/^\| (debug|info|warn|error) \| (.*?) \| (?:(.*) )?\|$/gm)]

t.test('the document has each line, with its level and its fields', async t => {
  const rows = rowsOf(section(read('docs/metrics.md'), '## Logs'))
    .map(([, level = '', msg = '', fields = '']) => ({ level: LEVELS[level], msg, fields: fields.replaceAll('`', '').split(', ').filter(name => name !== '').toSorted() }))
  const shown = ({ level, msg }: { level: number | undefined, msg: string }) => `${level} ${msg}`
  const lines = seen.filter(({ msg }) => !msg.includes('are kept in memory'))
  t.strictSame(new Set(lines.map(shown)), new Set(rows.map(shown)), 'the lines that there were are those of the document')
  for (const line of lines) {
    const row = rows.find(row => shown(row) === shown(line))
    t.strictSame(Object.keys(line).filter(key => !COMMON.includes(key)).toSorted(), row?.fields, shown(line))
  }
  // Each key that was used here has these letters in it.
  for (const line of lines) t.notMatch(JSON.stringify(line), /(a|the|another)-key/)
  t.strictSame(rowsOf(read('docs/metrics.pt-BR.md')).map(row => [...row]), rowsOf(read('docs/metrics.md')).map(row => [...row]), 'and the Portuguese page quotes the same')
})
