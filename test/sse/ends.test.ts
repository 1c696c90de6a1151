import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import t from 'tap'
import { Keyring } from '../access/keyring.js'
import { attempt } from '../access/attempt.js'
import { startNodes } from '../helpers/cluster.js'
import { EventStream } from '../helpers/event-stream.js'
import { eventually } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { SharedStore } from '../helpers/shared-store.js'

const enabled = { defaultConfig: { enabled: true } }
const at = (url: string, name = 'acme'): string => `${url}/instance/${name}/events`

type Headers = Readonly<Record<string, string>>

/** `in`, or the code of the refusal, both for a stream and a page; what either says where they differ. */
async function outcome (url: string, headers: Headers = {}): Promise<string> {
  const words = await Promise.all(['text/event-stream', 'application/json'].map(async accept => {
    // Each on a connection of its own, that ends with it.
    const outgoing = request(url, { agent: false, headers: { accept, ...headers } })
    outgoing.end()
    const [response] = await once(outgoing, 'response') as [IncomingMessage]
    if (response.statusCode === 200) {
      response.destroy()
      return 'in'
    }
    const { code, statusCode } = await json(response) as { code: string, statusCode: number }
    return `${statusCode === response.statusCode ? statusCode : 'another'} ${code.replace('FST_ERR_WS_EVENTS_', '')}`
  }))
  return words[0] === words[1] ? String(words[0]) : words.join(' and ')
}

t.test('who may read is who may connect, by the global key, verify, and addresses', async t => {
  const keyring = new Keyring({ acme: { instances: ['acme'] }, both: { instances: ['acme', 'beta'] }, all: true, broken: () => { throw new Error('down') } })
  const { fastify, url } = await startServer(t, { globalEvents: true, apikey: 'global', verify: keyring.verify })
  await fastify.wsEvents.set('acme', { enabled: true })
  await fastify.wsEvents.set('beta', { enabled: false })
  const cases: ReadonlyArray<readonly [path: string, headers: Headers, word: string]> = [
    ['/instance/acme/events', { apikey: 'global' }, 'in'],
    ['/instance/acme/events', { authorization: 'Bearer acme' }, 'in'],
    ['/events', { apikey: 'global' }, 'in'],
    ['/events', { apikey: 'all' }, 'in'],
    ['/instance/acme/events', {}, '401 UNAUTHORIZED'],
    ['/instance/acme/events?apikey=global', {}, '401 UNAUTHORIZED'],
    ['/events', {}, '401 UNAUTHORIZED'],
    ['/events', { apikey: 'wrong' }, '403 FORBIDDEN'],
    ['/instance/acme/events', { apikey: 'wrong' }, '403 FORBIDDEN'],
    ['/instance/beta/events', { apikey: 'acme' }, '403 FORBIDDEN'],
    ['/instance/never/events', { apikey: 'acme' }, '403 FORBIDDEN'],
    ['/instance/beta/events', { apikey: 'both' }, '403 INSTANCE_DISABLED'],
    ['/instance/never/events', { apikey: 'global' }, '404 NOT_SET'],
    ['/instance/acme/events', { apikey: 'broken' }, '503 VERIFY_FAILED'],
    ['/instance/acme/events', { apikey: 'acme', origin: 'https://elsewhere.example' }, 'in']
  ]
  for (const [path, headers, word] of cases) t.equal(await outcome(`${url}${path}`, headers), word, `${path} ${JSON.stringify(headers)}`)
  t.match(fastify.wsEvents.stats().clients.refused, { UNAUTHORIZED: 6, FORBIDDEN: 8, NOT_SET: 2, INSTANCE_DISABLED: 2, VERIFY_FAILED: 2 })
  const open = await startServer(t, enabled)
  t.equal(await outcome(at(open.url)), 'in')
  t.equal(await outcome(at(open.url), { origin: 'https://elsewhere.example' }), '401 UNAUTHORIZED', 'the address of its visitor does not count')
  t.equal(await attempt(open, { headers: { origin: 'https://elsewhere.example' } }, ['route']), 'UNAUTHORIZED', 'as for the other routes')
})

t.test('what a key may see holds for the stream and for the past', async t => {
  const keyring = new Keyring({ key: { instances: ['a', 'b'], events: ['call', 'chats.*'] } })
  const { fastify: { wsEvents }, url } = await startServer(t, { globalEvents: true, apikey: 'global', verify: keyring.verify })
  const stream = await EventStream.open(t, `${url}/events?instances=a,c&events=call,messages.set`, { apikey: 'key' })
  const { lastEventId } = await stream.ready()
  for (const name of ['a', 'b', 'c']) for (const event of ['call', 'chats.set', 'messages.set']) await wsEvents.emit(name, event, `${name} ${event}`)
  await wsEvents.emit('a', 'call', 'end')
  t.strictSame(datas(await stream.got(2)), ['a call', 'end'])
  const past = await (await fetch(`${url}/events?after=${lastEventId}`, { headers: { apikey: 'key', accept: 'application/json' } })).json() as { events: Array<{ data: unknown }> }
  t.strictSame(past.events.map(({ data }) => data), ['a call', 'a chats.set', 'b call', 'b chats.set', 'end'])
})

t.test('a key that runs out is asked again: a narrower grant holds, and a revoked one ends the stream', async t => {
  const keyring = new Keyring({ key: { ttl: 20 }, other: { ttl: 20 } })
  const { lines, fastify: logging } = recordLog('trace')
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, verify: keyring.verify }, { fastify: logging })
  const stream = await EventStream.open(t, at(url), { apikey: 'key' })
  await stream.ready()
  await keyring.askedAgain(3)
  keyring.give('key', { ttl: 20, events: ['call'] })
  await eventually(() => wsEvents.clients()[0]?.events.length === 1)
  await wsEvents.emit('acme', 'chats.set', 1)
  await wsEvents.emit('acme', 'call', 2)
  t.strictSame(datas(await stream.got(1)), [2])
  keyring.revoke('key')
  t.equal(await stream.ended, true)
  t.match(wsEvents.stats(), { clients: { inInstances: 0, refused: { FORBIDDEN: 1 } } })
  t.equal(await outcome(at(url), { apikey: 'key' }), '403 FORBIDDEN', 'and it does not come in again')
  const other = await EventStream.open(t, at(url), { apikey: 'other' })
  keyring.give('other', () => { throw new Error('down') })
  t.equal(await other.ended, false, 'what could not be checked is cut off, to come back')
  t.notMatch(JSON.stringify(lines), /"(apikey|authorization)"/)
})

t.test('the log has no key, wherever it came', async t => {
  const { lines, fastify: logging } = recordLog('trace')
  const { url } = await startServer(t, { ...enabled, globalEvents: true, apikey: 'secret-key' }, { fastify: logging })
  await outcome(at(url), { apikey: 'secret-key' })
  await outcome(at(url), { authorization: 'Bearer wrong-secret-key' })
  await fetch(`${at(url)}?apikey=secret-key`, { headers: { apikey: 'secret-key' } })
  await fetch(`${url}/events?apikey=secret-key`)
  t.ok(lines.length > 8)
  t.notMatch(JSON.stringify(lines), 'secret-key')
})

t.test('a config that serves an instance no more ends its streams after what was emitted before; Evolution\'s are muted', async t => {
  for (const end of ['disable', 'remove', 'disconnect'] as const) {
    const { fastify: { wsEvents }, url } = await startServer(t)
    await wsEvents.set('acme', { enabled: true })
    const stream = await EventStream.open(t, at(url))
    await stream.ready()
    void wsEvents.emit('acme', 'call', 'last')
    if (end === 'disable') await wsEvents.set('acme', { enabled: false })
    else if (end === 'remove') await wsEvents.remove('acme')
    else await wsEvents.disconnect({ instance: 'acme' })
    t.strictSame(wsEvents.clients(), [], end)
    t.equal(await stream.ended, true)
    t.strictSame(datas(stream.messages), ['last'])
    t.equal(await outcome(at(url)), { disable: '403 INSTANCE_DISABLED', remove: '404 NOT_SET', disconnect: 'in' }[end])
  }
  const { fastify: { wsEvents }, url } = await startServer(t, { evolution: true })
  await wsEvents.set('acme', { enabled: true })
  const stream = await EventStream.open(t, at(url))
  await wsEvents.set('acme', { enabled: false })
  await wsEvents.emit('acme', 'call', 'muted')
  const muted = await EventStream.open(t, at(url))
  t.equal((await muted.ready()).enabled, false)
  await wsEvents.set('acme', { enabled: true })
  await wsEvents.emit('acme', 'call', 'heard')
  t.strictSame([datas(await stream.got(1)), datas(await muted.got(1))], [['heard'], ['heard']])
})

t.test('disconnect ends the streams of a key on every node, and those on their way in', async t => {
  const { nodes } = await startNodes(t, 2, { ...enabled, verify: () => true })
  const [a] = nodes
  const mine = await Promise.all(nodes.map(async ({ url }) => await EventStream.open(t, at(url), { apikey: 'mine' })))
  const others = await Promise.all(nodes.map(async ({ url }) => await EventStream.open(t, at(url), { apikey: 'other' })))
  await a?.wsEvents.disconnect({ apikey: 'mine' })
  t.strictSame(await Promise.all(mine.map(async ({ ended }) => await ended)), [true, true])
  await a?.wsEvents.emit('acme', 'call', 1)
  for (const stream of others) t.strictSame(datas(await stream.got(1)), [1])
  let allow = (): void => {}
  const allowed = new Promise<boolean>(resolve => { allow = () => { resolve(true) } })
  let isAsked = false
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, verify: async () => { isAsked = true; return await allowed } })
  const coming = EventStream.open(t, at(url), { apikey: 'mine' })
  await eventually(() => isAsked)
  await wsEvents.disconnect({ apikey: 'mine' })
  allow()
  await t.rejects(coming, /^403 .*FORBIDDEN/)
})

t.test('limits count streams as they count clients', async t => {
  const limited = async (limits: object, options: object = {}) => {
    const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, ...options, limits })
    return { wsEvents, url }
  }
  for (const limit of ['connections', 'connectionsPerInstance', 'connectionsPerAddress'] as const) {
    const { wsEvents, url } = await limited({ [limit]: 1 })
    const first = await EventStream.open(t, at(url))
    await t.rejects(EventStream.open(t, at(url)), new RegExp(`^429 .*LIMIT_REACHED.*${limit}|^429 .*${limit}.*LIMIT_REACHED`))
    t.match(wsEvents.stats(), { clients: { connections: 1, refused: { LIMIT_REACHED: 1 } }, limits: { [limit]: 1 } })
    first.cut()
    await eventually(() => wsEvents.stats().clients.connections === 0)
    await EventStream.open(t, at(url))
  }
  const { url } = await limited({ refusalsPerMinute: 4 }, { apikey: 'key' })
  t.equal(await outcome(at(url), { apikey: 'wrong' }), '403 FORBIDDEN')
  t.equal(await outcome(at(url), { apikey: 'wrong' }), '403 FORBIDDEN')
  t.equal(await outcome(at(url), { apikey: 'key' }), '429 LIMIT_REACHED')
})

t.test('a store that is away is 503, and so is a plugin that is disabled', async t => {
  const shared = new SharedStore()
  const { url } = await startServer(t, { ...enabled, store: shared.node() })
  t.equal(await outcome(at(url)), 'in')
  shared.away()
  t.equal(await outcome(at(url)), '503 STORE_UNAVAILABLE')
  shared.back()
  t.equal(await outcome(at(url)), 'in')
  const { lines, fastify: logging } = recordLog()
  const disabled = await startServer(t, { enabled: false }, { fastify: logging })
  t.equal(await outcome(at(disabled.url)), '503 DISABLED')
  t.strictSame(lines.filter(({ level }) => level > 30), [], 'and no error')
})

t.test('a store that loses what it had tells streams that are open', async t => {
  const shared = new SharedStore()
  const { fastify: { wsEvents }, url } = await startServer(t, { ...enabled, store: shared.node() })
  const stream = await EventStream.open(t, at(url))
  await stream.ready()
  await wsEvents.emit('acme', 'call', 1)
  await stream.got(1)
  shared.gap()
  await stream.until(() => stream.readies.length === 2)
  t.match(stream.readies[1], { recovered: false, lastEventId: stream.lastEventId })
})

t.test('the server ends streams when it closes, after what was emitted', async t => {
  const { fastify, url } = await startServer(t, enabled)
  const streams = await Promise.all(Array.from({ length: 20 }, async () => await EventStream.open(t, at(url))))
  for (let left = 10; left > 0; left--) void fastify.wsEvents.emit('acme', 'call', 'x'.repeat(1000))
  void fastify.wsEvents.emit('acme', 'call', 'last')
  const closed = fastify.close()
  for (const stream of streams) {
    t.equal(await stream.ended, true)
    t.equal(stream.messages.at(-1)?.data, 'last')
  }
  await closed
})

t.test('a client that stalls does not keep the server from closing', async t => {
  const { fastify, url } = await startServer(t, { ...enabled, limits: { queuedBytes: 0 } })
  const stalled = await EventStream.open(t, at(url), {}, { isPaused: true })
  while ((fastify.wsEvents.clients()[0]?.queuedBytes ?? 0) < 8_000_000) await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(200_000))
  await fastify.close()
  stalled.resume()
  t.equal(await stalled.ended, false)
})

t.test('a name that the host has taken is the host\'s', async t => {
  const { url } = await startServer(t, { ...enabled }, {
    before: async fastify => {
      const { default: fastifySocketIO } = await import('fastify-socket.io')
      await fastify.register(fastifySocketIO.default as never)
      const { io } = fastify as unknown as { io: { of: (name: string) => unknown } }
      io.of('/chat')
    }
  })
  t.equal(await outcome(at(url, 'chat')), '409 HOST_NAMESPACE')
})

t.test('a client whose session is closed in the very moment in which it is let in is answered', async t => {
  // Between the answer of `verify` and the first byte there are some microtasks: one time for each of them, and for some more.
  const MICROTASKS = 40
  let after = 0
  let disconnect = (): void => {}
  const disconnectSoon = async (): Promise<void> => {
    for (let passed = 0; passed < after; passed++) await null
    disconnect()
  }
  const { fastify, url } = await startServer(t, {
    ...enabled,
    verify: () => {
      void disconnectSoon()
      return true
    }
  })
  disconnect = () => { void fastify.wsEvents.disconnect({ instance: 'acme' }) }
  for (const accept of ['text/event-stream', 'application/json']) {
    const statuses = new Set<number>()
    for (after = 0; after < MICROTASKS; after++) {
      const response = await fetch(at(url), { headers: { accept, apikey: 'a key' } })
      statuses.add(response.status)
      // One that came in before is ended now.
      disconnect()
      await response.text()
    }
    t.strictSame([...statuses].sort(), [200, 403], accept)
    t.equal(fastify.wsEvents.clients().length, 0)
  }
})
