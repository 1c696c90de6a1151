import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import t, { type Test } from 'tap'
import type { Message } from '../../lib/index.js'
import { admitted, connect } from '../helpers/client.js'
import { eventually, latch } from '../helpers/latch.js'
import { startServer } from '../helpers/server.js'

// A client that goes, or a server that closes, in the moment in which something else is decided about the client.

/** Asks by hand. */
async function ask (t: Test, port: number, accept: string): Promise<{ leave: () => Promise<void> }> {
  const socket = connectTcp(port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => { socket.destroy() })
  socket.write(`GET /instance/acme/events HTTP/1.1\r\nHost: localhost\r\napikey: key\r\nAccept: ${accept}\r\n\r\n`)
  await once(socket, 'connect')
  return {
    leave: async () => {
      socket.resetAndDestroy()
      await once(socket, 'close')
    }
  }
}

for (const accept of ['text/event-stream', 'application/json']) {
  t.test(`a client that goes while its key is checked releases what it has once: ${accept}`, async t => {
    const asked = latch()
    const answer = latch()
    const { fastify: { wsEvents }, port } = await startServer(t, {
      defaultConfig: { enabled: true },
      verify: async () => {
        asked.open()
        await answer.opened
        return true
      }
    })
    const client = await ask(t, port, accept)
    await asked.opened
    t.equal(wsEvents.stats().clients.connections, 1)
    await client.leave()
    await eventually(() => wsEvents.stats().clients.connections === 0)
    answer.open()
    // Another one comes and goes after it, so that the first has been answered.
    const other = await ask(t, port, 'text/event-stream')
    await eventually(() => wsEvents.stats().clients.inInstances === 1)
    t.equal(wsEvents.stats().clients.connections, 1)
    await other.leave()
    await eventually(() => wsEvents.stats().clients.connections === 0)
    t.match(wsEvents.stats(), { clients: { connections: 0, atRoot: 0, inInstances: 0 } })
  })

  t.test(`a client that is gone before a hook of the host's ends is not kept: ${accept}`, async t => {
    const reached = latch()
    const answered = latch()
    const { fastify: { wsEvents }, port } = await startServer(t, { defaultConfig: { enabled: true }, verify: () => true }, {
      before: fastify => {
        fastify.addHook('onRequest', async ({ raw }) => {
          reached.open()
          await new Promise(resolve => { raw.socket.once('close', resolve) })
          // The route is called in this turn.
          setImmediate(() => { answered.open() })
        })
      }
    })
    const client = await ask(t, port, accept)
    await reached.opened
    await client.leave()
    await answered.opened
    await eventually(() => wsEvents.stats().clients.connections === 0)
    t.match(wsEvents.stats(), { clients: { connections: 0, inInstances: 0, admitted: 0 } })
  })
}

t.test('a server that closes while a key is checked again sends what was emitted, and logs no failure', async t => {
  const again = latch()
  let checks = 0
  const lines: string[] = []
  const { fastify, url } = await startServer(t, {
    defaultConfig: { enabled: true },
    verify: async () => {
      if (++checks === 1) return { instances: ['acme'], ttl: 50 }
      again.open()
      return await new Promise(() => {})
    }
  }, { fastify: { logger: { level: 'debug', stream: { write: (line: string) => { lines.push(line) } } } } })
  const client = connect(t, `${url}/acme`, { auth: { apikey: 'key' }, reconnection: false })
  await admitted(client)
  await again.opened
  const got: unknown[] = []
  client.on('call', ({ data }: Message) => { got.push(data) })
  const left = new Promise<string>(resolve => { client.on('disconnect', resolve) })
  for (let number = 0; number < 100; number++) void fastify.wsEvents.emit('acme', 'call', number)
  const { refused } = fastify.wsEvents.stats().clients
  await fastify.close()
  t.match(await left, /^transport /)
  t.equal(got.length, 100)
  t.strictSame(fastify.wsEvents.stats().clients.refused, refused)
  t.strictSame(lines.filter(line => line.includes('could not be checked')), [])
})
