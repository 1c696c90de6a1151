import { AssertionError } from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { ConfigChange, ConfigStore, StoredConfig } from '../../lib/stores/store.js'
import { configStoreSuite, type OpenConfigs } from './index.js'

type Disk = Map<string, StoredConfig>

/** The contract, as simply as can be. What it does is in fields, so that each can be broken on its own. */
class ReferenceStore implements ConfigStore {
  readonly disk: Disk

  constructor (disk: Disk) {
    this.disk = disk
  }

  keyOf = (name: string): string => name

  get = async (name: string): Promise<StoredConfig | null> => {
    await turn()
    return this.disk.get(this.keyOf(name)) ?? null
  }

  set = async (name: string, change: ConfigChange): Promise<StoredConfig> => {
    await turn()
    const config = this.changed(change, this.disk.get(this.keyOf(name)))
    this.disk.set(this.keyOf(name), config)
    return config
  }

  changed = ({ enabled, events, keepEvents = false }: ConfigChange, before: StoredConfig | undefined): StoredConfig =>
    ({ enabled, events: keepEvents && before !== undefined ? before.events : events })

  delete = async (name: string): Promise<boolean> => {
    await turn()
    return this.disk.delete(this.keyOf(name))
  }

  list = (): AsyncIterable<readonly [string, StoredConfig]> => this.entries()

  async * entries (): AsyncGenerator<readonly [string, StoredConfig]> {
    await turn()
    yield * [...this.disk]
  }
}

interface Breaks {
  /** Breaks a store that was opened. */
  store?(store: ReferenceStore): void
  /** Breaks what outlives it. */
  reopened?(disk: Disk): void
  /** What a store begins with. */
  readonly disk?: Disk
}

const reference = (breaks: Breaks = {}) => async (): Promise<OpenConfigs> => {
  const open = (disk: Disk): OpenConfigs => {
    const configs = new ReferenceStore(disk)
    breaks.store?.(configs)
    return {
      configs,
      async close () {},
      async reopen () {
        breaks.reopened?.(disk)
        return open(disk)
      }
    }
  }
  return open(breaks.disk ?? new Map())
}

/** Stores with one fault each, as someone might make it, by what they do. */
const FAULTS: Readonly<Record<string, Breaks>> = {
  'has undefined where there is nothing': {
    store (store) { store.get = async name => store.disk.get(name) as StoredConfig }
  },
  'always says that it has deleted something': {
    store (store) {
      const remove = store.delete
      store.delete = async name => {
        await remove(name)
        return true
      }
    }
  },
  'has deleted something before it says whether there was something': {
    store (store) {
      store.delete = async name => {
        store.disk.delete(name)
        return store.disk.delete(name)
      }
    }
  },
  'keeps what is deleted in its list': {
    store (store) {
      const listed: Disk = new Map()
      const { set } = store
      store.set = async (name, config) => {
        const stored = await set(name, config)
        listed.set(name, stored)
        return stored
      }
      store.entries = async function * () { yield * [...listed] }
    }
  },
  'takes all events for none': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => await set(name, { ...config, events: config.events ?? [] })
    }
  },
  'takes no events for all': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => await set(name, { ...config, events: config.events?.length === 0 ? null : config.events })
    }
  },
  'keeps one of each event that there ever was': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => {
        const before = await store.get(name)
        return await set(name, { ...config, events: config.events === null ? null : [...new Set([...before?.events ?? [], ...config.events])] })
      }
    }
  },
  'forgets the list that it is to keep': {
    store (store) { store.changed = ({ enabled, events }) => ({ enabled, events }) }
  },
  'keeps a list whatever it is told': {
    store (store) { store.changed = ({ enabled, events }, before) => ({ enabled, events: before?.events ?? events }) }
  },
  'answers what it was given': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => {
        await set(name, config)
        return config
      }
    }
  },
  'does not disable': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => await set(name, { ...config, enabled: true })
    }
  },
  'changes configs in place': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => {
        const before = store.disk.get(name)
        if (before === undefined) return await set(name, { ...config })
        return Object.assign(before, store.changed(config, before))
      }
    }
  },
  'takes a name for a pattern': {
    store (store) {
      store.delete = async name => {
        const known = [...store.disk.keys()].filter(key => name.endsWith('*') ? key.startsWith(name.slice(0, -1)) : key === name)
        for (const key of known) store.disk.delete(key)
        return known.length > 0
      }
    }
  },
  'takes no heed of upper and lower case': {
    store (store) { store.keyOf = name => name.toLowerCase() }
  },
  'trims names': {
    store (store) { store.keyOf = name => name.trim() }
  },
  'cuts names': {
    store (store) { store.keyOf = name => name.slice(0, 64) }
  },
  'keeps them in an object': {
    store (store) {
      const object: Record<string, StoredConfig> = {}
      store.get = async name => object[name] ?? null
      store.set = async (name, config) => (object[name] = store.changed(config, object[name]))
      store.delete = async name => name in object && delete object[name]
      store.entries = async function * () { yield * Object.entries(object) }
    }
  },
  'writes all that it has read, some time later': {
    store (store) {
      store.set = async (name, config) => {
        const read = [...store.disk]
        const stored = store.changed(config, store.disk.get(name))
        await turn()
        store.disk.clear()
        for (const [key, value] of [...read, [name, stored] as const]) store.disk.set(key, value)
        return stored
      }
    }
  },
  'answers before it has written': {
    store (store) {
      const { set } = store
      store.set = async (name, config) => {
        void turn().then(async () => { await set(name, config) })
        return store.changed(config, store.disk.get(name))
      }
    }
  },
  'lists what it knew a moment ago': {
    store (store) {
      let known: Array<readonly [string, StoredConfig]> = []
      let asked = 0
      store.entries = async function * () {
        if (asked++ % 10 === 0) known = [...store.disk]
        yield * known
      }
    }
  },
  'lists a thousand at most': {
    store (store) { store.entries = async function * () { yield * [...store.disk].slice(0, 1000) } }
  },
  'lists pages that overlap': {
    store (store) {
      store.entries = async function * () {
        for (let from = 0; from < store.disk.size; from += 99) yield * [...store.disk].slice(from, from + 100)
      }
    }
  },
  'lists by numbers, which move when one is deleted': {
    store (store) {
      store.entries = async function * () {
        for (let at = 0; at < store.disk.size; at++) yield [...store.disk][at] ?? ['', { enabled: false, events: null }]
      }
    }
  },
  'lists what is set meanwhile again': {
    store (store) { store.entries = async function * () { yield * store.disk } }
  },
  'lists for one at a time': {
    store (store) {
      const { entries } = store
      let listing: AsyncGenerator<readonly [string, StoredConfig]> | undefined
      store.list = () => {
        listing ??= entries.call(store)
        return (async function * (from) {
          yield * from
          listing = undefined
        })(listing)
      }
    }
  },
  'waits for ever after a list that was left': {
    store (store) {
      const { entries, get } = store
      let listing = false
      store.entries = async function * () {
        listing = true
        yield * entries.call(store)
        listing = false
      }
      store.get = async name => {
        if (listing) throw new AssertionError({ message: 'it would wait' })
        return await get(name)
      }
    }
  },
  'shares what it has with all others': { disk: new Map() },
  'forgets everything when it is closed': {
    reopened (disk) { disk.clear() }
  },
  'has back what was deleted when it is opened again': {
    reopened (disk) { disk.set('a', { enabled: true, events: null }) }
  }
}

/** The tests that show a fault. */
async function shownBy (breaks: Breaks): Promise<string[]> {
  const shown: string[] = []
  for (const { name, run } of configStoreSuite(reference(breaks))) {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error
      shown.push(name)
    }
  }
  return shown
}

for (const { name, run } of configStoreSuite(reference())) t.test(`a store that keeps the contract passes: ${name}`, run)

const untouched = new Set(configStoreSuite(reference()).map(({ name }) => name))

for (const [fault, breaks] of Object.entries(FAULTS)) {
  t.test(`a store that ${fault} does not pass`, async t => {
    const shown = await shownBy(breaks)
    t.ok(shown.length > 0, 'it fails')
    for (const name of shown) {
      t.comment(name)
      untouched.delete(name)
    }
  })
}

t.test('each test of the contract shows a fault', async t => {
  t.strictSame([...untouched], [])
})
