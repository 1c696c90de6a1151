import { createRequire } from 'node:module'
import { Manager, type Socket } from 'socket.io-client'
import { Server } from 'socket.io'
import t from 'tap'
import { connect as connectHelper } from '../../lib/client/index.js'
import { idOfPid, makePid, resumeAfter } from '../../lib/gateway/pid.js'
import type { WsEventsOptions } from '../../lib/index.js'
import '../../lib/gateway/io.js'
import type { EventLog } from '../../lib/log/event-log.js'
import { idFrom } from '../../lib/log/ids.js'
import { admitted, type ClientOptions, connect, disconnected, listen, refused, transports } from '../helpers/client.js'
import { startNodes } from '../helpers/cluster.js'
import { eventually } from '../helpers/latch.js'
import { recordLog } from '../helpers/log.js'
import { PREFIX } from '../helpers/outcome.js'
import { datas, resume } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { StockClient, writeNoPid } from '../helpers/stock.js'
import { asyncStore, later, storeWith } from '../helpers/stores.js'

const on: WsEventsOptions = { defaultConfig: { enabled: true }, stockResume: true }
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (empty, at) => from + at)

for (const transport of [...transports, 'upgrade'] as const) {
  for (const fastPath of [true, false]) {
    t.test(`over ${transport}, ${fastPath ? 'by' : 'without'} the fast path, a client that was dropped gets what it missed, in order, and then what is live`, async t => {
      const { fastify: { wsEvents }, url } = await startServer(t, { ...on, fastPath })
      const client = await StockClient.in(t, `${url}/acme`, { transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport] })
      t.strictSame(client.recovered, [false])
      void wsEvents.emit('acme', 'call', 0)
      await client.got(1)
      const missed = () => { for (let at = 1; at <= 3000; at++) void wsEvents.emit('acme', 'call', at) }
      t.equal(await client.drop(missed), true)
      for (let at = 3001; at <= 3100; at++) void wsEvents.emit('acme', 'call', at)
      t.strictSame(await client.got(3101), numbers(0, 3100))
      t.strictSame(client.seconds, client.messages.map(({ id }) => id), 'each has its id as a second argument')
      t.notOk(client.heard.includes('ws.ready'))
      t.match(wsEvents.stats().delivery, { resumed: { recovered: 1, gap: 0, fresh: 1 } })
    })
  }
}

t.test('a client that had received nothing is resumed from where it joined, and keeps its pid', async t => {
  for (const store of ['memory:', `lmdb:${t.testdir()}`, asyncStore()]) {
    const { fastify: { wsEvents }, url } = await startServer(t, { ...on, store })
    await wsEvents.emit('acme', 'call', 'before')
    const client = await StockClient.in(t, `${url}/acme`)
    const { pid } = client
    for (const round of [1, 2]) {
      t.equal(await client.drop(round === 2 ? () => wsEvents.emit('acme', 'call', 1) : undefined), true)
      t.equal(client.pid, pid)
    }
    t.strictSame(await client.got(1), [1])
  }
})

t.test('binary data comes with the id as well', async t => {
  for (const fastPath of [true, false]) {
    for (const transport of transports) {
      const { fastify: { wsEvents }, url } = await startServer(t, { ...on, fastPath })
      const client = await StockClient.in(t, `${url}/acme`, { transports: [transport] })
      const plain = await listen(t, `${url}/acme`, { transports: [transport], auth: { lastEventId: '' } })
      const sent = () => wsEvents.emit('acme', 'call', [Buffer.from('one'), { two: Buffer.from('two') }])
      await sent()
      await client.got(1)
      t.equal(await client.drop(sent), true)
      await client.got(2)
      await plain.inbox.got(2)
      for (const messages of [client.messages, plain.inbox.messages]) {
        t.strictSame(datas(messages), Array.from({ length: 2 }, () => [Buffer.from('one'), { two: Buffer.from('two') }]))
      }
      t.strictSame(client.seconds, client.messages.map(({ id }) => id))
    }
  }
})

t.test('several namespaces of one connection, in global mode and with filters, resume independently', async t => {
  const verify: WsEventsOptions['verify'] = ({ apikey }) => apikey === 'narrow' ? { instances: ['acme'], events: ['call'] } : true
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, globalEvents: true, verify })
  const manager = new Manager(url, { transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 100 })
  t.teardown(() => { manager._close() })
  const open = async (path: string, auth: object) => await StockClient.in(t, url + path, { manager, auth })
  const root = await open('/', { apikey: 'all', events: ['call', 'chats.set'] })
  const acme = await open('/acme', { apikey: 'all' })
  const other = await open('/other', { apikey: 'all', events: 'chats.set' })
  const narrow = await StockClient.in(t, url, { auth: { apikey: 'narrow' } })
  t.equal(new Set([root, acme, other, narrow].map(({ pid }) => pid)).size, 4)
  const emit = async () => {
    for (const instance of ['acme', 'other']) {
      for (const event of ['call', 'chats.set', 'messages.upsert']) await wsEvents.emit(instance, event, `${instance} ${event}`)
    }
  }
  await emit()
  const expected = new Map([
    [root, ['acme call', 'acme chats.set', 'other call', 'other chats.set']],
    [acme, ['acme call', 'acme chats.set', 'acme messages.upsert']],
    [other, ['other chats.set']],
    [narrow, ['acme call']]
  ])
  const clients = [...expected.keys()]
  for (const [client, own] of expected) await client.got(own.length)
  narrow.socket.io.engine.close()
  await root.drop(emit)
  for (const client of clients) await client.until(() => client.recovered.length === 2)
  for (const [client, own] of expected) t.strictSame(await client.got(own.length * 2), [...own, ...own])
  t.strictSame(clients.map(({ recovered }) => recovered), clients.map(() => [false, true]))
})

t.test('a narrow filter, and long silence, make no gap: ws.position gives the client its offset', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, retention: { maxEvents: 20 } })
  const client = await StockClient.in(t, `${url}/acme`, { auth: { events: ['call'] } })
  const wide = await StockClient.in(t, `${url}/acme`)
  for (let round = 0; round < 10; round++) {
    const before = client.heard.length
    // By time alone it would be told after half a minute.
    while (client.heard.length === before) {
      await wsEvents.emit('acme', 'chats.set', round)
      await later()
    }
  }
  await wide.until(() => wide.datas.at(-1) === 9)
  t.ok(client.heard.every(event => event === 'ws.position'))
  t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 'missed')), true)
  t.strictSame(await client.got(1), ['missed'])
})

t.test('texts that the application emits there itself are no offset: the client is resumed from where it joined', async t => {
  const { fastify, url } = await startServer(t, { ...on, retention: { maxEvents: 10 } })
  const { wsEvents, io } = fastify
  const client = await StockClient.in(t, `${url}/acme`)
  await wsEvents.emit('acme', 'call', 1)
  await client.got(1)
  for (const text of ['hello', 'z'.repeat(19), 'x'.repeat(10_000)]) {
    const count = client.messages.length
    const known = new Set(client.datas)
    io.of('/acme').emit('hosts', text)
    await eventually(() => client.heard.at(-1) === 'hosts')
    t.equal(await client.drop(() => wsEvents.emit('acme', 'call', text.length)), true)
    // What it had comes again, but nothing is missing.
    t.strictSame((await client.got(count + known.size + 1)).slice(count), [...known, text.length])
  }
  // An event of ours after it gives the offset again.
  io.of('/acme').emit('hosts', 'hello')
  await wsEvents.emit('acme', 'call', 'ours')
  await client.until(() => client.datas.at(-1) === 'ours')
  const count = client.messages.length
  t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 'next')), true)
  t.strictSame((await client.got(count + 1)).slice(count), ['next'])
  // Where history does not reach back to where it joined, it is told so.
  for (let at = 0; at < 20; at++) await wsEvents.emit('acme', 'call', at)
  await client.until(() => client.datas.at(-1) === 19)
  io.of('/acme').emit('hosts', 'hello')
  await eventually(() => client.heard.at(-1) === 'hosts')
  t.equal(await client.drop(), false)
})

t.test('a gap is another pid and nothing is replayed, and from there on it is whole', async t => {
  const cases: Array<[string, WsEventsOptions, (wsEvents: Awaited<ReturnType<typeof startServer>>['fastify']['wsEvents']) => Promise<unknown>]> = [
    ['trimmed', { retention: { maxEvents: 2 } }, async wsEvents => { for (let at = 0; at < 5; at++) await wsEvents.emit('acme', 'call', 'missed') }],
    ['removed and set again', { store: `lmdb:${t.testdir()}` }, async wsEvents => {
      await wsEvents.emit('acme', 'call', 'missed')
      await wsEvents.remove('acme')
      await wsEvents.set('acme', { enabled: true })
    }]
  ]
  for (const [what, options, happens] of cases) {
    for (const received of [true, false]) {
      const { fastify, url } = await startServer(t, { ...on, ...options })
      const { wsEvents } = fastify
      const client = await StockClient.in(t, `${url}/acme`)
      if (received) {
        await wsEvents.emit('acme', 'call', 'first')
        await client.got(1)
      }
      const { pid } = client
      const first = client.messages.length
      t.equal(await client.miss(async () => { await happens(wsEvents) }), false, what)
      t.not(client.pid, pid)
      const next = client.pid
      // It still has the offset from before the gap.
      t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 1)), true, `${what}: whole from there on`)
      t.equal(client.pid, next)
      await wsEvents.emit('acme', 'call', 2)
      t.strictSame((await client.got(first + 2)).slice(first), [1, 2])
      client.socket.disconnect()
      await fastify.close()
    }
  }
})

t.test('a server of another epoch gives another pid, and replays nothing', async t => {
  const first = await startServer(t, on)
  const client = await StockClient.in(t, `${first.url}/acme`)
  await first.fastify.wsEvents.emit('acme', 'call', 1)
  await client.got(1)
  const { pid } = client
  await first.fastify.close()
  const { fastify: { wsEvents } } = await startServer(t, on, { port: first.port })
  await client.until(() => client.recovered.length === 2)
  t.strictSame(client.recovered, [false, false])
  t.not(client.pid, pid)
  t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 2)), true)
  t.strictSame(await client.got(2), [1, 2])
})

t.test('over a restart on LMDB a client loses nothing', async t => {
  const store = `lmdb:${t.testdir()}`
  const first = await startServer(t, { ...on, store })
  const client = await StockClient.in(t, `${first.url}/acme`)
  const quiet = await StockClient.in(t, `${first.url}/other`)
  await first.fastify.wsEvents.emit('acme', 'call', 1)
  await client.got(1)
  await first.fastify.close()
  const { fastify: { wsEvents } } = await startServer(t, { ...on, store }, { after: async fastify => { await fastify.wsEvents.emit('acme', 'call', 2) }, port: first.port })
  for (const each of [client, quiet]) await each.until(() => each.recovered.length === 2)
  await wsEvents.emit('acme', 'call', 3)
  t.strictSame(await client.got(3), [1, 2, 3])
  t.strictSame([client.recovered, quiet.recovered], [[false, true], [false, true]])
})

t.test('a client resumes on another node than before', async t => {
  const { nodes: [a, b] } = await startNodes(t, 2, { ...on, globalEvents: true })
  for (const path of ['/acme', '']) {
    const client = await StockClient.in(t, a.url + path)
    await a.wsEvents.emit('acme', 'call', 1)
    await client.got(1)
    client.socket.io.engine.close()
    client.socket.disconnect()
    await b.wsEvents.emit('acme', 'call', 2)
    const other = await StockClient.in(t, b.url + path, { auth: { pid: client.pid, offset: client.messages[0]?.id } })
    await a.wsEvents.emit('acme', 'call', 3)
    t.strictSame(await other.got(2), [2, 3])
    t.equal(other.pid, client.pid)
    other.socket.disconnect()
  }
})

t.test('when the store loses events, a stock client is disconnected and reconnects without being recovered', async t => {
  const { shared, nodes: [a, b] } = await startNodes(t, 2, { ...on, globalEvents: true })
  for (const path of ['/acme', '']) {
    const client = await StockClient.in(t, b.url + path)
    await a.wsEvents.emit('acme', 'call', 1)
    await client.got(1)
    shared.gap()
    await client.until(() => client.recovered.length === 2)
    t.strictSame(client.recovered, [false, false])
    await a.wsEvents.emit('acme', 'call', 2)
    await client.got(2)
    t.equal(await client.drop(() => a.wsEvents.emit('acme', 'call', 3)), true)
    t.strictSame(await client.got(3), [1, 2, 3])
    client.socket.disconnect()
  }
})

t.test('history that is dropped after a client was told that it is recovered ends its connection, and then it is told', async t => {
  let reads: Array<ReturnType<EventLog['read']>> = []
  const store = storeWith(log => ({ read: (...asked) => reads.shift() ?? log.read(...asked) }))
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, store })
  const client = await StockClient.in(t, `${url}/acme`)
  reads = [[], 'gap', 'gap']
  await client.drop()
  await client.until(() => client.recovered.length === 3)
  t.strictSame(client.recovered, [false, true, false])
  await wsEvents.emit('acme', 'call', 1)
  t.strictSame(await client.got(1), [1])
})

t.test('a client is disconnected when the store fails, and reconnects', async t => {
  let fails = false
  const store = storeWith(log => ({
    read: async (...asked) => {
      if (fails) throw Object.assign(new Error('the disk is gone'), { code: 'EIO' })
      return log.read(...asked)
    }
  }))
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, store })
  const client = await StockClient.in(t, `${url}/acme`)
  const back = client.drop(async () => {
    fails = true
    await eventually(() => (wsEvents.stats().clients.refused.VERIFY_FAILED ?? 0) + (wsEvents.stats().clients.refused.STORE_UNAVAILABLE ?? 0) > 1)
    fails = false
    await wsEvents.emit('acme', 'call', 1)
  })
  t.equal(await back, true)
  t.strictSame(await client.got(1), [1])
})

t.test('a key that was revoked meanwhile does not come back, whatever the pid', async t => {
  const keys = new Set(['good'])
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, verify: ({ apikey }) => keys.has(apikey ?? '') })
  const client = await StockClient.in(t, `${url}/acme`, { auth: { apikey: 'good' } })
  await wsEvents.emit('acme', 'call', 1)
  await client.got(1)
  keys.clear()
  const answer = refused(client.socket)
  client.socket.io.engine.close()
  await wsEvents.emit('acme', 'call', 2)
  t.equal((await answer).code, `${PREFIX}FORBIDDEN`)
  t.strictSame(client.datas, [1])
})

t.test('a pid that is not of this stream gives nothing that its bearer may not see', async t => {
  const verify: WsEventsOptions['verify'] = ({ apikey, instance }) => instance === apikey || (instance === null && { instances: [apikey ?? ''] })
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, globalEvents: true, verify })
  const open = async (path: string, apikey: string, more: object = {}) => await StockClient.in(t, url + path, { auth: { apikey, ...more } })
  const acme = await open('/acme', 'acme')
  const other = await open('/other', 'other')
  const root = await open('/', 'other')
  await wsEvents.emit('acme', 'call', 'of acme')
  await wsEvents.emit('other', 'call', 'of other')
  const offset = acme.messages[0]?.id ?? (await acme.got(1), acme.messages[0]?.id)
  const made = makePid('acme', idFrom(Date.now() + 60_000, 0, 'abcdef'))
  const pids: unknown[] = [other.pid, root.pid, 'made-up', 'x'.repeat(10_000), '', 7, {}, ['a'], made, makePid('acme', ''), makePid('acme', 'x'.repeat(5000))]
  for (const pid of pids) {
    const client = await open('/acme', 'acme', { pid, offset })
    t.strictSame(client.recovered, [false])
    t.not(client.pid, pid)
    t.type(client.pid, 'string')
    await wsEvents.emit('acme', 'call', 'live')
    t.strictSame(await client.got(1), ['live'], String(pid).slice(0, 20))
    client.socket.disconnect()
  }
  // One of the root, made for it by who may see acme alone, opens nothing of the others.
  const beginning = makePid(null, idOfPid(root.pid, null) ?? '')
  const limited = await open('/', 'acme', { pid: beginning })
  await wsEvents.emit('acme', 'call', 'end')
  await limited.until(() => limited.datas.at(-1) === 'end')
  t.notOk(limited.datas.includes('of other'))
  const intruder = connect(t, `${url}/acme`, { auth: { apikey: 'other', pid: acme.pid, offset } })
  t.equal((await refused(intruder)).code, `${PREFIX}FORBIDDEN`)
})

t.test('a pid that two clients bring at once doubles nothing to either', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, on)
  const client = await StockClient.in(t, `${url}/acme`)
  for (let at = 0; at < 10; at++) await wsEvents.emit('acme', 'call', at)
  await client.got(10)
  const auth = { pid: client.pid, offset: client.messages[4]?.id }
  const [twin, again] = await Promise.all([StockClient.in(t, `${url}/acme`, { auth }), StockClient.in(t, `${url}/acme`, { auth })])
  t.equal(await client.drop(), true)
  await wsEvents.emit('acme', 'call', 10)
  t.strictSame(await client.got(11), numbers(0, 10))
  for (const each of [twin, again]) {
    t.strictSame(await each.got(6), numbers(5, 10))
    t.equal(each.pid, client.pid)
  }
})

t.test('who gets a pid: by the option, and by what the client is', async t => {
  const origin = { extraHeaders: { origin: 'https://app.example' } }
  const fetched = { extraHeaders: { 'sec-fetch-site': 'same-origin' } }
  const given = { auth: { lastEventId: '' } }
  const cases: Array<[WsEventsOptions['stockResume'], ClientOptions, boolean]> = [
    [undefined, origin, false], [false, origin, false],
    ['browsers', {}, false], ['browsers', origin, true], ['browsers', fetched, true], ['browsers', { ...origin, ...given }, false],
    [true, {}, true], [true, origin, true], [true, given, false]
  ]
  for (const [stockResume, options, isGiven] of cases) {
    const { fastify: { wsEvents }, url } = await startServer(t, { ...on, stockResume, apikey: 'key' })
    const client = await StockClient.in(t, `${url}/acme`, { ...options, auth: { apikey: 'key', ...options.auth as object } })
    await wsEvents.emit('acme', 'call', 1)
    await client.got(1)
    const what = `${String(stockResume)} ${JSON.stringify(options)}`
    t.equal(client.pid !== undefined, isGiven, what)
    t.equal(typeof client.seconds[0], isGiven ? 'string' : 'undefined', what)
  }
})

t.test('beside each other: the helper and clients that give an id have ws.ready and one argument, others a pid and two', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, on)
  const stock = await StockClient.in(t, `${url}/acme`)
  const byId = await resume(t, `${url}/acme`, '')
  const helper = connectHelper(`${url}/acme`, { forceNew: true, transports: ['websocket'] })
  t.teardown(() => { helper.close() })
  const helped: unknown[][] = []
  helper.socket.on('call', (...args: unknown[]) => { helped.push(args) })
  const args: unknown[][] = []
  byId.socket.on('call', (...all: unknown[]) => { args.push(all) })
  await eventually(() => wsEvents.clients().length === 3)
  await wsEvents.emit('acme', 'call', 1)
  await stock.got(1)
  await eventually(() => helped.length === 1 && args.length === 1)
  t.equal(helped[0]?.length, 1)
  t.equal(args[0]?.length, 1)
  t.type(stock.seconds[0], 'string')
})

t.test('with another parser it is the same', async t => {
  const parser = createRequire(import.meta.url)('socket.io-msgpack-parser') as NonNullable<ClientOptions['parser']>
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, socketio: { parser } })
  const client = await StockClient.in(t, `${url}/acme`, { parser })
  await wsEvents.emit('acme', 'call', 1)
  await client.got(1)
  t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 2)), true)
  t.strictSame(await client.got(2), [1, 2])
  t.strictSame(client.seconds, client.messages.map(({ id }) => id))
})

t.test('a client of Socket.IO 2 is given neither', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { ...on, socketio: { allowEIO3: true } })
  const connect2 = createRequire(import.meta.url)('socket.io-client-2') as (url: string, options: object) => Socket
  const client = connect2(`${url}/acme`, { forceNew: true, transports: ['websocket'] })
  t.teardown(() => { client.close() })
  const args = new Promise<unknown[]>(resolve => { client.on('call', (...all: unknown[]) => { resolve(all) }) })
  await new Promise<void>(resolve => { client.on('connect', () => { resolve() }) })
  await wsEvents.emit('acme', 'call', 1)
  t.equal((await args).length, 1)
})

t.test('where Socket.IO writes no pid, clients are served without, and the log says so once', async t => {
  writeNoPid(t)
  const { lines, fastify: options } = recordLog()
  const { fastify: { wsEvents }, url } = await startServer(t, on, { fastify: options })
  for (let at = 0; at < 2; at++) {
    const client = await StockClient.in(t, `${url}/acme`)
    await wsEvents.emit('acme', 'call', 1)
    await client.got(1)
    t.equal(client.seconds[0], undefined)
    t.equal(client.pid, undefined)
  }
  t.equal(lines.filter(({ msg }) => msg.startsWith('the option stockResume has no effect')).length, 1)
})

t.test('on a server of the host\'s it is the same', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, on, { before: fastify => { fastify.decorate('io', new Server(fastify.server)) } })
  const client = await StockClient.in(t, `${url}/acme`)
  t.equal(await client.drop(() => wsEvents.emit('acme', 'call', 1)), true)
  t.strictSame(await client.got(1), [1])
})

t.test('remove, disconnect and a disabled instance keep a client away as before', async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, on)
  for (const end of [() => wsEvents.remove('acme'), async () => { await wsEvents.disconnect({ instance: 'acme' }) }, () => wsEvents.set('acme', { enabled: false })]) {
    await wsEvents.set('acme', { enabled: true })
    const client = await StockClient.in(t, `${url}/acme`)
    const reason = disconnected(client.socket)
    await end()
    t.equal(await reason, 'io server disconnect')
    client.socket.disconnect()
  }
  await wsEvents.set('acme', { enabled: true })
  await admitted(connect(t, `${url}/acme`))
})

t.test('a pid says which stream it is of, and an offset counts if it is a later id of its epoch', async t => {
  const id = idFrom(1_700_000_000_000, 1, 'abcdef')
  const later = idFrom(1_700_000_000_001, 0, 'abcdef')
  const pid = makePid('acme', id)
  t.not(makePid('acme', id), pid, 'none is like another')
  t.equal(idOfPid(pid, 'acme'), id)
  t.equal(idOfPid(makePid(null, id), null), id)
  for (const instance of ['other', null, 'acme,', '']) t.equal(idOfPid(pid, instance), null)
  for (const at of pid.split('').keys()) {
    const forged = pid.slice(0, at) + (pid[at] === 'A' ? 'B' : 'A') + pid.slice(at + 1)
    t.ok(idOfPid(forged, 'acme') === null || forged.length === at + 1, `changed at ${at}`)
  }
  t.equal(resumeAfter(id, later), later)
  for (const offset of [undefined, null, 5, '', 'hello', idFrom(1_700_000_000_000, 0, 'abcdef'), idFrom(1_700_000_000_001, 0, 'abcdeg'), 'x'.repeat(10_000)]) {
    t.equal(resumeAfter(id, offset), id)
  }
})
