import fc from 'fast-check'
import type { Test } from 'tap'
import type { ConfigStore, StoredConfig } from '../../lib/stores/store.js'

/** Makes a store with nothing in it, and closes it when the test ends. */
export type OpenConfigStore = (t: Test) => ConfigStore | Promise<ConfigStore>

const all = { enabled: true, events: null }
const some = { enabled: false, events: ['CALL', 'MESSAGES_UPSERT'] }

async function listed (store: ConfigStore): Promise<Map<string, StoredConfig>> {
  const entries: Array<readonly [string, StoredConfig]> = []
  for await (const entry of store.list()) entries.push(entry)
  const map = new Map(entries)
  if (map.size !== entries.length) throw new Error(`a name is listed twice: ${entries.map(([name]) => name).join()}`)
  return map
}

/** What every place for configs promises: the contract of `ConfigStore`, shown for one backend. */
export function testConfigStore (t: Test, backend: string, open: OpenConfigStore): void {
  t.test(`${backend}: a name that was never set has no config`, async t => {
    const store = await open(t)
    t.equal(await store.get('acme'), null)
    t.equal(await store.delete('acme'), false)
    t.equal((await listed(store)).size, 0)
  })

  t.test(`${backend}: a config is found and listed as it was set, until another takes its place`, async t => {
    const store = await open(t)
    for (const config of [all, some, { enabled: true, events: [] }, { enabled: false, events: null }]) {
      await store.set('acme', config)
      t.strictSame(await store.get('acme'), config)
      t.strictSame(await listed(store), new Map([['acme', config]]))
    }
  })

  t.test(`${backend}: a config that is deleted is gone, and another can be set`, async t => {
    const store = await open(t)
    await store.set('acme', all)
    await store.set('other', some)
    t.equal(await store.delete('acme'), true)
    t.equal(await store.get('acme'), null)
    t.equal(await store.delete('acme'), false)
    t.strictSame(await listed(store), new Map([['other', some]]))
    await store.set('acme', some)
    t.strictSame(await store.get('acme'), some)
  })

  t.test(`${backend}: names that look alike, or mean something elsewhere, are names like any other`, async t => {
    const store = await open(t)
    const names = ['a', 'A', 'a ', ' a', 'aa', 'café', '日本', '😀', '*', 'a*', 'a:b', 'a{b}', "a'b", 'a"b', '[a]', '__proto__', 'constructor', 'null', '0', '00', '...', 'x'.repeat(100), 'é'.repeat(100)]
    const expected = new Map(names.map((name, at) => [name, { enabled: at % 2 === 0, events: [`EVENT_${at}`] }]))
    for (const [name, config] of expected) await store.set(name, config)
    for (const [name, config] of expected) t.strictSame(await store.get(name), config, name)
    t.strictSame(await listed(store), expected)
    t.equal(await store.delete('a*'), true)
    t.strictSame(await store.get('aa'), expected.get('aa'), 'a name is no pattern')
  })

  t.test(`${backend}: what a caller does with a config afterwards does not change it`, async t => {
    const store = await open(t)
    await store.set('acme', Object.freeze({ enabled: true, events: Object.freeze(['CALL']) }))
    const found = await store.get('acme')
    t.strictSame(found, { enabled: true, events: ['CALL'] })
    await store.set('acme', some)
    t.strictSame(found, { enabled: true, events: ['CALL'] }, 'what was found is as it was')
  })

  t.test(`${backend}: calls for different names may overlap`, async t => {
    const store = await open(t)
    const names = Array.from({ length: 200 }, (empty, at) => `instance-${at}`)
    await Promise.all(names.map(async name => { await store.set(name, { enabled: true, events: [name] }) }))
    await Promise.all(names.filter((name, at) => at % 2 === 0).map(async name => { await store.delete(name) }))
    const left = names.filter((name, at) => at % 2 === 1)
    t.strictSame(await listed(store), new Map(left.map(name => [name, { enabled: true, events: [name] }])))
  })

  t.test(`${backend}: a list that is left early, and one that configs change under, do no harm`, async t => {
    const store = await open(t)
    for (let at = 0; at < 50; at++) await store.set(`instance-${at}`, all)
    const left = store.list()[Symbol.asyncIterator]()
    t.match(await left.next(), { done: false })
    await left.return?.()
    const seen: string[] = []
    for await (const [name] of store.list()) {
      seen.push(name)
      await store.delete(name)
    }
    t.equal(new Set(seen).size, seen.length, 'no name twice')
    t.equal(seen.length, 50, 'what was there and not yet deleted is listed')
    t.equal((await listed(store)).size, 0)
  })

  t.test(`${backend}: it holds what a map would, after any calls`, async t => {
    const name = fc.constantFrom('a', 'b', 'c', '__proto__')
    const config = fc.record({ enabled: fc.boolean(), events: fc.option(fc.array(fc.constantFrom('CALL', 'MESSAGES_UPSERT', 'GONE'), { maxLength: 3 })) })
    const call = fc.oneof(fc.tuple(fc.constant('set'), name, config), fc.tuple(fc.constant('delete'), name, config))
    await fc.assert(fc.asyncProperty(fc.array(call, { maxLength: 12 }), async calls => {
      const store = await open(t)
      for (const known of ['a', 'b', 'c', '__proto__']) await store.delete(known)
      const model = new Map<string, StoredConfig>()
      for (const [kind, name, config] of calls) {
        if (kind === 'set') {
          await store.set(name, config)
          model.set(name, config)
        } else if (await store.delete(name) !== model.delete(name)) return false
      }
      t.strictSame(await listed(store), model)
      for (const known of ['a', 'b', 'c', '__proto__']) t.strictSame(await store.get(known), model.get(known) ?? null)
      return true
    }), { numRuns: 30 })
  })
}
