import t from 'tap'
import { withoutIds } from './helpers/conversation.js'
import { answerLine, headersOf, sameFromAll, Session } from './helpers/engine.js'
import { Http } from './helpers/polling.js'
import { RawWebSocket } from './helpers/raw-web-socket.js'
import { MAX_PAYLOAD, startServers } from './helpers/servers.js'

// How a connection of Engine.IO v4 opens, and what keeps it from opening: of a plain Socket.IO server, and of ours.

/** What Engine.IO refuses with, by its code. */
const messages = ['Transport unknown', 'Session ID unknown', 'Bad handshake method', 'Bad request', 'Forbidden', 'Unsupported protocol version']
const [TRANSPORT, SID, METHOD, BAD, , VERSION] = messages

const refusal = (message = ''): string => `400 ${JSON.stringify({ code: messages.indexOf(message), message })}`

const open = (upgrades: string): string => `0{"sid":"SID","upgrades":[${upgrades}],"pingInterval":30000,"pingTimeout":20001,"maxPayload":${MAX_PAYLOAD}}`

/** What HTTP answers to a request, as a line. */
async function ask (port: number, method: string, query: string): Promise<string> {
  const http = new Http(port)
  const answer = answerLine(await http.request(method, query).response)
  http.close()
  return answer
}

/** What a WebSocket is answered, as a line. */
async function upgrade (port: number, request: Parameters<typeof RawWebSocket.open>[1]): Promise<string> {
  const client = await RawWebSocket.open(port, request)
  if (client.answer.status !== 101) return `${client.answer.status} ${client.body}`
  const first = await client.next()
  await client.leave()
  return withoutIds(first)
}

t.test('the handshake', async t => {
  const servers = await startServers(t, { pingInterval: 30_000, pingTimeout: 20_001 })

  await t.test('over polling', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const http = new Http(port)
      const { status, headers, body } = await http.get('EIO=4&transport=polling')
      await http.post(`EIO=4&transport=polling&sid=${(JSON.parse(body.slice(1)) as { sid: string }).sid}`, '1')
      http.close()
      return [status, headersOf(headers), withoutIds(body)]
    }, [200, { 'content-type': 'text/plain; charset=UTF-8', 'cache-control': 'no-store', 'content-length': '116' }, open('"websocket"')])
  })

  await t.test('over WebSocket', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const client = await RawWebSocket.open(port, { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } })
      const first = await client.next()
      await client.leave()
      return [client.answer.status, headersOf(client.answer.headers), withoutIds(first)]
    }, [101, { upgrade: 'websocket' }, open('')])
  })

  await t.test('with what it does not know in its query', async t => {
    await sameFromAll(t, servers, async ({ port }) => await upgrade(port, { query: 't=abc&b64=1&EIO=4&x=%00&transport=websocket&__proto__=1' }), open(''))
  })

  const queries: Record<string, string | undefined> = {
    '': TRANSPORT,
    'EIO=4': TRANSPORT,
    'EIO=4&transport=': TRANSPORT,
    'EIO=4&transport=abc': TRANSPORT,
    'EIO=4&transport=__proto__': TRANSPORT,
    'EIO=4&transport=constructor': TRANSPORT,
    'EIO=4&transport=webtransport': TRANSPORT,
    'EIO=4&transport=NAME&sid=nobody': SID,
    'EIO=4&transport=NAME&sid=__proto__': SID,
    'EIO=4&transport=NAME&sid=constructor': SID,
    'EIO=4&transport=NAME&sid=a&sid=b': SID,
    'transport=NAME&sid=nobody': SID
  }
  for (const [query, message] of Object.entries(queries)) {
    await t.test(`is refused with the query "${query}"`, async t => {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', query.replace('NAME', 'polling')), refusal(message))
      await sameFromAll(t, servers, async ({ port }) => await upgrade(port, { query: query.replace('NAME', 'websocket') }), `400 ${message}`)
    })
  }

  for (const query of ['transport=NAME', 'EIO=3&transport=NAME', 'EIO=abc&transport=NAME', 'EIO=&transport=NAME']) {
    await t.test(`is refused with another version: "${query}"`, async t => {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', query.replace('NAME', 'polling')), refusal(VERSION))
      // Engine.IO finds out too late, and writes HTTP where frames belong.
      await sameFromAll(t, servers, async ({ port }) => await upgrade(port, { query: query.replace('NAME', 'websocket') }), `a frame that begins with ${Buffer.from('HT').toString('hex')}`)
    })
  }

  await t.test('is refused by another method than GET', async t => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      await sameFromAll(t, servers, async ({ port }) => await ask(port, method, 'EIO=4&transport=polling'), refusal(METHOD))
    }
    await sameFromAll(t, servers, async ({ port }) => await ask(port, 'HEAD', 'EIO=4&transport=polling'), '400 ')
  })

  await t.test('of a WebSocket needs its upgrade', async t => {
    await sameFromAll(t, servers, async ({ port }) => await ask(port, 'GET', 'EIO=4&transport=websocket'), refusal(BAD))
  })

  const wrong: Record<string, readonly [Parameters<typeof RawWebSocket.open>[1], string]> = {
    'no key': [{ headers: { 'Sec-WebSocket-Key': null } }, '400 Missing or invalid Sec-WebSocket-Key header'],
    'a key that is none': [{ headers: { 'Sec-WebSocket-Key': 'abc' } }, '400 Missing or invalid Sec-WebSocket-Key header'],
    'no version': [{ headers: { 'Sec-WebSocket-Version': null } }, '400 Missing or invalid Sec-WebSocket-Version header'],
    'a version that there is not': [{ headers: { 'Sec-WebSocket-Version': '99' } }, '400 Missing or invalid Sec-WebSocket-Version header'],
    'another protocol to go on with': [{ headers: { Upgrade: 'chat' } }, '400 Invalid Upgrade header'],
    'another method': [{ method: 'POST' }, `400 ${METHOD}`],
    'broken subprotocols': [{ headers: { 'Sec-WebSocket-Protocol': ',,' } }, '400 Invalid Sec-WebSocket-Protocol header'],
    'the transport of HTTP': [{ query: 'EIO=4&transport=polling' }, 'closed']
  }
  for (const [name, [request, expected]] of Object.entries(wrong)) {
    await t.test(`of a WebSocket is refused with ${name}`, async t => {
      await sameFromAll(t, servers, async ({ port }) => await upgrade(port, request), expected)
    })
  }

  await t.test('gives a session that belongs to one transport', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const client = await RawWebSocket.open(port)
      const { sid } = JSON.parse((await client.next()).slice(1)) as { sid: string }
      const said = [await ask(port, 'GET', `EIO=4&transport=polling&sid=${sid}`), await ask(port, 'POST', `EIO=4&transport=polling&sid=${sid}`)]
      await client.leave()
      return said
    }, [refusal(BAD), refusal(BAD)])
  })

  await t.test('gives a session of one version', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const session = await Session.open(port)
      const said = [await ask(port, 'GET', `EIO=3&transport=polling&sid=${session.sid}`), await upgrade(port, { query: `EIO=3&transport=websocket&sid=${session.sid}` })]
      await session.leave()
      return said
    }, [refusal(BAD), `400 ${BAD}`])
  })

  await t.test('gives a session that is read and written by GET and POST only', async t => {
    await sameFromAll(t, servers, async ({ port }) => {
      const session = await Session.open(port)
      const said = [await ask(port, 'PUT', session.query), await ask(port, 'DELETE', session.query), await ask(port, 'OPTIONS', session.query)]
      await session.leave()
      return said
    }, ['500 ', '500 ', '500 '])
  })
})
