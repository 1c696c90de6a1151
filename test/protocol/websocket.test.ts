import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { connectAck, eventLine, openClient, withoutIds } from './helpers/conversation.js'
import { sameFromAll } from './helpers/engine.js'
import { BINARY, CLOSE, CONTINUATION, frameOf, headerOf, PING, PONG, TEXT } from './helpers/frames.js'
import { RawWebSocket } from './helpers/raw-web-socket.js'
import { MAX_PAYLOAD, type Spoken, startServers } from './helpers/servers.js'

// RFC 6455 below Engine.IO, frame by frame: of a plain Socket.IO server, and of ours, which writes its events beside
// ws, straight to the socket.

const ASK = '42/acme,1["subscribe",{"events":["call"]}]'
const ANSWER = '43/acme,1[["call"]]'
const RSV1 = 0x40
const RSV2 = 0x20
const RSV3 = 0x10

const code = (number: number, reason = ''): Buffer => Buffer.concat([Buffer.from([number >> 8, number & 255]), Buffer.from(reason)])
/** A text in fragments, of so many bytes. */
const fragments = (text: string, size: number): Buffer[] => Array.from({ length: Math.ceil(text.length / size) }, (empty, at) =>
  frameOf(at === 0 ? TEXT : CONTINUATION, text.slice(at * size, (at + 1) * size), { fin: (at + 1) * size >= text.length }))
/** What asks for an answer, of so many bytes in all. */
const askOf = (length: number): string => {
  const [before, after] = ['42/acme,1["subscribe",{"events":["call"]}', ']']
  return before + ' '.repeat(length - before.length - after.length) + after
}

/** A client of an instance that has got an event by the way of all events. */
async function join (server: Spoken): Promise<RawWebSocket> {
  const client = await openClient(server.port, 'websocket') as RawWebSocket
  await client.send('40/acme,')
  const ack = withoutIds(await client.next())
  server.emit('acme', 'call', 'in')
  const event = withoutIds(await client.next())
  if (`< ${ack}` !== connectAck('/acme,') || event !== eventLine('42/acme,', 'acme', 'call', 'in')) throw new Error(`${ack} ${event}`)
  return client
}

const ROUNDS = 40
const LARGE = 70_000
/** An answer to a ping and one to a question, an event with its bytes, and the host's with both of its own. */
const LINES_PER_ROUND = 2 + 2 + 3

/** The lines of binary packets that are not followed by their bytes. */
function tornIn (lines: readonly string[]): string[] {
  return lines.filter((line, at) => {
    const attachments = Number(/^45(\d+)-/.exec(line.slice(0, 10))?.[1] ?? 0)
    return lines.slice(at + 1, at + 1 + attachments).some(after => !after.startsWith('['))
  })
}

/** The text of a frame, and whether it was compressed (RFC 7692). */
function inflated (frame: Buffer): string {
  const payload = frame.subarray(frame[1] === 126 ? 4 : 2)
  if (frame[0] !== (0x80 | RSV1 | TEXT)) return `plain ${withoutIds(payload.toString())}`
  const end = Buffer.from([0, 0, 0xff, 0xff])
  return `compressed ${withoutIds(inflateRawSync(Buffer.concat([payload, end]), { finishFlush: constants.Z_SYNC_FLUSH }).toString())}`
}

/** What a client writes, and what it then reads; an event that is emitted at once comes between. */
const fine: Record<string, readonly [Buffer[], string[]]> = {
  'a message in two fragments': [fragments(ASK, 20), [ANSWER]],
  'a message of a byte a fragment': [fragments(ASK, 1), [ANSWER]],
  'fragments without anything in them': [[frameOf(TEXT, '', { fin: false }), frameOf(CONTINUATION, ASK, { fin: false }), frameOf(CONTINUATION)], [ANSWER]],
  'a ping between fragments': [fragments(ASK, 20).flatMap(frame => [frameOf(PING, 'p'), frame]), [...fragments(ASK, 20).map(() => 'pong p'), ANSWER]],
  'a character in two fragments': [[frameOf(TEXT, Buffer.concat([Buffer.from('42/acme,["é'), Buffer.from([0xc3])]), { fin: false }), frameOf(CONTINUATION, Buffer.concat([Buffer.from([0xa9]), Buffer.from('"]')])), frameOf(TEXT, ASK)], [ANSWER]],
  'several messages in one write': [[frameOf(TEXT, ASK), frameOf(TEXT, ASK), frameOf(TEXT, ASK)], [ANSWER, ANSWER, ANSWER]],
  'a ping, which is answered with what it brings': [[frameOf(PING, 'hello')], ['pong hello']],
  'a ping without anything': [[frameOf(PING)], ['pong ']],
  'a ping of 125 bytes': [[frameOf(PING, 'x'.repeat(125))], [`pong ${'x'.repeat(125)}`]],
  'a pong that nobody asked for': [[frameOf(PONG, 'hello'), frameOf(TEXT, ASK)], [ANSWER]],
  'bytes in fragments': [[frameOf(TEXT, '451-/acme,["nobody",{"_placeholder":true,"num":0}]'), frameOf(BINARY, 'ab', { fin: false }), frameOf(CONTINUATION, 'c'), frameOf(TEXT, ASK)], [ANSWER]],
  'a length that is longer than it need be': [[Buffer.concat([Buffer.from([0x81, 0x80 | 126, 0, ASK.length, 0, 0, 0, 0]), Buffer.from(ASK)])], [ANSWER]],
  'a mask of zeros': [[Buffer.concat([Buffer.from([0x81, 0x80 | ASK.length, 0, 0, 0, 0]), Buffer.from(ASK)])], [ANSWER]],
  'a message as large as was said': [[frameOf(TEXT, askOf(MAX_PAYLOAD))], [ANSWER]],
  'the same in fragments': [fragments(askOf(MAX_PAYLOAD), 10_000), [ANSWER]]
}

/** What a client writes, and how the connection then ends. */
const broken: Record<string, readonly [Buffer[], string]> = {
  'a frame without a mask': [[frameOf(TEXT, ASK, { masked: false })], 'close 1002'],
  'a ping without a mask': [[frameOf(PING, '', { masked: false })], 'close 1002'],
  ...Object.fromEntries([0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf].map(opcode => [`the reserved opcode ${opcode}`, [[frameOf(opcode, ASK)], 'close 1002']])),
  'the reserved bit of compression, which was not agreed on': [[frameOf(TEXT, ASK, { rsv: RSV1 })], 'close 1002'],
  'the second reserved bit': [[frameOf(TEXT, ASK, { rsv: RSV2 })], 'close 1002'],
  'the third one': [[frameOf(TEXT, ASK, { rsv: RSV3 })], 'close 1002'],
  'a ping with a reserved bit': [[frameOf(PING, '', { rsv: RSV1 })], 'close 1002'],
  'a ping of 126 bytes': [[frameOf(PING, 'x'.repeat(126))], 'close 1002'],
  'a ping in fragments': [[frameOf(PING, 'x', { fin: false })], 'close 1002'],
  'a close in fragments': [[frameOf(CLOSE, code(1000), { fin: false })], 'close 1002'],
  'a fragment of nothing': [[frameOf(CONTINUATION, ASK)], 'close 1002'],
  'a message within a message': [[frameOf(TEXT, ASK, { fin: false }), frameOf(TEXT, ASK)], 'close 1002'],
  'bytes within a text': [[frameOf(TEXT, ASK, { fin: false }), frameOf(BINARY, ASK)], 'close 1002'],
  'text that is not UTF-8': [[frameOf(TEXT, Buffer.from([0x34, 0xff, 0xfe]))], 'close 1007'],
  'half a character at its end': [[frameOf(TEXT, Buffer.from([0x34, 0xc3]))], 'close 1007'],
  'a surrogate in UTF-8': [[frameOf(TEXT, Buffer.from([0x34, 0xed, 0xa0, 0x80]))], 'close 1007'],
  'a message larger than was said': [[frameOf(TEXT, askOf(MAX_PAYLOAD + 1))], 'close 1009'],
  'the same, by its header alone': [[headerOf(0x81, MAX_PAYLOAD + 1, true)], 'close 1009'],
  'the same in fragments': [fragments(askOf(MAX_PAYLOAD + 1), 60_000), 'close 1009'],
  'bytes larger than was said': [[frameOf(BINARY, Buffer.alloc(MAX_PAYLOAD + 1))], 'close 1009'],
  'a length that no number holds': [[Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])], 'close 1009'],
  'HTTP in place of frames': [[Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'close 1002'],
  'a close, which is answered': [[frameOf(CLOSE, code(1000, 'bye'))], 'close 1000'],
  'a close that goes away': [[frameOf(CLOSE, code(1001))], 'close 1001'],
  "a close with an application's code": [[frameOf(CLOSE, code(4999, 'é'))], 'close 4999'],
  'a close without a code': [[frameOf(CLOSE)], 'close'],
  'a close with half a code': [[frameOf(CLOSE, Buffer.from([3]))], 'close 1002'],
  ...Object.fromEntries([0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map(number => [`a close with the code ${number}, that nobody may send`, [[frameOf(CLOSE, code(number))], 'close 1002']])),
  'a close whose reason is not UTF-8': [[frameOf(CLOSE, Buffer.concat([code(1000), Buffer.from([0xff])]))], 'close 1007'],
  'a close of 126 bytes': [[frameOf(CLOSE, code(1000, 'x'.repeat(124)))], 'close 1002'],
  'something after a close, which is not read': [[frameOf(CLOSE, code(1000)), frameOf(TEXT, ASK), frameOf(PING, 'a')], 'close 1000']
}

t.test('below Engine.IO', async t => {
  const servers = await startServers(t)

  for (const [name, [frames, lines]] of Object.entries(fine)) {
    await t.test(`is taken: ${name}`, async t => {
      await sameFromAll(t, servers, async server => {
        const client = await join(server)
        client.write(...frames)
        const said: string[] = []
        while (said.length < lines.length) said.push(await client.next())
        server.emit('acme', 'call', 'still')
        said.push(withoutIds(await client.next()), ...await client.leave(), client.ending)
        return said
      }, [...lines, eventLine('42/acme,', 'acme', 'call', 'still'), 'close 1000'])
    })
  }

  for (const [name, [frames, ending]] of Object.entries(broken)) {
    await t.test(`ends the connection: ${name}`, async t => {
      await sameFromAll(t, servers, async server => {
        const client = await join(server)
        client.write(...frames)
        return [await client.next(), client.ending, ...await client.leave()]
      }, ['closed', ending])
    })
  }

  await t.test('frames may come byte by byte', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await join(server)
      for (const byte of frameOf(TEXT, ASK)) {
        client.write(Buffer.from([byte]))
        await new Promise(resolve => { setImmediate(resolve) })
      }
      return [await client.next(), ...await client.leave()]
    }, [ANSWER])
  })

  await t.test('a connection that is cut is closed', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await join(server)
      client.cut()
      return [await client.next(), client.ending, await server.reasons()]
    }, ['closed', 'cut', ['transport close']])
  })

  await t.test('so is one that is cut in the midst of a frame', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await join(server)
      client.write(frameOf(TEXT, ASK).subarray(0, 10))
      client.end()
      return [await client.next(), client.ending, await server.reasons()]
    }, ['closed', 'cut', ['transport close']])
  })

  await t.test('control frames, answers, events and what the host sends each keep their order, and none is torn', async t => {
    for (const server of servers) {
      const client = await join(server)
      const rounds = Array.from({ length: ROUNDS }, (empty, n) => n)
      for (const n of rounds) {
        client.write(frameOf(PING, String(n)), frameOf(TEXT, ASK.replace('acme,1', `acme,${n}`)))
        server.io.of('/acme').emit('host', n, Buffer.alloc(LARGE, n), Buffer.alloc(1, n))
        server.emit('acme', 'call', { n, bytes: Buffer.alloc(300, n) })
        await new Promise(resolve => { setImmediate(resolve) })
      }
      const said: string[] = []
      while (said.length < ROUNDS * LINES_PER_ROUND) said.push(await client.next())
      const firsts = (beginning: RegExp): string[] => said.flatMap(line => beginning.exec(line.slice(0, 300))?.[1] ?? [])
      for (const beginning of [/^pong (\d+)$/, /^43\/acme,(\d+)\[\["call"\]\]$/, /^451-\/acme,\["call",.*"data":\{"n":(\d+),/, /^452-\/acme,\["host",(\d+),/]) {
        t.strictSame(firsts(beginning), rounds.map(String), `${server.name}: ${beginning.source}`)
      }
      t.strictSame(tornIn(said), [], server.name)
      t.strictSame(await client.leave(), [], server.name)
    }
  })
})

t.test('a WebSocket that compresses gets what is large compressed, and all in order', async t => {
  const servers = await startServers(t, { perMessageDeflate: true })
  const offer = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
  await sameFromAll(t, servers, async server => {
    const client = await RawWebSocket.open(server.port, { headers: { 'Sec-WebSocket-Extensions': offer } })
    await client.next()
    await client.send('40/acme,')
    await client.next()
    for (const data of ['a', 'x'.repeat(5000), 'b']) server.emit('acme', 'call', data)
    // The large one is a line more, because it is marked as no plain frame is.
    for (let line = 0; line < 4; line++) await client.next()
    const said = client.frames.slice(2).map(inflated)
    return [client.answer.headers['sec-websocket-extensions'], ...said, ...await client.leave()]
  }, [offer, ...[['plain', 'a'], ['compressed', 'x'.repeat(5000)], ['plain', 'b']].map(([how, data]) => `${how} ${eventLine('42/acme,', 'acme', 'call', data)}`)])
})

t.test('heartbeats', async t => {
  const servers = await startServers(t, { pingInterval: 250, pingTimeout: 100 })

  await t.test('the server pings, and goes on as long as it is answered', async t => {
    // An answer that is late, because this machine is busy, is one too.
    const patient = await startServers(t, { pingInterval: 150, pingTimeout: 10_000 })
    await sameFromAll(t, patient, async server => {
      const client = await join(server)
      const said: string[] = []
      for (let ping = 0; ping < 3; ping++) {
        said.push(await client.next())
        await client.send('3')
        server.emit('acme', 'call', ping)
        said.push(withoutIds(await client.next()))
      }
      return [...said, ...await client.leave()]
    }, [0, 1, 2].flatMap(ping => ['2', eventLine('42/acme,', 'acme', 'call', ping)]))
  })

  await t.test('who does not answer is closed', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await join(server)
      return [await client.next(), await client.next(), client.ending, await server.reasons()]
    }, ['2', 'closed', 'close', ['ping timeout']])
  })

  await t.test('events are not taken for an answer', async t => {
    await sameFromAll(t, servers, async server => {
      const client = await join(server)
      const said = [await client.next()]
      server.emit('acme', 'call', 'meanwhile')
      said.push(withoutIds(await client.next()), await client.next(), client.ending)
      return said
    }, ['2', eventLine('42/acme,', 'acme', 'call', 'meanwhile'), 'closed', 'close'])
  })
})
