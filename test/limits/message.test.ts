import t, { type Test } from 'tap'
import type { Message } from '../../lib/index.js'
import { listen } from '../helpers/client.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { IN_FULL } from '../helpers/sample.js'
import { startServer } from '../helpers/server.js'
import { enabled, hear, reached, UNLIMITED } from './setup.js'

const MiB = 1024 * 1024
const TOO_LARGE = { code: 'FST_ERR_WS_EVENTS_MESSAGE_TOO_LARGE', statusCode: 413 }

const STORES: Record<string, { readonly skip: boolean | string, store (t: Test): Promise<string> }> = {
  memory: { skip: false, store: async () => 'memory:' },
  lmdb: { skip: false, store: async t => `lmdb:${t.testdir()}` },
  redis: { skip: withoutRedis, store: async t => (await startRedis(t)).url }
}

/** Bytes of a message as they count: encoded, without its id. */
const sizeOf = (message: Message): number => Buffer.byteLength(JSON.stringify(message)) - Buffer.byteLength(`{"id":"${message.id}"`)

for (const [name, { skip, store }] of Object.entries(STORES)) {
  t.test(`${name}: a message may have limits.messageBytes, and one byte more rejects, with nothing remembered`, { skip }, async t => {
    const server = await startServer(t, { ...enabled, store: await store(t), limits: { ...UNLIMITED, messageBytes: 5000 } })
    const { wsEvents } = server.fastify
    const { inbox } = await listen(t, `${server.url}/acme`)
    await wsEvents.emit('acme', 'call', '')
    const [empty] = await inbox.got(1)
    const room = 5000 - sizeOf(empty as Message)
    const fits = [
      { data: 'x'.repeat(room) },
      { data: 'é'.repeat(Math.floor(room / 2)) },
      { data: '', extra: { more: 'x'.repeat(room - ',"more":""'.length) } },
      { data: Buffer.alloc(room - '{"_placeholder":true,"num":0}'.length + '""'.length) }
    ]
    const grown = [
      { data: 'x'.repeat(room + 1) },
      { data: 'é'.repeat(Math.floor(room / 2) + 1) },
      { data: '', extra: { more: 'x'.repeat(room - ',"more":""'.length + 1) } },
      { data: Buffer.alloc(room - '{"_placeholder":true,"num":0}'.length + '""'.length + 1) }
    ]
    for (const [index, { data, extra }] of fits.entries()) {
      const { id } = await wsEvents.emit('acme', 'call', data, { extra })
      t.equal((await inbox.got(index + 2)).at(-1)?.id, id)
    }
    const { records } = wsEvents.stats().log
    for (const { data, extra } of grown) await t.rejects(wsEvents.emit('acme', 'call', data, { extra }), TOO_LARGE)
    t.equal(wsEvents.stats().log.records, records)
    t.strictSame(reached(server), { messageBytes: grown.length })
    await hear(t, server, 'acme', [inbox])
    t.equal(inbox.messages.length, fits.length + 2, 'of the others nothing came')
  })

  // A few seconds each on the others: in test/long.
  if (name !== 'memory' && !IN_FULL) continue

  t.test(`${name}: a message of 32 MiB, the default, arrives whole`, { skip }, async t => {
    const { messageBytes, ...others } = UNLIMITED
    const server = await startServer(t, { ...enabled, store: await store(t), limits: others })
    const { inbox } = await listen(t, `${server.url}/acme`)
    const data = 'x'.repeat(32 * MiB - 1000)
    const { id } = await server.fastify.wsEvents.emit('acme', 'call', data)
    const [message] = await inbox.got(1)
    t.equal(message?.id, id)
    t.ok(message?.data === data)
    await t.rejects(server.fastify.wsEvents.emit('acme', 'call', 'x'.repeat(32 * MiB)), TOO_LARGE)
  })
}

t.test('without watchers and history a message is not encoded, and its size is not limited', async t => {
  const { fastify } = await startServer(t, { ...enabled, limits: { ...UNLIMITED, messageBytes: 10 } })
  t.match(await fastify.wsEvents.emit('acme', 'call', 'x'.repeat(100)), { id: null, routes: ['/acme'] })
})

t.test('what waits for a store that is not known yet is checked in its call', { skip: withoutRedis }, async t => {
  const redis = await startRedis(t)
  await redis.kill()
  const { fastify } = await startServer(t, { ...enabled, store: redis.url, limits: { ...UNLIMITED, messageBytes: 1000 } })
  await t.rejects(fastify.wsEvents.emit('acme', 'call', 'x'.repeat(1000)), TOO_LARGE)
})
