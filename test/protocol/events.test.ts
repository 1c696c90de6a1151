import t from 'tap'
import { connectAck, eventLine, holdAll, openClient, type Script, withoutIds } from './helpers/conversation.js'
import { messageOf, type Spoken, startServers } from './helpers/servers.js'
import type { RawWebSocket } from './helpers/raw-web-socket.js'

// What `emit` writes to clients, held against a plain Socket.IO server that emits the same message.

const IN = ['> 40/acme,', connectAck('/acme,')]
const place = (num: number) => ({ _placeholder: true, num })
const emits = (data: unknown, event = 'call', instance = 'acme') => (server: Spoken) => { server.emit(instance, event, data) }
/** The line of an event for the clients of /acme, `count` being that of its attachments. */
const comes = (data: unknown, event = 'call', count = 0) => `< ${eventLine(count === 0 ? '42/acme,' : `45${count}-/acme,`, 'acme', event, data)}`

const texts: Record<string, unknown> = {
  null: null,
  'an empty text': '',
  'a text with what JSON escapes': '"\\/\b\f\n\r\t\u0000\u001e\u001f\u007f\u2028\u2029',
  'text beyond the basic plane, and half a surrogate': 'ação 😀 \ud83d',
  numbers: [0, -0, 1.5, 1e21, NaN, Infinity, Number.MAX_SAFE_INTEGER],
  'what JSON leaves out': { a: undefined, b: [undefined, () => {}], c: Symbol('c') },
  'what JSON writes its own way': { date: new Date(0), toJSON: undefined, nested: { toJSON: () => 'said' } },
  'a Map and a Set, which JSON does not know': { map: new Map([[1, 2]]), set: new Set([1]) },
  'a list of lists': [[], [[]], {}, { a: {} }],
  'keys that are numbers': { 2: 'b', 1: 'a', z: 0 },
  'a word of the prototype': JSON.parse('{"__proto__":{"a":1},"constructor":2}')
}

const LARGE = 'x'.repeat(300_000)
const bytes = Buffer.from([1, 2, 3])
const conversations: Record<string, Script> = {
  ...Object.fromEntries(Object.entries(texts).map(([name, data]) => [`data: ${name}`, [...IN, emits(data), comes(data)]])),
  'the event of another name': [...IN, emits({ text: 'hello' }, 'messages.upsert'), comes({ text: 'hello' }, 'messages.upsert')],
  'several in order, of one turn and of the next': [...IN, emits(1), emits(2, 'messages.upsert'), emits(3), comes(1), comes(2, 'messages.upsert'), comes(3), emits(4), comes(4)],
  'a Buffer': [...IN, emits(bytes), comes(place(0), 'call', 1), '< [01 02 03]'],
  'an empty one': [...IN, emits({ file: Buffer.alloc(0) }), comes({ file: place(0) }, 'call', 1), '< []'],
  'typed arrays and what they are parts of': [...IN,
    emits({ a: new Uint8Array(bytes), b: [bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 2), new Uint16Array([258])], c: 'text', d: new DataView(new ArrayBuffer(1)) }),
    comes({ a: place(0), b: [place(1), place(2)], c: 'text', d: place(3) }, 'call', 4), '< [01 02 03]', '< [01 02]', '< [02 01]', '< [00]'],
  'the same bytes twice': [...IN, emits({ a: bytes, b: bytes }), comes({ a: place(0), b: place(1) }, 'call', 2), '< [01 02 03]', '< [01 02 03]'],
  'text and bytes in turn': [...IN, emits('a'), emits(bytes), emits('b'), emits({ bytes }), comes('a'), comes(place(0), 'call', 1), '< [01 02 03]', comes('b'), comes({ bytes: place(0) }, 'call', 1), '< [01 02 03]'],
  'a client of the root gets those of all': ['> 40', connectAck(), emits(1), emits(bytes, 'call', 'other'), `< ${eventLine('42', 'acme', 'call', 1)}`, `< ${eventLine('451-', 'other', 'call', place(0))}`, '< [01 02 03]'],
  // Of one turn, our events of one namespace come together.
  'a client of two namespaces gets each where it belongs': [...IN, '> 40/other,', connectAck('/other,'), emits(1), comes(1), emits(2, 'call', 'other'), `< ${eventLine('42/other,', 'other', 'call', 2)}`, emits(bytes), comes(place(0), 'call', 1), '< [01 02 03]'],
  'both spellings of a namespace get it': ['> 40/ação 01,', connectAck('/ação 01,'), emits('é', 'call', 'ação 01'), `< ${eventLine('42/ação 01,', 'ação 01', 'call', 'é')}`],
  'the other one too': ['> 40/a%C3%A7%C3%A3o%2001,', connectAck('/a%C3%A7%C3%A3o%2001,'), emits(bytes, 'call', 'ação 01'), `< ${eventLine('451-/a%C3%A7%C3%A3o%2001,', 'ação 01', 'call', place(0))}`, '< [01 02 03]'],
  'who has left gets nothing more': [...IN, '> 40/other,', connectAck('/other,'), '> 41/acme,', '> 42/other,1["subscribe",{"events":["call"]}]', '< 43/other,1[["call"]]', emits(1), emits(2, 'call', 'other'), `< ${eventLine('42/other,', 'other', 'call', 2)}`],
  "the host's own come beside ours": [...IN, ({ io }) => { io.of('/acme').emit('host', 1, bytes) }, `< 451-/acme,${JSON.stringify(['host', 1, place(0)])}`, '< [01 02 03]', emits(2), comes(2)],
  'nothing of ours comes between theirs and its bytes': [...IN,
    ({ io, emit }) => {
      io.of('/acme').emit('host', bytes, bytes)
      // So large that it is written at once.
      emit('acme', 'call', LARGE)
    },
    `< 452-/acme,${JSON.stringify(['host', place(0), place(1)])}`, '< [01 02 03]', '< [01 02 03]', comes(LARGE)],
  "while the host's wait for an answer": [...IN,
    ({ io }) => { for (const socket of io.of('/acme').sockets.values()) socket.emit('asked', 'a', (answer: unknown) => { socket.emit('heard', answer) }) },
    '< 42/acme,QUESTION["asked","a"]', emits(1), comes(1),
    '> 43/acme,QUESTION[{"b":[1]}]', '< 42/acme,["heard",{"b":[1]}]', emits(bytes), comes(place(0), 'call', 1), '< [01 02 03]'],
  'and for one of bytes': [...IN,
    ({ io }) => { for (const socket of io.of('/acme').sockets.values()) socket.emit('asked', bytes, (answer: unknown) => { socket.emit('heard', answer) }) },
    `< 451-/acme,QUESTION${JSON.stringify(['asked', place(0)])}`, '< [01 02 03]', emits(1), comes(1),
    `> 461-/acme,QUESTION${JSON.stringify([place(0)])}`, '> [04 05]', `< 451-/acme,${JSON.stringify(['heard', place(0)])}`, '< [04 05]', emits(2), comes(2)],
  'and when they ask all': [...IN,
    ({ io }) => { void io.of('/acme').timeout(60_000).emitWithAck('asked').then(answers => { io.of('/acme').emit('heard', answers) }) },
    '< 42/acme,QUESTION["asked"]', emits(1), comes(1), '> 43/acme,QUESTION["yes"]', '< 42/acme,["heard",["yes"]]']
}

t.test('an event is written as Socket.IO writes it', async t => {
  const servers = await startServers(t)
  for (const [name, script] of Object.entries(conversations)) await t.test(name, async t => { await holdAll(t, servers, script) })
})

/** The bytes of everything that a client of an instance is sent, from its first frame on, without what differs each time. */
async function bytesFrom (server: Spoken, emits: ReadonlyArray<readonly [data: unknown, lines: number]>): Promise<string[]> {
  const client = await openClient(server.port, 'websocket') as RawWebSocket
  await client.send('40/acme,')
  await client.next()
  for (const [data, lines] of emits) {
    server.emit('acme', 'call', data)
    for (let line = 0; line < lines; line++) await client.next()
  }
  const sent = client.frames.slice(1).map(frame => withoutIds(frame.toString('latin1')))
  await client.leave()
  return sent
}

t.test('frames are the same to the byte, at every border of their lengths', async t => {
  const servers = await startServers(t)
  const empty = JSON.stringify(['call', messageOf('acme', 'call', '')]).length + '42/acme,'.length
  const around = (length: number): number[] => [-2, -1, 0, 1, 2].map(step => length + step)
  const texts = around(65_536).map(length => ['x'.repeat(length - empty), 1] as const)
  const wide = around(65_536).map(length => ['é'.repeat((length - empty) >> 1), 1] as const)
  const binaries = [0, 1, ...around(126), ...around(65_536)].map(length => [Buffer.alloc(length, 7), 2] as const)
  const [reference, ...ours] = await Promise.all(servers.map(async server => await bytesFrom(server, [...texts, ...wide, ...binaries])))
  t.equal(reference?.length, 1 + texts.length + wide.length + 2 * binaries.length)
  for (const [at, sent] of ours.entries()) {
    // Compared one by one: a difference of megabytes cannot be read.
    for (const [frame, bytes] of sent.entries()) t.ok(bytes === reference?.[frame], `${servers[at + 1]?.name}, frame ${frame} of ${bytes.length} bytes`)
  }
})
