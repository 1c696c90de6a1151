import t from 'tap'
import { Claims } from './claims.js'
import { httpFault, packetFault } from './judge.js'
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
