import { errors, unreadable } from '../errors.js'
import type { Catalogue, EventType } from '../events/catalogue.js'
import { EventBits, type EventSet, eventSet, includes, listEvents } from '../events/event-set.js'
import { excerpt, instanceName } from './names.js'
import type { EventLog } from '../log/event-log.js'
import type { ConfigChange, ConfigStore, StoredConfig } from '../stores/store.js'
import type { InstanceConfig, InstanceConfigInput } from '../types.js'

/** The effective config of an instance, which decides where its events are sent. */
interface EffectiveConfig {
  readonly enabled: boolean
  readonly events: EventSet
  /** Changes when the instance is removed and set again. Only for stores that several nodes share. */
  readonly generation?: string | undefined
  /** In the root's stream, events of this name with an id up to this one belong to a former instance. */
  readonly since?: string | undefined
}

/** Whether an instance is served, and if not, why. */
export type InstanceStatus = 'served' | 'not-set' | 'instance-disabled' | 'filtered'

export interface SetResult {
  readonly config: InstanceConfig
  /** Whether the instance was never set before. */
  readonly created: boolean
}

/** Is notified of changes of the effective configs. Each method is called after the change, and awaited. */
export interface InstanceListener {
  /** The effective config of an instance has changed. */
  configChanged(name: string): Promise<void>
  /**
   * An instance is being removed. It has no effective config any more; its history and its stored config are deleted
   * next.
   */
  instanceRemoved(name: string): Promise<void>
  /** Another node has removed an instance with its config and history. */
  instanceRemovedElsewhere(name: string): void
}

/** The configs of all instances: the effective ones in memory, and a store that keeps them. */
export class Instances {
  readonly #catalogue: Catalogue
  readonly #store: ConfigStore
  readonly #history: Pick<EventLog, 'remove' | 'head'>
  #listener: InstanceListener | null = null
  #loaded: () => void = () => {}
  readonly #byDefault: EffectiveConfig | null
  // Map(name -> its effective config)
  readonly #effective = new Map<string, EffectiveConfig>()
  // Map(name without an effective config -> why its stored config cannot be read)
  readonly #unreadable = new Map<string, string>()
  // Map(name -> promise of its last change that is under way)
  readonly #changes = new Map<string, Promise<unknown>>()
  /** Names for which a read from the store is scheduled and has not begun. */
  readonly #scheduledReads = new Set<string>()
  /**
   * Names that have changed since `#readAll` began, so its list may be out of date for them; `null` while it does not
   * run.
   */
  #changedDuringRead: Set<string> | null = null
  #isLoaded = false

  /**
   * @param history the histories of the instances, deleted with the instances
   * @throws UNKNOWN_EVENT, INVALID_DATA for a bad `defaultConfig`
   */
  constructor (
    catalogue: Catalogue,
    store: ConfigStore,
    history: Pick<EventLog, 'remove' | 'head'>,
    defaultConfig: InstanceConfigInput | null
  ) {
    this.#catalogue = catalogue
    this.#store = store
    this.#history = history
    this.#byDefault = defaultConfig === null ? null : this.#effectiveOf(this.#read(defaultConfig))
  }

  /** Notifies the gateway of changes from now on. */
  follow (listener: InstanceListener): void {
    this.#listener = listener
  }

  /** Calls `loaded` once, when the configs are first loaded from the store. Never calls it if they are already. */
  whenLoaded (loaded: () => void): void {
    if (!this.#isLoaded) this.#loaded = loaded
  }

  /** Whether the configs have been loaded. Before that it is unknown which instances are served. */
  get isLoaded (): boolean {
    return this.#isLoaded
  }

  /**
   * Reads all configs from the store and applies the differences: at the start, and when any config may have changed.
   * Calls must not overlap.
   */
  async load (): Promise<void> {
    const { stored, changed } = await this.#readAll()
    if (!this.#isLoaded) {
      await this.#loadFirst(stored, changed)
      return
    }
    const names = new Set([...stored.keys(), ...this.#effective.keys()])
    await Promise.all([...names].map(async name => {
      if (changed.has(name)) await this.refresh(name)
      else await this.#inSequence(name, async () => { await this.#apply(name, stored.get(name) ?? null) })
    }))
  }

  /** All stored configs, and the names that have changed during the read. */
  async #readAll (): Promise<{ stored: ReadonlyMap<string, StoredConfig>, changed: ReadonlySet<string> }> {
    const stored = new Map<string, StoredConfig>()
    const changed = this.#changedDuringRead = new Set(this.#changes.keys())
    try {
      for await (const [name, config] of this.#store.list()) stored.set(name, config)
    } finally {
      this.#changedDuringRead = null
    }
    return { stored, changed }
  }

  /** The first load. No client is connected yet, so the listener is not notified. */
  async #loadFirst (stored: ReadonlyMap<string, StoredConfig>, changed: ReadonlySet<string>): Promise<void> {
    for (const name of this.#effective.keys()) {
      if (!changed.has(name)) this.#effective.delete(name)
    }
    for (const [name, config] of stored) {
      if (changed.has(name)) continue
      if (config.unreadable === undefined) this.#effective.set(name, this.#effectiveOf(config))
      else this.#unreadable.set(name, config.unreadable)
    }
    await Promise.all([...changed].map(async name => { await this.refresh(name) }))
    this.#isLoaded = true
    this.#loaded()
  }

  /**
   * Handles a removal by another node. The instance may be set again at once, and its new events must not reach the
   * clients of the old one. So the clients are disconnected without waiting for other changes or for the store.
   *
   * @param generation of the config that was deleted; `''` if there was none
   */
  async removedElsewhere (name: string, generation: string): Promise<void> {
    const config = this.#effective.get(name)
    const isSameGeneration = config === undefined ? this.#byDefault !== null : (config.generation ?? '') === generation
    if (!isSameGeneration) return
    this.#effective.delete(name)
    this.#listener?.instanceRemovedElsewhere(name)
  }

  /**
   * Applies the stored config of a name, which another node may have changed. Changes by this node are effective
   * already.
   */
  async refresh (name: string): Promise<void> {
    // The scheduled read will see the newest config.
    if (this.#scheduledReads.has(name)) return
    this.#scheduledReads.add(name)
    await this.#inSequence(name, async () => {
      this.#scheduledReads.delete(name)
      await this.#apply(name, await this.#store.get(name))
    })
  }

  async #apply (name: string, stored: StoredConfig | null): Promise<void> {
    const before = this.#effective.get(name)
    if (stored?.unreadable !== undefined) {
      // Who is served stays so: that is better than nothing, and the store has logged what to do.
      const isServed = before !== undefined || (this.#isLoaded && this.#byDefault !== null)
      if (!isServed) this.#unreadable.set(name, stored.unreadable)
      return
    }
    this.#unreadable.delete(name)
    if (stored === null) {
      if (this.#effective.delete(name)) this.#listener?.instanceRemovedElsewhere(name)
      return
    }
    const config = this.#effectiveOf(stored)
    // The instance was removed and set again, so its clients belong to the old one.
    if (before !== undefined && before.generation !== config.generation) this.#listener?.instanceRemovedElsewhere(name)
    this.#effective.set(name, config)
    if (before !== undefined && isSame(before, config)) return
    await this.#listener?.configChanged(name)
  }

  /** Names that have an effective config. */
  names (): Iterable<string> {
    return this.#effective.keys()
  }

  /** In the root's stream, events of this name with an id up to the result belong to a former instance. */
  since (name: string): string {
    return this.#effective.get(name)?.since ?? ''
  }

  /**
   * Whether an instance is served, and sends the given event.
   *
   * @throws STORE_UNAVAILABLE where its config cannot be read
   */
  status (name: string, event?: EventType): InstanceStatus {
    const config = this.#effective.get(name) ?? this.#byDefault
    if (this.#unreadable.size > 0) this.#checkReadable(name, this.#unreadable.get(name))
    if (config === null) return 'not-set'
    if (!config.enabled) return 'instance-disabled'
    return event !== undefined && !includes(config.events, event) ? 'filtered' : 'served'
  }

  /** @throws STORE_UNAVAILABLE */
  #checkReadable (name: string, unreadable: string | undefined): void {
    if (unreadable !== undefined) throw new errors.STORE_UNAVAILABLE(`instance "${excerpt(name)}": ${unreadable}`)
  }

  /** @throws INVALID_NAME, INVALID_DATA, UNKNOWN_EVENT */
  async set (instance: string, input: InstanceConfigInput): Promise<SetResult> {
    const name = instanceName(instance)
    const given = this.#read(input)
    return await this.#inSequence(name, async () => {
      const before = await this.#store.get(name)
      // Another node may have emitted for the former instance while it was removed. Those events must not be in the
      // history of the new one.
      if (before === null && this.#byDefault === null) await this.#history.remove(name)
      const since = before === null ? this.#history.head(null) : before.since
      const stored = await this.#store.set(name, { ...given, since })
      this.#checkReadable(name, stored.unreadable)
      const config = this.#effectiveOf(stored)
      this.#unreadable.delete(name)
      this.#effective.set(name, config)
      await this.#listener?.configChanged(name)
      return { config: this.#shown(name, config), created: before === null }
    })
  }

  /** @throws INVALID_NAME, STORE_UNAVAILABLE */
  async find (instance: string): Promise<InstanceConfig | null> {
    const name = instanceName(instance)
    const stored = await this.#store.get(name)
    this.#checkReadable(name, stored?.unreadable)
    return stored === null ? null : this.#shown(name, this.#effectiveOf(stored))
  }

  /** @throws INVALID_NAME */
  async remove (instance: string): Promise<boolean> {
    const name = instanceName(instance)
    return await this.#inSequence(name, async () => {
      // Fails if the store is still unavailable, before anything is deleted.
      if (!this.#isLoaded) await this.#store.get(name)
      const before = this.#effective.get(name)
      this.#effective.delete(name)
      try {
        // Delete the config last: an interrupted removal can be repeated, and no new instance gets the old history.
        await this.#listener?.instanceRemoved(name)
        await this.#history.remove(name)
        const hadConfig = await this.#store.delete(name)
        this.#unreadable.delete(name)
        return hadConfig
      } catch (err) {
        if (before !== undefined) this.#effective.set(name, before)
        throw err
      }
    })
  }

  async * list (): AsyncGenerator<InstanceConfig> {
    for await (const [name, stored] of this.#store.list()) yield this.#shown(name, this.#effectiveOf(stored))
  }

  /** Runs the changes of one name in sequence, because `set` reads the config before it writes. */
  async #inSequence<T> (name: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(name)
    const run = before === undefined ? change() : before.then(change, change)
    this.#changes.set(name, run)
    this.#changedDuringRead?.add(name)
    try {
      return await run
    } finally {
      if (this.#changes.get(name) === run) this.#changes.delete(name)
    }
  }

  #read (input: InstanceConfigInput): ConfigChange {
    try {
      return this.#checked(input)
    } catch (thrown) {
      throw unreadable('the config of an instance', thrown)
    }
  }

  #checked (input: InstanceConfigInput): ConfigChange {
    if (typeof input !== 'object' || input === null) {
      throw new errors.INVALID_DATA('the config of an instance must be { enabled, events? }')
    }
    const { enabled, events, ...unknown } = input
    const [key] = Object.keys(unknown)
    if (key !== undefined) {
      throw new errors.INVALID_DATA(`the config of an instance has enabled and events, and not "${excerpt(key)}"`)
    }
    if (typeof enabled !== 'boolean') throw new errors.INVALID_DATA('enabled must be true or false')
    if (events !== undefined && !Array.isArray(events)) {
      throw new errors.INVALID_DATA('events must be a list of event names')
    }
    const set = eventSet(this.#catalogue, (events ?? []).map((name: string) => this.#catalogue.get(name)))
    // Evolution's manager sends an empty list when it disables an instance. The stored list is kept then.
    const keepEvents = events === undefined || (!enabled && events.length === 0)
    return { enabled, events: set === null ? null : this.#constants(set), keepEvents }
  }

  #effectiveOf ({ enabled, events, generation, since }: StoredConfig): EffectiveConfig {
    if (events === null) return { enabled, events: null, generation, since }
    // Stored names may be missing from a later catalogue.
    const known = events.map(name => this.#catalogue.find(name)).filter(event => event !== undefined)
    return { enabled, events: new EventBits(this.#catalogue, known), generation, since }
  }

  #shown (instance: string, { enabled, events }: EffectiveConfig): InstanceConfig {
    return { instance, enabled, events: this.#constants(events) }
  }

  #constants (set: EventSet): string[] {
    return listEvents(this.#catalogue, set).map(({ constant }) => constant)
  }
}

const isSame = (a: EffectiveConfig, b: EffectiveConfig): boolean =>
  a.enabled === b.enabled && a.events?.key === b.events?.key
