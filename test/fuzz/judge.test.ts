import t from 'tap'
import { Claims } from './claims.js'
import { LIMIT_CELLS, requiredCells } from './cells.js'
import type { HttpRequest } from './draw/http.js'
import { httpFault, packetFault } from './judge.js'
import { eventsFault, StreamJudge } from './judge-events.js'
import { ResponseParser } from './wire/responses.js'
import { type KeyWord, keyOf, markerOf } from './keys.js'
import { WatchedLog } from './watched-log.js'

// A fuzz that cannot see a fault finds none.

const marker = markerOf(1)
const PREFIX = 'FST_ERR_WS_EVENTS_'

/** What is wrong with a packet for who has sent these keys. */
function faultFor (words: readonly KeyWord[], packet: string): string | undefined {
  const claims = new Claims(marker)
  for (const word of words) claims.sent(Buffer.from(`40/fuzz-a,{"apikey":"${keyOf(marker, word)}"}`))
  return claims.fault(packet)
}

const message = (namespace: string, event: string, instance: string) => `42${namespace}["${event}",{"id":"1","event":"${event}","instance":"${instance}","data":1}]`

t.test('who comes in, and what he is told, is held against the keys that he has sent', async t => {
  const cases: ReadonlyArray<readonly [words: readonly KeyWord[], packet: string, fault: RegExp | undefined]> = [
    [['global'], '40/healthy,{"sid":"x"}', undefined],
    [['no'], '40/fuzz-a,{"sid":"x"}', /came in without a key/],
    [[], '40/fuzz-a,{"sid":"x"}', /came in without a key/],
    [['one'], '40/fuzz-a/,{"sid":"x"}', undefined],
    [['one'], '40/fuzz-b,{"sid":"x"}', /came in without a key/],
    [['one'], '40/%zz,{"sid":"x"}', /came in without a key/],
    [['none', 'yes'], '40/Teste%2001,{"sid":"x"}', undefined],
    [['one'], message('/fuzz-a,', 'messages.upsert', 'fuzz-a'), undefined],
    [['one'], message('/fuzz-a,', 'call', 'fuzz-a'), /its keys do not open/],
    [['calls'], message('/fuzz-a,', 'call', 'fuzz-a'), undefined],
    [['one'], message('', 'messages.upsert', 'healthy'), /its keys do not open/],
    [['global'], message('', 'messages.upsert', 'healthy'), undefined],
    [['global'], message('/fuzz-a,', 'messages.upsert', 'healthy'), /namespace of another instance/],
    [['no'], '42/fuzz-a,["ws.ready",{"instance":"fuzz-a"}]', /its keys do not open/],
    [['no'], '451-/fuzz-a,["call",{"instance":"fuzz-a","data":{"_placeholder":true,"num":0}}]', /its keys do not open/]
  ]
  for (const [words, packet, fault] of cases) {
    if (fault === undefined) t.equal(faultFor(words, packet), undefined, packet)
    else t.match(faultFor(words, packet), fault, packet)
  }
})

t.test('a refusal has a code of ours, and is whole', async t => {
  const refusal = { code: `${PREFIX}FORBIDDEN`, statusCode: 403, message: 'no', retry: false }
  const refused = (data: object) => packetFault(`44/fuzz-a,${JSON.stringify({ message: 'no', data })}`)
  t.equal(refused(refusal), undefined)
  t.match(refused({ ...refusal, code: 'OTHER' }), /without a code/)
  t.match(refused({ ...refusal, statusCode: '403' }), /without a code/)
  t.match(packetFault('44/fuzz-a,{"message":"Invalid namespace"}'), /without a code/)
  t.match(packetFault(`43/fuzz-a,1[${JSON.stringify({ ...refusal, message: '' })}]`), /without a code/)
  t.match(packetFault('42/fuzz-a,["call",{"id":"1"e,"data":1}]'), /no client can read/)
  t.match(packetFault('451-["call"'), /no client can read/)
  t.equal(packetFault('43/fuzz-a,1[{"code":5}]'), undefined, 'what a handler answers is its own')
})

t.test('a route answers with a code, and to nobody without a key', async t => {
  const request = (headers: ReadonlyArray<readonly [string, readonly string[]]> = []) => ({ method: 'GET', url: ['/instance/fuzz-a/websocket'], headers, body: null, chunk: 0 })
  const answer = (status: number, body: object | string) => ({ status, head: typeof body === 'string' ? '' : 'Content-Type: application/json\r\n', body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) })
  const key = [['apikey', [keyOf(marker, 'yes')]]] as const
  t.equal(httpFault(request(key), answer(200, {}), marker), undefined)
  t.match(httpFault(request(), answer(200, {}), marker), /did without a key/)
  t.match(httpFault(request([['apikey', [keyOf(marker, 'no')]]]), answer(204, ''), marker), /did without a key/)
  t.match(httpFault(request(key), answer(500, {}), marker), /a route answered 500/)
  t.match(httpFault(request(key), answer(503, { code: 'OTHER' }), marker), /a route answered 503/)
  t.equal(httpFault(request(key), answer(503, { code: `${PREFIX}VERIFY_FAILED` }), marker), undefined)
  t.match(httpFault(request(), answer(401, { message: 'no' }), marker), /without a code/)
  t.equal(httpFault(request(), answer(401, { code: `${PREFIX}UNAUTHORIZED` }), marker), undefined)
})

const asks = (url: string, ...words: KeyWord[]): HttpRequest => ({ method: 'GET', url: [url], headers: words.map(word => ['apikey', [keyOf(marker, word)]] as const), body: null, chunk: 0 })
const ID = '0mx3uz6x70000t5bxgh'
const LATER = '0mx3uz6x70001t5bxgh'
const told = (id: string, event: string, instance: string) => JSON.stringify({ id, event, instance, data: 1 })
const block = (id: string, event: string, data: string) => `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`

t.test('a stream is read as a client reads it, and held against the keys of its request', async t => {
  const url = '/instance/fuzz-a/events'
  const ready = `retry: 1500\n\n${block(ID, 'ws.ready', JSON.stringify({ instance: 'fuzz-a', recovered: null, lastEventId: ID }))}`
  const cases: ReadonlyArray<readonly [body: string, words: readonly KeyWord[], fault: RegExp | undefined]> = [
    [`${ready}:\n\n${block(LATER, 'messages.update', told(LATER, 'messages.update', 'fuzz-a'))}`, ['one'], undefined],
    [ready + block(LATER, 'call', told(LATER, 'call', 'fuzz-a')), ['one'], /its keys do not open/],
    [ready + block(LATER, 'call', told(LATER, 'call', 'fuzz-b')), ['yes'], /an event of another one/],
    [ready + block(ID, 'call', told(ID, 'call', 'fuzz-a')), ['yes'], /after one that is newer/],
    [ready + block(LATER, 'call', told(`${LATER}1`, 'call', 'fuzz-a')), ['yes'], /another name or id/],
    [`retry: 1500\n\n${block(ID, 'call', told(ID, 'call', 'fuzz-a'))}`, ['yes'], /before ws\.ready/],
    [`retry: 1500\n\n${block(ID, 'ws.ready', JSON.stringify({ instance: 'fuzz-b', lastEventId: ID }))}`, ['yes'], /the stream of another instance/],
    ['data: 1\n\n', ['yes'], /no client can read/],
    [`${ready}id: 1\nevent: call\n\n`, ['yes'], /no client can read/],
    [`${ready}id: 1\nevent: call\ndata: {"a":\n\n`, ['yes'], /no client can read/]
  ]
  for (const [body, words, fault] of cases) {
    for (const size of [1, 7, body.length]) {
      const judge = new StreamJudge(asks(url, ...words), marker)
      let found: string | undefined
      for (let at = 0; at < body.length; at += size) found ??= judge.read(Buffer.from(body.slice(at, at + size)))
      if (fault === undefined) t.equal(found, undefined, body)
      else t.match(found, fault, body)
    }
  }
})

t.test('a page and the state of the monitor are held against the keys of their request', async t => {
  const json = (body: object) => ({ status: 200, head: 'Content-Type: application/json\r\n', body: Buffer.from(JSON.stringify(body)) })
  const page = (ids: readonly string[], given: object = {}) => json({ recovered: true, events: ids.map(id => ({ id, event: 'messages.update', instance: 'fuzz-a' })), lastEventId: LATER, more: false, ...given })
  const url = '/instance/fuzz-a/events?limit=2'
  t.equal(eventsFault(asks(url, 'one'), page([ID, LATER]), marker), undefined)
  t.match(eventsFault(asks(url, 'one'), page([LATER, ID]), marker), /after one that is newer/)
  t.match(eventsFault(asks(url, 'calls'), page([ID]), marker), /its keys do not open/)
  t.match(eventsFault(asks('/instance/fuzz-b/events', 'yes'), page([ID]), marker), /an event of another one/)
  t.match(eventsFault(asks('/instance/fuzz-b/events', 'one'), page([]), marker), /came in without a key/)
  t.match(eventsFault(asks(url, 'one'), page([ID], { recovered: false }), marker), /events and a gap/)
  t.match(eventsFault(asks(url, 'one'), page([LATER], { lastEventId: ID }), marker), /ends before its last event/)
  t.match(eventsFault(asks(url), page([]), marker), /did without a key/)
  const state = (instances: readonly string[], events = ['messages.update'], clients = 0) => json({ root: { clients }, instances: instances.map(instance => ({ instance })), events })
  const all = '/monitor/state'
  t.equal(eventsFault(asks(all, 'one'), state(['fuzz-a']), marker), undefined)
  t.match(eventsFault(asks(all, 'one'), state(['fuzz-a', 'fuzz-b']), marker), /an instance that its keys do not open/)
  t.match(eventsFault(asks(all, 'one'), state([], ['call']), marker), /an event that its keys do not open/)
  t.match(eventsFault(asks(all, 'one'), state([], [], 3), marker), /clients at the root/)
  t.equal(eventsFault(asks(all, 'none'), state([], []), marker), undefined, 'who may see nothing sees nothing')
  t.match(eventsFault(asks(all), state([], []), marker), /did without a key/)
  t.equal(eventsFault(asks('/monitor/'), { ...json({}), head: 'Content-Type: text/html\r\n' }, marker), undefined, 'the page says nothing')
})

t.test('pipelined answers are read in their order, however they are cut', async t => {
  const answers = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nHTTP/1.1 429 No\r\nContent-Length: 2\r\n\r\nxyrest'
  for (const size of [1, 5, answers.length]) {
    const parser = new ResponseParser()
    const found: string[] = []
    for (const isHead of [false, true, false]) {
      let text = ''
      parser.expect({ isHead, listener: { head: status => { text = `${status} ` }, body: bytes => { text += bytes.toString() }, end: () => { found.push(text) } } })
    }
    for (let at = 0; at < answers.length; at += size) parser.read(Buffer.from(answers.slice(at, at + size)))
    t.strictSame(found, ['200 abcde', '404 ', '429 xy'])
    t.equal(parser.surplus, 4)
  }
})

t.test('every limit has the cells that must be hit, or a reason why there are none', async t => {
  for (const [limit, { cells, elsewhere }] of Object.entries(LIMIT_CELLS)) t.ok(elsewhere !== '' && (cells.length > 0 || /^(only|as) /.test(elsewhere)), limit)
  t.equal(new Set(requiredCells()).size, requiredCells().length, 'none twice')
})

t.test('a key is found in the log however it is written, and so is an error that nobody meant', async t => {
  const log = new WatchedLog(marker)
  const key = keyOf(marker, 'yes')
  const line = (given: object) => log.stream.write(`${JSON.stringify({ level: 30, msg: 'hello', ...given })}\n`)
  line({ url: `/?apikey=${key}` })
  for (const user of ['', 'a', 'ab']) line({ header: `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}` })
  line({ url: '/?apikey=xxx' })
  t.equal(log.leaked, 4)
  line({ level: 50, err: { code: `${PREFIX}FORBIDDEN` } })
  line({ level: 50, err: { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' } })
  t.strictSame(log.errors, [])
  line({ level: 50, err: { type: 'TypeError' } })
  t.equal(log.errors.length, 1)
})
