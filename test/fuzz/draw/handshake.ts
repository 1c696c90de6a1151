import fc from 'fast-check'
import type { Part } from '../parts.js'
import { type Header, type HttpRequest, whence } from './http.js'
import { keyHeader, keyQuery } from './keys.js'
import { HEALTHY, INSTANCES, word } from './values.js'

const percent = (text: string): string => encodeURIComponent(text.toWellFormed())
const value = (...usual: string[]): fc.Arbitrary<string> => fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: word.map(percent) })

/** In place of a marker: no key is to be brought. */
const NO_KEY = ''

const pair = (marker: string): fc.Arbitrary<Part[]> => fc.oneof(
  { weight: 6, arbitrary: value('4', '4', '4', '4', '3', '2', '5', '', '4.0').map(text => [`EIO=${text}`]) },
  { weight: 6, arbitrary: value('polling', 'websocket', 'webtransport', 'jsonp').map(text => [`transport=${text}`]) },
  { weight: 1, arbitrary: value('__proto__', 'constructor', 'x'.repeat(20)).map(text => [`sid=${text}`]) },
  { weight: 1, arbitrary: value('0', '1', '__proto__', '</script>').map(text => [`j=${text}`]) },
  { weight: 1, arbitrary: value('1', '').map(text => [`b64=${text}`]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('events', 'instances', 'events[]', 'lastEventId', 't', '__proto__', 'constructor', 'hasOwnProperty'), value('call', 'messages.*', 'a,b', '')).map(([name, text]) => [`${name}=${text}`]) },
  { weight: marker === NO_KEY ? 0 : 3, arbitrary: keyQuery(marker) },
  { weight: 1, arbitrary: fc.constantFrom<Part[][]>(['%'], ['%zz=%zz'], ['='], [';'], ['a[b][c]=1'], [{ repeat: 'a=1&', times: 1500 }], [{ repeat: '%00', times: 500 }]) }
)

const query = (marker: string): fc.Arbitrary<Part[]> => fc.tuple(
  fc.constantFrom('EIO=4&transport=polling', 'EIO=4&transport=websocket', ''),
  fc.array(pair(marker), { maxLength: 4 })
).map(([start, pairs]) => [start, ...pairs.flatMap(parts => ['&', ...parts])])

const PATHS = ['/socket.io/?', '/socket.io/?', '/socket.io/?', '/socket.io/?', '/socket.io/x?', '/socket.io//?']
/** Of others than Engine.IO. No keys are brought there: their log is the host's affair. */
const OTHER_PATHS = ['/socket.io?', '/socket.iox/?', '/?', '/engine.io/?']

const header = (name: string, ...values: string[]): fc.Arbitrary<Header> => fc.constantFrom(...values).map((text): Header => [name, [text]])

/** What asks for a WebSocket, as it should and not. */
const upgrade: fc.Arbitrary<Header[]> = fc.tuple(
  header('Connection', 'Upgrade', 'Upgrade', 'upgrade, keep-alive', 'close'),
  header('Upgrade', 'websocket', 'websocket', 'WebSocket', 'h2c', 'websocket, h2c', ''),
  header('Sec-WebSocket-Version', '13', '13', '13', '8', '12', '', '13, 8'),
  header('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ==', 'short', '', 'x'.repeat(1000)),
  fc.option(header('Sec-WebSocket-Extensions', 'permessage-deflate', 'permessage-deflate; client_max_window_bits=99', 'permessage-deflate;;', 'x-unknown', '"', 'permessage-deflate; server_max_window_bits="', 'a;b=c,'.repeat(200)), { nil: undefined }),
  fc.option(header('Sec-WebSocket-Protocol', 'chat', ',', 'a,a', '"', ''), { nil: undefined })
).map(headers => headers.filter(item => item !== undefined))

const body: fc.Arbitrary<Part[] | null> = fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom<Part[][]>(['40'], ['d=40'], [''], [{ repeat: 'x', times: 70_000 }]) })

/** A request to the path of Engine.IO that begins a connection, or means to. */
export const handshake = (marker: string): fc.Arbitrary<HttpRequest> => fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'OPTIONS', 'HEAD', 'PUT', 'DELETE'),
  url: fc.oneof(
    { weight: 9, arbitrary: fc.tuple(fc.constantFrom(...PATHS), query(marker)) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...OTHER_PATHS), query(NO_KEY)) }
  ).map(([path, parts]) => [path, ...parts]),
  headers: fc.tuple(fc.oneof(fc.constant<Header[]>([]), upgrade), fc.array(whence, { maxLength: 2 }), fc.option(keyHeader(marker), { nil: undefined }))
    .map(([asks, others, key]): Header[] => [...asks, ...others, ...(key === undefined ? [] : [key])]),
  body,
  chunk: fc.constantFrom(0, 0, 7)
})

const LINES = ['GET / HTTP/1.1', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1', 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', 'PUT /instance/fuzz-a/websocket HTTP/1.1', 'GET  HTTP/1.1', 'G', 'PRI * HTTP/2.0', 'GET / HTTP/9.9', 'GET /\0 HTTP/1.1', 'CONNECT a:1 HTTP/1.1', '\x16\x03\x01\x02\x00\x01', 'GET / HTTP/0.9', '']
const FIELDS = ['Host: 127.0.0.1', 'Host: a\r\nHost: b', 'Content-Length: 5', 'Content-Length: -1', 'Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 99999999999999999999', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 3', 'Transfer-Encoding: x, chunked', 'Connection: Upgrade\r\nUpgrade: websocket', 'Expect: 100-continue', 'Expect: x', ': x', 'a b: c', 'x', ' folded', `a: ${'x'.repeat(20_000)}`, 'a:b\r\n'.repeat(2500), 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Content-Type: application/json', '\0: \0']
const TAILS = ['', '\r\n', '\r\n\r\n', '\n\n', '\r\n\r\nhello', '\r\n\r\n5\r\nhello\r\n0\r\n\r\n', '\r\n\r\nffffffffffffffffff\r\n', '\r\n\r\n-1\r\n', '\r\n\r\nGET / HTTP/1.1\r\n', '\r\n\r\n{"enabled":']

/** Bytes that are no whole request. Who sends them ends its side then. */
export const garbage: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...LINES), fc.array(fc.constantFrom(...FIELDS), { maxLength: 6 }), fc.constantFrom(...TAILS)).map(([line, fields, tail]) => [[line, ...fields].join('\r\n') + tail]) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map(bytes => [{ hex: Buffer.from(bytes).toString('hex') }]) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...LINES.slice(0, 4)), fc.uint8Array({ maxLength: 60 })).map(([line, bytes]) => [`${line}\r\n`, { hex: Buffer.from(bytes).toString('hex') }]) }
)

/** Namespaces as a client of the protocol asks for them. */
export const namespaceNames: readonly string[] = [...INSTANCES.map(name => `/${name}`), ...INSTANCES.map(name => `/${encodeURIComponent(name)}/`), '/', `/${HEALTHY}`]
