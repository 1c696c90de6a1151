import t from 'tap'
import { disconnected, listen, transports } from '../helpers/client.js'
import { eventually } from '../helpers/latch.js'
import { startNetwork } from '../helpers/network.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { cameBack, enabled, hear, reached, UNLIMITED } from './setup.js'

// How much may pass: what a stock client sees of each limit, and what others see, which is nothing.

const ENDED = /^transport (close|error)$/

for (const transport of transports) {
  t.test(`over inboundBytes in one message, a client's ${transport} connection is ended, and it comes back`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, inboundBytes: 1000 } })
    const other = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    for (let at = 0; at < 5; at++) socket.emit('noise', 'x'.repeat(900))
    await eventually(() => server.fastify.wsEvents.stats().clients.received.dropped === 5)
    t.strictSame(reached(server), {}, 'several are fine that are less')
    const ended = disconnected(socket)
    socket.emit('noise', 'x'.repeat(1001))
    t.match(await ended, ENDED)
    await cameBack(socket)
    t.strictSame(reached(server), { inboundBytes: 1 })
    t.equal(server.fastify.wsEvents.stats().clients.received.dropped, 5)
    await hear(t, server, 'acme', [other.inbox, inbox])
  })

  t.test(`over inboundPerSecond, a client's ${transport} connection is ended, and it comes back`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, inboundPerSecond: 5 } })
    const other = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const ended = disconnected(socket)
    // Many more than the turn of a second may let through.
    for (let at = 0; at < 50; at++) socket.emit('noise', at)
    t.match(await ended, ENDED)
    await cameBack(socket)
    t.strictSame(reached(server), { inboundPerSecond: 1 })
    t.match(server.fastify.wsEvents.stats().clients.refused, { LIMIT_REACHED: 1 })
    t.ok(server.fastify.wsEvents.stats().clients.received.dropped <= 10, 'what was more is not looked at')
    await hear(t, server, 'acme', [other.inbox, inbox])
  })

  t.test(`over queuedBytes that a client does not read, its ${transport} connection is ended, and it comes back when it reads`, async t => {
    const server = await startServer(t, { ...enabled, limits: { ...UNLIMITED, queuedBytes: 100_000 } })
    const network = await startNetwork(t, server.port)
    const reads = await listen(t, `${server.url}/acme`, { transports: [transport] })
    const { socket, inbox } = await listen(t, `${network.url}/acme`, { transports: [transport] })
    const ended = disconnected(socket)
    network.stall()
    let sent = 0
    while (reached(server).queuedBytes === undefined) {
      await server.fastify.wsEvents.emit('acme', 'call', 'x'.repeat(50_000))
      // Only the one that does not read has anything waiting.
      await reads.inbox.got(++sent)
    }
    await eventually(() => server.fastify.wsEvents.stats().clients.inInstances === 1)
    network.flow()
    t.match(await ended, ENDED)
    await cameBack(socket)
    t.strictSame(reached(server), { queuedBytes: 1 })
    t.equal(server.fastify.wsEvents.stats().delivery.slowConsumers, 1)
    await hear(t, server, 'acme', [reads.inbox, inbox])
  })

  t.test(`over pendingEvents and pendingBytes, emit is rejected, and a client over ${transport} stays and gets all that was not`, { skip: withoutRedis }, async t => {
    for (const [limit, most, pad] of [['pendingEvents', 3, 0], ['pendingBytes', 4000, 1000]] as const) {
      const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
      const server = await startServer(t, { ...enabled, store: redis.url, limits: { ...UNLIMITED, [limit]: most } })
      const { wsEvents } = server.fastify
      const { socket, inbox } = await listen(t, `${server.url}/acme`, { transports: [transport] })
      const emit = async (number: number) => await wsEvents.emit('acme', 'call', { number, pad: 'x'.repeat(pad) })
      await redis.kill()
      await eventually(() => !wsEvents.stats().store.available)
      const waiting = [1, 2, 3].map(emit)
      for (let time = 1; time <= 2; time++) {
        await t.rejects(emit(0), { code: 'FST_ERR_WS_EVENTS_PENDING_FULL' })
        t.strictSame(reached(server), { [limit]: time })
      }
      await redis.start()
      await Promise.all(waiting)
      await emit(4)
      t.match(datas(await inbox.got(4)), [1, 2, 3, 4].map(number => ({ number })))
      t.ok(socket.connected)
      t.strictSame(reached(server), { [limit]: 2 })
    }
  })
}

t.test('with 0 any number of events waits for a store that is away', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t, { appendonly: true, appendfsync: 'always' })
  const server = await startServer(t, { ...enabled, store: redis.url, limits: UNLIMITED })
  await redis.kill()
  await eventually(() => !server.fastify.wsEvents.stats().store.available)
  // More than may wait by default.
  const waiting = Array.from({ length: 10_100 }, async (empty, number) => await server.fastify.wsEvents.emit('acme', 'call', number))
  await redis.start()
  t.equal(new Set((await Promise.all(waiting)).map(({ id }) => id)).size, 10_100)
  t.strictSame(reached(server), {})
})
