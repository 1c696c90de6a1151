import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import t, { type Test } from 'tap'
import { Type, type WsEventsOptions } from '../../lib/index.js'
import { clockOf, instantOf } from '../../lib/intake/local-time.js'
import { disconnected, listen } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import { type Answer, basic, json, post, wordOf } from '../helpers/publishing.js'
import { IN_FULL } from '../helpers/sample.js'
import { startServer } from '../helpers/server.js'
import { storeWith } from '../helpers/stores.js'

const PATH = '/webhook/evolution'
const MiB = 1024 * 1024
const options: WsEventsOptions = { evolution: true, defaultConfig: { enabled: true } }

/** A webhook as Evolution 2.3.7 sends it. */
const webhook = (parts: object = {}) => ({
  event: 'messages.upsert',
  instance: 'acme',
  data: { key: { id: 'A1' }, mediaKey: { 0: 1, 1: 2 } },
  destination: 'https://user:secret@events.example/webhook/evolution',
  date_time: '2026-01-02T03:04:05.678Z',
  sender: '5511@s.whatsapp.net',
  server_url: 'https://evolution.example',
  apikey: 'tenant-token',
  ...parts
})

interface Line { readonly level: number, readonly msg: string, readonly [key: string]: unknown }

/** A server with a client of acme, and the warnings that it logs. */
async function start (t: Test, more: WsEventsOptions = {}) {
  const lines: Line[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line) } } }
  const server = await startServer(t, { ...options, ...more }, { fastify: { logger } })
  const { inbox, socket } = await listen(t, `${server.url}/acme`)
  const send = async (body: unknown, headers: Record<string, string> = {}, path = PATH): Promise<Answer> => await post(server, path, body, headers)
  return { server, inbox, socket, lines, send }
}

t.test('a webhook as it is becomes a message: its keys are extra, apikey and destination are dropped', async t => {
  const { inbox, send } = await start(t, { serverUrl: 'https://ours.example' })
  const { status, body } = await send(webhook({ isLatest: true, progress: 50 }))
  const [message] = await inbox.got(1)
  t.equal(status, 200)
  t.strictSame(body, { id: message?.id, routes: ['/acme'] })
  t.strictSame(message, {
    id: message?.id,
    event: 'messages.upsert',
    instance: 'acme',
    data: { key: { id: 'A1' }, mediaKey: { 0: 1, 1: 2 } },
    server_url: 'https://evolution.example',
    date_time: '2026-01-02T03:04:05.678Z',
    sender: '5511@s.whatsapp.net',
    isLatest: true,
    progress: 50
  })
})

t.test('the event is the body\'s, whatever the path says, and sender, server_url, date_time and data may be missing or null', async t => {
  const { inbox, send } = await start(t, { serverUrl: 'https://ours.example' })
  await send({ event: 'call', instance: 'acme' }, {}, `${PATH}/messages-upsert`)
  await send({ event: 'CHATS_SET', instance: 'acme', data: null, sender: null, server_url: null })
  const [first, second] = await inbox.got(2)
  t.match(first, { event: 'call', data: null, sender: null, server_url: 'https://ours.example' })
  t.match(second, { event: 'chats.set', data: null, sender: null, server_url: 'https://ours.example' })
})

t.test('date_time is corrected by the time zone, in summer and in winter', async t => {
  const { inbox, send } = await start(t, { evolution: { timeZone: 'America/New_York' } })
  for (const time of ['2026-01-02T03:04:05.678Z', '2026-07-02T23:04:05.000Z', '2026-03-08T01:30:00.000Z', '2026-03-08T02:30:00.000Z', '2026-03-08T03:30:00.000Z', '2026-11-01T01:30:00.000Z']) await send(webhook({ date_time: time }))
  t.strictSame((await inbox.got(6)).map(({ date_time: time }) => time), ['2026-01-02T08:04:05.678Z', '2026-07-03T03:04:05.000Z', '2026-03-08T06:30:00.000Z', '2026-03-08T07:30:00.000Z', '2026-03-08T07:30:00.000Z', '2026-11-01T05:30:00.000Z'])
  for (const zone of ['America/Sao_Paulo', 'Asia/Kathmandu', 'Pacific/Auckland', 'UTC', 'Africa/Monrovia']) {
    const clock = clockOf(zone)
    for (let instant = Date.UTC(2026, 0, 1, 0, 7); instant < Date.UTC(2027, 0, 1); instant += 37 * 3_600_000) {
      const parts = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
      const wall = Date.UTC(parts.year ?? 0, (parts.month ?? 0) - 1, parts.day, parts.hour, parts.minute, parts.second)
      t.equal(instantOf(clock, wall), instant, `${zone} ${new Date(instant).toISOString()}`)
    }
  }
})

t.test('the same body again is one event, and another body is another', async t => {
  const { server, inbox, send } = await start(t)
  const first = await send(webhook())
  for (let again = 0; again < 9; again++) t.strictSame((await send(webhook(), {}, again % 2 === 0 ? PATH : `${PATH}/messages-upsert`)).body, first.body)
  await send(webhook({ data: 'another' }))
  t.equal((await inbox.got(2)).length, 2)
  t.match(server.fastify.wsEvents.stats().publish, { accepted: 2, repeated: 9 })
})

t.test('ten of the same at once are one event', async t => {
  const { inbox, send } = await start(t)
  const answers = await Promise.all(Array.from({ length: 10 }, async () => await send(webhook())))
  await send(webhook({ data: 'last' }))
  t.strictSame((await inbox.got(2)).map(({ id }) => id).slice(0, 1), [...new Set(answers.map(({ body }) => body.id))])
})

t.test('with a store that keeps no keys webhooks are taken, and a line says what that means', async t => {
  const { inbox, lines, send } = await start(t, { store: storeWith(() => ({})) })
  for (let again = 0; again < 2; again++) t.equal((await send(webhook())).status, 200)
  t.equal((await inbox.got(2)).length, 2)
  t.equal(lines.filter(({ msg }) => msg.includes('keeps no idempotency keys')).length, 1)
  t.equal((await send(webhook({ event: 'instance.delete' }))).status, 200)
})

t.test('what there is nothing to emit of is 202, counted, and logged once for each name', async t => {
  const { server, lines, send } = await start(t)
  for (let again = 0; again < 3; again++) {
    for (const event of ['messaging-history.set', 'unheard.of']) t.match(await send(webhook({ event })), { status: 202, body: { skipped: 'unknown-event' } })
    for (const instance of ['a/b', 'x'.repeat(101), '']) t.match(await send(webhook({ instance })), { status: 202, body: { skipped: 'invalid-name' } })
  }
  t.match(server.fastify.wsEvents.stats().publish, { accepted: 0, skipped: { 'unknown-event': 6, 'invalid-name': 9, removed: 0 } })
  t.strictSame(lines.map(({ skipped, event, instance }) => [skipped, event ?? instance]), [['unknown-event', 'messaging-history.set'], ['unknown-event', 'unheard.of'], ['invalid-name', 'a/b'], ['invalid-name', `${'x'.repeat(60)}…`], ['invalid-name', '']])
})

const finals: ReadonlyArray<{ what: string, body: unknown, headers?: Record<string, string>, instance: string | null }> = [
  { what: 'broken JSON', body: '{"event":', instance: null },
  { what: 'an empty body', body: '', instance: null },
  { what: 'no JSON', body: 'event=call', headers: { 'content-type': 'application/x-www-form-urlencoded' }, instance: null },
  { what: 'a list', body: [webhook()], instance: null },
  { what: 'no event', body: webhook({ event: undefined }), instance: 'acme' },
  { what: 'no instance', body: webhook({ instance: undefined }), instance: null },
  { what: 'a time that is none', body: webhook({ date_time: 'noon' }), instance: 'acme' },
  { what: 'data against its schema', body: webhook({ event: 'call', data: 5 }), instance: 'acme' },
  { what: 'too large a message', body: webhook({ data: 'x'.repeat(2000) }), instance: 'acme' },
  { what: 'too large a body', body: webhook({ data: 'x'.repeat(5000) }), instance: null }
]

for (const { what, body, headers, instance } of finals) {
  t.test(`${what} is 422, in Evolution's form too, and logged with instance and size, without the key`, async t => {
    const { lines, send } = await start(t, { events: { 'messages.upsert': true, call: Type.String() }, limits: { messageBytes: 2000 }, routes: { publish: { bodyLimit: 4000 } } })
    const { status, body: answer } = await send(body, headers)
    t.equal(status, 422)
    t.match(answer, { statusCode: 422, status: 422, error: 'Unprocessable Entity', response: { message: [answer.message] } })
    const [line] = lines
    t.match(line, { instance, bytes: (typeof body === 'string' ? body : JSON.stringify(body)).length })
    t.equal(lines.length, 1)
    t.notMatch(JSON.stringify(lines), /secret|tenant-token/)
  })
}

t.test('what can be taken later is 503 or 429, so that Evolution repeats it', async t => {
  let isBroken = false
  const store = storeWith(log => ({ appendOnce: (...given) => { if (isBroken || log.appendOnce === undefined) throw new Error('no disk'); return log.appendOnce(...given) } }))
  const { send } = await start(t, { store, limits: { instances: 1 } })
  t.equal((await send(webhook())).status, 200)
  t.equal((await send(webhook({ instance: 'one-too-many' }))).status, 429)
  isBroken = true
  const refusal = await send(webhook({ data: 2 }))
  t.equal(refusal.status, 503)
  t.equal(refusal.headers.get('retry-after'), '5')
  isBroken = false
  t.equal((await send(webhook({ data: 2 }))).status, 200)
})

t.test('it needs a key that may publish, which the body\'s is not; one that is limited to instances publishes for those', async t => {
  const server = await startServer(t, {
    ...options,
    apikey: 'global',
    publishKey: 'pub',
    verify: ({ apikey, instance }) => apikey === 'tenant' && instance === null ? { instances: ['acme'], publish: true } : apikey === 'reader'
  })
  const send = async (headers: Record<string, string>, instance = 'acme') => wordOf(await post(server, PATH, webhook({ apikey: 'global', instance, data: Math.random() }), headers))
  t.equal(await send({}), '401 UNAUTHORIZED')
  t.equal(await send({ apikey: 'wrong' }), '403 FORBIDDEN')
  t.equal(await send({ apikey: 'reader' }), '403 FORBIDDEN')
  t.equal(await send({ apikey: 'pub' }), '200')
  t.equal(await send(basic('pub')), '200')
  t.equal(await send({ ...basic('global'), origin: 'https://x.example' }), '401 UNAUTHORIZED')
  t.equal(await send({ apikey: 'tenant' }), '200')
  t.equal(await send({ apikey: 'tenant' }, 'other'), '403 FORBIDDEN')
})

t.test('a GET is never 2xx, whatever else the host serves, and says so once in the log', async t => {
  const lines: Line[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line) } } }
  const { url } = await startServer(t, options, { fastify: { logger }, before: fastify => { fastify.get('/*', async () => 'the page of the app') } })
  for (const path of [PATH, `${PATH}/messages-upsert`, PATH]) {
    for (const method of ['GET', 'HEAD']) t.equal((await fetch(url + path, { method })).status, 405, `${method} ${path}`)
  }
  t.ok(lines.every(({ msg }) => msg.includes('came as GET')) && lines.length <= 2)
})

t.test('without evolution there are no webhooks', async t => {
  t.equal((await post(await startServer(t), PATH, webhook())).status, 404)
})

for (const event of ['instance.delete', 'remove.instance']) {
  t.test(`after ${event} has been delivered the instance is removed, and a late webhook that is older is dropped`, async t => {
    const { server, inbox, socket, send } = await startSet(t)
    const ended = disconnected(socket)
    const last = webhook({ event, date_time: '2026-01-02T03:04:06.000Z' })
    const answer = await send(last)
    t.equal(answer.status, 200)
    t.equal(await ended, 'io server disconnect')
    t.strictSame(inbox.messages.map(({ event }) => event), [event])
    t.equal(await server.fastify.wsEvents.find('acme'), null)
    t.match(await send(webhook()), { status: 202, body: { skipped: 'removed' } })
    t.equal((await send(webhook({ date_time: '2026-01-02T03:04:06.000Z' }))).status, 200, 'not what is as new')
    await server.fastify.wsEvents.set('acme', { enabled: true })
    t.strictSame((await send(last)).body, answer.body, 'a repetition is answered as the first time')
    t.ok(await server.fastify.wsEvents.find('acme'), 'and does not remove the next of its name')
    t.equal(server.fastify.wsEvents.stats().publish.skipped.removed, 1)
  })
}

/** As {@link start}, of an instance that was set. */
async function startSet (t: Test) {
  const server = await startServer(t, { evolution: true })
  await server.fastify.wsEvents.set('acme', { enabled: true })
  const { inbox, socket } = await listen(t, `${server.url}/acme`)
  return { server, inbox, socket, send: async (body: unknown) => await post(server, PATH, body) }
}

t.test('a removal that has failed is done when its webhook is repeated', async t => {
  let isBroken = true
  const store = storeWith(log => ({
    appendOnce: (...given) => { if (log.appendOnce === undefined) throw new Error('it keeps keys'); return log.appendOnce(...given) },
    remove: async stream => { if (isBroken) throw new Error('no disk'); await log.remove(stream) }
  }))
  const { send, socket } = await start(t, { store })
  const last = webhook({ event: 'instance.delete' })
  t.ok((await send(last)).status >= 500)
  isBroken = false
  t.equal((await send(last)).status, 200)
  t.notOk(socket.connected)
})

/** Eleven fit. */
const WEBHOOKS = 50

// Of the bodies 128 MiB are held at most; parsing and encoding add to that what the largest of them needs. 600 MB are too
// much while one works.
if (IN_FULL) {
  t.test(`of ${WEBHOOKS} webhooks of 12 MB that come at once as many are read as 128 MiB hold, and the others when they are repeated`, { timeout: 120_000 }, async t => {
    const lines: Line[] = []
    const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line) } } }
    const server = await startServer(t, { evolution: true }, { fastify: { logger } })
    const bodies: readonly Buffer[] = Array.from({ length: WEBHOOKS }, (empty, n) => Buffer.from(JSON.stringify(webhook({ data: { n: n + 100, base64: 'A'.repeat(12_000_000) } }))))
    const fit = Math.floor(128 * MiB / (bodies[0]?.length ?? 1))
    let due = bodies
    while (due.length > 0) {
      const refused: Buffer[] = []
      const isEnough = latch()
      const over = Math.max(0, due.length - fit)
      if (over === 0) isEnough.open()
      // Nobody sends more than a beginning before it is known who is to come again.
      await Promise.all(due.map(async body => {
        const sent = request({ port: server.port, host: '127.0.0.1', method: 'POST', path: PATH, agent: false, headers: { ...json, 'content-length': body.length } })
        sent.write(body.subarray(0, 1000))
        const response = once(sent, 'response') as Promise<[IncomingMessage]>
        // A refused one is cut off.
        sent.on('error', () => {})
        let isRefused = false
        void isEnough.opened.then(() => { if (!isRefused) sent.end(body.subarray(1000)) })
        const [{ statusCode }] = await response
        if (statusCode !== 200) {
          t.equal(statusCode, 503)
          isRefused = true
          sent.destroy()
          if (refused.push(body) === over) isEnough.open()
        }
      }))
      t.equal(refused.length, over)
      due = refused
    }
    t.equal(server.fastify.wsEvents.stats().publish.accepted, WEBHOOKS)
    const refusals = lines.filter(({ msg }) => msg.includes('send it again later'))
    t.ok(refusals.length >= WEBHOOKS - fit)
    t.ok(refusals.every(({ level, err }) => level === 40 && err === undefined), 'a line each, without a stack')
  })
}
