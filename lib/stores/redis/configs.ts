import { randomUUID } from 'node:crypto'
import { errors } from '../../errors.js'
import type { ConfigChange, ConfigStore, StoredConfig, StoreLogger } from '../store.js'
import type { Keys } from './keys.js'
import type { Link } from './link.js'
import { idAt } from './position.js'
import { scripts } from './scripts.js'

/** Configs that are read at once when they are listed, and put back at once. */
const PAGE = 500

/**
 * Configs in a hash, from name to `generation JSON`. Its key is also the channel where changes are told: `node s name`
 * where one was set, `node dGENERATION name` where it was deleted.
 *
 * What this node has seen of it is kept here: should Redis lose the hash, the nodes put it back.
 */
export class RedisConfigStore implements ConfigStore {
  readonly #link: Link
  readonly #key: string
  /** Of the state of the root's stream. */
  readonly #root: string
  /** Of this process. */
  readonly #node: string
  readonly #logger: StoreLogger
  // Map(name -> config as it is kept)
  readonly #known = new Map<string, string>()
  /** For each list that is being read, the names that this node has changed or read since it was asked for. */
  readonly #listings = new Set<Set<string>>()
  #restoring: Promise<void> | null = null
  /** What the hash is called that is known. */
  #hash = ''
  #changed: (name: string | null, removed?: string) => void = () => {}

  constructor (link: Link, keys: Keys, node: string, logger: StoreLogger) {
    this.#link = link
    this.#key = keys.configs
    this.#root = keys.stream(null).state
    this.#node = node
    this.#logger = logger
  }

  /** @throws STORE_UNAVAILABLE */
  async get (name: string): Promise<StoredConfig | null> {
    const [kept, hash] = await this.#link.ask(async client => await client.hmget(this.#key, name, ''))
    // In another hash than before it is missing because Redis has lost it.
    if (kept !== null && kept !== undefined) this.#know(name, kept)
    else if (hash === this.#hash) this.#know(name, null)
    return kept === null || kept === undefined ? null : parsed(name, kept)
  }

  /** @throws STORE_UNAVAILABLE */
  async set (name: string, { enabled, events, keepEvents = false }: ConfigChange): Promise<StoredConfig> {
    const kept = String(
      await this.#link.askScript(
        scripts.setConfig,
        [this.#key, this.#root],
        [this.#node, name, String(enabled), JSON.stringify(events), randomUUID(), String(keepEvents)]
      )
    )
    this.#know(name, kept)
    return parsed(name, kept)
  }

  /** @throws STORE_UNAVAILABLE */
  async delete (name: string): Promise<boolean> {
    const count = await this.#link.askScript(scripts.deleteConfig, [this.#key], [this.#node, name])
    this.#know(name, null)
    return count === 1
  }

  #know (name: string, kept: string | null): void {
    for (const newer of this.#listings) newer.add(name)
    if (kept === null) this.#known.delete(name)
    else this.#known.set(name, kept)
  }

  /** @throws STORE_UNAVAILABLE */
  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    await (this.#restoring ??= this.#restore().finally(() => { this.#restoring = null }))
    const before = [...this.#known.keys()]
    const newer = new Set<string>()
    this.#listings.add(newer)
    try {
      // Redis gives a name twice when the hash grows meanwhile.
      const listed = new Map<string, string>()
      for await (const [name, kept] of this.#scan()) {
        if (listed.has(name)) continue
        listed.set(name, kept)
        yield [name, parsed(name, kept)]
      }
      for (const name of before) if (!listed.has(name) && !newer.has(name)) this.#known.delete(name)
      for (const [name, kept] of listed) if (!newer.has(name)) this.#known.set(name, kept)
    } finally {
      this.#listings.delete(newer)
    }
  }

  /** The configs in the hash, as they are kept; one may come twice. */
  async * #scan (): AsyncGenerator<readonly [name: string, kept: string]> {
    let cursor = '0'
    do {
      const [next, page] = await this.#link.ask(async client => await client.hscan(this.#key, cursor, 'COUNT', PAGE))
      for (let at = 0; at + 1 < page.length; at += 2) {
        const [name = '', kept = ''] = page.slice(at, at + 2)
        if (name !== '') yield [name, kept]
      }
      cursor = next
    } while (cursor !== '0')
  }

  /** Puts back what Redis has lost, if it has. */
  async #restore (): Promise<void> {
    const known = [...this.#known].flat()
    const before = this.#hash
    let restored = 0
    for (let at = 0; at === 0 || at < known.length; at += 2 * PAGE) {
      const [name, count] = await this.#link.askScript(
        scripts.restoreConfigs,
        [this.#key],
        [this.#node, before, randomUUID(), ...known.slice(at, at + 2 * PAGE)]
      ) as [Buffer, number]
      this.#hash = String(name)
      restored += count
      if (this.#hash === before) break
    }
    if (restored > 0) {
      this.#logger.warn(
        { configs: restored },
        'Redis had lost configs of instances: those that this node knew were put back'
      )
    }
  }

  watch (changed: (name: string | null, removed?: string) => void): void {
    this.#changed = changed
  }

  /** A change was told on the channel. */
  told (message: string): void {
    const [, node, what, generation, name] = /^(\S+) ([sd])(\S*) (.+)$/s.exec(message) ?? []
    if (name === undefined || node === this.#node) return
    if (what === 'd') this.#changed(name, generation ?? '')
    else this.#changed(name)
  }

  /** Changes may have been missed. */
  missed (): void {
    this.#changed(null)
  }
}

function parsed (name: string, kept: string): StoredConfig {
  try {
    const [, generation = '', json = ''] = /^(\S+) (.*)$/s.exec(kept) ?? []
    const { enabled, events } = JSON.parse(json) as StoredConfig
    if (typeof enabled !== 'boolean' || !(events === null || Array.isArray(events))) throw new Error(kept)
    // A config that an earlier version has kept has none.
    const [, position] = generation.split('@')
    return { enabled, events, generation, ...(position !== undefined && { since: idAt(position, '') }) }
  } catch (error) {
    throw new errors.STORE_UNAVAILABLE(`Redis: the config of "${name}" is damaged`, { cause: error })
  }
}
