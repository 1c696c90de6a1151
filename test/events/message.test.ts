import fc from 'fast-check'
import t from 'tap'
import { Catalogue } from '../../lib/events/catalogue.js'
import { buildMessage } from '../../lib/events/message.js'
import type { EmitOptions } from '../../lib/types.js'

const event = new Catalogue(['messages.upsert']).get('MESSAGES_UPSERT')
const hello = { text: 'hello' }
const build = (options: EmitOptions = {}, data: unknown = hello, serverUrl: string | null = null) =>
  buildMessage({ event, instance: 'acme', data, serverUrl, options })

const FIXED = ['event', 'instance', 'data', 'server_url', 'date_time', 'sender']

t.test('a message has its keys, in their order, and no more', async t => {
  const message = build({ dateTime: 0 })
  t.strictSame(message, {
    event: 'messages.upsert',
    instance: 'acme',
    data: hello,
    server_url: null,
    date_time: '1970-01-01T00:00:00.000Z',
    sender: null
  })
  t.same(Object.keys(message), FIXED)
})

t.test('what is given is in it', async t => {
  t.match(build({ sender: '5511@s.whatsapp.net', apikey: 'k' }, 5, 'https://api.example'), { data: 5, sender: '5511@s.whatsapp.net', apikey: 'k', server_url: 'https://api.example' })
  t.equal(build({ sender: null }).sender, null)
})

t.test('apikey is there only if one was given, also when extra has one', async t => {
  t.notOk('apikey' in build())
  t.notOk('apikey' in build({ apikey: undefined }))
  t.notOk('apikey' in build({ extra: { apikey: 'theirs' } }))
  t.equal(build({ apikey: 'k', extra: { apikey: 'theirs' } }).apikey, 'k')
})

t.test('data that is left out is null', async t => {
  t.equal(build({}, null).data, null)
  t.equal(buildMessage({ event, instance: 'acme', data: undefined, serverUrl: null, options: {} }).data, null)
  for (const data of [0, '', false]) t.equal(build({}, data).data, data)
})

t.test('date_time is the instant that was given, in UTC', async t => {
  const cases: ReadonlyArray<readonly [given: Date | string | number, shown: string]> = [
    [new Date('2026-01-02T03:04:05.678Z'), '2026-01-02T03:04:05.678Z'],
    ['2026-01-02T03:04:05-03:00', '2026-01-02T06:04:05.000Z'],
    [1_767_323_045_678, '2026-01-02T03:04:05.678Z'],
    [0, '1970-01-01T00:00:00.000Z']
  ]
  for (const [given, shown] of cases) t.equal(build({ dateTime: given }).date_time, shown)
  const before = Date.now()
  const now = Date.parse(build().date_time)
  t.ok(now >= before && now <= Date.now(), 'now, if none was given')
})

t.test('a dateTime that is none is INVALID_DATA', async t => {
  for (const dateTime of ['yesterday', NaN, Infinity, new Date(NaN), '', {}]) {
    t.throws(() => build({ dateTime } as EmitOptions), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA', message: /dateTime/ }, String(dateTime))
  }
})

t.test('extra adds keys and never changes one', async t => {
  const key = fc.oneof(fc.string(), fc.constantFrom(...FIXED, 'id', 'apikey', '__proto__', 'constructor', 'toJSON', 'isLatest'))
  fc.assert(fc.property(fc.array(fc.tuple(key, fc.jsonValue())), fc.option(fc.string(), { nil: undefined }), (entries, apikey) => {
    const extra = Object.fromEntries(entries)
    const options = { dateTime: 0, apikey }
    const plain = build(options)
    const message = build({ ...options, extra }) as unknown as Record<string, unknown>
    const kept = Object.entries(plain).every(([name, value]) => Object.is(message[name], value))
    const added = Object.keys(extra).filter(name => !FIXED.includes(name) && name !== 'id' && name !== 'apikey')
    const there = added.every(name => Object.getOwnPropertyDescriptor(message, name)?.value === extra[name])
    return kept && there && Object.keys(message).length === Object.keys(plain).length + added.length && Object.getPrototypeOf(message) === Object.prototype
  }), { numRuns: 1000 })
})

t.test('a key __proto__ in extra is data like any other', async t => {
  const extra = JSON.parse('{"__proto__":{"polluted":true},"isLatest":true}') as Record<string, unknown>
  const sent = JSON.parse(JSON.stringify(build({ extra }))) as Record<string, unknown>
  t.ok(Object.hasOwn(sent, '__proto__'))
  t.equal(sent.isLatest, true)
  t.equal(({} as Record<string, unknown>).polluted, undefined)
})

/** What only plain JavaScript gives: a getter, a trap and conversions that throw. */
const broken = (message: string): never => { throw new Error(message) }
const unreadable: ReadonlyArray<readonly [string, unknown]> = [
  ['options with a getter', { get extra () { return broken('a getter') } }],
  ['options that are revoked', revoked()],
  ['a dateTime that is no primitive', { dateTime: Object.create(null) as unknown }],
  ['a dateTime with a trap', { dateTime: new Proxy({}, { get: () => broken('a trap') }) }],
  ['a dateTime that is a bigint', { dateTime: 10n }],
  ['a dateTime that is too deep', { dateTime: nested(20_000) }],
  ['extra with a getter', { extra: { get a () { return broken('a getter') } } }],
  ['extra that is revoked', { extra: revoked() }]
]

function revoked (): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function nested (levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

for (const [name, options] of unreadable) {
  t.test(`${name} is INVALID_DATA`, async t => {
    t.throws(() => build(options as EmitOptions), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA', message: /^the options of emit cannot be read: ./ })
  })
}

t.test('extra is an object: a text has a key for each character, which took seconds for some MB', async t => {
  for (const extra of ['x'.repeat(3 * 1024 * 1024), [1], Buffer.alloc(5), 5]) {
    t.throws(() => build({ extra: extra as never }), { code: 'FST_ERR_WS_EVENTS_INVALID_DATA', message: /^extra must be an object/ })
  }
  t.same(Object.keys(build({ extra: null as never })), FIXED)
})

t.test('functions in extra are left out, as by JSON: a toJSON would say what the whole message is', async t => {
  const message = build({ extra: { toJSON: () => ({ data: 1 }), call: () => 1, kept: 1 } })
  t.same(Object.keys(message), [...FIXED, 'kept'])
})
