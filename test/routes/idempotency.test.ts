import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import type { EventLog } from '../../lib/log/event-log.js'
import { memoryStore } from '../../lib/stores/memory/index.js'
import { listen } from '../helpers/client.js'
import { post, wordOf } from '../helpers/publishing.js'
import { startServer } from '../helpers/server.js'
import { storeWith } from '../helpers/stores.js'

// That a key and its events are kept in one step is shown of each store in test/contracts, and of nodes in test/nodes.

const EVENTS = '/instance/acme/events'
const MESSAGE = { event: 'call', data: 1 }
const HOUR = 3_600_000
const enabled: WsEventsOptions = { defaultConfig: { enabled: true } }
const key = (text: string): Record<string, string> => ({ 'idempotency-key': text })

async function startListened (t: Test, options: WsEventsOptions = {}) {
  const server = await startServer(t, { ...enabled, ...options })
  const { inbox } = await listen(t, `${server.url}/acme`)
  return { server, inbox }
}

t.test('the same key with the same body is answered as the first time and emits nothing, a message as a list', async t => {
  const { server, inbox } = await startListened(t)
  for (const [at, body] of [MESSAGE, [MESSAGE, { event: 'chats.set', data: 2 }], []].entries()) {
    const first = await post(server, EVENTS, body, key(`k${at}`))
    t.equal(first.status, 200)
    for (let again = 0; again < 3; again++) t.match(await post(server, EVENTS, body, key(`k${at}`)), { status: 200, body: first.body })
  }
  await post(server, EVENTS, { event: 'call', data: 'last' })
  t.strictSame((await inbox.got(4)).map(({ data }) => data), [1, 1, 2, 'last'])
  t.match(server.fastify.wsEvents.stats(), { emit: { accepted: 4 }, publish: { accepted: 4, repeated: 9 } })
})

t.test('the answer is that of the first time, whatever has changed since', async t => {
  const server = await startServer(t)
  const first = await post(server, EVENTS, MESSAGE, key('k'))
  t.strictSame(first.body, { id: null, routes: [], skipped: 'not-set' })
  await server.fastify.wsEvents.set('acme', { enabled: true })
  const { inbox } = await listen(t, `${server.url}/acme`)
  t.strictSame((await post(server, EVENTS, MESSAGE, key('k'))).body, first.body)
  await server.fastify.wsEvents.emit('acme', 'call', 'last')
  t.strictSame((await inbox.got(1)).map(({ data }) => data), ['last'])
})

t.test('a removed instance does not take its keys along', async t => {
  const { server } = await startListened(t)
  const first = await post(server, EVENTS, MESSAGE, key('k'))
  await server.fastify.wsEvents.remove('acme')
  t.strictSame((await post(server, EVENTS, MESSAGE, key('k'))).body, first.body)
})

t.test('the same key with another body is 422, and for another instance it is another key', async t => {
  const { server } = await startListened(t)
  const first = await post(server, EVENTS, MESSAGE, key('k'))
  for (const body of [{ ...MESSAGE, data: 2 }, [MESSAGE], { data: 1, event: 'call' }]) t.equal(wordOf(await post(server, EVENTS, body, key('k'))), '422 IDEMPOTENCY_KEY_REUSED')
  const other = await post(server, '/instance/other/events', { ...MESSAGE, data: 2 }, key('k'))
  t.equal(other.status, 200)
  t.strictSame((await post(server, EVENTS, MESSAGE, key('k'))).body, first.body)
})

t.test('a key has 1 to 200 characters', async t => {
  const { server } = await startListened(t)
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, key('k'.repeat(200)))), '200')
  for (const text of ['', 'k'.repeat(201)]) t.match(await post(server, EVENTS, MESSAGE, key(text)), { status: 400, body: { message: /headers\/idempotency-key/ } })
})

t.test('what was not valid has recorded nothing', async t => {
  const { server } = await startListened(t)
  t.equal(wordOf(await post(server, EVENTS, [MESSAGE, { event: 'cal', data: 1 }], key('k'))), '400 UNKNOWN_EVENT')
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, key('k'))), '200')
})

t.test('what the store has failed at has recorded nothing', async t => {
  let isBroken = true
  const store = storeWith(log => ({
    appendOnce: async (request, events) => {
      if (isBroken) throw new Error('no disk')
      return await (log as Required<EventLog>).appendOnce(request, events)
    }
  }))
  const { server, inbox } = await startListened(t, { store })
  const failed = await post(server, EVENTS, MESSAGE, key('k'))
  t.equal(wordOf(failed), '503 STORE_UNAVAILABLE')
  t.equal(failed.headers.get('retry-after'), '5')
  isBroken = false
  const { body } = await post(server, EVENTS, { ...MESSAGE, data: 2 }, key('k'))
  t.strictSame((await inbox.got(1)).map(({ id, data }) => ({ id, data })), [{ id: body.id, data: 2 }])
  t.match(server.fastify.wsEvents.stats(), { emit: { accepted: 1, rejected: 1 }, store: { failures: 1 } })
})

t.test('a store that keeps no keys answers 400, and takes what has none', async t => {
  const { server } = await startListened(t, { store: storeWith(() => ({})) })
  const refusal = await post(server, EVENTS, MESSAGE, key('k'))
  t.equal(wordOf(refusal), '400 INVALID_DATA')
  t.match(refusal.body.message, /Idempotency-Key: the store of this server keeps no keys/)
  t.equal(wordOf(await post(server, EVENTS, MESSAGE)), '200')
})

t.test('a key is kept for 60 minutes', async t => {
  let now = Date.now()
  const { server, inbox } = await startListened(t, { store: memoryStore({ now: () => now }) })
  const first = await post(server, EVENTS, MESSAGE, key('k'))
  now += HOUR - 1
  t.strictSame((await post(server, EVENTS, MESSAGE, key('k'))).body, first.body)
  now++
  t.not((await post(server, EVENTS, MESSAGE, key('k'))).body.id, first.body.id)
  t.equal((await inbox.got(2)).length, 2)
})

t.test('at most 100,000 keys are kept: one more is 503 with Retry-After, and none goes early', async t => {
  let kept: Required<EventLog> | undefined
  const store = storeWith(log => {
    kept = log as Required<EventLog>
    return { appendOnce: (request, events) => (log as Required<EventLog>).appendOnce(request, events) }
  })
  const { server } = await startListened(t, { store })
  const first = await post(server, EVENTS, MESSAGE, key('k'))
  for (let count = 1; count < 99_999; count++) await kept?.appendOnce({ table: { name: 'publish', maxKeys: 1e6, maxAge: HOUR }, key: `other/${count}`, fingerprint: '', answer: '' }, [])
  t.equal(wordOf(await post(server, EVENTS, MESSAGE, key('the last'))), '200')
  const refusal = await post(server, EVENTS, MESSAGE, key('one more'))
  t.equal(wordOf(refusal), '503 PENDING_FULL')
  t.match(refusal.body.message, /keeps 100000 keys of requests already, each for 60 minutes/)
  t.equal(refusal.headers.get('retry-after'), '5')
  t.strictSame((await post(server, EVENTS, MESSAGE, key('k'))).body, first.body)
  t.equal(wordOf(await post(server, EVENTS, MESSAGE)), '200', 'what has no key is taken')
})
