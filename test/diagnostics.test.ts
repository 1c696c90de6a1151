import { AsyncLocalStorage } from 'node:async_hooks'
import diagnostics from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import type { DiagnosticsMessages, EmitTrace } from '../lib/index.js'
import { connect, disconnected, listen, refused } from './helpers/client.js'
import { read, section } from './helpers/documents.js'
import { eventually } from './helpers/latch.js'
import { startNetwork } from './helpers/network.js'
import { startServer } from './helpers/server.js'

const KEY = 'a-key-that-is-secret'
const ADDRESS = '127.0.0.1'
const enabled = { defaultConfig: { enabled: true } }

/** Collects what a channel tells while a test runs. */
function hear<Name extends keyof DiagnosticsMessages> (t: Test, name: Name): Array<DiagnosticsMessages[Name]> {
  const heard: Array<DiagnosticsMessages[Name]> = []
  const listener = (message: unknown) => { heard.push(message as DiagnosticsMessages[Name]) }
  diagnostics.subscribe(name, listener)
  t.teardown(() => { diagnostics.unsubscribe(name, listener) })
  return heard
}

const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const

/** Collects what the channels of an emit tell: at each step, a copy of the trace. */
function hearEmits (t: Test): Array<EmitTrace & { step: string }> {
  const heard: Array<EmitTrace & { step: string }> = []
  for (const step of STEPS) {
    const name = `tracing:fastify-ws-events:emit:${step}`
    const listener = (message: unknown) => { heard.push({ step, ...message as EmitTrace }) }
    diagnostics.subscribe(name, listener)
    t.teardown(() => { diagnostics.unsubscribe(name, listener) })
  }
  return heard
}

t.test('clients that come, go and are refused are told of', async t => {
  const connects = hear(t, 'fastify-ws-events:connect')
  const refusals = hear(t, 'fastify-ws-events:refuse')
  const disconnects = hear(t, 'fastify-ws-events:disconnect')
  const { url } = await startServer(t, { ...enabled, globalEvents: true, apikey: KEY })
  const { socket } = await listen(t, `${url}/acme`, { auth: { apikey: KEY } })
  const root = await listen(t, url, { auth: { apikey: KEY } })
  t.strictSame(connects, [{ instance: 'acme', address: ADDRESS }, { instance: null, address: ADDRESS }])
  await refused(connect(t, `${url}/acme`, { auth: { apikey: 'another-key' } }))
  await refused(connect(t, `${url}/a%00b`, { auth: { apikey: KEY } }))
  t.strictSame(refusals, [
    { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', instance: 'acme', address: ADDRESS },
    { code: 'FST_ERR_WS_EVENTS_INVALID_NAME', instance: 'a%00b', address: ADDRESS }
  ])
  socket.disconnect()
  await eventually(() => disconnects.length === 1)
  root.socket.io.engine.close()
  await eventually(() => disconnects.length === 2)
  t.strictSame(disconnects, [
    { instance: 'acme', address: ADDRESS, reason: 'client namespace disconnect' },
    { instance: null, address: ADDRESS, reason: 'transport close' }
  ])
})

t.test('a client that is sent away later is told of as refused', async t => {
  const refusals = hear(t, 'fastify-ws-events:refuse')
  let isRight = true
  const { url } = await startServer(t, { ...enabled, verify: () => isRight && { ttl: 10 } })
  const { socket } = await listen(t, `${url}/acme`, { auth: { apikey: KEY } })
  const ended = disconnected(socket)
  isRight = false
  await ended
  t.strictSame(refusals, [{ code: 'FST_ERR_WS_EVENTS_FORBIDDEN', instance: 'acme', address: ADDRESS }])
})

t.test('a client that reads too slowly is told of', async t => {
  const slow = hear(t, 'fastify-ws-events:slow')
  const { fastify, url, port } = await startServer(t, { ...enabled, limits: { queuedBytes: 200_000 } })
  const network = await startNetwork(t, port)
  await listen(t, `${network.url}/acme`, { reconnection: false })
  const { inbox } = await listen(t, `${url}/acme`)
  network.stall()
  for (let sent = 1; slow.length === 0; sent++) {
    await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(100_000))
    await inbox.got(sent)
  }
  t.match(slow, [{ instances: ['acme'], address: ADDRESS }])
  t.ok((slow[0]?.queuedBytes ?? 0) > 200_000)
})

t.test('an emit is told of from its call to what became of it', async t => {
  const heard = hearEmits(t)
  const { fastify } = await startServer(t, enabled)
  const call = fastify.wsEvents.emit('acme', 'MESSAGES_UPSERT', { secret: 'data' }, { apikey: KEY })
  t.strictSame(heard.map(({ step }) => step), ['start', 'end'], 'when the call is over')
  const result = await call
  const trace = { instance: 'acme', event: 'MESSAGES_UPSERT' }
  t.strictSame(heard, [
    { step: 'start', ...trace },
    { step: 'end', ...trace },
    { step: 'asyncStart', ...trace, result },
    { step: 'asyncEnd', ...trace, result }
  ])
})

t.test('so is one that is rejected, which ends no process', async t => {
  const heard = hearEmits(t)
  const { fastify } = await startServer(t, enabled)
  // Nobody waits for it: an unhandled rejection would fail this file.
  void fastify.wsEvents.emit('acme', 'cal', { secret: 'data' })
  await eventually(() => heard.some(({ step }) => step === 'asyncEnd'))
  t.strictSame(heard.map(({ step }) => step), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  t.match(heard.at(-1), { instance: 'acme', event: 'cal', error: { code: 'FST_ERR_WS_EVENTS_UNKNOWN_EVENT' } })
  // From JavaScript, anything may come.
  await t.rejects(fastify.wsEvents.emit({ secret: 'data' } as never, 'x'.repeat(1000), 1))
  t.match(heard.at(-1), { instance: 'object', event: `${'x'.repeat(60)}…` })
  t.notMatch(JSON.stringify(heard), 'secret')
})

t.test('what a tracing tool begins at an emit, it finds in what follows', async t => {
  const spans = new AsyncLocalStorage<string>()
  const { start } = diagnostics.tracingChannel<string, EmitTrace>('fastify-ws-events:emit')
  start.bindStore(spans, ({ event }) => `span of ${event}`)
  t.teardown(() => { start.unbindStore(spans) })
  const found: unknown[] = []
  const { fastify, url } = await startServer(t, enabled)
  // For somebody, so that the data is read.
  await listen(t, `${url}/acme`)
  await fastify.wsEvents.emit('acme', 'call', { get spanned () { found.push(spans.getStore()); return 1 } })
  t.ok(found.length > 0)
  t.strictSame(new Set(found), new Set(['span of call']))
})

t.test('emits with and without a listener come to the same', async t => {
  const { fastify } = await startServer(t, enabled)
  const { id: first, ...plain } = await fastify.wsEvents.emit('acme', 'call', 1)
  hearEmits(t)
  const { id, ...traced } = await fastify.wsEvents.emit('acme', 'call', 1)
  t.strictSame(traced, plain)
  t.equal(typeof id, typeof first)
})

t.test('the document has every channel, and what it tells', async t => {
  const rows = [...section(read('docs/metrics.md'), '## Tracing').matchAll(/^\| `(fastify-ws-events:\w+)` \| .* \| (.*) \|$/gm)]
    .map(([, name, keys = '']) => [name, keys.replaceAll('`', '').split(', ')])
  const { channels } = await told(t)
  t.strictSame(rows, channels)
  const [, steps = ''] = /^\| `tracing:fastify-ws-events:emit:(.*?) \|/m.exec(read('docs/metrics.md')) ?? []
  t.strictSame(steps.replaceAll(/[`…:]/g, '').split(', ').toSorted(), [...STEPS].toSorted())
})

/** The keys of what each channel has told, once. */
async function told (t: Test): Promise<{ channels: Array<[string, string[]]> }> {
  const names = ['connect', 'refuse', 'disconnect', 'slow'].map(name => `fastify-ws-events:${name}` as keyof DiagnosticsMessages)
  const heard = names.map(name => [name, hear(t, name)] as const)
  const { fastify, url, port } = await startServer(t, { ...enabled, apikey: KEY, limits: { queuedBytes: 1000 } })
  const network = await startNetwork(t, port)
  await refused(connect(t, `${url}/acme`))
  await listen(t, `${network.url}/acme`, { auth: { apikey: KEY }, reconnection: false })
  network.stall()
  while (fastify.wsEvents.stats().delivery.slowConsumers === 0) {
    await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(100_000))
    await new Promise(resolve => { setImmediate(resolve) })
  }
  await eventually(() => fastify.wsEvents.stats().clients.inInstances === 0)
  return { channels: heard.map(([name, messages]) => [name, Object.keys(messages[0] ?? {})]) }
}
