import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { errors, evolutionKeys, type VerifyAnswer, type WsEventsOptions } from '../../lib/index.js'
import { disconnected, listen } from '../helpers/client.js'
import { EvolutionDouble, type Fault } from '../helpers/evolution/double.js'
import { eventually } from '../helpers/latch.js'
import { shortCode } from '../helpers/outcome.js'
import { startServer } from '../helpers/server.js'
import { attempt } from './attempt.js'

const GLOBAL = 'global-key-of-evolution'
const TOKENS = { acme: 'token-of-acme', 'Teste 01': 'token-of-teste', 'loja-ação': 'token-of-loja' }
const MINUTE = 60_000
/** That stand for a fault, and not for an answer. */
const FAULTS: readonly Fault[] = ['broken', 'a page', 'another program', 'redirect', 'cut']

/** The clock of what is under test: it stands still until it is moved. */
function clockOf (t: Test): (ms: number) => void {
  let now = performance.now()
  const { now: real } = performance
  performance.now = () => now
  t.teardown(() => { performance.now = real })
  return ms => { now += ms }
}

async function start (t: Test, ttl?: number) {
  const evolution = new EvolutionDouble(GLOBAL, TOKENS)
  const url = await evolution.listen()
  t.teardown(async () => { await evolution.close() })
  const lines: string[] = []
  const logger = { warn: (line: string) => { lines.push(line) }, info: (line: string) => { lines.push(line) } }
  const verify = evolutionKeys({ url, ttl, logger })
  const ask = async (apikey: string | null, instance: string | null): Promise<VerifyAnswer> =>
    await verify({ apikey, instance, address: '127.0.0.1', headers: {} })
  return { evolution, url, verify, ask, lines }
}

t.test('a token opens its instance, and at the root the instances that Evolution lists for it', async t => {
  const { evolution, ask } = await start(t)
  t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number, instances: undefined, publish: undefined })
  t.match(await ask(TOKENS['loja-ação'], 'loja-ação'), { ttl: Number })
  t.equal(await ask(TOKENS.acme, 'Teste 01'), false)
  t.equal(await ask(TOKENS.acme, 'unknown'), false)
  t.match(await ask(TOKENS['Teste 01'], null), { instances: ['Teste 01'] })
  t.match(await ask(GLOBAL, null), { instances: Object.keys(TOKENS) })
  t.equal(await ask('made-up', null), false)
  t.ok(evolution.asked.includes('GET /instance/connectionState/loja-a%C3%A7%C3%A3o'), 'percent-encoded')
})

t.test('what cannot be a key is refused unasked', async t => {
  const { evolution, ask } = await start(t)
  for (const apikey of [null, 'a\nb', 'a\0', 'ключ']) {
    for (const instance of ['acme', null]) t.equal(await ask(apikey, instance), false)
  }
  t.strictSame(evolution.asked, [])
})

t.test('an instance with a name that cannot be served here keeps no other away', async t => {
  const { evolution, ask } = await start(t)
  evolution.tokens.set('a/b', 'x')
  t.match(await ask(GLOBAL, null), { instances: Object.keys(TOKENS) })
})

t.test('an answer holds for ten minutes with a jitter, a refusal for ten seconds', async t => {
  const move = clockOf(t)
  const { evolution, ask } = await start(t)
  const ttls = new Set<number>()
  for (const [instance, token] of Object.entries(TOKENS)) {
    const { ttl } = await ask(token, instance) as { ttl: number }
    t.ok(ttl > 7.9 * MINUTE && ttl <= 10 * MINUTE, String(ttl))
    ttls.add(ttl)
  }
  t.ok(ttls.size > 1, 'not all at once')
  t.equal(await ask('wrong', 'acme'), false)
  const { length } = evolution.asked
  move(8 * MINUTE - 1)
  t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
  t.equal(evolution.asked.length, length, 'it was not asked again')
  move(2 * MINUTE + 1)
  await ask(TOKENS.acme, 'acme')
  t.equal(evolution.asked.length, length + 1)

  t.equal(await ask('wrong', 'acme'), false)
  t.equal(evolution.asked.length, length + 2)
  move(9999)
  t.equal(await ask('wrong', 'acme'), false)
  t.equal(evolution.asked.length, length + 2, 'a refusal holds')
  move(1)
  evolution.tokens.set('acme', 'wrong')
  t.match(await ask('wrong', 'acme'), { ttl: Number }, 'and no longer')
})

t.test('one question at a time for each key, twenty in all, and many that wait', async t => {
  // Each is told what is left of the time for which the answer holds.
  clockOf(t)
  const { evolution, ask } = await start(t)
  const same = await Promise.all(Array.from({ length: 50 }, async () => await ask(TOKENS.acme, 'acme')))
  t.equal(evolution.asked.length, 1)
  t.equal(new Set(same.map(answer => JSON.stringify(answer))).size, 1)
  evolution.latency = 10
  const many = await Promise.all(Array.from({ length: 200 }, async (empty, number) => await ask(`made-up-${number}`, 'acme')))
  t.ok(many.every(answer => answer === false))
  t.ok(evolution.mostAtOnce > 1 && evolution.mostAtOnce <= 20, `${evolution.mostAtOnce} at once`)
})

t.test('made-up keys push no good one out', async t => {
  const { evolution, ask } = await start(t)
  await ask(TOKENS.acme, 'acme')
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 100 }, async (empty, number) => await ask(`made-up-${round}-${number}`, null)))
  }
  const { length } = evolution.asked
  t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
  t.equal(evolution.asked.length, length)
})

for (const fault of FAULTS) {
  t.test(`while it cannot be asked (${fault}), a key of the last hour stays good, and others are told to try again`, async t => {
    const move = clockOf(t)
    const { evolution, ask, lines } = await start(t)
    await ask(TOKENS.acme, 'acme')
    evolution.fault = fault
    for (const minutes of [10, 10, 10, 10, 10, 9]) {
      move(minutes * MINUTE)
      t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
    }
    await t.rejects(ask(TOKENS['Teste 01'], 'Teste 01'), 'it was never accepted')
    move(2 * MINUTE)
    await t.rejects(ask(TOKENS.acme, 'acme'), 'an hour is over')
    t.equal(lines.length, 1)
    t.match(lines[0], /Evolution API is unavailable/)
    t.notMatch(lines.join(), /token-of/)

    evolution.fault = 'none'
    move(10_000)
    t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
    t.match(lines[1], /answers again/)
    t.notOk(evolution.asked.some(asked => asked.includes('elsewhere')), 'no redirect is followed')
  })
}

t.test('one that takes questions and never answers is asked for four seconds', async t => {
  const move = clockOf(t)
  const { evolution, ask, lines } = await start(t)
  await ask(TOKENS.acme, 'acme')
  evolution.fault = 'silent'
  move(59 * MINUTE)
  const [known, unknown] = await Promise.allSettled([ask(TOKENS.acme, 'acme'), ask(TOKENS['Teste 01'], 'Teste 01')])
  t.match(known, { status: 'fulfilled', value: { ttl: Number } })
  t.match(unknown, { status: 'rejected', reason: { message: /did not answer within 4 s/ } })
  t.match(lines, [/did not answer within 4 s/])
})

t.test('a key that was accepted is taken back after three refusals over five minutes, and not before', async t => {
  const move = clockOf(t)
  const { evolution, ask } = await start(t)
  await ask(TOKENS.acme, 'acme')
  evolution.tokens.set('acme', 'another')
  move(10 * MINUTE)
  let minutes = 0
  for (let answer = await ask(TOKENS.acme, 'acme'); answer !== false; answer = await ask(TOKENS.acme, 'acme')) {
    const { ttl } = answer as { ttl: number }
    minutes += ttl / MINUTE
    move(ttl)
  }
  t.ok(minutes >= 5 && minutes < 7, `after ${minutes} minutes`)
})

t.test('a good answer in between ends the doubt', async t => {
  const move = clockOf(t)
  const { evolution, ask } = await start(t)
  await ask(TOKENS.acme, 'acme')
  for (let round = 0; round < 10; round++) {
    evolution.fault = 'database away'
    for (const wait of [10 * MINUTE, 2 * MINUTE, 2 * MINUTE]) {
      move(wait)
      t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
    }
    evolution.fault = 'none'
    move(2 * MINUTE)
    t.match(await ask(TOKENS.acme, 'acme'), { ttl: Number })
  }
})

t.test('clients stay through an outage of the database of two minutes; a revoked token ends its client', async t => {
  const move = clockOf(t)
  const { evolution, verify } = await start(t, 50)
  const options: WsEventsOptions = { verify, apikey: 'the-key-of-this-server', defaultConfig: { enabled: true } }
  const server = await startServer(t, options)
  const { inbox, socket } = await listen(t, `${server.url}/acme`, { auth: { apikey: TOKENS.acme } })
  const gone = disconnected(socket)
  const asked = async (): Promise<void> => {
    const { length } = evolution.asked
    await eventually(() => { move(10); return evolution.asked.length > length || !socket.connected })
  }
  evolution.fault = 'database away'
  for (let seconds = 0; seconds < 120; seconds += 20) {
    move(20_000)
    await asked()
  }
  await server.fastify.wsEvents.emit('acme', 'call', 'during')
  t.match(await inbox.got(1), [{ data: 'during' }])
  t.equal(socket.connected, true)
  evolution.fault = 'none'
  await asked()

  evolution.tokens.set('acme', 'another')
  for (let seconds = 0; seconds <= 320 && socket.connected; seconds += 20) {
    move(20_000)
    await asked()
  }
  t.equal(await gone, 'io server disconnect')
  t.equal(await attempt(server, { apikey: TOKENS.acme }), 'FORBIDDEN')
})

t.test('a url or a ttl that cannot be is an error that says what is allowed, and shows no password', async t => {
  for (const url of ['', 'evolution:8080', 'ftp://evolution', 'http://user:secret@evolution', 'http://']) {
    try {
      evolutionKeys({ url })
      t.fail(url)
    } catch (error) {
      t.ok(error instanceof errors.INVALID_OPTION)
      t.match((error as Error).message, /"url" must be the URL of an Evolution API/)
      t.notMatch((error as Error).message, /secret/)
      t.equal(shortCode((error as { code: string }).code), 'INVALID_OPTION')
    }
  }
  for (const ttl of [0, -1, NaN, Infinity, '5' as never]) t.throws(() => evolutionKeys({ url: 'http://evolution:8080', ttl }), /"ttl" must be a number/)
})

t.test('a path of the URL stays', async t => {
  const { evolution, url } = await start(t)
  const verify = evolutionKeys({ url: `${url}/evolution/api` })
  t.equal(await verify({ apikey: 'x', instance: 'acme', address: null, headers: {} }), false)
  t.strictSame(evolution.asked, ['GET /evolution/api/instance/connectionState/acme'])
})
