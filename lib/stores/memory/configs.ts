import { changedConfig } from '../changed.js'
import type { ConfigChange, ConfigStore, StoredConfig } from '../store.js'

/** Stores configs in memory. They are lost when the process ends. */
export class MemoryConfigStore implements ConfigStore {
  // Map(name -> config)
  readonly #configs = new Map<string, StoredConfig>()

  async get (name: string): Promise<StoredConfig | null> {
    return this.#configs.get(name) ?? null
  }

  async set (name: string, change: ConfigChange): Promise<StoredConfig> {
    const config = changedConfig(change, this.#configs.get(name))
    this.#configs.set(name, config)
    return config
  }

  async delete (name: string): Promise<boolean> {
    return this.#configs.delete(name)
  }

  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    // A copy, because a config that is deleted and set again during the iteration would be listed twice.
    yield * [...this.#configs]
  }
}
