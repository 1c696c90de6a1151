import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connectionsOf } from '../../lib/gateway/socketio/engine.js'
import { eventually } from '../helpers/latch.js'
import { eventLine, withoutIds } from './helpers/conversation.js'
import { pollWaits, sameFromAll, Session } from './helpers/engine.js'
import { RawPolling, SEPARATOR } from './helpers/polling.js'
import { RawWebSocket } from './helpers/raw-web-socket.js'
import { type Spoken, startServers } from './helpers/servers.js'

// How a connection goes from polling to a WebSocket: of a plain Socket.IO server, and of ours. It is here that our way
// of writing events begins, and that nothing may be lost, doubled or overtaken.

const UNKNOWN_SID = '400 {"code":1,"message":"Session ID unknown"}'
const BAD_REQUEST = '400 {"code":3,"message":"Bad request"}'
const comes = (data: unknown): string => eventLine('42/acme,', 'acme', 'call', data)

/** Opens a WebSocket for a session that there is. */
async function openFor (server: Spoken, sid: string): Promise<RawWebSocket> {
  return await RawWebSocket.open(server.port, { query: `EIO=4&transport=websocket&sid=${sid}` })
}

/** A session in /acme whose WebSocket was probed. */
async function probe (server: Spoken): Promise<{ session: Session, client: RawWebSocket, said: string[] }> {
  const session = await Session.join(server.port, '/acme,')
  const client = await openFor(server, session.sid)
  await client.send('2probe')
  return { session, client, said: [await client.next()] }
}

/** Goes over to the WebSocket. Resolves when the server has. */
async function goOver (server: Spoken, client: RawWebSocket): Promise<void> {
  const over = once(connectionsOf(server.io)[0] as never, 'upgrade')
  await client.send('5')
  await over
}

const asks = ['42/acme,1["subscribe",{"events":["call"]}]', '43/acme,1[["call"]]'] as const

async function leave (session: Session, client: RawWebSocket, said: string[]): Promise<string[]> {
  said.push(...await client.leave())
  session.http.close()
  return said.map(withoutIds)
}

t.test('the upgrade', async t => {
  const servers = await startServers(t)

  await t.test('is probed, ends the poll that waits, and goes on over the WebSocket', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      said.push(await session.poll())
      await goOver(server, client)
      server.emit('acme', 'call', 'over')
      said.push(await client.next(), await session.poll(), await session.post('3'))
      await client.send(asks[0])
      said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', '200 6', comes('over'), BAD_REQUEST, BAD_REQUEST, asks[1]])
  })

  await t.test('may come without a probe', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '/acme,')
      const client = await openFor(server, session.sid)
      await goOver(server, client)
      server.emit('acme', 'call', 'over')
      return await leave(session, client, [await client.next()])
    }, [comes('over')])
  })

  await t.test('has events go by the poll that waits until it is done', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      const poll = session.poll()
      await pollWaits(server)
      server.emit('acme', 'call', 1)
      said.push(await poll)
      await goOver(server, client)
      server.emit('acme', 'call', 2)
      said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', `200 ${comes(1)}`, comes(2)])
  })

  await t.test('brings over what waits, before what comes next', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      said.push(await session.poll())
      for (let n = 0; n < 3; n++) server.emit('acme', 'call', n)
      const [connection] = connectionsOf(server.io)
      // In the very turn of the upgrade.
      connection?.once('upgrade', () => { server.emit('acme', 'call', 3) })
      await goOver(server, client)
      server.emit('acme', 'call', 4)
      for (let n = 0; n < 5; n++) said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', '200 6', ...[0, 1, 2, 3, 4].map(comes)])
  })

  await t.test('brings over bytes that wait', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      said.push(await session.poll())
      server.emit('acme', 'call', Buffer.from([1, 2, 3]))
      await goOver(server, client)
      server.emit('acme', 'call', 'after')
      for (let n = 0; n < 3; n++) said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', '200 6', eventLine('451-/acme,', 'acme', 'call', { _placeholder: true, num: 0 }), '[01 02 03]', comes('after')])
  })

  const words: Record<string, string> = { 'a message': '4hello', 'a ping that is no probe': '2', 'another probe': '2other', 'a pong': '3probe', 'no packet': 'abc' }
  for (const [name, word] of Object.entries(words)) {
    await t.test(`that begins with ${name} is none, and polling goes on`, async t => {
      await sameFromAll(t, servers, async server => {
        const session = await Session.join(server.port, '/acme,')
        const client = await openFor(server, session.sid)
        await client.send(word)
        const said = [await client.next(), client.ending, await session.post(asks[0]), await session.poll()]
        server.emit('acme', 'call', 'still')
        said.push(withoutIds(await session.poll()))
        await session.leave()
        return said
      }, ['closed', 'close', '200 ok', `200 ${asks[1]}`, `200 ${comes('still')}`])
    })
  }

  await t.test('that is given up after the probe leaves polling as it was', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      const [connection] = connectionsOf(server.io)
      client.cut()
      await eventually(() => (connection as unknown as { upgrading: boolean }).upgrading === false)
      server.emit('acme', 'call', 'still')
      said.push(withoutIds(await session.poll()))
      await session.leave()
      return said
    }, ['3probe', `200 ${comes('still')}`])
  })

  await t.test('may be tried again after that', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client: first, said } = await probe(server)
      await first.leave()
      const client = await openFor(server, session.sid)
      await client.send('2probe')
      said.push(await client.next())
      await goOver(server, client)
      server.emit('acme', 'call', 'over')
      said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', '3probe', comes('over')])
  })

  await t.test('is one at a time', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      const second = await openFor(server, session.sid)
      said.push(await second.next(), second.ending)
      await goOver(server, client)
      const third = await openFor(server, session.sid)
      said.push(await third.next(), third.ending)
      server.emit('acme', 'call', 'over')
      said.push(await client.next())
      return await leave(session, client, said)
    }, ['3probe', 'closed', 'close', 'closed', 'close', comes('over')])
  })

  await t.test('of a session that says goodbye meanwhile ends with it', async t => {
    await sameFromAll(t, servers, async server => {
      const { session, client, said } = await probe(server)
      said.push(await session.post('1'), await client.next(), client.ending, await session.poll())
      session.http.close()
      return said
    }, ['3probe', '200 ok', 'closed', 'close', UNKNOWN_SID])
  })

  await t.test('of a connection that is a WebSocket already is answered, and changes nothing', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await RawWebSocket.open(server.port)
      const { sid } = JSON.parse((await client.next()).slice(1)) as { sid: string }
      const second = await openFor(server, sid)
      await second.send('2probe')
      const said = [await second.next(), await client.leave()]
      await second.leave()
      return said
    }, ['3probe', []])
  })

  for (const payload of ['text', 'bytes'] as const) {
    await t.test(`loses, doubles and turns round nothing while ${payload} keep coming`, async t => { await losesNothing(t, servers, payload) })
  }
})

const EVENTS = 400

/** Emits in every turn of the event loop while a client that polls goes over. */
async function losesNothing (t: Test, servers: readonly Spoken[], payload: 'text' | 'bytes'): Promise<void> {
  for (const server of servers) {
    const polling = await RawPolling.open(server.port)
    const { sid } = JSON.parse((await polling.next()).slice(1)) as { sid: string }
    await polling.send('40/acme,')
    await polling.next()
    const emitted = emitAll(server, payload)
    const client = await openFor(server, sid)
    await client.send('2probe')
    const overPolling: string[] = []
    t.equal(await client.next(), '3probe', server.name)
    // As clients do, it goes over when its polling has paused.
    await polling.pause()
    overPolling.push(...polling.lines.rest())
    await client.send('5')
    await emitted
    const lines = [...overPolling]
    const perEvent = payload === 'text' ? 1 : 2
    while (lines.length < EVENTS * perEvent) lines.push(await client.next())
    const expected = Array.from({ length: EVENTS }, (empty, n) => payload === 'text' ? [comes(n)] : [eventLine('451-/acme,', 'acme', 'call', { _placeholder: true, num: 0 }), `[${Buffer.from([n >> 8, n & 255]).toString('hex').replace(/..$/, ' $&')}]`]).flat()
    t.strictSame(lines.map(withoutIds), expected, server.name)
    t.ok(overPolling.length > 0 && overPolling.length < lines.length, `${server.name}: some came over polling, and some over the WebSocket`)
    t.strictSame(await client.leave(), [], `${server.name}: nothing else came`)
    await server.reasons()
  }
}

async function emitAll (server: Spoken, payload: 'text' | 'bytes'): Promise<void> {
  for (let n = 0; n < EVENTS; n++) {
    server.emit('acme', 'call', payload === 'text' ? n : Buffer.from([n >> 8, n & 255]))
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

t.test('an upgrade that is not completed is closed after a while, and polling goes on', async t => {
  const servers = await startServers(t, { upgradeTimeout: 300 })
  await sameFromAll(t, servers, async server => {
    const { session, client, said } = await probe(server)
    said.push(await client.next(), client.ending)
    server.emit('acme', 'call', 'still')
    said.push(withoutIds((await session.poll()).replace(`6${SEPARATOR}`, '')))
    await session.leave()
    return said
  }, ['3probe', 'closed', 'close', `200 ${comes('still')}`])
})
