import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { HostConfigStore } from '../../lib/stores/host-configs.js'
import type { HostConfigs, StoredConfig } from '../../lib/stores/store.js'
import { configStoreSuite } from '../contracts/index.js'
import { latch } from '../helpers/latch.js'
import { registrationError } from '../helpers/register.js'
import { startServer } from '../helpers/server.js'

const UNAVAILABLE = 'FST_ERR_WS_EVENTS_STORE_UNAVAILABLE'
const OPEN = 'FST_ERR_WS_EVENTS_STORE_OPEN'
const all: StoredConfig = { enabled: true, events: null }

/** A host's configs that have what a test gives, and nothing else. */
const hostWith = (parts: object): HostConfigs => ({ get: () => null, set: () => {}, delete: () => false, list: () => [], ...parts })

async function listed (store: HostConfigStore): Promise<Array<readonly [string, StoredConfig]>> {
  const entries: Array<readonly [string, StoredConfig]> = []
  for await (const entry of store.list()) entries.push(entry)
  return entries
}

/** A host that answers in one way. */
class MapConfigs implements HostConfigs {
  readonly configs = new Map<string, StoredConfig>()

  get (name: string) { return this.configs.get(name) }
  set (name: string, config: StoredConfig) { return this.configs.set(name, config) }
  delete (name: string) { return this.configs.delete(name) }
  list () { return this.configs }
}

const hosts: Record<string, (map: MapConfigs) => HostConfigs> = {
  'at once': map => map,
  'by promises': map => ({
    get: async name => map.get(name) ?? null,
    set: async (name, config) => map.set(name, config),
    delete: async name => map.delete(name),
    list: async () => [...map.list()]
  }),
  'by a generator': map => ({
    get: name => map.get(name),
    set: (name, config) => map.set(name, config),
    delete: name => map.delete(name),
    * list () { yield * [...map.list()] }
  }),
  'by an async generator': map => ({
    get: name => map.get(name),
    set: (name, config) => map.set(name, config),
    delete: name => map.delete(name),
    async * list () { yield * [...map.list()] }
  })
}

for (const [how, make] of Object.entries(hosts)) {
  for (const { name, run } of configStoreSuite(async () => ({ configs: new HostConfigStore(make(new MapConfigs())), close: async () => {} }))) {
    t.test(`a host that answers ${how}: ${name}`, run)
  }
}

t.test('what a host answers beside a config is left out', async t => {
  const row = { ...all, id: 7 }
  const store = new HostConfigStore(hostWith({ get: () => row, list: () => [['acme', row]] }))
  t.strictSame(await store.get('acme'), all)
  t.strictSame(await listed(store), [['acme', all]])
})

t.test('null and undefined are no config', async t => {
  for (const nothing of [null, undefined]) t.equal(await new HostConfigStore(hostWith({ get: () => nothing })).get('acme'), null)
})

t.test('an answer that is no config has a code, and says whose it is', async t => {
  const garbage = [{}, 5, 'on', [], true, { enabled: 'true', events: null }, { enabled: true }, { enabled: true, events: 'CALL' }, { enabled: true, events: [1] }, { enabled: 1, events: [] }]
  for (const answer of garbage) {
    const store = new HostConfigStore(hostWith({ get: () => answer, list: () => [['acme', answer]] }))
    const refusal = { code: UNAVAILABLE, statusCode: 503, message: /option configs: .*"acme".*\{ enabled: boolean, events: string\[\] \| null \}/ }
    await t.rejects(store.get('acme'), refusal, `get: ${JSON.stringify(answer)}`)
    await t.rejects(listed(store), refusal, `list: ${JSON.stringify(answer)}`)
  }
})

t.test('a list that is none has a code', async t => {
  for (const answer of [null, undefined, 5, {}, [null], [5], [{ name: 'acme', ...all }], [[]], [[7, all]], ['ab']]) {
    await t.rejects(listed(new HostConfigStore(hostWith({ list: () => answer }))), { code: UNAVAILABLE, message: /option configs: list failed: / }, JSON.stringify(answer))
  }
})

t.test('what a host throws has a code, and is its cause', async t => {
  const cause = new Error('the database is away')
  const throwing = { 'at once': () => { throw cause }, later: async () => { throw cause }, 'in the middle of a list': async function * () { yield ['acme', all]; throw cause } }
  for (const [when, fail] of Object.entries(throwing)) {
    const store = new HostConfigStore(hostWith({ get: fail, set: fail, delete: fail, list: fail }))
    const failed = (call: string) => ({ code: UNAVAILABLE, message: `the store is not available: the option configs: ${call} failed: the database is away`, cause })
    await t.rejects(listed(store), failed('list'), `list, ${when}`)
    if (when === 'in the middle of a list') continue
    await t.rejects(store.get('acme'), failed('get'), `get, ${when}`)
    await t.rejects(store.set('acme', all), failed('set'), `set, ${when}`)
    await t.rejects(store.delete('acme'), failed('delete'), `delete, ${when}`)
  }
  await t.rejects(new HostConfigStore(hostWith({ get: async () => { throw 'a text' } })).get('acme'), { code: UNAVAILABLE, message: /get failed: a text$/ }) // eslint-disable-line no-throw-literal
})

t.test('a host has ten seconds for each answer', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const calls: Record<string, (store: HostConfigStore) => Promise<unknown>> = {
    get: async store => await store.get('acme'),
    set: async store => await store.set('acme', all),
    delete: async store => await store.delete('acme'),
    list: listed
  }
  for (const [call, ask] of Object.entries(calls)) {
    const asked = latch()
    const store = new HostConfigStore(hostWith({ [call]: async () => { asked.open(); return await new Promise(() => {}) } }))
    let isSettled = false
    const answer = ask(store).finally(() => { isSettled = true })
    answer.catch(() => {})
    await asked.opened
    mock.timers.tick(9_999)
    await new Promise(resolve => { setImmediate(resolve) })
    t.notOk(isSettled, `${call} may still answer`)
    mock.timers.tick(1)
    const failure = { code: UNAVAILABLE, message: `the store is not available: the option configs: ${call} failed: no answer within 10000 ms` }
    await t.rejects(answer, failure, call)
  }
})

t.test('a list that stops in the middle has ten seconds, too', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const stopped = latch()
  const list = async function * () { yield ['acme', all]; stopped.open(); await new Promise(() => {}) }
  const entries = listed(new HostConfigStore(hostWith({ list })))
  entries.catch(() => {})
  await stopped.opened
  mock.timers.tick(10_000)
  await t.rejects(entries, { code: UNAVAILABLE, message: /list failed: no answer within/ })
})

t.test('a host that does not answer keeps no route waiting, nor the next call for that name', async t => {
  const asked = latch()
  let isHung = true
  const { fastify } = await startServer(t, {
    configs: hostWith({ set: async () => { asked.open(); if (isHung) await new Promise(() => {}) } })
  })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const put = async () => await fastify.inject({ method: 'PUT', url: '/instance/acme/websocket', payload: { enabled: true, events: ['CALL'] } })
  const answer = put()
  await asked.opened
  isHung = false
  mock.timers.tick(10_000)
  t.match((await answer).json(), { code: UNAVAILABLE, statusCode: 503 })
  t.equal((await put()).statusCode, 201)
})

t.test('configs that cannot be read end the registration', async t => {
  const cause = new Error('the database is away')
  const error = await registrationError(t, { configs: hostWith({ list: () => { throw cause } }) })
  t.match(error, { code: OPEN, statusCode: 500, message: /option configs.*the database is away/ })
  t.match(await registrationError(t, { configs: hostWith({ list: () => [['acme', {}]] }) }), { code: OPEN, message: /option configs.*"acme"/ })
})

t.test('an object of a class is a host like any other', async t => {
  const configs = new MapConfigs()
  configs.set('acme', { enabled: true, events: ['CALL'] })
  const { fastify } = await startServer(t, { configs })
  t.strictSame(await fastify.wsEvents.find('acme'), { instance: 'acme', enabled: true, events: ['CALL'] })
  await fastify.wsEvents.set('acme', { enabled: false })
  t.strictSame(configs.get('acme'), { enabled: false, events: ['CALL'] })
})

/** What users see whose database fails while the server runs. */
async function failing (t: Test) {
  const cause = new Error('the database is away')
  let isAway = false
  const configs = new MapConfigs()
  const ask = <Answer> (answer: () => Answer): Answer => {
    if (isAway) throw cause
    return answer()
  }
  const { fastify } = await startServer(t, {
    configs: { get: name => ask(() => configs.get(name)), set: (name, config) => ask(() => configs.set(name, config)), delete: name => ask(() => configs.delete(name)), list: () => ask(() => configs.list()) }
  })
  return { fastify, cause, fail: (away: boolean) => { isAway = away } }
}

t.test('while a host fails, calls and routes say so, and what is in force stays', async t => {
  const { fastify, cause, fail } = await failing(t)
  const { wsEvents } = fastify
  await wsEvents.set('acme', { enabled: true })
  fail(true)
  const unavailable = { code: UNAVAILABLE, cause }
  await t.rejects(wsEvents.set('acme', { enabled: false }), unavailable)
  await t.rejects(wsEvents.find('acme'), unavailable)
  await t.rejects(wsEvents.remove('acme'), unavailable)
  await t.rejects((async () => { for await (const config of wsEvents.list()) t.fail(config.instance) })(), unavailable)
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    const answer = await fastify.inject({ method, url: '/instance/acme/websocket', ...(method === 'PUT' && { payload: { enabled: false } }) })
    t.match(answer.json(), { code: UNAVAILABLE, statusCode: 503 }, method)
    t.equal(answer.statusCode, 503, method)
  }
  t.strictSame((await wsEvents.emit('acme', 'call', 1)).routes, ['/acme'])
  fail(false)
  t.match(await wsEvents.find('acme'), { enabled: true })
})
