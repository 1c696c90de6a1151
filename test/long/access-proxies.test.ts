import t, { type Test } from 'tap'
import type { Verify, WsEventsOptions } from '../../lib/index.js'
import { attempt, type Way } from '../access/attempt.js'
import { withoutOpenssl } from '../access/certificate.js'
import { deployCaddy, type DeployedProxy, deployNginx, withValues } from '../access/deployment.js'
import { withoutCaddy } from '../helpers/caddy.js'
import { withoutNginx } from '../helpers/nginx.js'
import { inParallel } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'

const verify: Verify = ({ apikey, instance }) => apikey === 'key-of-acme' && instance === 'acme'
const keys: WsEventsOptions = { apikey: 'the-global-key', verify }

/** How the servers are open. */
const ACCESS = {
  'nothing set, so that this machine needs no key': {},
  'one address that needs no key': { ...keys, allowedHosts: '127.0.0.2' },
  'keys alone': keys
} satisfies Record<string, WsEventsOptions>

type Access = keyof typeof ACCESS

/** Whom the servers believe about addresses. */
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

/** Who comes, and what it says of itself. 127.0.0.2 and 127.0.0.3 are other machines, as far as addresses go. */
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

/** Who is let in without a key, by name. All others are not. */
interface LetIn {
  /** Whomever the server believes. */
  readonly always?: readonly string[]
  /** Where it believes the proxy, or everybody. */
  readonly ifProxy?: readonly string[]
  /** Only where it believes everybody. */
  readonly ifEverybody?: readonly string[]
}

type Outcomes = Partial<Record<Access, LetIn>>

const DIRECT = ['from 127.0.0.1', 'from 127.0.0.2', 'from 127.0.0.3']
const SAYS_ANOTHER = ['127.0.0.3 says 127.0.0.2', '127.0.0.2 says 127.0.0.1']
const OTHER_HEADERS = ['127.0.0.3, X-Real-IP', '127.0.0.3, Forwarded']
const ELSEWHERE_SAYS = ['it says 127.0.0.1', 'it says 127.0.0.2', 'it says both']

/** Of a proxy that replaces X-Forwarded-For by the address that it sees. */
const REPLACED: Outcomes = {
  'nothing set, so that this machine needs no key': { ifProxy: [...DIRECT, ...SAYS_ANOTHER, ...OTHER_HEADERS] },
  'one address that needs no key': { ifProxy: ['from 127.0.0.2', '127.0.0.2 says 127.0.0.1'] }
}

/** Each a way in which nginx stands before a server, and who is let in for each way in which that is open. */
const NGINX: ReadonlyArray<{ name: string, change: (configuration: string) => string, outcomes: Outcomes }> = [
  {
    name: 'nginx as documented: X-Forwarded-For is the address that it sees',
    change: configuration => configuration,
    outcomes: REPLACED
  },
  {
    // Whoever sends the header itself counts by no address, unless everybody is believed: then it says which it has.
    name: 'nginx that appends to the X-Forwarded-For of its client',
    change: configuration => withValues(configuration, { 'X-Forwarded-For $remote_addr': 'X-Forwarded-For $proxy_add_x_forwarded_for' }),
    outcomes: {
      'nothing set, so that this machine needs no key': {
        ifProxy: [...DIRECT, ...OTHER_HEADERS], ifEverybody: [...SAYS_ANOTHER, ...ELSEWHERE_SAYS]
      },
      'one address that needs no key': {
        ifProxy: ['from 127.0.0.2'], ifEverybody: ['127.0.0.3 says 127.0.0.2', 'it says 127.0.0.2', 'it says both']
      }
    }
  },
  {
    // Nothing tells a request that was forwarded from one that was not, and what clients say is passed on. Only keys help.
    name: 'nginx that is told nothing of forwarding, as it is by default',
    change: configuration => configuration.replaceAll(/^ *proxy_set_header (X-Forwarded-\w+|Host) .*\n/gm, ''),
    outcomes: {
      'nothing set, so that this machine needs no key': {
        always: [...DIRECT, 'the network'], ifProxy: [...SAYS_ANOTHER, ...ELSEWHERE_SAYS]
      },
      'one address that needs no key': { ifProxy: ['127.0.0.3 says 127.0.0.2', 'it says 127.0.0.2', 'it says both'] },
      'keys alone': {}
    }
  }
]

/** `in`, or the code of the refusal. A key that is given decides alone. */
function outcomeOf (name: string, { apikey }: Way, open: Access, trust: string, letIn: LetIn): string {
  if (apikey !== undefined) return apikey === 'key-of-nobody' || Object.keys(ACCESS[open]).length === 0 ? 'FORBIDDEN' : 'in'
  const names = [
    ...letIn.always ?? [],
    ...(trust === '127.0.0.1' || trust === 'true' ? letIn.ifProxy ?? [] : []),
    ...(trust === 'true' ? letIn.ifEverybody ?? [] : [])
  ]
  return names.includes(name) ? 'in' : 'UNAUTHORIZED'
}

type Deploy = (t: Test, port: number) => Promise<DeployedProxy | { readonly url: string, readonly certificate?: undefined }>

/** Lets everybody come to a server for each trust, over both transports and to a route. */
async function check (t: Test, open: Access, deploy: Deploy, ways: Readonly<Record<string, Way>>, letIn: LetIn): Promise<void> {
  for (const [trust, options] of Object.entries(TRUST)) {
    const { fastify, port } = await startServer(t, { ...ACCESS[open], ...options })
    await fastify.wsEvents.set('acme', { enabled: true })
    const { url, certificate } = await deploy(t, port)
    const found = await inParallel(Object.entries(ways), 12, async ([name, way]) => [name, await attempt({ url, ca: certificate?.ca }, way)])
    const expected = Object.entries(ways).map(([name, way]) => [name, outcomeOf(name, way, open, trust, letIn)])
    t.strictSame(found, expected, `trustProxy ${trust}`)
  }
}

const entriesOf = (outcomes: Outcomes): Array<[Access, LetIn]> => Object.entries(outcomes) as Array<[Access, LetIn]>

for (const { name, change, outcomes } of NGINX) {
  for (const [open, letIn] of entriesOf(outcomes)) {
    t.test(`${name}; ${open}`, { skip: withoutNginx || withoutOpenssl }, async t => {
      const deploy: Deploy = async (t, port) => await deployNginx(t, port, { tls: false, change: configuration => realAddress(change(configuration)) })
      await check(t, open, deploy, { ...ON_THIS_MACHINE, ...FROM_ELSEWHERE }, letIn)
    })
  }
}

const CADDY_KEYS: Readonly<Record<string, Way>> = {
  'with its own key': { from: '127.0.0.3', apikey: 'key-of-acme' },
  'with the global key': { from: '127.0.0.3', apikey: 'the-global-key' },
  'wrong, says 127.0.0.2': { from: '127.0.0.3', apikey: 'key-of-nobody', headers: { 'x-forwarded-for': '127.0.0.2' } }
}

for (const [open, letIn] of entriesOf(REPLACED)) {
  t.test(`Caddy as documented; ${open}`, { skip: withoutCaddy || withoutOpenssl }, async t => {
    await check(t, open, deployCaddy, { ...ON_THIS_MACHINE, ...CADDY_KEYS }, letIn)
  })
}

t.test('whoever gets past the proxy to the server is believed only where everybody is', async t => {
  const direct: Deploy = async (t, port) => ({ url: `http://127.0.0.1:${port}` })
  await check(t, 'one address that needs no key', direct, ON_THIS_MACHINE, { always: ['from 127.0.0.2'], ifEverybody: ['127.0.0.3 says 127.0.0.2'] })
})
