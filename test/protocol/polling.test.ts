import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { eventLine } from './helpers/conversation.js'
import { outcomeLine, pollWaits, sameFromAll, Session } from './helpers/engine.js'
import { SEPARATOR } from './helpers/polling.js'
import { MAX_PAYLOAD, type Spoken, startServers } from './helpers/servers.js'

// The polling transport of Engine.IO v4, poll by poll: of a plain Socket.IO server, and of ours.

const UNKNOWN_SID = '400 {"code":1,"message":"Session ID unknown"}'
const lines = (...packets: string[]): string => packets.join(SEPARATOR)

/** What a client hears whose poll waits while it posts what ends its session. */
async function answersTo (server: Spoken, body: string): Promise<string[]> {
  const session = await Session.open(server.port)
  const poll = session.poll()
  await pollWaits(server)
  const said = [await session.post(body), await poll, await session.poll()]
  session.http.close()
  return said
}

t.test('polling', async t => {
  const servers = await startServers(t)

  await t.test('a poll waits for what comes', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '/acme,')
      const poll = session.poll()
      await pollWaits(server)
      server.emit('acme', 'call', 1)
      const said = await poll
      await session.leave()
      return said
    }, `200 ${eventLine('42/acme,', 'acme', 'call', 1)}`)
  })

  await t.test('what came between two polls comes with the next, in order', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '')
      const posts = [await session.post('42["echo",1]'), await session.post(lines('42["echo",2]', '42["echo",3]'))]
      const said = [...posts, await session.poll()]
      await session.leave()
      return said
    }, ['200 ok', '200 ok', `200 ${lines('42["echo",1]', '42["echo",2]', '42["echo",3]')}`])
  })

  await t.test('bytes are text in base64', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '')
      const said = [await session.post(lines('451-["echo",{"_placeholder":true,"num":0}]', 'bAQIDBA==')), await session.poll()]
      await session.leave()
      return said
    }, ['200 ok', `200 ${lines('451-["echo",{"_placeholder":true,"num":0}]', 'bAQIDBA==')}`])
  })

  await t.test('those of an event too', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '/acme,')
      const poll = session.poll()
      await pollWaits(server)
      server.emit('acme', 'call', Buffer.from([1, 2, 3, 4]))
      const said = [await poll]
      // A poll that waits gets what is there, and the rest comes with the next.
      if (!said.join().includes('bAQIDBA==')) said.push(await session.poll())
      await session.leave()
      return said.join(SEPARATOR).replace(`${SEPARATOR}200 `, SEPARATOR)
    }, `200 ${lines(eventLine('451-/acme,', 'acme', 'call', { _placeholder: true, num: 0 }), 'bAQIDBA==')}`)
  })

  await t.test('what is large is compressed for who asks for it', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.join(server.port, '/acme,')
      server.emit('acme', 'call', 'x'.repeat(2000))
      const asked = request({ host: '127.0.0.1', port: server.port, path: `/socket.io/?${session.query}`, headers: { 'Accept-Encoding': 'gzip' }, agent: false }).end()
      const [answer] = await once(asked, 'response') as [IncomingMessage]
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      await session.leave()
      return [answer.headers['content-encoding'], gunzipSync(Buffer.concat(chunks)).length]
    }, ['gzip', eventLine('42/acme,', 'acme', 'call', 'x'.repeat(2000)).length])
  })

  await t.test('two polls at once close the session', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const first = session.poll()
      await pollWaits(server)
      const said = [await session.poll(), await first, await session.poll()]
      session.http.close()
      return said
    }, ['400 ', '200 1', UNKNOWN_SID])
  })

  await t.test('a poll that is given up closes the session', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const poll = session.http.request('GET', session.query)
      const outcome = outcomeLine(poll.response)
      await pollWaits(server)
      poll.abort()
      await server.reasons()
      const said = [await outcome, await session.poll()]
      session.http.close()
      return said
    }, ['ECONNRESET', UNKNOWN_SID])
  })

  await t.test('so does a payload that is given up half-way, and one that comes meanwhile', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const slow = request({ host: '127.0.0.1', port: server.port, method: 'POST', path: `/socket.io/?${session.query}`, headers: { 'Content-Length': '10', Expect: '100-continue' }, agent: false })
      const failed = once(slow, 'error').catch((error: Error) => [error])
      slow.flushHeaders()
      // It is being read: the server says so.
      await once(slow, 'continue')
      const said = [await session.post('3')]
      slow.destroy(new Error('given up'))
      await failed
      said.push(await session.poll())
      session.http.close()
      return said
    }, ['400 ', UNKNOWN_SID])
  })

  const broken = ['abc', '', '7', lines('3', 'x'), lines('', '3'), 'hello', SEPARATOR]
  for (const body of broken) {
    await t.test(`the payload ${JSON.stringify(body)} closes the session`, async t => {
      await sameFromAll(t, servers, async server => await answersTo(server, body), ['200 ok', '200 1', UNKNOWN_SID])
    })
  }

  await t.test('bytes as they are close the session', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const said = [await session.post('4', { 'Content-Type': 'application/octet-stream' }), await session.poll()]
      session.http.close()
      return said
    }, ['400 ', UNKNOWN_SID])
  })

  await t.test('a client that says goodbye has its poll answered', async t => {
    await sameFromAll(t, servers, async server => await answersTo(server, '1'), ['200 ok', '200 6', UNKNOWN_SID])
  })

  for (const [name, end] of [['a goodbye', '1'], ['a broken packet', 'x']] as const) {
    await t.test(`what comes with ${name} is not taken`, async t => {
      await sameFromAll(t, servers, async server => {
        const session = await Session.join(server.port, '')
        const heard: unknown[] = []
        for (const socket of server.io.sockets.sockets.values()) socket.on('said', what => { heard.push(what) })
        const said = [await session.post(lines('42["said",1]', end, '42["said",2]')), await session.poll(), heard]
        session.http.close()
        return said
      }, ['200 ok', UNKNOWN_SID, []])
    })
  }

  const empty = '420["echo",""]'
  for (const [name, letter] of [['ASCII', 'x'], ['others', 'é']] as const) {
    await t.test(`a payload of ${name} may be as large as was said, and no larger`, async t => {
      const most = letter.repeat((MAX_PAYLOAD - empty.length) / Buffer.byteLength(letter))
      await sameFromAll(t, servers, async server => {
        const session = await Session.join(server.port, '')
        const said = [await session.post(`420["echo","${most}"]`), (await session.poll()).length, await session.post(`420["echo","${most}${letter}"]`), await session.post('421["echo"]'), await session.poll()]
        await session.leave()
        return said
      }, ['200 ok', `200 430["${most}"]`.length, '413 ', '200 ok', '200 431[]'])
    })
  }
})

t.test('heartbeats', async t => {
  const servers = await startServers(t, { pingInterval: 250, pingTimeout: 100 })

  await t.test('the server pings, and goes on as long as it is answered', async t => {
    // An answer that is late, because this machine is busy, is one too.
    const patient = await startServers(t, { pingInterval: 150, pingTimeout: 10_000 })
    await sameFromAll(t, patient, async ({ port }) => {
      const session = await Session.open(port)
      const said: string[] = []
      for (let ping = 0; ping < 3; ping++) said.push(await session.poll(), await session.post('3'))
      await session.leave()
      return said
    }, ['200 2', '200 ok', '200 2', '200 ok', '200 2', '200 ok'])
  })

  await t.test('a client that polls and does not answer is closed', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const session = await Session.open(port)
      const said = [await session.poll(), await session.poll(), await session.poll()]
      session.http.close()
      return said
    }, ['200 2', '200 1', UNKNOWN_SID])
  })

  await t.test('a client that does not poll is closed', async t => {
    await sameFromAll(t, servers, async server => {
      const session = await Session.open(server.port)
      const reasons = await server.reasons()
      const said = [...reasons, await session.poll()]
      session.http.close()
      return said
    }, ['ping timeout', UNKNOWN_SID])
  })
})
