import assert from 'node:assert/strict'
import type { ConfigStore, StoredConfig } from '../../lib/stores/store.js'
import type { ContractTest } from './contract-test.js'
import { Random } from './random.js'
import { IN_FULL } from '../helpers/sample.js'

/** Configs, none yet, or those that were closed and opened again. An `OpenStore` is one, too. */
export interface OpenConfigs {
  readonly configs: ConfigStore
  /** Ends it and removes what it left behind. */
  close(): Promise<void>
  /** Where configs outlive their process: closes them as a server does that stops, and opens them again. */
  reopen?(): Promise<OpenConfigs>
}

/** Opens configs of their own each time it is called, with none there. Two may be open at once. */
export type OpenConfigStores = () => Promise<OpenConfigs>

/** The configs that a test is about. */
class Subject {
  readonly #open: OpenConfigStores
  #opened: OpenConfigs
  readonly #others: OpenConfigs[] = []

  static async open (open: OpenConfigStores): Promise<Subject> {
    return new Subject(open, await open())
  }

  private constructor (open: OpenConfigStores, opened: OpenConfigs) {
    this.#open = open
    this.#opened = opened
  }

  get store (): ConfigStore {
    return withoutGenerations(this.#opened.configs)
  }

  /** Another store with nothing in it. */
  async another (): Promise<ConfigStore> {
    const other = await this.#open()
    this.#others.push(other)
    return withoutGenerations(other.configs)
  }

  /** @returns the same configs, opened again; `null` where they end with their process */
  async reopen (): Promise<ConfigStore | null> {
    if (this.#opened.reopen === undefined) return null
    this.#opened = await this.#opened.reopen()
    return this.store
  }

  async close (): Promise<void> {
    for (const opened of [this.#opened, ...this.#others]) await opened.close()
  }
}

/** A store may add a generation to a config, and since when it is there. The rest is as it was set. */
function withoutGenerations (store: ConfigStore): ConfigStore {
  // Where there is none, it is the store's own object: nobody may change it afterwards.
  const plain = <Config extends StoredConfig | null>(config: Config): Config => {
    if (config?.generation === undefined) return config
    const { generation, since, ...rest } = config
    return rest as Config
  }
  return {
    get: async name => plain(await store.get(name)),
    set: async (name, config) => plain(await store.set(name, config)),
    delete: async name => await store.delete(name),
    list: async function * () {
      for await (const [name, config] of store.list()) yield [name, plain(config)]
    }
  }
}

const all: StoredConfig = { enabled: true, events: null }
const some: StoredConfig = { enabled: false, events: ['CALL', 'MESSAGES_UPSERT'] }
const numbered = (count: number): string[] => Array.from({ length: count }, (empty, at) => `instance-${at}`)
const only = (event: string): StoredConfig => ({ enabled: true, events: [event] })

const NAMES = ['a', 'A', 'a ', ' a', 'aa', 'a.', 'café', 'cafe', '日本', '😀', '*', 'a*', 'a_', 'a:b', 'a{b}', "a'b", 'a"b', 'a|b', '$1', '[a]', '__proto__', 'constructor', 'null', '0', '00', '...', 'x'.repeat(100), 'x'.repeat(99), 'é'.repeat(100), '😀'.repeat(50)]

async function listed (store: ConfigStore): Promise<Map<string, StoredConfig>> {
  const configs = new Map<string, StoredConfig>()
  for await (const [name, config] of store.list()) {
    assert.ok(!configs.has(name), `"${name}" is listed once`)
    configs.set(name, config)
  }
  return configs
}

/** A store has these configs, however it is asked. */
async function assertHas (store: ConfigStore, expected: ReadonlyMap<string, StoredConfig>): Promise<void> {
  assert.deepEqual(await listed(store), expected)
  for (const [name, config] of expected) assert.deepEqual(await store.get(name), config, `"${name}"`)
}

const TESTS: ReadonlyArray<{ readonly name: string, show(subject: Subject): Promise<void> }> = [
  {
    name: 'a name that was never set has no config',
    async show ({ store }) {
      assert.equal(await store.get('acme'), null)
      assert.equal(await store.delete('acme'), false)
      assert.equal(await store.get('__proto__'), null)
      assert.equal(await store.delete('constructor'), false)
      await assertHas(store, new Map())
    }
  },
  {
    name: 'a config is found and listed as it was set, until another takes its place',
    async show ({ store }) {
      const many = { enabled: true, events: Array.from({ length: 500 }, (empty, at) => `EVENT_${at}`) }
      for (const config of [all, some, many, { enabled: true, events: [] }, { enabled: false, events: null }, some, some]) {
        await store.set('acme', config)
        await assertHas(store, new Map([['acme', config]]))
      }
    }
  },
  {
    name: 'set answers what is stored, and keeps a stored list where it is told to',
    async show ({ store }) {
      const keep = (enabled: boolean, events: readonly string[] | null = null) => ({ enabled, events, keepEvents: true })
      const steps = [
        [keep(true, ['CALL']), { enabled: true, events: ['CALL'] }],
        [keep(false, ['CHATS_SET']), { enabled: false, events: ['CALL'] }],
        [keep(true), { enabled: true, events: ['CALL'] }],
        [some, some],
        [{ ...all, keepEvents: false }, all],
        [keep(false, ['CALL']), { enabled: false, events: null }],
        [{ enabled: true, events: [] }, { enabled: true, events: [] }],
        [keep(false, ['CALL']), { enabled: false, events: [] }],
        [{ enabled: true, events: ['A"}', '{', '\u00e9'] }, { enabled: true, events: ['A"}', '{', '\u00e9'] }],
        [keep(false), { enabled: false, events: ['A"}', '{', '\u00e9'] }]
      ] as const
      for (const [change, stored] of steps) {
        assert.deepEqual(await store.set('acme', change), stored)
        await assertHas(store, new Map([['acme', stored]]))
      }
      await store.delete('acme')
      assert.deepEqual(await store.set('acme', keep(true)), all, 'what was deleted is not kept')
    }
  },
  {
    name: 'a config that is deleted is gone, and another can be set',
    async show ({ store }) {
      await store.set('acme', all)
      await store.set('other', some)
      assert.equal(await store.delete('acme'), true)
      assert.equal(await store.get('acme'), null)
      assert.equal(await store.delete('acme'), false)
      await assertHas(store, new Map([['other', some]]))
      await store.set('acme', some)
      await assertHas(store, new Map([['acme', some], ['other', some]]))
    }
  },
  {
    name: 'names that look alike, or mean something elsewhere, are names like any other',
    async show ({ store }) {
      const expected = new Map(NAMES.map((name, at) => [name, { enabled: at % 2 === 0, events: [`EVENT_${at}`] }]))
      for (const [name, config] of expected) await store.set(name, config)
      await assertHas(store, expected)
      for (const name of ['a*', '*', 'a_', 'A', '__proto__']) {
        assert.equal(await store.delete(name), true, name)
        assert.equal(await store.get(name), null, name)
        expected.delete(name)
        await assertHas(store, expected)
      }
    }
  },
  {
    name: 'a config that was found stays as it was, whatever is set later',
    async show ({ store }) {
      await store.set('acme', Object.freeze({ enabled: true, events: Object.freeze(['CALL']) }))
      const found = await store.get('acme')
      const [first] = await listed(store)
      await store.set('acme', some)
      assert.deepEqual(found, only('CALL'))
      assert.deepEqual(first, ['acme', only('CALL')])
      await store.delete('acme')
      assert.deepEqual(found, only('CALL'))
    }
  },
  {
    name: 'what has resolved is seen by every later call',
    async show ({ store }) {
      for (let n = 0; n < 50; n++) {
        await store.set('acme', only(`EVENT_${n}`))
        const [found, configs] = await Promise.all([store.get('acme'), listed(store)])
        assert.deepEqual(found, only(`EVENT_${n}`))
        assert.deepEqual(configs, new Map([['acme', only(`EVENT_${n}`)]]))
      }
      assert.equal(await store.delete('acme'), true)
      const [found, configs] = await Promise.all([store.get('acme'), listed(store)])
      assert.equal(found, null)
      assert.equal(configs.size, 0)
    }
  },
  {
    name: 'calls for different names may overlap',
    async show ({ store }) {
      const expected = new Map<string, StoredConfig>(numbered(200).map(name => [name, only(name)]))
      await Promise.all([...expected].map(async ([name, config]) => { await store.set(name, config) }))
      await assertHas(store, expected)
      await Promise.all([...expected].map(async ([name, config], at) => {
        if (at % 4 === 0) {
          expected.delete(name)
          assert.equal(await store.delete(name), true)
        } else if (at % 4 === 1) {
          expected.set(name, some)
          await store.set(name, some)
        } else if (at % 4 === 2) assert.equal(await store.delete(`no ${name}`), false)
        else assert.deepEqual(await store.get(name), config)
      }))
      await assertHas(store, expected)
    }
  },
  {
    name: 'many configs are listed, each once',
    async show ({ store }) {
      const names = numbered(3000)
      for (let at = 0; at < names.length; at += 100) await Promise.all(names.slice(at, at + 100).map(async name => { await store.set(name, only(name)) }))
      assert.deepEqual(await listed(store), new Map(names.map(name => [name, only(name)])))
    }
  },
  {
    name: 'a list that is left early does no harm, and lists may overlap',
    async show ({ store }) {
      const expected = new Map(numbered(50).map(name => [name, all]))
      for (const [name, config] of expected) await store.set(name, config)
      const left = store.list()[Symbol.asyncIterator]()
      assert.equal((await left.next()).done, false)
      await left.return?.()
      assert.deepEqual(await store.get('instance-7'), all)
      let seen = 0
      for await (const [name] of store.list()) {
        assert.ok(expected.has(name), `"${name}" was set`)
        if (++seen === 2) break
      }
      assert.deepEqual(await store.get('instance-7'), all)
      assert.deepEqual(await Promise.all([listed(store), listed(store), listed(store)]), [expected, expected, expected])
      await store.set('acme', some)
      await assertHas(store, new Map([...expected, ['acme', some]]))
    }
  },
  {
    name: 'a list under which configs are deleted has each that is still there',
    async show ({ store }) {
      for (const name of numbered(50)) await store.set(name, all)
      const seen: string[] = []
      for await (const [name] of store.list()) {
        seen.push(name)
        await store.delete(name)
      }
      assert.equal(new Set(seen).size, seen.length, 'no name twice')
      assert.equal(seen.length, 50, 'what was there and not yet deleted is listed')
      await assertHas(store, new Map())
    }
  },
  {
    name: 'a list under which others are set and deleted has those that nobody touched',
    async show ({ store }) {
      const random = new Random(6)
      const still = new Map(numbered(60).map(name => [name, only(name)]))
      for (const [name, config] of still) await store.set(name, config)
      const moving = Array.from({ length: 20 }, (empty, at) => `instance-${at}-moving`)
      for (let round = 0; round < 10; round++) {
        const configs = new Map<string, StoredConfig>()
        for await (const [name, config] of store.list()) {
          assert.ok(!configs.has(name), `"${name}" is listed once`)
          configs.set(name, config)
          const other = moving[random.below(moving.length)] ?? ''
          if (random.oneIn(2)) await store.set(other, some)
          else await store.delete(other)
        }
        for (const [name, config] of configs) assert.deepEqual(config, still.get(name) ?? some)
        for (const name of still.keys()) assert.ok(configs.has(name), `"${name}" is listed`)
      }
    }
  },
  {
    name: 'it holds what a map would, after any calls',
    async show ({ store }) {
      const names: [string, ...string[]] = ['a', 'b', 'c', '__proto__']
      const configs: [StoredConfig, ...StoredConfig[]] = [all, some, only('GONE'), { enabled: false, events: null }, { enabled: true, events: [] }]
      for (let seed = 1; seed <= (IN_FULL ? 30 : 10); seed++) {
        const random = new Random(seed)
        const model = await listed(store)
        for (let calls = random.below(12); calls > 0; calls--) {
          const name = random.pick(names)
          if (random.oneIn(2)) {
            const config = random.pick(configs)
            await store.set(name, config)
            model.set(name, config)
          } else assert.equal(await store.delete(name), model.delete(name), `seed ${seed}`)
        }
        await assertHas(store, model)
        for (const name of names) assert.deepEqual(await store.get(name), model.get(name) ?? null, `seed ${seed}`)
      }
    }
  },
  {
    name: 'a store knows nothing of another',
    async show (subject) {
      const other = await subject.another()
      await subject.store.set('acme', all)
      assert.equal(await other.get('acme'), null)
      await other.set('other', some)
      assert.equal(await other.delete('acme'), false)
      await assertHas(subject.store, new Map([['acme', all]]))
      await assertHas(other, new Map([['other', some]]))
    }
  },
  {
    name: 'if it can be reopened: what was set is there, and what was deleted is not',
    async show (subject) {
      const expected = new Map<string, StoredConfig>()
      for (let time = 0; time < 3; time++) {
        for (const [at, name] of NAMES.entries()) {
          const config = { enabled: at % 2 === time % 2, events: at % 3 === time ? null : [`EVENT_${at}`] }
          await subject.store.set(name, config)
          expected.set(name, config)
        }
        const gone = NAMES[time] ?? ''
        assert.equal(await subject.store.delete(gone), true)
        expected.delete(gone)
        const store = await subject.reopen()
        if (store === null) return
        await assertHas(store, expected)
        assert.equal(await store.get(gone), null)
      }
    }
  }
]

/**
 * The contract of `ConfigStore` as tests, for any test runner:
 *
 * ```ts
 * const open = () => myStore().open({ retention, logger })
 * for (const { name, run } of configStoreSuite(open)) test(name, run)
 * ```
 *
 * A durable store gives `reopen`, too, and removes what the test wrote in `close`.
 */
export function configStoreSuite (open: OpenConfigStores): ContractTest[] {
  return TESTS.map(({ name, show }) => ({
    name: `config store: ${name}`,
    async run () {
      const subject = await Subject.open(open)
      try {
        await show(subject)
      } finally {
        await subject.close()
      }
    }
  }))
}
