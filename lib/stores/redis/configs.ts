import { randomUUID } from 'node:crypto'
import { errors } from '../../errors.js'
import type { ConfigStore, StoredConfig, StoreLogger } from '../store.js'
import type { Link } from './link.js'
import { scripts } from './scripts.js'

/** Configs that are read at once when they are listed, and put back at once. */
const PAGE = 500

/**
 * Configs in a hash, from name to JSON. Its key is also the channel where the names of those that change are told.
 *
 * What this node has seen of it is kept here: should Redis lose the hash, the nodes put it back.
 */
export class RedisConfigStore implements ConfigStore {
  readonly #link: Link
  readonly #key: string
  readonly #logger: StoreLogger
  // Map(name -> JSON)
  readonly #known = new Map<string, string>()
  /** What the hash is called that is known. */
  #hash = ''
  #changed: (name: string | null) => void = () => {}

  constructor (link: Link, key: string, logger: StoreLogger) {
    this.#link = link
    this.#key = key
    this.#logger = logger
  }

  /** @throws STORE_UNAVAILABLE */
  async get (name: string): Promise<StoredConfig | null> {
    const json = await this.#link.ask(async client => await client.hget(this.#key, name))
    if (json === null) this.#known.delete(name)
    else this.#known.set(name, json)
    return json === null ? null : parsed(name, json)
  }

  /** @throws STORE_UNAVAILABLE */
  async set (name: string, { enabled, events }: StoredConfig): Promise<void> {
    const json = JSON.stringify({ enabled, events })
    await this.#link.askScript(scripts.setConfig, [this.#key], [name, json])
    this.#known.set(name, json)
  }

  /** @throws STORE_UNAVAILABLE */
  async delete (name: string): Promise<boolean> {
    const count = await this.#link.askScript(scripts.deleteConfig, [this.#key], [name])
    this.#known.delete(name)
    return count === 1
  }

  /** @throws STORE_UNAVAILABLE */
  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    await this.#restore()
    const before = [...this.#known.keys()]
    // Redis gives a name twice when the hash grows meanwhile.
    const listed = new Map<string, string>()
    let cursor = '0'
    do {
      const [next, page] = await this.#link.ask(async client => await client.hscan(this.#key, cursor, 'COUNT', PAGE))
      for (let at = 0; at + 1 < page.length; at += 2) {
        const [name = '', json = ''] = page.slice(at, at + 2)
        if (name === '' || listed.has(name)) continue
        listed.set(name, json)
        yield [name, parsed(name, json)]
      }
      cursor = next
    } while (cursor !== '0')
    for (const name of before) if (!listed.has(name)) this.#known.delete(name)
    // What was set meanwhile is newer.
    for (const [name, json] of listed) if (!this.#known.has(name)) this.#known.set(name, json)
  }

  /** Puts back what Redis has lost, if it has. */
  async #restore (): Promise<void> {
    const known = [...this.#known].flat()
    const before = this.#hash
    let restored = 0
    for (let at = 0; at === 0 || at < known.length; at += 2 * PAGE) {
      const [name, count] = await this.#link.askScript(scripts.restoreConfigs, [this.#key], [before, randomUUID(), ...known.slice(at, at + 2 * PAGE)]) as [Buffer, number]
      this.#hash = String(name)
      restored += count
      if (this.#hash === before) break
    }
    if (restored > 0) this.#logger.warn({ configs: restored }, 'Redis had lost configs of instances: those that this node knew were put back')
  }

  watch (changed: (name: string | null) => void): void {
    this.#changed = changed
  }

  /** A name was told on the channel; `null`: some may have been missed. */
  told (name: string | null): void {
    this.#changed(name)
  }
}

function parsed (name: string, json: string): StoredConfig {
  try {
    const { enabled, events } = JSON.parse(json) as StoredConfig
    if (typeof enabled !== 'boolean' || !(events === null || Array.isArray(events))) throw new Error(json)
    return { enabled, events }
  } catch (error) {
    throw new errors.STORE_UNAVAILABLE(`Redis: the config of "${name}" is damaged`, { cause: error })
  }
}
