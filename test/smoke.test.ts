import t from 'tap'
import { listen, transports, connect, refused } from './helpers/client.js'
import { startServer } from './helpers/server.js'

for (const transport of transports) {
  t.test(`over ${transport}, a client is refused until its instance is set, and then gets its events`, async t => {
    const { fastify, url } = await startServer(t)
    const refusal = await refused(connect(t, `${url}/acme`, { transports: [transport] }))
    t.equal(refusal.code, 'FST_ERR_WS_EVENTS_NOT_SET')
    await fastify.wsEvents.set('acme', { enabled: true })
    const { inbox } = await listen(t, `${url}/acme`, { transports: [transport] })
    await fastify.wsEvents.emit('acme', 'messages.upsert', { text: 'hello' })
    const [message] = await inbox.got(1)
    t.match(message, { event: 'messages.upsert', instance: 'acme', data: { text: 'hello' } })
  })
}
