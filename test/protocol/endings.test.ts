import t from 'tap'
import type { Verify } from '../../lib/index.js'
import { transports } from '../helpers/client.js'
import { latch } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'
import { openClient, withoutIds } from './helpers/conversation.js'

// Where we end connections otherwise than Socket.IO does, so that its stock clients come back, or hold no place: what
// of that is seen on the wire.

const ACK = '40/acme,{"sid":"SID"}'
const defaultConfig = { enabled: true }
/** How a connection that is cut ends: on a WebSocket without a word, and for who polls by its next poll. */
const CUT = { websocket: 'cut', polling: '1' }

for (const transport of transports) {
  t.test(`over ${transport}, a passing fault ends the connection in place of an answer`, async t => {
    const { port } = await startServer(t, { verify: () => { throw new Error('away') } })
    const client = await openClient(port, transport)
    await client.send('40/acme,{"apikey":"key"}')
    t.equal(await client.next(), 'closed')
    t.equal(client.ending, CUT[transport])
    t.strictSame(await client.leave(), [])
  })

  t.test(`over ${transport}, a passing fault is an answer where the connection serves another namespace`, async t => {
    const verify: Verify = ({ instance }) => {
      if (instance === 'acme') return true
      throw new Error('away')
    }
    const { port } = await startServer(t, { defaultConfig, verify })
    const client = await openClient(port, transport)
    await client.send('40/acme,{"apikey":"key"}')
    t.equal(withoutIds(await client.next()), ACK)
    await client.send('40/other,{"apikey":"key"}')
    const data = { code: 'FST_ERR_WS_EVENTS_VERIFY_FAILED', statusCode: 503, message: 'the key could not be checked just now: try again', retry: true }
    t.equal(await client.next(), `44/other,${JSON.stringify({ message: data.message, data })}`)
    await client.send('42/acme,1["subscribe",{"events":["call"]}]')
    t.equal(await client.next(), '43/acme,1[["call"]]')
    t.strictSame(await client.leave(), [])
  })

  t.test(`over ${transport}, a server that closes lets out what was emitted, and says that it goes away`, async t => {
    const { fastify, port } = await startServer(t, { defaultConfig })
    const client = await openClient(port, transport)
    await client.send('40/acme,')
    t.equal(withoutIds(await client.next()), ACK)
    void fastify.wsEvents.emit('acme', 'call', 'last')
    const closed = fastify.close()
    t.match(await client.next(), /^42\/acme,\["call",.*"data":"last"/)
    t.equal(await client.next(), 'closed')
    t.equal(client.ending, transport === 'websocket' ? 'close 1001' : '1')
    await client.leave()
    await closed
  })

  t.test(`over ${transport}, a connection that has left its last namespace is ended after a while`, async t => {
    const { port } = await startServer(t, { defaultConfig, limits: { idleMs: 2000 } })
    const client = await openClient(port, transport)
    await client.send('40/acme,')
    t.equal(withoutIds(await client.next()), ACK)
    await client.send('41/acme,')
    t.equal(await client.next(), 'closed')
    t.equal(client.ending, CUT[transport])
    t.strictSame(await client.leave(), [])
  })

  t.test(`over ${transport}, an instance that is removed says goodbye to its clients, and keeps the connection`, async t => {
    const { fastify, port } = await startServer(t, { defaultConfig })
    const client = await openClient(port, transport)
    await client.send('40/acme,')
    await client.next()
    await client.send('40/other,')
    await client.next()
    void fastify.wsEvents.emit('acme', 'call', 'last')
    await fastify.wsEvents.remove('acme')
    t.match(await client.next(), /^42\/acme,\["call",.*"data":"last"/)
    t.equal(await client.next(), '41/acme,')
    await client.send('42/other,1["subscribe",{"events":["call"]}]')
    t.equal(await client.next(), '43/other,1[["call"]]')
    t.strictSame(await client.leave(), [])
  })

  t.test(`over ${transport}, an event before the check has answered ends the connection`, async t => {
    const checking = latch()
    const answer = latch()
    const verify: Verify = async () => {
      checking.open()
      await answer.opened
      return true
    }
    const { port } = await startServer(t, { defaultConfig, verify })
    const client = await openClient(port, transport)
    await client.send('40/acme,{"apikey":"key"}')
    await checking.opened
    await client.send('42/acme,["subscribe",{}]')
    t.equal(await client.next(), 'closed', 'as for Socket.IO, it is not in yet')
    answer.open()
    t.strictSame(await client.leave(), [])
  })
}
