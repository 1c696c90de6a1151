import fc from 'fast-check'
import t from 'tap'
import type { MessageContent } from '../../lib/events/message.js'
import { encodeRecord, Packet } from '../../lib/gateway/packet.js'
import { hostValues, oddValue } from '../helpers/payloads.js'

const picture = Buffer.from('picture')

const messageOf = (data: unknown): MessageContent =>
  ({ event: 'call', instance: 'acme', data, server_url: null, date_time: '2026-01-02T03:04:05.678Z', sender: null })

/** The data as a stock client gets it. */
function received (data: unknown): unknown {
  const [, message] = new Packet({ ...encodeRecord(messageOf(data)), id: 'id1' }).decoded()
  return message.data
}

/** In text, because tap does not compare own keys `__proto__`. */
const asText = (value: unknown): string | undefined => JSON.stringify(value)

/** What `JSON.stringify` says, as a client parses it: a number of `JSON.rawJSON` may have more digits than it keeps. */
const asParsed = (value: unknown): string => JSON.stringify(JSON.parse(JSON.stringify(value)))

for (const [name, make] of hostValues) {
  t.test(`beside a Buffer, ${name} arrives as by JSON.stringify`, async t => {
    for (const wrap of [(value: unknown) => ({ value }), (value: unknown) => [value], (value: unknown) => ({ deep: [{ value }] })]) {
      const [alone, before] = received([wrap(make()), picture]) as [unknown, Buffer]
      const [after, beside] = received([picture, wrap(make())]) as [Buffer, unknown]
      const expected = asParsed(wrap(make()))
      t.equal(asText(alone), expected)
      t.equal(asText(beside), expected)
      t.same([before, after], [picture, picture])
    }
  })
}

t.test('whatever is beside a Buffer arrives as by JSON.stringify', async t => {
  fc.assert(fc.property(oddValue, fc.boolean(), (make, first) => {
    const expected = asParsed({ value: make() })
    const data = first ? { picture, value: make() } : { value: make(), picture }
    const { picture: bytes, ...rest } = received(data) as { picture: Buffer }
    t.equal(asText(rest), expected)
    t.same(bytes, picture)
    return true
  }), { numRuns: 1500 })
})

t.test('without a Buffer the record has the text of JSON.stringify', async t => {
  fc.assert(fc.property(oddValue, make => {
    const { rest, attachments } = encodeRecord(messageOf([make()]))
    t.equal(attachments.length, 0)
    t.ok(rest.includes(`"data":${JSON.stringify([make()])},"server_url":null`))
    return true
  }), { numRuns: 1500 })
})

t.test('a toJSON is called once, with its key, and may give a Buffer', async t => {
  for (const beside of [{}, { picture }]) {
    const calls: unknown[][] = []
    const spy = (result: unknown) => ({ toJSON (...args: unknown[]) { calls.push(args); return result } })
    const data = { toJSON (...args: unknown[]) { calls.push(args); return { a: spy(1), list: [spy(picture), spy({ b: picture })], ...beside } } }
    t.strictSame(received(data), { a: 1, list: [picture, { b: picture }], ...beside })
    t.strictSame(calls, [[''], ['a'], ['0'], ['1']])
  }
})

t.test('a getter is read once', async t => {
  for (const beside of [{}, { picture }]) {
    let reads = 0
    t.strictSame(received({ get count () { return ++reads }, ...beside }), { count: 1, ...beside })
    t.equal(reads, 1)
  }
})

t.test('keys of extra are read as by JSON.stringify, too', async t => {
  const extra = { boxed: new Number(3), ...JSON.parse('{"__proto__":{"a":1}}') as object, keyed: { toJSON: (key: string) => key } } // eslint-disable-line no-new-wrappers
  const { rest, attachments } = encodeRecord({ ...messageOf(picture), ...extra })
  t.strictSame(attachments, [picture])
  t.ok(String(rest).endsWith(',"sender":null,"boxed":3,"__proto__":{"a":1},"keyed":"keyed"}'), String(rest))
})

t.test('an object with toJSON that gives itself is not asked again', async t => {
  const own = { a: 1, toJSON (): unknown { return this } }
  const boxed = Object.assign(new Number(3), { toJSON (): unknown { return boxed } }) as unknown // eslint-disable-line no-new-wrappers
  t.strictSame(received([own, boxed, picture]), [{ a: 1 }, 3, picture])
})
