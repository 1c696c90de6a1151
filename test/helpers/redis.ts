import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Redis } from 'ioredis'
import { answered } from './latch.js'
import { freePort } from './program.js'
import type { Scope } from './server.js'

interface RedisSetup {
  /** Whether every write goes to a file, so that a restart finds it. */
  readonly appendonly?: boolean
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** When it writes a snapshot by itself, such as `60 1`. */
  readonly save?: string
  /** More of its command line. */
  readonly args?: readonly string[]
}

const program = (process.env.PATH ?? '').split(delimiter).map(directory => join(directory, 'redis-server')).find(path => existsSync(path))

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutRedis: string | false = program === undefined && 'there is no Redis: apt-get install redis-server (Debian), or put redis-server on the PATH'

const HOST = '127.0.0.1'
const READY = 'Ready to accept connections'
/** The bus of a cluster is this far from the port of its clients. */
const TO_BUS = 10_000
const SLOTS = 16_384

// A test that takes too long is ended without its teardown.
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** A Redis of a test's own, whose process can be stopped in every way that one is in the world. */
export class RedisServer {
  readonly port: number
  readonly url: string
  readonly #t: Scope
  readonly #args: readonly string[]
  /** What it logs when it is there. */
  readonly #sign: string
  #process: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()

  constructor (t: Scope, port: number, args: readonly string[], sign = READY) {
    this.#t = t
    this.port = port
    this.url = `redis://${HOST}:${port}`
    this.#args = args
    this.#sign = sign
    t.teardown(async () => { await this.kill() })
  }

  /** Starts it, for the first time or again with what it has kept. Resolves when it takes commands. */
  async start (): Promise<void> {
    if (program === undefined) throw new Error(String(withoutRedis))
    await this.#ended
    const child = spawn(program, this.#args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    running.add(child)
    this.#ended = once(child, 'exit').then(() => running.delete(child))
    const lines: string[] = []
    for await (const line of createInterface(child.stdout as Readable)) {
      lines.push(line)
      if (line.includes(this.#sign)) break
    }
    if (lines.at(-1)?.includes(this.#sign) !== true) throw new Error(`Redis has ended:\n${lines.join('\n')}`)
    // Or it would wait for somebody who reads on.
    child.stdout.resume()
  }

  /** Stops it as an operator does: it keeps what it has, by a snapshot if it has no file of writes. */
  async stop (): Promise<void> {
    this.resume()
    const redis = this.connect({ comesBack: false })
    // The answer is that the connection ends.
    redis.shutdown('SAVE').catch(() => {})
    await this.#ended
    redis.disconnect()
  }

  /** What its machine does to it when memory runs out. */
  async kill (): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#ended
  }

  /** From now on it answers nobody, while its connections stay. */
  pause (): void {
    this.#process?.kill('SIGSTOP')
  }

  resume (): void {
    this.#process?.kill('SIGCONT')
  }

  /** A connection for the test's own commands. */
  connect ({ comesBack = true } = {}): Redis {
    const redis = new Redis(this.port, HOST, comesBack ? {} : { retryStrategy: null })
    // Whose command fails tells it.
    redis.on('error', () => {})
    this.#t.teardown(() => { redis.disconnect() })
    return redis
  }
}

function directoryOf (t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  return directory
}

async function startAt (t: Scope, port: number, { appendonly = false, appendfsync = 'everysec', save = '', args = [] }: RedisSetup): Promise<RedisServer> {
  // A first replica need not wait for a second.
  const settings = { port, bind: HOST, dir: directoryOf(t), save, appendonly: appendonly ? 'yes' : 'no', appendfsync, 'repl-diskless-sync-delay': 0 }
  const server = new RedisServer(t, port, [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]), ...args])
  await server.start()
  return server
}

/** A Redis on a free port of this machine, with a directory of its own. Ended and removed with the test. */
export async function startRedis (t: Scope, setup: RedisSetup = {}): Promise<RedisServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startAt(t, await freePort(), setup)
    } catch (error) {
      // Another process has taken the port since it was found to be free.
      if (tries === 5 || !(error as Error).message.includes('Address already in use')) throw error
    }
  }
}

/** A replica that has all that its master has by now. */
export async function startReplica (t: Scope, { port }: RedisServer, setup: RedisSetup = {}): Promise<RedisServer> {
  const replica = await startRedis(t, { ...setup, args: ['--replicaof', `${HOST} ${port}`, ...setup.args ?? []] })
  const redis = replica.connect()
  await answered(async () => (await redis.info('replication')).includes('master_link_status:up'))
  return replica
}

/** A sentinel that alone decides, after this many ms, that its master `main` is gone. Knows the replicas that are there. */
export async function startSentinel (t: Scope, master: RedisServer, { downAfter = 500 } = {}): Promise<RedisServer> {
  const port = await freePort()
  const file = join(directoryOf(t), 'sentinel.conf')
  writeFileSync(file, [
    `port ${port}`,
    `bind ${HOST}`,
    `sentinel monitor main ${HOST} ${master.port} 1`,
    `sentinel down-after-milliseconds main ${downAfter}`,
    'sentinel failover-timeout main 3000'
  ].join('\n'))
  const sentinel = new RedisServer(t, port, [file, '--sentinel'], '+monitor master main')
  await sentinel.start()
  const knownTo = async (redis: Redis, command: string[]): Promise<unknown[]> => await redis.call('SENTINEL', ...command) as unknown[]
  const [connection, ofMaster] = [sentinel.connect(), master.connect()]
  const count = Number(/connected_slaves:(\d+)/.exec(await ofMaster.info('replication'))?.[1])
  await answered(async () => (await knownTo(connection, ['REPLICAS', 'main'])).length >= count)
  return sentinel
}

/** A free port for a node of a cluster. */
export async function clusterPort (): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port + TO_BUS < 65_536) return port
  }
}

/** A cluster of masters that share the slots, when each says that it is whole. */
export async function startCluster (t: Scope, masters: number, setup: RedisSetup = {}): Promise<RedisServer[]> {
  const nodes: RedisServer[] = []
  // A node that has met nobody does not know its own address.
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-announce-ip', HOST, ...setup.args ?? []]
  for (let at = 0; at < masters; at++) {
    nodes.push(await startAt(t, await clusterPort(), { ...setup, args }))
  }
  const [first, ...others] = nodes.map(node => node.connect())
  const slot = (at: number): number => Math.ceil(at * SLOTS / masters)
  for (const [at, redis] of [first, ...others].entries()) {
    for (let from = slot(at); from < slot(at + 1); from += 1000) {
      // By number, because ranges of them are for Redis 7 only.
      const some = Array.from({ length: Math.min(1000, slot(at + 1) - from) }, (empty, next) => from + next)
      await redis?.cluster('ADDSLOTS', ...some)
    }
  }
  for (const { port } of nodes.slice(1)) await first?.cluster('MEET', HOST, port)
  for (const redis of [first, ...others]) {
    await answered(async () => {
      const info = String(await redis?.cluster('INFO'))
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${masters}\r`)
    })
  }
  return nodes
}
