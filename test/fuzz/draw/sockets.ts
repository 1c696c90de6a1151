import fc from 'fast-check'
import type { Part } from '../parts.js'
import { namespaceNames } from './handshake.js'
import { keyJson } from './keys.js'
import { event, HANDLED, idJson, json, jsonOrNot, maybe, name, nameText, namesJson, object } from './values.js'

/** A frame of a WebSocket, written by hand. */
export interface Frame {
  readonly fin: boolean
  readonly reserved: number
  readonly opcode: number
  readonly masked: boolean
  /** In how many bits its length is said. */
  readonly bits: 7 | 16 | 64
  /** What it says of its length; `null`: the truth. */
  readonly says: number | null
  readonly payload: readonly Part[]
}

/** How a client asks to come in. */
export interface Ask {
  readonly namespace: readonly Part[]
  readonly auth: readonly Part[]
  /** What it sends as soon as it is in: events with an id each, so that each is acknowledged or passed over. */
  readonly sends: ReadonlyArray<readonly Part[]>
}

/** What one polling client posts. */
export interface Post {
  readonly contentType: string
  readonly body: readonly Part[]
  /** How many polls are under way meanwhile: more than one is an error. */
  readonly polls: number
}

export const STEPS = ['probe', 'upgrade', 'packet', 'frame', 'post', 'poll', 'second'] as const

/** How a polling client goes over to a WebSocket, or does not. */
export interface Upgrade {
  /** In their order, one after the other or (`poll`) beside what follows. */
  readonly steps: ReadonlyArray<typeof STEPS[number]>
  readonly packet: readonly Part[]
  readonly frame: Frame
}

const binary = fc.uint8Array({ maxLength: 60 }).map((bytes): Part => ({ hex: Buffer.from(bytes).toString('hex') }))

const namespace: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...namespaceNames).map(text => [text]) },
  { weight: 3, arbitrary: name.map(part => ['/', part]) },
  { weight: 1, arbitrary: nameText.map(text => [`/${encodeURIComponent(text.toWellFormed())}`]) },
  { weight: 1, arbitrary: fc.constantFrom('/%2e%2e', '/fuzz-a?apikey=', '//', '/fuzz-a/fuzz-b', '/%', '/%c3%28', '/\ufeff').map(text => [text]) }
)

const filter = object({ events: maybe(namesJson(event)), instances: maybe(namesJson(nameText)), instance: maybe(json), other: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: json }) })

const auth = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 6, arbitrary: object({ apikey: keyJson(marker), events: maybe(namesJson(event)), instances: maybe(namesJson(nameText)), lastEventId: maybe(idJson) }) },
  { weight: 2, arbitrary: object({ apikey: keyJson(marker) }) },
  { weight: 2, arbitrary: object({ apikey: fc.constant([`"${marker}-global"`]), lastEventId: idJson }) },
  { weight: 1, arbitrary: fc.tuple(keyJson(marker), fc.constantFrom('__proto__', 'constructor', 'toString', 'then'), json).map(([key, of, value]) => ['{"apikey":', ...key, `,"${of}":`, ...value, '}']) },
  { weight: 1, arbitrary: json },
  { weight: 1, arbitrary: fc.constant<Part[]>([]) }
)

/** An event as a client sends it, but for its namespace and its id. */
const sent: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: filter.map(asked => ['["subscribe",', ...asked, ']']) },
  { weight: 2, arbitrary: jsonOrNot.map(asked => ['["subscribe",', ...asked, ']']) },
  { weight: 1, arbitrary: fc.tuple(json, json).map(([first, second]) => ['["subscribe",', ...first, ',', ...second, ']']) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...HANDLED), json).map(([handled, data]) => [`["${handled}",`, ...data, ']']) },
  { weight: 1, arbitrary: fc.constantFrom(...HANDLED).map(handled => [`["${handled}"]`]) },
  { weight: 1, arbitrary: fc.tuple(event, json).map(([unknown, data]) => [`[${JSON.stringify(unknown)},`, ...data, ']']) },
  { weight: 1, arbitrary: json.map(data => ['[', ...data, ']']) }
)

/** A client that comes in as the protocol wants it, with whatever it brings. */
export const ask = (marker: string): fc.Arbitrary<Ask> => fc.record({
  namespace,
  auth: auth(marker),
  sends: fc.array(sent, { maxLength: 5 })
})

/** Packets of Socket.IO within those of Engine.IO, and what only looks like them. */
export const packet = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('0', '2', '2', '3', '5', '6'), fc.constantFrom('', '', '0-', '1-', '2-', '9999999999-', '-1-', '1', '-'), namespace, fc.constantFrom(',', ',', ''), fc.constantFrom('', '0', '7', '99999999999999999999', '-1', '1e3'), fc.oneof(sent, jsonOrNot)).map(([type, attachments, at, comma, id, data]) => ['4', type, attachments, ...at, comma, id, ...data]) },
  { weight: 2, arbitrary: fc.tuple(namespace, auth(marker)).map(([at, given]) => ['40', ...at, ',', ...given]) },
  { weight: 1, arbitrary: fc.constantFrom('1', '4', '41', '41/fuzz-a,', '42', '43', '44', '44{}', '45', '46', '47', '48', '4a', '2', '3', '2probe', '3probe', '5', '6', '7', '9', 'x', '', 'b', 'bAAAA', '0{}', '\0', '451-["x"]', '450-["x"]', '42["__proto__"]', '42[]', '42{}', '42[1]', '42[null]', '42["connect"]', '42["disconnect"]', '42["disconnecting"]', '42["newListener"]', '42["removeListener"]', '42["connect_error"]', '42["error"]', '40{"sid":"x"}').map(text => [text]) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('451-', '452-', '461-'), fc.constantFrom(...namespaceNames), fc.constantFrom(',["subscribe",{"_placeholder":true,"num":0}]', ',7["echo",{"_placeholder":true,"num":0}]', ',["echo",{"_placeholder":true,"num":5}]', ',["echo",{"_placeholder":true,"num":"__proto__"}]')).map(([start, at, rest]) => [start + at + rest]) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }).map(bytes => [{ hex: Buffer.from(bytes).toString('hex') }]) },
  { weight: 1, arbitrary: fc.constantFrom<Part[][]>(['42/fuzz-a,["', { repeat: 'x', times: 64 * 1024 }, '"]'], ['4', { repeat: '9', times: 5000 }], ['40/', { repeat: '/', times: 5000 }], ['42["a",', { repeat: '[', times: 10_000 }, { repeat: ']', times: 10_000 }, ']']) }
)

const OPCODES = [0, 0, 1, 1, 1, 1, 2, 2, 8, 8, 9, 10, 3, 7, 11, 15]
const CLOSES = ['', '03', '03e8', '03e9', '03ed', '03ee', '0000', 'ffff', '0fa0', '03e8ff', '03e8e28'].map(hex => hex.length % 2 === 0 ? hex : `${hex}0`)

/** A frame as no client writes it. */
export const frame = (marker: string): fc.Arbitrary<Frame> => fc.record({
  fin: fc.constantFrom(true, true, true, false),
  reserved: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2, 4, 7),
  opcode: fc.constantFrom(...OPCODES),
  masked: fc.constantFrom(true, true, true, true, true, true, true, false),
  bits: fc.constantFrom(7, 7, 7, 7, 16, 64),
  says: fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_537, 2 ** 31, 2 ** 53, 2 ** 63) }),
  payload: fc.oneof(
    { weight: 4, arbitrary: packet(marker) },
    { weight: 2, arbitrary: binary.map(part => [part]) },
    { weight: 2, arbitrary: fc.constantFrom(...CLOSES).map((hex): Part[] => [{ hex }]) },
    { weight: 1, arbitrary: fc.constantFrom<Part[][]>([], [{ repeat: 'x', times: 200 }], [{ repeat: 'x', times: 70_000 }], [{ hex: 'c328' }], [{ hex: 'eda080' }]) }
  )
})

/** Half of them begin as they should. */
export const upgrade = (marker: string): fc.Arbitrary<Upgrade> => fc.record({
  steps: fc.tuple(
    fc.constantFrom<Array<typeof STEPS[number]>>([], ['probe'], ['poll', 'probe'], ['poll', 'probe', 'upgrade']),
    fc.array(fc.constantFrom(...STEPS), { maxLength: 5 })
  ).map(([first, others]) => [...first, ...others]),
  packet: packet(marker),
  frame: frame(marker)
})

/** What is posted to a polling connection. */
export const post = (marker: string): fc.Arbitrary<Post> => fc.record({
  contentType: fc.constantFrom('text/plain;charset=UTF-8', 'text/plain;charset=UTF-8', 'text/plain;charset=UTF-8', 'application/octet-stream', 'application/json', '', '__proto__'),
  body: fc.oneof(
    { weight: 6, arbitrary: fc.array(packet(marker), { minLength: 1, maxLength: 4 }).map(packets => packets.flatMap((parts, at) => at === 0 ? parts : ['\x1e', ...parts])) },
    { weight: 1, arbitrary: fc.constantFrom<Part[][]>([], ['\x1e'], [{ repeat: '\x1e', times: 3000 }], [{ repeat: '40\x1e', times: 3000 }], ['b'], ['b!!!'], ['b', { repeat: 'AAAA', times: 1000 }], [{ repeat: 'x', times: 70_000 }], ['11:40/fuzz-a,{}'], ['d=40'], ['451-["x",{"_placeholder":true,"num":0}]\x1ebAAAA'], ['451-["x",{"_placeholder":true,"num":0}]\x1e40'], ['2\x1e3\x1e4\x1e5\x1e6']) }
  ),
  polls: fc.constantFrom(0, 1, 1, 1, 2, 3)
})
