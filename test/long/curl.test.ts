import { build } from 'esbuild'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Call, Said } from '../fixtures/killed-server.js'
import { Curl, withoutCurl } from '../helpers/event-stream.js'
import { eventually } from '../helpers/latch.js'
import { startRedis, withoutRedis } from '../helpers/redis.js'
import { datas } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'

const KILLS = 3
const CUTS = 3
/** Messages that a curl gets before it is killed. */
const A_RUN = 100
/** The first number of each life of the server, times the number of the life. */
const LIFE = 1_000_000

const FIXTURE = fileURLToPath(new URL('../fixtures/killed-server.ts', import.meta.url))
/** Where a bundle finds the packages that it imports. */
const WITHIN = fileURLToPath(new URL('../../.tap/', import.meta.url))

const resumeAfter = (id: string): string[] => ['-H', id === '' ? 'Last-Event-ID;' : `Last-Event-ID: ${id}`]

t.test('curl -N with a key shows events; without one it says why not', { skip: withoutCurl }, async t => {
  const { fastify: { wsEvents }, url } = await startServer(t, { apikey: 'key', defaultConfig: { enabled: true } })
  const curl = new Curl(t, `${url}/instance/acme/events?events=call`, ['-H', 'apikey: key'])
  await curl.ready()
  await wsEvents.emit('acme', 'chats.set', 1)
  await wsEvents.emit('acme', 'call', { text: 'é' })
  t.strictSame(datas(await curl.got(1)), [{ text: 'é' }])
  await curl.kill()
  await eventually(() => wsEvents.stats().clients.connections === 0)
  t.equal(await new Curl(t, `${url}/instance/acme/events`, ['--fail']).ended, 22, 'an HTTP error')
  const ended = new Curl(t, `${url}/instance/acme/events`, ['-H', 'authorization: Bearer key'])
  await ended.ready()
  await wsEvents.disconnect({ instance: 'acme' })
  t.equal(await ended.ended, 0, 'it was over')
})

/** Runs one curl after the other, each from where the last was killed. */
class Relay {
  readonly numbers: number[] = []
  readonly recovered: unknown[] = []
  #lastEventId = ''

  /** @param until ends it; left out: when it has had enough messages */
  async run (t: Test, url: string, until: (numbers: readonly number[]) => boolean = numbers => numbers.length >= A_RUN): Promise<void> {
    const curl = new Curl(t, url, resumeAfter(this.#lastEventId))
    const numbers = () => curl.messages.map(({ data }) => (data as { number: number }).number)
    this.recovered.push((await curl.ready()).recovered)
    await curl.until(() => until(numbers()))
    await curl.kill()
    this.numbers.push(...numbers())
    this.#lastEventId = curl.lastEventId ?? this.#lastEventId
  }
}

/** The server's program as one file in plain JavaScript, which is loaded in a tenth of the time. */
async function bundle (t: Test): Promise<string> {
  mkdirSync(WITHIN, { recursive: true })
  const directory = mkdtempSync(join(WITHIN, 'curl-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const outfile = join(directory, 'server.mjs')
  await build({ entryPoints: [FIXTURE], outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' })
  return outfile
}

async function said (server: ChildProcess, call?: Call): Promise<Said> {
  const answer = once(server, 'message')
  if (call !== undefined) server.send(call)
  return (await answer)[0] as Said
}

t.test('a killed and restarted curl with its last id misses none and doubles none, with a server that is killed and restarted as well', { skip: withoutCurl }, async t => {
  const program = await bundle(t)
  const path = join(program, '..', 'data')
  const resolved = new Set<number>()
  const relay = new Relay()
  for (let life = 0; life <= KILLS; life++) {
    const server = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'ipc'] })
    t.teardown(() => { server.kill('SIGKILL') })
    const lines = createInterface(server.stdio[3] as Readable)
    lines.on('line', line => { resolved.add(Number(line.split(' ')[0])) })
    const ended = Promise.all([once(server, 'exit'), once(lines, 'close')])
    await said(server)
    const { port } = await said(server, { start: { port: 0, path, first: life * LIFE, emits: life > 0 } }) as { port: number }
    const url = `http://127.0.0.1:${port}/events`
    if (life === 0) await relay.run(t, url, () => true)
    if (life === 0) server.send({ emit: true } satisfies Call)
    for (let cut = 0; cut < CUTS; cut++) await relay.run(t, url)
    if (life === KILLS) {
      const { last } = await said(server, { stop: true }) as { last: number }
      await relay.run(t, url, numbers => numbers.includes(last))
    }
    server.kill('SIGKILL')
    await ended
  }
  t.strictSame(relay.recovered, [null, ...Array.from({ length: relay.recovered.length - 1 }, () => true)])
  t.strictSame([...new Set(relay.numbers)].length, relay.numbers.length, 'none twice')
  t.strictSame(relay.numbers, relay.numbers.toSorted((a, b) => a - b), 'in order')
  const got = new Set(relay.numbers)
  t.strictSame([...resolved].filter(number => !got.has(number)), [], `of ${resolved.size}, none is missing`)
})

t.test('with Redis, curl resumes on another node', { skip: withoutCurl === false ? withoutRedis : withoutCurl }, async t => {
  const redis = await startRedis(t)
  const nodes = [await startServer(t, { store: redis.url, globalEvents: true }), await startServer(t, { store: redis.url, globalEvents: true })] as const
  const relay = new Relay()
  await relay.run(t, `${nodes[0].url}/events`, () => true)
  let next = 0
  for (let round = 0; round < 6; round++) {
    const run = relay.run(t, `${nodes[round % 2 === 0 ? 1 : 0].url}/events`, numbers => numbers.length >= 20)
    await Promise.all(Array.from({ length: 40 }, async () => await nodes[next % 2 === 0 ? 0 : 1].fastify.wsEvents.emit('acme', 'call', { number: next++ })))
    await run
  }
  await relay.run(t, `${nodes[0].url}/events`, numbers => numbers.length + relay.numbers.length >= next)
  t.strictSame(relay.numbers.toSorted((a, b) => a - b), Array.from({ length: next }, (empty, number) => number))
  t.strictSame(relay.recovered.slice(1).every(recovered => recovered === true), true)
})
