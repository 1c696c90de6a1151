import fc from 'fast-check'
import type { Part } from '../parts.js'
import { type Header, type HttpRequest, inPath, whence } from './http.js'
import { keyHeader, keyText } from './keys.js'
import { event, json, jsonOrNot, maybe, nameText, object } from './values.js'

const quoted = (text: string): Part[] => [JSON.stringify(text)]

/** A message as a publisher writes it, or nearly. */
const message: fc.Arbitrary<Part[]> = object({
  event: fc.oneof({ weight: 6, arbitrary: event.map(quoted) }, { weight: 1, arbitrary: json }),
  data: json,
  sender: maybe(fc.oneof(nameText.map(quoted), json)),
  date_time: maybe(fc.oneof(fc.constantFrom('"2026-01-02T03:04:05.678Z"', '"now"', '0').map(text => [text]), json)),
  extra: maybe(json),
  other: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: json })
})

const MANY = 1001

const messages: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: message },
  { weight: 3, arbitrary: fc.array(message, { maxLength: 4 }).map(list => ['[', ...list.flatMap((parts, at) => at === 0 ? parts : [',', ...parts]), ']']) },
  { weight: 1, arbitrary: fc.constant<Part[]>(['[', { repeat: '{"event":"call","data":1},', times: MANY }, '{"event":"call","data":1}]']) },
  { weight: 2, arbitrary: jsonOrNot }
)

/** A webhook of Evolution. Its key and the URL that it was sent to are nobody's to see. */
const webhook = (marker: string): fc.Arbitrary<Part[]> => object({
  event: fc.oneof({ weight: 6, arbitrary: event.map(quoted) }, { weight: 1, arbitrary: fc.constantFrom('instance.delete', 'remove.instance', 'status.instance').map(quoted) }, { weight: 1, arbitrary: json }),
  instance: fc.oneof({ weight: 6, arbitrary: nameText.map(quoted) }, { weight: 1, arbitrary: json }),
  data: maybe(json),
  destination: maybe(keyText(marker).map(key => quoted(`https://evolution:${key}@127.0.0.1/webhook/evolution`))),
  date_time: maybe(fc.oneof(fc.constantFrom('"2026-01-02T03:04:05.678Z"', '"2026-02-30T99:00:00Z"', '""').map(text => [text]), json)),
  sender: maybe(fc.oneof(nameText.map(quoted), json)),
  server_url: maybe(fc.oneof(nameText.map(quoted), json)),
  apikey: maybe(keyText(marker).map(quoted)),
  more: maybe(json)
})

const basic = (marker: string): fc.Arbitrary<Header> => fc.tuple(keyText(marker), fc.boolean())
  .map(([key, encoded]): Header => ['Authorization', [`Basic ${Buffer.from(`evolution:${encoded ? encodeURIComponent(key) : key}`).toString('base64')}`]])

const idempotencyKey: fc.Arbitrary<Header> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c').map((text): Header => ['Idempotency-Key', [text]]) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', 'x'.repeat(200), 'x'.repeat(201), '"', '\xff').map((text): Header => ['Idempotency-Key', [{ hex: Buffer.from(text, 'latin1').toString('hex') }]]) }
)

const headers = (marker: string): fc.Arbitrary<Header[]> => fc.tuple(
  fc.array(fc.oneof({ weight: 3, arbitrary: keyHeader(marker) }, { weight: 1, arbitrary: basic(marker) }), { minLength: 1, maxLength: 2 }),
  fc.constantFrom<Header>(['Content-Type', ['application/json']], ['Content-Type', ['application/json']], ['Content-Type', ['text/plain']]),
  fc.array(idempotencyKey, { maxLength: 1 }),
  fc.array(whence, { maxLength: 1 })
).map(([keys, type, idempotency, others]) => [...keys, type, ...idempotency, ...others])

const method = (other: string): fc.Arbitrary<string> => fc.constantFrom('POST', 'POST', 'POST', 'POST', 'POST', 'POST', other)
const chunk = fc.constantFrom(0, 0, 0, 7)

/** A request to the routes that take events. */
export const publishRequest = (marker: string): fc.Arbitrary<HttpRequest> => fc.oneof(
  fc.record({ method: method('PUT'), url: inPath.map((at): Part[] => ['/instance/', ...at, '/events']), headers: headers(marker), body: fc.option(messages, { freq: 8 }), chunk }),
  fc.record({
    method: method('GET'),
    url: fc.oneof(fc.constant<Part[]>(['/webhook/evolution']), fc.constantFrom('messages-upsert', 'call', 'nothing').map((text): Part[] => [`/webhook/evolution/${text}`])),
    headers: headers(marker),
    body: fc.option(fc.oneof({ weight: 6, arbitrary: webhook(marker) }, { weight: 1, arbitrary: jsonOrNot }), { freq: 8 }),
    chunk
  })
)
