import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { transports } from '../helpers/client.js'
import { withoutCaddy } from '../helpers/caddy.js'
import { withoutNginx } from '../helpers/nginx.js'
import { inParallel, readTable } from '../helpers/outcome.js'
import { sampleOf } from '../helpers/sample.js'
import { startServer } from '../helpers/server.js'
import { attempt, type Target, type Way } from './attempt.js'
import { withoutOpenssl } from './certificate.js'
import { deployCaddy, type DeployedProxy, deployNginx, withValues } from './deployment.js'

const KEY = 'the-global-key'
const COOKIE = 'session=good'
const LISTED = ['https://app.example', 'http://localhost:3000']

/** What speaks for a page's visitor, besides where the page comes from. */
const SPEAKS: Readonly<Record<string, { options: WsEventsOptions, way: Way }>> = {
  address: { options: { apikey: KEY, allowedHosts: '127.0.0.1' }, way: {} },
  cookie: { options: { verify: ({ apikey, headers }) => apikey === null && headers.cookie === COOKIE }, way: { headers: { cookie: COOKIE } } },
  key: { options: { apikey: KEY }, way: { apikey: KEY } }
}

const CORS: Readonly<Record<string, WsEventsOptions>> = { none: {}, list: { cors: LISTED }, '*': { cors: '*' } }

interface Conditions {
  readonly options?: WsEventsOptions
  /** Starts what stands before the server. */
  readonly before?: (port: number) => Promise<DeployedProxy>
  /** Headers beside the `Origin`. */
  readonly headers?: Readonly<Record<string, string>>
  /** `npm test` tries every nth row of a column, and every nth column; left out: all. */
  readonly nthRow?: number
  readonly nthColumn?: number
}

/** Tries the rows of a table, each an `Origin`, at a server for each column, over both transports. */
async function checkTable (t: Test, table: string, conditions: Conditions = {}): Promise<void> {
  const { options = {}, before, headers: more = {}, nthRow = 1, nthColumn = 1 } = conditions
  const { heads, rows } = readTable(table)
  for (const [index, head] of sampleOf([...heads.slice(1).entries()], nthColumn)) {
    const [cors = '', speaks = ''] = head.split(', ')
    const { options: open, way } = SPEAKS[speaks] ?? { options: {}, way: {} }
    const { fastify, url: own, port } = await startServer(t, { ...open, ...CORS[cors], ...options })
    await fastify.wsEvents.set('acme', { enabled: true })
    const proxy = await before?.(port)
    const target: Target = { url: proxy?.url ?? own, ca: proxy?.certificate.ca }
    const tried = sampleOf(rows, nthRow, index)
    const found = await inParallel(tried.map(([name = '']) => name), 8, async name => {
      const origin = originIn(name, new URL(target.url).port, String(port))
      const headers = { ...way.headers, ...more, ...(origin !== undefined && { origin }) }
      return [name, await attempt(target, { ...way, headers }, transports)]
    })
    t.strictSame(found, tried.map(row => [row[0], row[index + 1]]), head)
  }
}

/** An Origin as a row of a table names it; `undefined`: none is sent. */
function originIn (name: string, port: string, nodePort: string): string | undefined {
  if (name === '(absent)') return undefined
  return name === '(empty)' ? '' : name.replace('NODE', nodePort).replace('PORT', port)
}

// No browser sends an Origin in capitals, with its default port, with a user or with a path. Who does is no page, and
// could as well send none. Where such a text is read as the server's own, it opens nothing that a request without an
// Origin does not open; where it is not listed letter for letter, it is foreign.
t.test('an Origin is the server\'s own, is listed, or is foreign, whatever it looks like', async t => {
  await checkTable(t, `
    origin                             | none, address | list, address      | *, address   | none, cookie | list, cookie       | *, cookie    | none, key | list, key          | *, key
    (absent)                           | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://127.0.0.1:PORT              | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    https://127.0.0.1:PORT             | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    HTTP://127.0.0.1:PORT              | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://127.0.0.1:PORT/page         | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://user:pass@127.0.0.1:PORT    | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://127.0.0.1                   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://127.0.0.1:1                 | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://127.0.0.2:PORT              | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://localhost:PORT              | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://127.0.0.1:PORT@evil.example | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://127.0.0.1:PORT.evil.example | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://evil.example/127.0.0.1:PORT | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    http://evil.example#127.0.0.1:PORT | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example                | UNAUTHORIZED  | in                 | UNAUTHORIZED | UNAUTHORIZED | in                 | UNAUTHORIZED | in        | in                 | in
    http://localhost:3000              | UNAUTHORIZED  | in                 | UNAUTHORIZED | UNAUTHORIZED | in                 | UNAUTHORIZED | in        | in                 | in
    http://app.example                 | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://APP.example                | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    HTTPS://app.example                | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example:443            | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example:8443           | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example.               | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example/               | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example@evil.example   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://evil@app.example           | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example.evil.example   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://evilapp.example            | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://www.app.example            | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example, https://evil  | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://evil.example               | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    null                               | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    *                                  | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED        | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED       | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED    | in
    (empty)                     | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in | ORIGIN_NOT_ALLOWED | in
    file://                     | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in | ORIGIN_NOT_ALLOWED | in
    chrome-extension://abcdefgh | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in | ORIGIN_NOT_ALLOWED | in
    nonsense                    | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in | ORIGIN_NOT_ALLOWED | in`,
  { nthRow: 4 })
})

const PROXIES = {
  nginx: { skip: withoutNginx || withoutOpenssl, deploy: async (t: Test, port: number) => await deployNginx(t, port) },
  Caddy: { skip: withoutCaddy || withoutOpenssl, deploy: async (t: Test, port: number) => await deployCaddy(t, port) }
}

// Own is the page that came through the proxy, by TLS or not; the server's own port is another origin.
const BEHIND_PROXY = `
    origin                 | none, address | list, address      | *, address   | none, cookie | list, cookie       | *, cookie    | none, key | list, key          | *, key
    (absent)               | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    https://127.0.0.1:PORT | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://127.0.0.1:PORT  | in            | in                 | in           | in           | in                 | in           | in        | in                 | in
    http://127.0.0.1:NODE  | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://127.0.0.1      | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    https://app.example    | UNAUTHORIZED  | in                 | UNAUTHORIZED | UNAUTHORIZED | in                 | UNAUTHORIZED | in        | in                 | in
    https://evil.example   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in
    null                   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | in        | ORIGIN_NOT_ALLOWED | in`

for (const [name, { skip, deploy }] of Object.entries(PROXIES)) {
  t.test(`behind ${name} as documented, a page that came through it is the server's own`, { skip }, async t => {
    await checkTable(t, BEHIND_PROXY, {
      options: { trustProxy: '127.0.0.1' }, before: async port => await deploy(t, port), nthColumn: 4
    })
  })

  t.test(`behind ${name} as documented, no page says by X-Forwarded-Host that it is the server's own`, { skip }, async t => {
    await checkTable(t, `
      origin                 | none, address | list, address      | *, address   | none, cookie | *, cookie
      https://127.0.0.1:PORT | in            | in                 | in           | in           | in
      https://evil.example   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED`,
    {
      options: { trustProxy: '127.0.0.1' },
      before: async port => await deploy(t, port),
      headers: { 'x-forwarded-host': 'evil.example' },
      nthColumn: 2
    })
  })
}

t.test('behind nginx that is not told of hosts, its own pages are foreign, and a page that says it is the server\'s own is believed', { skip: PROXIES.nginx.skip }, async t => {
  const untold = async (port: number): Promise<DeployedProxy> => await deployNginx(t, port, {
    change: text => withValues(text, { 'proxy_set_header Host $http_host;': '', 'proxy_set_header X-Forwarded-Host $http_host;': '' })
  })
  await checkTable(t, `
    origin                 | none, address | list, address      | none, key
    (absent)               | in            | in                 | in
    https://127.0.0.1:PORT | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | in
    https://evil.example   | UNAUTHORIZED  | ORIGIN_NOT_ALLOWED | in`,
  { options: { trustProxy: '127.0.0.1' }, before: untold })
  // So the documents have the proxy replace this header.
  await checkTable(t, `
    origin                 | none, address | list, address
    https://evil.example   | in            | in`,
  { options: { trustProxy: '127.0.0.1' }, before: untold, headers: { 'x-forwarded-host': 'evil.example' } })
})

t.test('without a proxy that is trusted, X-Forwarded-Host makes no page the server\'s own', async t => {
  for (const trustProxy of [false, '10.0.0.0/8']) {
    await checkTable(t, `
      origin               | none, address | none, cookie | list, cookie
      http://evil.example  | UNAUTHORIZED  | UNAUTHORIZED | ORIGIN_NOT_ALLOWED
      https://evil.example | UNAUTHORIZED  | UNAUTHORIZED | ORIGIN_NOT_ALLOWED`,
    { options: { trustProxy }, headers: { 'x-forwarded-host': 'evil.example' } })
  }
})

t.test('no page from elsewhere may send what only a proxy says', async t => {
  for (const cors of ['*', LISTED]) {
    const { url } = await startServer(t, { apikey: KEY, cors })
    const allowed = async (header: string): Promise<boolean> => {
      const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET', 'access-control-request-headers': header }
      })
      await response.text()
      const { headers } = response
      return headers.get('access-control-allow-origin') !== null && headers.get('access-control-allow-headers')?.toLowerCase().split(/ *, */).includes(header) === true
    }
    for (const header of ['x-forwarded-host', 'x-forwarded-for']) t.notOk(await allowed(header), `${String(cors)}: ${header}`)
    if (cors === '*') for (const header of ['apikey', 'authorization', 'content-type']) t.ok(await allowed(header), `${cors}: ${header}`)
  }
})
