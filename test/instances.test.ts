import fc from 'fast-check'
import t from 'tap'
import { Configs } from '../lib/instances/configs.js'
import { Catalogue } from '../lib/events/catalogue.js'
import { evolutionEvents } from '../lib/events/evolution.js'
import { Instances } from '../lib/instances/instances.js'
import { MemoryConfigStore } from '../lib/stores/memory/configs.js'
import type { ConfigChange, ConfigStore, StoredConfig } from '../lib/stores/store.js'
import type { InstanceConfig, InstanceConfigInput } from '../lib/types.js'

const catalogue = new Catalogue(evolutionEvents)
const ALL = catalogue.events.map(({ constant }) => constant)

interface Setup {
  readonly catalogue?: Catalogue
  readonly store?: ConfigStore
  readonly byDefault?: InstanceConfigInput | null
}

/** Instances, and what they told the gateway. */
function setUp (given: Setup = {}) {
  const told: string[] = []
  const store = given.store ?? new MemoryConfigStore()
  const instances = new Instances(given.catalogue ?? catalogue, store, { head: () => '', remove: async () => {} }, given.byDefault ?? null)
  instances.follow({
    async configChanged (name) { told.push(`changed ${name}`) },
    async instanceRemoved (name) { told.push(`removed ${name}`) },
    instanceRemovedElsewhere (name) { told.push(`gone ${name}`) }
  })
  instances.whenLoaded(() => { told.push('loaded') })
  return { instances, store, told }
}

async function listed (instances: Instances): Promise<InstanceConfig[]> {
  const configs: InstanceConfig[] = []
  for await (const config of instances.list()) configs.push(config)
  return configs.sort((a, b) => a.instance < b.instance ? -1 : 1)
}

/** A store that answers when it is told to, in any order. */
class SlowStore extends MemoryConfigStore {
  readonly calls: string[] = []
  readonly #doors: Array<() => void> = []

  override async set (name: string, config: ConfigChange): Promise<StoredConfig> {
    this.calls.push(`set ${name} ${String(config.enabled)}`)
    await new Promise<void>(resolve => { this.#doors.push(resolve) })
    return await super.set(name, config)
  }

  /** Lets the newest call that waits go on. */
  open (): void {
    this.#doors.pop()?.()
  }
}

/** Lets every promise that can settle do so. */
const settle = async () => { await new Promise(resolve => { setImmediate(resolve) }) }

t.test('events left out, empty, or the whole catalogue are all, those of a later catalogue too', async t => {
  const smaller = new Catalogue(['call', 'chats.set'])
  const larger = new Catalogue(['call', 'chats.set', 'chats.update'])
  const inputs: InstanceConfigInput[] = [
    { enabled: true },
    { enabled: true, events: undefined },
    { enabled: true, events: [] },
    { enabled: true, events: ['CALL', 'chats.set'] },
    { enabled: true, events: ['chats.set', 'CALL', 'CALL'] }
  ]
  for (const input of inputs) {
    const store = new MemoryConfigStore()
    const { instances } = setUp({ catalogue: smaller, store })
    t.strictSame((await instances.set('acme', input)).config, { instance: 'acme', enabled: true, events: ['CALL', 'CHATS_SET'] }, JSON.stringify(input))
    const { instances: later } = setUp({ catalogue: larger, store })
    await later.load()
    t.strictSame(await later.find('acme'), { instance: 'acme', enabled: true, events: ['CALL', 'CHATS_SET', 'CHATS_UPDATE'] })
    t.equal(later.status('acme', larger.get('chats.update')), 'served')
  }
})

t.test('a list that is not the whole catalogue stays what it is in a later one', async t => {
  const store = new MemoryConfigStore()
  await setUp({ catalogue: new Catalogue(['call', 'chats.set']), store }).instances.set('acme', { enabled: true, events: ['call'] })
  const larger = new Catalogue(['call', 'chats.set', 'chats.update'])
  const { instances } = setUp({ catalogue: larger, store })
  await instances.load()
  t.strictSame((await instances.find('acme'))?.events, ['CALL'])
  t.equal(instances.status('acme', larger.get('chats.update')), 'filtered')
})

t.test('the list in force is in constant names and the order of the catalogue, each once', async t => {
  const { instances } = setUp()
  const { config } = await instances.set('acme', { enabled: true, events: ['call', 'MESSAGES_UPSERT', 'messages.upsert', 'GROUP_UPDATE', 'qrcode.updated'] })
  t.strictSame(config.events, ['QRCODE_UPDATED', 'MESSAGES_UPSERT', 'GROUPS_UPDATE', 'CALL'])
  t.strictSame(await instances.find('acme'), config)
  t.strictSame(await listed(instances), [config])
})

t.test('a list that is left out keeps the stored one, and means all where there is none', async t => {
  const { instances } = setUp()
  const set = async (input: InstanceConfigInput) => (await instances.set('acme', input)).config
  t.strictSame((await set({ enabled: true })).events, ALL)
  await set({ enabled: true, events: ['CALL', 'chats.set'] })
  const two = ['CHATS_SET', 'CALL']
  for (const enabled of [false, true, true, false, false, true]) {
    t.strictSame(await set({ enabled }), { instance: 'acme', enabled, events: two }, String(enabled))
    t.strictSame(await instances.find('acme'), { instance: 'acme', enabled, events: two })
  }
  t.equal(instances.status('acme', catalogue.get('chats.update')), 'filtered', 'and it is in force')
  t.strictSame((await set({ enabled: false, events: [] })).events, two)
  t.strictSame((await set({ enabled: true, events: undefined })).events, two)
  t.strictSame((await set({ enabled: true, events: [] })).events, ALL)
  t.strictSame((await set({ enabled: false })).events, ALL)
  await set({ enabled: true, events: ['CALL'] })
  await instances.remove('acme')
  t.strictSame((await set({ enabled: true })).events, ALL, 'what was removed is forgotten')
})

t.test('all that was stored stays all in a later catalogue, and a list stays what it was, also by names that it lacks', async t => {
  const larger = new Catalogue(['call', 'chats.set', 'chats.update'])
  for (const [events, expected] of [[[], ['CALL', 'CHATS_SET', 'CHATS_UPDATE']], [['call'], ['CALL']]] as const) {
    const store = new MemoryConfigStore()
    await setUp({ catalogue: new Catalogue(['call', 'chats.set']), store }).instances.set('acme', { enabled: true, events })
    const { instances } = setUp({ catalogue: larger, store })
    await instances.load()
    await instances.set('acme', { enabled: false })
    t.strictSame((await instances.set('acme', { enabled: true })).config.events, expected)
  }
  const store = new MemoryConfigStore()
  await setUp({ catalogue: larger, store }).instances.set('acme', { enabled: true, events: ['call', 'chats.update'] })
  await setUp({ catalogue: new Catalogue(['call', 'chats.set']), store }).instances.set('acme', { enabled: false })
  t.strictSame((await setUp({ catalogue: larger, store }).instances.set('acme', { enabled: true })).config.events, ['CALL', 'CHATS_UPDATE'])
})

t.test('disabling without a list keeps the stored one', async t => {
  for (const events of [undefined, []]) {
    const { instances } = setUp()
    await instances.set('acme', { enabled: true, events: ['CALL'] })
    t.strictSame((await instances.set('acme', { enabled: false, events })).config, { instance: 'acme', enabled: false, events: ['CALL'] })
    t.strictSame(await instances.find('acme'), { instance: 'acme', enabled: false, events: ['CALL'] })
    t.strictSame((await instances.set('acme', { enabled: false, events: ['CHATS_SET'] })).config.events, ['CHATS_SET'], 'a list that is given counts')
    t.strictSame((await instances.set('acme', { enabled: true, events: [] })).config.events, ALL)
    t.strictSame((await instances.set('acme', { enabled: false, events })).config.events, ALL, 'all stays all')
  }
})

t.test('disabling an instance that was never set takes all', async t => {
  const { instances } = setUp({ byDefault: { enabled: true, events: ['CALL'] } })
  t.strictSame(await instances.set('acme', { enabled: false }), { config: { instance: 'acme', enabled: false, events: ALL }, created: true })
})

t.test('set says whether the instance is new, also after it was removed', async t => {
  const { instances, told } = setUp()
  t.equal((await instances.set('acme', { enabled: true })).created, true)
  t.equal((await instances.set('acme', { enabled: true })).created, false)
  t.equal(await instances.remove('acme'), true)
  t.equal(await instances.remove('acme'), false)
  t.equal((await instances.set('acme', { enabled: true })).created, true)
  t.same(told, ['changed acme', 'changed acme', 'removed acme', 'removed acme', 'changed acme'])
})

t.test('an instance that was never set, or is removed, has no config', async t => {
  const { instances } = setUp()
  t.equal(await instances.find('acme'), null)
  await instances.set('acme', { enabled: true })
  await instances.remove('acme')
  t.equal(await instances.find('acme'), null)
  t.equal(instances.status('acme'), 'not-set')
  t.strictSame(await listed(instances), [])
})

t.test('a standing follows the config and its events', async t => {
  const { instances } = setUp()
  const [call, upsert] = [catalogue.get('call'), catalogue.get('messages.upsert')]
  t.equal(instances.status('acme', call), 'not-set')
  await instances.set('acme', { enabled: true, events: ['CALL'] })
  t.equal(instances.status('acme'), 'served')
  t.equal(instances.status('acme', call), 'served')
  t.equal(instances.status('acme', upsert), 'filtered')
  await instances.set('acme', { enabled: false })
  t.equal(instances.status('acme'), 'instance-disabled')
  t.equal(instances.status('acme', call), 'instance-disabled')
  t.equal(instances.status('other'), 'not-set', 'another instance is not touched')
})

t.test('defaultConfig is what an instance that was never set counts as; it is not a config that was set', async t => {
  const { instances } = setUp({ byDefault: { enabled: true, events: ['messages.upsert'] } })
  t.equal(instances.status('acme', catalogue.get('messages.upsert')), 'served')
  t.equal(instances.status('acme', catalogue.get('call')), 'filtered')
  t.equal(await instances.find('acme'), null)
  t.strictSame(await listed(instances), [])
  t.equal(await instances.remove('acme'), false)
  await instances.set('acme', { enabled: false })
  t.equal(instances.status('acme'), 'instance-disabled', 'what is set wins')
  await instances.remove('acme')
  t.equal(instances.status('acme'), 'served', 'and counts again after a removal')
  t.equal(setUp({ byDefault: { enabled: false } }).instances.status('acme'), 'instance-disabled')
})

t.test('a bad defaultConfig is an error at once', async t => {
  for (const byDefault of [{ enabled: 'yes' }, { enabled: true, events: ['nope'] }, { enabled: true, events: 'CALL' }]) {
    t.throws(() => setUp({ byDefault: byDefault as never }), { code: /^FST_ERR_WS_EVENTS_/ })
  }
})

t.test('names in the store that have left the catalogue are passed over, and come back with it', async t => {
  const store = new MemoryConfigStore()
  await store.set('acme', { enabled: true, events: ['GONE', 'CALL'] })
  const { instances } = setUp({ store })
  await instances.load()
  t.strictSame(await instances.find('acme'), { instance: 'acme', enabled: true, events: ['CALL'] })
  t.equal(instances.status('acme', catalogue.get('call')), 'served')
  t.equal(instances.status('acme', catalogue.get('messages.upsert')), 'filtered')
  await instances.set('acme', { enabled: false })
  const { instances: later } = setUp({ store, catalogue: new Catalogue(['gone', 'call', 'chats.set']) })
  await later.load()
  t.strictSame((await later.find('acme'))?.events, ['GONE', 'CALL'], 'the stored list was kept as it is')
})

t.test('when none of the stored names is known any more, nothing is sent, and not all', async t => {
  const store = new MemoryConfigStore()
  await store.set('acme', { enabled: true, events: ['GONE'] })
  const { instances } = setUp({ store })
  await instances.load()
  t.strictSame(await instances.find('acme'), { instance: 'acme', enabled: true, events: [] })
  for (const event of catalogue.events) t.equal(instances.status('acme', event), 'filtered')
})

t.test('configs of the store count from the load on', async t => {
  const store = new MemoryConfigStore()
  await store.set('acme', { enabled: true, events: null })
  await store.set('other', { enabled: false, events: ['CALL'] })
  const { instances } = setUp({ store })
  await instances.load()
  t.equal(instances.status('acme'), 'served')
  t.equal(instances.status('other'), 'instance-disabled')
  t.strictSame(await listed(instances), [{ instance: 'acme', enabled: true, events: ALL }, { instance: 'other', enabled: false, events: ['CALL'] }])
})

t.test('both forms of a name are one instance', async t => {
  const { instances, told } = setUp()
  await instances.set('cafe\u0301', { enabled: true, events: ['CALL'] })
  t.equal((await instances.find('café'))?.instance, 'café')
  t.equal((await instances.set('café', { enabled: true })).created, false)
  t.equal(await instances.remove('cafe\u0301'), true)
  t.same(told, ['changed café', 'changed café', 'removed café'])
})

t.test('a bad name or config is an error with a code, and nothing is stored', async t => {
  const { instances, told, store } = setUp()
  const cases: ReadonlyArray<readonly [name: unknown, input: unknown, code: string, says: RegExp]> = [
    ['a/b', { enabled: true }, 'INVALID_NAME', /"a\/b"/],
    [undefined, { enabled: true }, 'INVALID_NAME', /string/],
    ['acme', undefined, 'INVALID_DATA', /\{ enabled, events\? \}/],
    ['acme', null, 'INVALID_DATA', /enabled/],
    ['acme', true, 'INVALID_DATA', /enabled/],
    ['acme', {}, 'INVALID_DATA', /enabled must be true or false/],
    ['acme', { enabled: 'true' }, 'INVALID_DATA', /enabled must be true or false/],
    ['acme', { enabled: true, events: 'CALL' }, 'INVALID_DATA', /events must be a list/],
    ['acme', { enabled: true, events: { 0: 'CALL' } }, 'INVALID_DATA', /events must be a list/],
    ['acme', { enabled: true, events: ['CALL', 5] }, 'UNKNOWN_EVENT', /string/],
    ['acme', { enabled: true, events: ['CALL', 'MESSAGE_UPSERT'] }, 'UNKNOWN_EVENT', /MESSAGES_UPSERT/],
    ['acme', { get enabled () { throw new Error('a getter') } }, 'INVALID_DATA', /cannot be read: a getter/],
    ['acme', { enabled: true, events: new Proxy([], { get () { throw new Error('a trap') } }) }, 'INVALID_DATA', /cannot be read: a trap/]
  ]
  for (const [name, input, code, message] of cases) {
    await t.rejects(instances.set(name as string, input as InstanceConfigInput), { code: `FST_ERR_WS_EVENTS_${code}`, message }, `${String(name)}: ${String(message)}`)
  }
  for (const name of ['', '..', 'a,b']) {
    await t.rejects(instances.find(name), { code: 'FST_ERR_WS_EVENTS_INVALID_NAME' })
    await t.rejects(instances.remove(name), { code: 'FST_ERR_WS_EVENTS_INVALID_NAME' })
  }
  t.same(told, [])
  t.equal(await store.get('acme'), null)
})

t.test('a name that may not be an instance is not stored', async t => {
  const { instances, told } = setUp()
  const configs = new Configs({ instances, names: { use () {} }, limited: { countIn () {} }, gateway: { isHosts: name => name === 'admin' }, instanceExists: null })
  await t.rejects(configs.set('admin', { enabled: true }), { code: 'FST_ERR_WS_EVENTS_HOST_NAMESPACE' })
  t.equal(await instances.find('admin'), null)
  t.same(told, [])
})

t.test('changes of one name keep the order of their calls, however long the store takes', async t => {
  const store = new SlowStore()
  const { instances, told } = setUp({ store })
  const answers = [
    instances.set('acme', { enabled: true, events: ['CALL'] }),
    instances.set('acme', { enabled: false }),
    instances.set('other', { enabled: true }),
    instances.remove('acme'),
    instances.set('acme', { enabled: true, events: ['CHATS_SET'] })
  ] as const
  await settle()
  t.same(store.calls, ['set acme true', 'set other true'], 'another name need not wait')
  for (let at = 0; at < 4; at++) {
    store.open()
    await settle()
  }
  const [first, second, other, removed, last] = await Promise.all(answers)
  t.match(first, { created: true, config: { enabled: true, events: ['CALL'] } })
  t.match(second, { created: false, config: { enabled: false, events: ['CALL'] } }, 'it saw the list that was set before')
  t.equal(other.created, true)
  t.equal(removed, true)
  t.match(last, { created: true, config: { enabled: true, events: ['CHATS_SET'] } })
  t.strictSame(await instances.find('acme'), last.config)
  t.same(told.filter(line => line.endsWith('acme')), ['changed acme', 'changed acme', 'removed acme', 'changed acme'])
})

t.test('a store that fails leaves the config in force, and the next change goes on', async t => {
  const store = new MemoryConfigStore()
  const { instances, told } = setUp({ store })
  await instances.set('acme', { enabled: true, events: ['CALL'] })
  store.set = async () => { throw new Error('the disk is full') }
  const failed = instances.set('acme', { enabled: false })
  const removed = instances.remove('acme')
  await t.rejects(failed, { message: 'the disk is full' })
  t.equal(await removed, true)
  t.same(told, ['changed acme', 'removed acme'])
})

t.test('whatever is set, the answer, find and list agree, and the standing follows', async t => {
  const list = fc.option(fc.array(fc.constantFrom(...ALL, ...catalogue.events.map(({ name }) => name)), { maxLength: 6 }), { nil: undefined })
  await fc.assert(fc.asyncProperty(fc.array(fc.record({ enabled: fc.boolean(), events: list }), { minLength: 1, maxLength: 6 }), async inputs => {
    const { instances } = setUp()
    let stored: string[] = ALL
    for (const input of inputs) {
      const { config } = await instances.set('acme', input)
      const given = input.events === undefined || input.events.length === 0 ? null : ALL.filter(name => input.events?.some(event => catalogue.get(event).constant === name))
      stored = given ?? (input.enabled && input.events !== undefined ? ALL : stored)
      t.strictSame(config, { instance: 'acme', enabled: input.enabled, events: stored })
      t.strictSame(await instances.find('acme'), config)
      for (const event of catalogue.events) {
        const expected = !input.enabled ? 'instance-disabled' : stored.includes(event.constant) ? 'served' : 'filtered'
        if (instances.status('acme', event) !== expected) return false
      }
    }
    return true
  }), { numRuns: 50 })
})
