import { request } from 'node:http'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { drain } from '../../lib/gateway/drain.js'
import { Inbox, admitted, connect, disconnected, transports } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'

// Lower bounds alone: a busy machine may only be later.

/** Timers of Node may be this early, in ms. */
const SLACK = 2

t.test('connections end in their order, each not before its share of the time', async t => {
  const began = performance.now()
  const ended: Array<[number, number]> = []
  await drain([0, 1, 2, 3, 4], 500, async at => { ended.push([at, performance.now() - began]) })
  t.strictSame(ended.map(([at]) => at), [0, 1, 2, 3, 4])
  for (const [at, ms] of ended) t.ok(ms >= at * 100 - SLACK, `${at} after ${ms} ms`)
})

t.test('without a time they all end at once, and it resolves when the last has ended', async t => {
  let ending = 0
  const last = { end: () => {} }
  const drained = drain([0, 1, 2], 0, async at => {
    ending++
    if (at === 2) await new Promise<void>(resolve => { last.end = resolve })
  })
  t.equal(ending, 3)
  let isOver = false
  const over = drained.then(() => { isOver = true })
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(isOver, false)
  last.end()
  await over
})

t.test('nobody to end is over at once', async () => { await drain([], 2 ** 31 - 1, async () => {}) })

t.test('close() ends sockets and streams over drainMs, lets nobody in meanwhile, and all come back', async t => {
  const drainMs = 1000
  const { fastify, url } = await startServer(t, { defaultConfig: { enabled: true }, drainMs })
  const sockets = Array.from({ length: 6 }, (empty, at) => connect(t, `${url}/acme`, { transports: [transports[at % 2] ?? 'polling'], reconnectionDelay: 60_000 }))
  const inboxes = sockets.map(socket => new Inbox(socket))
  await Promise.all(sockets.map(admitted))
  const streams = await Promise.all([0, 1, 2].map(async () => {
    const [response] = await once(request(`${url}/instance/acme/events`, { headers: { accept: 'text/event-stream' } }).end(), 'response') as [IncomingMessage]
    return response
  }))
  const texts = streams.map(async response => {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
    return text
  })
  const reasons = Promise.all(sockets.map(disconnected))
  void fastify.wsEvents.emit('acme', 'call', 'last')
  const began = performance.now()
  const closed = fastify.close()
  const refused = connect(t, `${url}/acme`, { reconnectionDelay: 60_000 })
  const [error] = await once(refused as never, 'connect_error') as [Error]
  t.ok(error instanceof Error, 'nobody is let in any more')
  await t.rejects(fastify.wsEvents.emit('acme', 'call', 'too late'), { code: 'FST_ERR_WS_EVENTS_CLOSED' })
  await closed
  const ms = performance.now() - began
  t.ok(ms >= drainMs * 5 / 6 - SLACK, `close() took ${ms} ms`)
  t.strictSame(new Set((await reasons).map(reason => reason.replace(/error$/, 'close'))), new Set(['transport close']))
  t.equal(sockets.filter(({ active }) => active).length, sockets.length, 'stock clients come back')
  for (const inbox of inboxes) t.strictSame(inbox.messages.map(({ data }) => data), ['last'])
  for (const text of await Promise.all(texts)) t.match(text, /"data":"last"/)
})
