import fc from 'fast-check'
import type { Part } from '../parts.js'
import { keyHeader, keyQuery } from './keys.js'
import { INSTANCES, event, jsonOrNot, maybe, name, namesJson, object, word } from './values.js'

export type Header = readonly [name: string, value: readonly Part[]]

/** A request that is whole: what it says of its length is true. */
export interface HttpRequest {
  readonly method: string
  readonly url: readonly Part[]
  readonly headers: readonly Header[]
  /** `null`: none. */
  readonly body: readonly Part[] | null
  /** Written in chunks of this many bytes; 0: at once. */
  readonly chunk: number
}

const METHODS = ['GET', 'GET', 'GET', 'PUT', 'PUT', 'PUT', 'DELETE', 'POST', 'POST', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY', 'M-SEARCH', 'LOCK', 'REPORT']
const LARGE = 1_100_000

/** A header's value cannot have what ends it; the rest is latin1. */
const inHeader = (text: string): string => text.replaceAll(/[^\x20-\x7e\x80-\xff]/g, '')

/** How a name may be written in a path. */
function encoded (part: Part, way: string): Part {
  if (typeof part !== 'string') return part
  const percent = encodeURIComponent(part.toWellFormed())
  if (way === 'percent') return percent
  if (way === 'twice') return encodeURIComponent(percent)
  if (way === 'lower') return percent.replaceAll(/%../g, found => found.toLowerCase())
  // As it is, but for what would end the line.
  return part.replaceAll(/[\0-\x20\x7f]/g, found => encodeURIComponent(found))
}

export const inPath: fc.Arbitrary<Part[]> = fc.tuple(name, fc.constantFrom('percent', 'percent', 'percent', 'twice', 'lower', 'plain'))
  .map(([part, way]) => [encoded(part, way)])

const routePath: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: inPath.map(at => ['/instance/', ...at, '/websocket']) },
  { weight: 2, arbitrary: inPath.map(at => ['/websocket/set/', ...at]) },
  { weight: 2, arbitrary: inPath.map(at => ['/websocket/find/', ...at]) }
)

/** Paths that nothing answers, or not what it seems. No keys are brought there: their log is the host's affair. */
const oddPath: fc.Arbitrary<Part[]> = fc.oneof(
  inPath.map(at => ['/', ...at]),
  inPath.map(at => ['/instance/', ...at]),
  inPath.map(at => ['/instance/', ...at, '/websocket/']),
  inPath.map(at => ['/instance//', ...at, '/../websocket']),
  inPath.map(at => ['//instance/', ...at, '/websocket']),
  inPath.map(at => ['http://127.0.0.1/instance/', ...at, '/websocket']),
  fc.constantFrom('/', '*', '/socket.io', '/socket.io/', '/socket.io/x/y', '/SOCKET.IO/', '/%', '/%00', '/;', '/#', '/instance/fuzz-a;x/websocket').map(text => [text])
)

const query: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Part[]>([]) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('instance', 'instanceName', 'name', '__proto__', ''), word, fc.constantFrom('percent', 'plain')).map(([key, text, way]) => [`?${key}=`, encoded(text, way)]) }
)

const url: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(routePath, query).map(([path, asked]) => [...path, ...asked]) },
  { weight: 2, arbitrary: oddPath }
)

const HOSTS = ['localhost', 'example.com', '[::1]:80', '127.0.0.1:99999', 'a b', '%', 'x'.repeat(300), '@', 'localhost:']
const ORIGINS = ['null', 'https://elsewhere.example', 'http://127.0.0.1', 'http://localhost', 'https://listed.example', 'http://[', '', 'javascript:0', 'http://a@b', 'https://listed.example.evil.example', `https://${'x'.repeat(5000)}.example`]
const ADDRESSES = ['127.0.0.1', '::1', '10.0.0.1, 127.0.0.1', 'unknown', '', ',', ',,,', '999.1.1.1', '::ffff:127.0.0.1', '127.0.0.1:80', '[::1]', '_hidden', '1'.repeat(500), '1,'.repeat(1000)]

const headerOf = (names: readonly string[], values: readonly string[]): fc.Arbitrary<Header> =>
  fc.tuple(fc.constantFrom(...names), fc.oneof(fc.constantFrom(...values), word.map(inHeader))).map(([header, value]) => [header, [{ hex: Buffer.from(value, 'latin1').toString('hex') }]])

/** Headers that say where a request comes from. */
export const whence: fc.Arbitrary<Header> = fc.oneof(
  headerOf(['Origin'], ORIGINS),
  headerOf(['X-Forwarded-For'], ADDRESSES),
  headerOf(['Forwarded', 'Via', 'X-Real-IP', 'CF-Connecting-IP', 'X-Forwarded'], ADDRESSES),
  headerOf(['X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port'], HOSTS),
  headerOf(['Referer', 'Cookie', 'User-Agent', 'Accept', 'Accept-Encoding', 'If-None-Match', 'Range', 'Access-Control-Request-Method', '__proto__', 'constructor'], ['a=b', '*', 'gzip', 'bytes=0-'])
)

const contentType: fc.Arbitrary<Header> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Header>(['Content-Type', ['application/json']]) },
  { weight: 2, arbitrary: headerOf(['Content-Type'], ['text/plain', 'application/json; charset=utf-16', 'application/json;', 'multipart/form-data', 'application/x-www-form-urlencoded', '', 'application/vnd.api+json', 'application/json, text/plain', '__proto__']) }
)

const config: fc.Arbitrary<Part[]> = object({
  enabled: fc.oneof({ weight: 4, arbitrary: fc.boolean().map(value => [String(value)]) }, { weight: 1, arbitrary: maybe(jsonOrNot) }),
  events: maybe(namesJson(event))
})

const body: fc.Arbitrary<Part[] | null> = fc.oneof(
  { weight: 5, arbitrary: config },
  { weight: 2, arbitrary: object({ websocket: config }) },
  { weight: 1, arbitrary: object({ websocket: config, enabled: fc.constant(['true']) }) },
  { weight: 3, arbitrary: jsonOrNot },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map(bytes => [{ hex: Buffer.from(bytes).toString('hex') }]) },
  { weight: 1, arbitrary: fc.constant<Part[]>([{ repeat: ' ', times: 70_000 }, '{"enabled":true}']) },
  { weight: 2, arbitrary: fc.constant(null) }
)
/** Over the limit of every body; rarely, for it takes its time. */
const largeBody = fc.constant<Part[]>(['{"enabled":true,"events":["', { repeat: 'x', times: LARGE }, '"]}'])

/** A request to the routes, or to their neighbourhood. */
export const httpRequest = (marker: string): fc.Arbitrary<HttpRequest> => fc.record({
  method: fc.constantFrom(...METHODS),
  url,
  headers: fc.tuple(fc.oneof({ weight: 6, arbitrary: keyHeader(marker).map(header => [header] as Header[]) }, { weight: 1, arbitrary: fc.array(keyHeader(marker), { maxLength: 3 }) }), contentType, fc.array(whence, { maxLength: 2 }))
    .map(([keys, type, others]): Header[] => [...keys, type, ...others]),
  body: fc.oneof({ weight: 60, arbitrary: body }, { weight: 1, arbitrary: largeBody }),
  chunk: fc.constantFrom(0, 0, 0, 1, 7, 1000)
})

/**
 * A request with a key in its query, where none belongs. To a route of the plugin alone: Fastify logs the others, and
 * that is the host's affair.
 */
export const tellingRequest = (marker: string): fc.Arbitrary<HttpRequest> => fc.record({
  method: fc.constantFrom('GET', 'PUT', 'DELETE'),
  url: fc.tuple(fc.oneof(fc.constantFrom<string>(...INSTANCES), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })), keyQuery(marker)).map(([text, asked]): Part[] => ['/instance/', encodeURIComponent(text), '/websocket?', ...asked]),
  headers: fc.array(fc.oneof(keyHeader(marker), contentType), { maxLength: 2 }),
  body: fc.constantFrom<Array<Part[] | null>>(null, ['{"enabled":true}'], ['{"enabled":']),
  chunk: fc.constant(0)
})

/** A request that does what its sender wants, so that there are configs. */
export const goodRequest = (marker: string): fc.Arbitrary<HttpRequest> => fc.tuple(fc.constantFrom(...INSTANCES), fc.boolean()).map(([instance, enabled]) => ({
  method: 'PUT',
  url: ['/instance/', encodeURIComponent(instance), '/websocket'],
  headers: [['apikey', [`${marker}-global`]], ['content-type', ['application/json']]],
  body: [JSON.stringify({ enabled: enabled || instance === 'fuzz-a' })],
  chunk: 0
}))
