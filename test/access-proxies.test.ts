import t, { type Test } from 'tap'
import type { Verify, WsEventsOptions } from '../lib/index.js'
import { attempt, type Way } from './access/attempt.js'
import { withoutOpenssl } from './access/certificate.js'
import { deployCaddy, type DeployedProxy, deployNginx, withValues } from './access/deployment.js'
import { withoutCaddy } from './helpers/caddy.js'
import { withoutNginx } from './helpers/nginx.js'
import { inParallel, readTable } from './helpers/outcome.js'
import { startServer } from './helpers/server.js'

const verify: Verify = ({ apikey, instance }) => apikey === 'key-of-acme' && instance === 'acme'
const keys: WsEventsOptions = { apikey: 'the-global-key', verify }

/** How the servers are open. */
const ACCESS: Readonly<Record<string, WsEventsOptions>> = {
  'nothing set, so that this machine needs no key': {},
  'one address that needs no key': { ...keys, allowedHosts: '127.0.0.2' },
  'keys alone': keys
}

/** The columns: whom the servers believe about addresses. */
const TRUST: Readonly<Record<string, WsEventsOptions>> = {
  false: { trustProxy: false },
  '127.0.0.1': { trustProxy: '127.0.0.1' },
  true: { trustProxy: true },
  '10.0.0.0/8': { trustProxy: '10.0.0.0/8' }
}

// Clients that a proxy on this machine sees come from elsewhere: nginx is told to take this header for the address.
const CLIENT = 'x-test-client'
const fromNetwork = (apikey?: string, headers: Way['headers'] = {}): Way => ({ headers: { [CLIENT]: '203.0.113.7', ...headers }, ...(apikey !== undefined && { apikey }) })
const realAddress = (configuration: string): string => withValues(configuration, {
  '  location / {': `  set_real_ip_from 127.0.0.0/8;\n  real_ip_header ${CLIENT};\n\n  location / {`
})

/** The rows: who comes, and what it says of itself. 127.0.0.2 and 127.0.0.3 are other machines, as far as addresses go. */
const ON_THIS_MACHINE: Readonly<Record<string, Way>> = {
  'from 127.0.0.1': {},
  'from 127.0.0.2': { from: '127.0.0.2' },
  'from 127.0.0.3': { from: '127.0.0.3' },
  '127.0.0.3 says 127.0.0.2': { from: '127.0.0.3', headers: { 'x-forwarded-for': '127.0.0.2' } },
  '127.0.0.2 says 127.0.0.1': { from: '127.0.0.2', headers: { 'x-forwarded-for': '127.0.0.1' } },
  '127.0.0.3, X-Real-IP': { from: '127.0.0.3', headers: { 'x-real-ip': '127.0.0.2' } },
  '127.0.0.3, Forwarded': { from: '127.0.0.3', headers: { forwarded: 'for=127.0.0.2' } },
  '127.0.0.2, wrong key': { from: '127.0.0.2', apikey: 'key-of-nobody' }
}
const FROM_ELSEWHERE: Readonly<Record<string, Way>> = {
  'the network': fromNetwork(),
  'it says 127.0.0.1': fromNetwork(undefined, { 'x-forwarded-for': '127.0.0.1' }),
  'it says 127.0.0.2': fromNetwork(undefined, { 'x-forwarded-for': '127.0.0.2' }),
  'it says both': fromNetwork(undefined, { 'x-forwarded-for': '127.0.0.2, 127.0.0.1' }),
  'X-Real-IP: 127.0.0.2': fromNetwork(undefined, { 'x-real-ip': '127.0.0.2' }),
  'Forwarded: for=127.0.0.2': fromNetwork(undefined, { forwarded: 'for=127.0.0.2' }),
  'with a wrong key': fromNetwork('key-of-nobody'),
  'with its own key': fromNetwork('key-of-acme'),
  'with the global key': fromNetwork('the-global-key'),
  'and says 127.0.0.2': fromNetwork('key-of-nobody', { 'x-forwarded-for': '127.0.0.2' })
}

const NOT_OPEN = `
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says both             | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED`

/** The ends of all tables: a key that is given decides alone. */
const NO_KEY_OPENS = `
  with a wrong key         | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with its own key         | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with the global key      | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  and says 127.0.0.2       | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN`

const KEYS_OPEN = `
  with a wrong key         | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with its own key         | in           | in           | in           | in
  with the global key      | in           | in           | in           | in
  and says 127.0.0.2       | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN`

const HEADS = `
  way to come              | false        | 127.0.0.1    | true         | 10.0.0.0/8`

/** Each a way in which nginx stands before a server, and the outcomes for each way in which that is open. */
const NGINX: ReadonlyArray<{ name: string, change: (configuration: string) => string, tables: readonly [nothingSet: string, oneAddress: string, keysAlone?: string] }> = [
  {
    name: 'nginx as documented: X-Forwarded-For is the address that it sees',
    change: configuration => configuration,
    tables: [`${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says both             | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${NO_KEY_OPENS}`, `${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says both             | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${KEYS_OPEN}`]
  },
  {
    // Whoever sends the header itself counts by no address, unless everybody is believed: then it says which it has.
    name: 'nginx that appends to the X-Forwarded-For of its client',
    change: configuration => withValues(configuration, { 'X-Forwarded-For $remote_addr': 'X-Forwarded-For $proxy_add_x_forwarded_for' }),
    tables: [`${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  it says both             | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${NO_KEY_OPENS}`, `${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  it says both             | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${KEYS_OPEN}`]
  },
  {
    // Nothing tells a request that was forwarded from one that was not, and what clients say is passed on. Only keys help.
    name: 'nginx that is told nothing of forwarding, as it is by default',
    change: configuration => configuration.replaceAll(/^ *proxy_set_header (X-Forwarded-\w+|Host) .*\n/gm, ''),
    tables: [`${HEADS}
  from 127.0.0.1           | in           | in           | in           | in
  from 127.0.0.2           | in           | in           | in           | in
  from 127.0.0.3           | in           | in           | in           | in
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | in           | in           | in           | in
  it says 127.0.0.1        | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  it says both             | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${NO_KEY_OPENS}`, `${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  the network              | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.1        | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  it says 127.0.0.2        | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  it says both             | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  X-Real-IP: 127.0.0.2     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  Forwarded: for=127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED${KEYS_OPEN}`, `${HEADS}${NOT_OPEN}${KEYS_OPEN}`]
  }
]

type Deploy = (t: Test, port: number) => Promise<DeployedProxy | { readonly url: string, readonly certificate?: undefined }>

/** Tries every row of a table at a server for each column, over both transports and at a route. */
async function checkTable (t: Test, access: WsEventsOptions, deploy: Deploy, ways: Readonly<Record<string, Way>>, table: string): Promise<void> {
  const { heads, rows } = readTable(table)
  t.strictSame(heads.slice(1), Object.keys(TRUST), 'the table has a column for whom is believed')
  t.strictSame(rows.map(([way]) => way), Object.keys(ways), 'and a row for every way to come')
  for (const [index, [trust, options]] of Object.entries(TRUST).entries()) {
    const { fastify, port } = await startServer(t, { ...access, ...options })
    await fastify.wsEvents.set('acme', { enabled: true })
    const { url, certificate } = await deploy(t, port)
    const found = await inParallel(Object.entries(ways), 12, async ([name, way]) => [name, await attempt({ url, ca: certificate?.ca }, way)])
    t.strictSame(found, rows.map(row => [row[0], row[index + 1]]), `trustProxy ${trust}`)
  }
}

for (const { name, change, tables } of NGINX) {
  for (const [index, [open, access]] of Object.entries(ACCESS).slice(0, tables.length).entries()) {
    t.test(`${name}; ${open}`, { skip: withoutNginx || withoutOpenssl }, async t => {
      const deploy: Deploy = async (t, port) => await deployNginx(t, port, { tls: false, change: configuration => realAddress(change(configuration)) })
      await checkTable(t, access, deploy, { ...ON_THIS_MACHINE, ...FROM_ELSEWHERE }, tables[index] ?? '')
    })
  }
}

const CADDY_KEYS: Readonly<Record<string, Way>> = {
  'with its own key': { from: '127.0.0.3', apikey: 'key-of-acme' },
  'with the global key': { from: '127.0.0.3', apikey: 'the-global-key' },
  'wrong, says 127.0.0.2': { from: '127.0.0.3', apikey: 'key-of-nobody', headers: { 'x-forwarded-for': '127.0.0.2' } }
}

const CADDY: readonly [nothingSet: string, oneAddress: string] = [`${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with its own key         | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with the global key      | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  wrong, says 127.0.0.2    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN`, `${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | in           | in           | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN
  with its own key         | in           | in           | in           | in
  with the global key      | in           | in           | in           | in
  wrong, says 127.0.0.2    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN`]

for (const [index, [open, access]] of Object.entries(ACCESS).slice(0, CADDY.length).entries()) {
  t.test(`Caddy as documented; ${open}`, { skip: withoutCaddy || withoutOpenssl }, async t => {
    await checkTable(t, access, deployCaddy, { ...ON_THIS_MACHINE, ...CADDY_KEYS }, CADDY[index] ?? '')
  })
}

t.test('whoever gets past the proxy to the server is believed only where everybody is', async t => {
  await checkTable(t, ACCESS['one address that needs no key'] ?? {}, async (t, port) => ({ url: `http://127.0.0.1:${port}` }), ON_THIS_MACHINE, `${HEADS}
  from 127.0.0.1           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  from 127.0.0.2           | in           | in           | in           | in
  from 127.0.0.3           | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3 says 127.0.0.2 | UNAUTHORIZED | UNAUTHORIZED | in           | UNAUTHORIZED
  127.0.0.2 says 127.0.0.1 | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, X-Real-IP     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.3, Forwarded     | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED | UNAUTHORIZED
  127.0.0.2, wrong key     | FORBIDDEN    | FORBIDDEN    | FORBIDDEN    | FORBIDDEN`)
})
