import t from 'tap'
import { withoutKey } from '../lib/access/key-text.js'

const KEY = 'a key/with signs&more'

t.test('a key is taken out of an error, however it is written there', t => {
  const failure = Object.assign(new TypeError(`GET https://auth.internal/check?key=${encodeURIComponent(KEY)} with ${KEY}`), {
    code: 'E_AUTH',
    config: { headers: { apikey: KEY, authorization: `Basic ${Buffer.from(`${KEY}:`).toString('base64')}` } }
  })
  const shown = withoutKey(failure, KEY)
  t.equal(shown.message, 'GET https://auth.internal/check?key=[key] with [key]')
  t.match(shown, { name: 'TypeError', code: 'E_AUTH' })
  t.match(shown.stack, /TypeError: GET .*\[key\][^]*key-text\.test/, 'and the stack still says where')
  t.notOk('config' in shown, 'what else the error holds is nobody\'s')
  t.notMatch(JSON.stringify([shown.message, shown.stack, shown]), 'signs')
  t.end()
})

t.test('causes are kept, without the key, and an end is found', t => {
  const shown = withoutKey(new Error('outer', { cause: new Error(`inner ${KEY}`, { cause: KEY }) }), KEY)
  t.match(shown, { message: 'outer', cause: { message: 'inner [key]', cause: { message: '[key]' } } })
  const circle = new Error('circle')
  circle.cause = circle
  let depth = 0
  for (let error: unknown = withoutKey(circle, KEY); error instanceof Error; error = error.cause) depth++
  t.equal(depth, 6)
  t.end()
})

t.test('what is no error is told by its kind', t => {
  t.equal(withoutKey({ apikey: KEY }, KEY).message, 'it threw a value that is no error (object)')
  t.equal(withoutKey(`no ${KEY}`, KEY).message, 'no [key]')
  t.equal(withoutKey(undefined, null).message, 'it threw a value that is no error (undefined)')
  t.equal(withoutKey('no key came', null).message, 'no key came')
  t.end()
})
