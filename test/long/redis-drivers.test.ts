// Each version of ioredis that the peer range names, and each way in which a host may configure its client.
import * as six from 'ioredis'
import * as five from 'ioredis5'
import * as fiveOldest from 'ioredis5-oldest'
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { IoredisClient } from '../../lib/stores/redis/index.js'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { clusterPort, type RedisServer, startCluster, startRedis, startSentinel, withoutRedis } from '../helpers/redis.js'
import { answered } from '../helpers/latch.js'
import { assertServe, newPrefix, openNode } from '../stores/redis/nodes.js'

const HOST = '127.0.0.1'
const PASSWORD = 'p@ss:word'
const USER = { username: 'app', password: 'the/app' }
const NAME = 'fastify-ws-events'
const skip = withoutRedis === false ? withoutOpenssl : withoutRedis

interface HostClient extends IoredisClient {
  readonly status: string
  on(event: 'error', listener: (error: Error) => void): unknown
  set(key: string, value: string): Promise<unknown>
  get(key: string): Promise<string | null>
  disconnect(): void
}

/** What these tests use of every version. */
interface Driver {
  readonly Redis: new (options: RedisOptions) => HostClient
  readonly Cluster: new (nodes: ClusterNode[], options?: ClusterOptions) => HostClient
}

const require = createRequire(import.meta.url)
const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version
const DRIVERS = [
  { version: versionOf('ioredis'), driver: six as unknown as Driver },
  { version: versionOf('ioredis5'), driver: five as unknown as Driver },
  { version: versionOf('ioredis5-oldest'), driver: fiveOldest as unknown as Driver }
]

/** Asks for a password on both of its ports, and has a user with another one. */
interface Guarded {
  readonly port: number
  readonly tlsPort: number
  readonly path: string
  readonly ca: string
  /** `user@port` of each connection that is ours; the port of a Unix socket is 0. */
  readonly ours: () => Promise<string[]>
  readonly keys: () => Promise<string[]>
}

const field = (line: string, name: string): string => new RegExp(`\\b${name}=(\\S*)`).exec(line)?.[1] ?? ''

async function guarded (t: Test, start: (args: string[]) => Promise<RedisServer>): Promise<Guarded> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-tls-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const { certFile, keyFile } = makeCertificate(directory)
  const tlsPort = await clusterPort()
  const path = join(directory, 'redis.sock')
  const server = await start(['--tls-port', String(tlsPort), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile,
    '--tls-auth-clients', 'no', '--unixsocket', path])
  const own = server.connect()
  await own.call('ACL', 'SETUSER', USER.username, 'on', `>${USER.password}`, '~*', '&*', '+@all')
  await own.config('SET', 'requirepass', PASSWORD)
  return {
    port: server.port,
    tlsPort,
    path,
    ca: readFileSync(certFile, 'utf8'),
    ours: async () => {
      const lines = String(await own.client('LIST')).split('\n').filter(line => field(line, 'name').includes(NAME))
      return lines.map(line => `${field(line, 'user')}@${field(line, 'laddr').split(':').at(-1) ?? ''}`)
    },
    keys: async () => (await Promise.all([0, 3].map(async db => {
      await own.select(db).catch(() => {})
      return await own.keys('*')
    }))).flat()
  }
}

/** Two nodes of one service serve by a client of the host's, which is left as it was. */
async function assertServes (t: Test, client: HostClient, server: Guarded, expected: string): Promise<void> {
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  const before = client.status
  const prefix = newPrefix()
  const [a, b] = [await openNode(t, { client, prefix }), await openNode(t, { client, prefix })]
  t.equal(a.health?.().available, true)
  await assertServe(a, b)
  const ours = await server.ours()
  t.ok(ours.length >= 4, 'two connections of each node')
  t.strictSame([...new Set(ours)], [expected], 'all of them as the user, and on the port, of the client')
  t.strictSame((await server.keys()).filter(key => key.includes(prefix) && !key.startsWith(`{${prefix}`)), [], 'no key has the prefix of the host')
  await a.close()
  await b.close()
  await answered(async () => (await server.ours()).length === 0)
  if (before === 'wait') t.equal(client.status, 'wait', 'it was not connected')
  else t.not(client.status, 'end', 'it was not closed')
}

/** Ways to get in that are the same for a Redis and for each node of a Cluster. */
const waysIn = ({ port, tlsPort, ca }: Guarded) => [
  { name: 'a password', options: { password: PASSWORD }, at: port, expected: `default@${port}` },
  { name: 'a user', options: USER, at: port, expected: `${USER.username}@${port}` },
  { name: 'TLS and a user', options: { ...USER, tls: { ca } }, at: tlsPort, expected: `${USER.username}@${tlsPort}` }
]

/** What a host may have set for its own purposes, and what must not become ours. */
const OTHERS = { keyPrefix: 'host:', stringNumbers: true, commandTimeout: 5000, autoResubscribe: false, connectionName: 'host', maxRetriesPerRequest: null }

t.test('a client of the host\'s is followed with its password, user and TLS', { skip }, async t => {
  const server = await guarded(t, async args => await startRedis(t, { args }))
  for (const { version, driver } of DRIVERS) {
    for (const { name, options, at, expected } of waysIn(server)) {
      t.test(`Redis of ioredis ${version} with ${name}`, async t => {
        await assertServes(t, new driver.Redis({ host: HOST, port: at, ...options }), server, expected)
        await assertServes(t, new driver.Redis({ host: HOST, port: at, db: 3, lazyConnect: true, ...OTHERS, ...options }), server, expected)
      })
    }
    t.test(`Redis of ioredis ${version} at a Unix socket`, async t => {
      await assertServes(t, new driver.Redis({ path: server.path, ...USER }), server, `${USER.username}@0`)
    })
  }
})

t.test('a Sentinel\'s client of the host\'s is followed to the master, with its password', { skip }, async t => {
  const master = await startRedis(t)
  const sentinel = await startSentinel(t, master)
  const own = master.connect()
  await own.call('ACL', 'SETUSER', USER.username, 'on', `>${USER.password}`, '~*', '&*', '+@all')
  const guarded: Pick<Guarded, 'ours' | 'keys'> = {
    ours: async () => String(await own.client('LIST')).split('\n').filter(line => field(line, 'name').includes(NAME)).map(line => field(line, 'user')),
    keys: async () => await own.keys('*')
  }
  for (const { version, driver } of DRIVERS) {
    // A host that reads from replicas has its own reasons: what is written needs the master.
    for (const role of ['master', 'slave'] as const) {
      t.test(`ioredis ${version}, role ${role}`, async t => {
        const client = new driver.Redis({ sentinels: [{ host: HOST, port: sentinel.port }], name: 'main', role, lazyConnect: true, ...OTHERS, ...USER })
        await assertServes(t, client, guarded as Guarded, USER.username)
      })
    }
  }
})

t.test('a Cluster of the host\'s is followed with its password, user and TLS', { skip }, async t => {
  const server = await guarded(t, async args => {
    const [node] = await startCluster(t, 1, { args: [...args, '--tls-cluster', 'yes'] })
    return node as RedisServer
  })
  for (const { version, driver } of DRIVERS) {
    for (const { name, options, at, expected } of waysIn(server)) {
      const nodes = [{ host: HOST, port: at }]
      t.test(`Cluster of ioredis ${version} with ${name} in redisOptions`, async t => {
        await assertServes(t, new driver.Cluster(nodes, { redisOptions: options }), server, expected)
      })
      t.test(`Cluster of ioredis ${version} with ${name} in redisOptions, and all else that a host may set`, async t => {
        const { keyPrefix, ...others } = OTHERS
        await assertServes(t, new driver.Cluster(nodes, { redisOptions: { ...OTHERS, ...options }, lazyConnect: true }), server, expected)
        await assertServes(t, new driver.Cluster(nodes, { keyPrefix, redisOptions: { ...others, ...options }, scaleReads: 'slave' }), server, expected)
      })
      t.test(`Cluster of ioredis ${version} with ${name} in its nodes`, async t => {
        await assertServes(t, new driver.Cluster([{ ...nodes[0], ...options } as ClusterNode]), server, expected)
      })
    }
  }
})

t.test('the client of the host\'s is used as it was, after all of that', { skip }, async t => {
  const server = await guarded(t, async args => await startRedis(t, { args }))
  for (const { driver } of DRIVERS) {
    const client = new driver.Redis({ host: HOST, port: server.port, ...USER, keyPrefix: 'host:' })
    t.teardown(() => { client.disconnect() })
    const node = await openNode(t, { client, prefix: newPrefix() })
    await node.close()
    await client.set('key', 'value')
    t.equal(await client.get('key'), 'value')
  }
})
