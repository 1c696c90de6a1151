import { request } from 'node:http'
import t from 'tap'
import type { VerifyRequest, WsEventsOptions } from '../../lib/index.js'
import { readTable } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'

// Streams and pages that a page from elsewhere opens without an `Origin` (an `<img>`, a `fetch` with `no-cors`), where
// its visitor's cookie or address would speak for it.

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const COOKIE = 'session=good'
const KEY = 'the-global-key'
/** An address in a network that needs no key, as a proxy tells it. */
const LAN = { 'x-forwarded-for': '10.0.0.5' }

const OPTIONS: WsEventsOptions = {
  apikey: KEY,
  defaultConfig: { enabled: true },
  trustProxy: '127.0.0.1',
  verify: ({ apikey, headers }) => apikey === null && headers.cookie === COOKIE
}

async function statusOf (url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, headers }, response => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    sent.on('error', reject).end()
  })
}

const SITES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'cross-site': { 'sec-fetch-site': 'cross-site' },
  'same-site': { 'sec-fetch-site': 'same-site' },
  'cross-site, navigate': { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  'same-origin': { 'sec-fetch-site': 'same-origin' },
  none: { 'sec-fetch-site': 'none' },
  '(absent)': {}
}

const TABLE = `
  Sec-Fetch-Site       | cookie, here | cookie, LAN | address, here | address, LAN | key, LAN | curl cookie, LAN | curl address, LAN
  cross-site           | 401          | 401         | 401           | 401          | 200      | 401              | 401
  same-site            | 401          | 401         | 401           | 401          | 200      | 401              | 401
  cross-site, navigate | 401          | 401         | 401           | 401          | 200      | 401              | 401
  same-origin          | 200          | 200         | 200           | 200          | 200      | 200              | 200
  none                 | 200          | 200         | 200           | 200          | 200      | 200              | 200
  (absent)             | 200          | 401         | 200           | 401          | 200      | 200              | 200
`

for (const [what, accept] of [['a stream', 'text/event-stream'], ['a page', 'application/json']] as const) {
  t.test(`without an Origin, Sec-Fetch-Site tells whose page opens ${what}; where nothing tells, only this machine and a key do`, async t => {
    const byCookie = await startServer(t, OPTIONS)
    const byAddress = await startServer(t, { ...OPTIONS, verify: () => false, allowedHosts: ['127.0.0.1', '10.0.0.0/8'] })
    const { heads, rows } = readTable(TABLE)
    for (const [site = '', ...expected] of rows) {
      const found = await Promise.all(heads.slice(1).map(async head => {
        const [speaks = '', from] = head.split(', ')
        const { url } = speaks.includes('address') ? byAddress : byCookie
        return String(await statusOf(`${url}/instance/acme/events`, {
          accept,
          'user-agent': speaks.startsWith('curl') ? 'curl/8.5.0' : BROWSER,
          ...(speaks.includes('cookie') && { cookie: COOKIE }),
          ...(speaks === 'key' && { apikey: KEY }),
          ...(from === 'LAN' && LAN),
          ...SITES[site]
        }))
      }))
      t.strictSame(found, expected, site)
    }
  })
}

t.test('a page from elsewhere brings no cookie and no Basic credentials to verify, and its own key and Bearer', async t => {
  const asked: VerifyRequest[] = []
  const { url } = await startServer(t, {
    ...OPTIONS,
    verify: request => {
      asked.push(request)
      return true
    }
  })
  const basic = `Basic ${Buffer.from('visitor:secret').toString('base64')}`
  for (const from of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, {}]) {
    for (const authorization of [basic, 'Bearer of-its-own', 'Negotiate abc']) {
      await statusOf(`${url}/instance/acme/events?limit=1`, { cookie: COOKIE, apikey: 'of-its-own', authorization, ...from })
    }
  }
  t.strictSame(asked.map(({ apikey, headers: { cookie, authorization } }) => [apikey, cookie, authorization]), [
    ...[0, 1].flatMap(() => [
      ['of-its-own', undefined, undefined],
      ['of-its-own', undefined, 'Bearer of-its-own'],
      ['of-its-own', undefined, undefined]
    ]),
    ['of-its-own', COOKIE, basic],
    ['of-its-own', COOKIE, 'Bearer of-its-own'],
    ['of-its-own', COOKIE, 'Negotiate abc']
  ])
})
