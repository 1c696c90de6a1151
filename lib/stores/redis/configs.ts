import { errors } from '../../errors.js'
import type { ConfigStore, StoredConfig } from '../store.js'
import type { Link } from './link.js'
import { scripts } from './scripts.js'

/** Configs that are read at once when they are listed. */
const PAGE = 500

/** Configs in a hash, from name to JSON. Its key is also the channel where the names of those that change are told. */
export class RedisConfigStore implements ConfigStore {
  readonly #link: Link
  readonly #key: string
  #changed: (name: string | null) => void = () => {}

  constructor (link: Link, key: string) {
    this.#link = link
    this.#key = key
  }

  /** @throws STORE_UNAVAILABLE */
  async get (name: string): Promise<StoredConfig | null> {
    const json = await this.#link.ask(async client => await client.hget(this.#key, name))
    return json === null ? null : parsed(name, json)
  }

  /** @throws STORE_UNAVAILABLE */
  async set (name: string, { enabled, events }: StoredConfig): Promise<void> {
    await this.#link.askScript(scripts.setConfig, [this.#key], [name, JSON.stringify({ enabled, events })])
  }

  /** @throws STORE_UNAVAILABLE */
  async delete (name: string): Promise<boolean> {
    return await this.#link.askScript(scripts.deleteConfig, [this.#key], [name]) === 1
  }

  /** @throws STORE_UNAVAILABLE */
  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    // Redis gives a name twice when the hash grows meanwhile.
    const listed = new Set<string>()
    let cursor = '0'
    do {
      const [next, page] = await this.#link.ask(async client => await client.hscan(this.#key, cursor, 'COUNT', PAGE))
      for (let at = 0; at + 1 < page.length; at += 2) {
        const [name = '', json = ''] = page.slice(at, at + 2)
        if (!listed.has(name)) yield [name, parsed(name, json)]
        listed.add(name)
      }
      cursor = next
    } while (cursor !== '0')
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
