import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { type ClientOptions, listen } from '../helpers/client.js'
import { EventStream } from '../helpers/event-stream.js'
import { eventually } from '../helpers/latch.js'
import { LOADER, Program, UNCOUNTED } from '../helpers/program.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { reached } from '../limits/setup.js'

// Clients that read large events slowly, through a network in a process of its own. The pace is what is tested, so it
// is waited for; a slower machine only makes it take longer.

const MB = 1024 * 1024
const SMALL = 200
const network = fileURLToPath(new URL('../fixtures/slow-network.ts', import.meta.url))

// The readers are slow on purpose: 20 MiB at 0.5 MiB/s take 40 s, and a busy machine takes several times that.
t.setTimeout(600_000)

/** Large events that are emitted together, in MiB each. */
const LOADS = [[12], [4, 4, 4], Array.from({ length: 10 }, () => 2)]

/** Starts a slow network. @returns its URL */
async function slowly (t: Test, port: number, bytesPerSecond: number): Promise<string> {
  const program = new Program(t, process.execPath, [...LOADER, network, String(port), String(bytesPerSecond)], { cwd: process.cwd(), env: UNCOUNTED })
  await program.printed(lines => lines.length > 0)
  return program.lines[0] as string
}

interface Way {
  readonly name: string
  /** Has a client read an instance; resolves to what tells whether it has everything. */
  readonly read: (t: Test, url: string, instance: string, ca: string) => Promise<() => Promise<readonly unknown[]>>
}

const socketWay = (name: string, options: ClientOptions): Way => ({
  name,
  read: async (t, url, instance, ca) => {
    const { socket, inbox } = await listen(t, `${url}/${instance}`, { reconnection: false, ...options, ca })
    const lost = new Promise<Error>(resolve => {
      socket.once('disconnect', (reason, details) => { resolve(new Error(`${name}: ${reason}`, { cause: details })) })
    })
    return async () => {
      const ended = await Promise.race([inbox.got(({ data }) => data === SMALL), lost])
      if (ended instanceof Error) throw ended
      return inbox.messages.map(({ data }) => data)
    }
  }
})

async function getJson (url: string): Promise<{ events: Array<{ data: unknown }>, lastEventId: string }> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, headers: { accept: 'application/json' } }, response => {
      response.toArray().then(chunks => { resolve(JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as never) }, reject)
    })
    sent.on('error', reject).end()
  })
}

const WAYS: readonly Way[] = [
  socketWay('WebSocket', { transports: ['websocket'] }),
  socketWay('polling', { transports: ['polling'] }),
  socketWay('TLS', { transports: ['websocket'] }),
  {
    name: 'stream',
    read: async (t, url, instance) => {
      const stream = await EventStream.open(t, `${url}/instance/${instance}/events`)
      return async () => {
        await Promise.race([stream.until(() => stream.messages.at(-1)?.data === SMALL), stream.ended])
        return stream.messages.map(({ data }) => data)
      }
    }
  },
  {
    name: 'pages',
    read: async (t, url, instance) => {
      let { lastEventId: after } = await getJson(`${url}/instance/${instance}/events?limit=1`)
      return async () => {
        const datas: unknown[] = []
        while (datas.at(-1) !== SMALL) {
          const page = await getJson(`${url}/instance/${instance}/events?limit=1000&after=${after}`)
          after = page.lastEventId
          datas.push(...page.events.map(({ data }) => data))
        }
        return datas
      }
    }
  }
]

const OPTIONS: WsEventsOptions = {
  defaultConfig: { enabled: true },
  // A ping waits behind the large events, too.
  socketio: { pingInterval: 25_000, pingTimeout: 120_000 },
  retention: { maxBytes: 64 * MB },
  // Fifteen networks start at once, each a process: on a busy machine to join takes longer than the default of 10 s.
  limits: { idleMs: 120_000 }
}

t.test('all of large events and of what follows them comes to a slow reader, without a cut', { skip: withoutOpenssl }, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'slow-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const { key, ca } = makeCertificate(directory)
  for (const rate of [2.5, 1, 0.5]) {
    const plain = await startServer(t, OPTIONS)
    const tls = await startServer(t, OPTIONS, { fastify: { https: { key, cert: ca } } as object })
    await Promise.all(LOADS.flatMap((load, at) => WAYS.map(async (way, number) => {
      const server: TestServer = way.name === 'TLS' ? tls : plain
      const url = await slowly(t, server.port, rate * MB)
      const instance = `${way.name}-${at}-${number}`
      const everything = await way.read(t, way.name === 'TLS' ? url.replace('http:', 'https:') : url, instance, ca)
      const emit = async (data: unknown): Promise<void> => {
        await server.fastify.wsEvents.emit(instance, 'call', data)
        await setImmediate()
      }
      for (const size of load) await emit('x'.repeat(size * MB))
      for (let number = 1; number <= SMALL; number++) await emit(number)
      const datas = await everything()
      t.equal(datas.length, load.length + SMALL, `${load.length} of ${load[0]} MiB at ${rate} MiB/s by ${way.name}`)
    })))
    for (const server of [plain, tls]) {
      t.strictSame(reached(server), {})
      t.equal(server.fastify.wsEvents.stats().delivery.slowConsumers, 0)
    }
  }
})

t.test('a client that reads five kB a second is ended, by a socket, a stream and a page', async t => {
  const server = await startServer(t, { ...OPTIONS, socketio: { pingInterval: 500, pingTimeout: 1500 } })
  const { wsEvents } = server.fastify
  for (const way of WAYS.filter(({ name }) => name !== 'TLS')) {
    const after = (await getJson(`${server.url}/instance/${way.name}/events?limit=1`)).lastEventId
    const url = await slowly(t, server.port, 5000)
    if (way.name === 'pages') {
      await wsEvents.emit(way.name, 'call', 'x'.repeat(30 * MB))
      getJson(`${url}/instance/${way.name}/events?after=${after}`).catch(() => {})
      await eventually(() => wsEvents.stats().clients.connections === 1)
    } else {
      const everything = await way.read(t, url, way.name, '')
      everything().catch(() => {})
      await wsEvents.emit(way.name, 'call', 'x'.repeat(30 * MB))
    }
    t.equal(wsEvents.stats().clients.connections, 1, way.name)
    await eventually(() => wsEvents.stats().clients.connections === 0)
  }
})
