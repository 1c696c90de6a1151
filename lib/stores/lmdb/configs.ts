import type { Database } from 'lmdb'
import { errors } from '../../errors.js'
import { changedConfig } from '../changed.js'
import type { ConfigChange, ConfigStore, StoredConfig } from '../store.js'
import type { Committer } from './commit.js'
import type { Presence } from './presence.js'

/** Number of configs that `list` reads at once, so that a long list does not block the event loop. */
const PAGE = 256

/** Stores configs in the same file as the log. */
export class LmdbConfigStore implements ConfigStore {
  readonly #kept: Database<StoredConfig, string>
  readonly #committer: Committer
  readonly #file: Presence
  #isClosed = false

  constructor (kept: Database<StoredConfig, string>, committer: Committer, file: Presence) {
    this.#kept = kept
    this.#committer = committer
    this.#file = file
  }

  /** @throws STORE_UNAVAILABLE when the store is closed */
  async get (name: string): Promise<StoredConfig | null> {
    this.#checkOpen()
    return this.#kept.get(name) ?? null
  }

  /** @throws STORE_UNAVAILABLE when the config could not be written, or the file was deleted */
  async set (name: string, change: ConfigChange): Promise<StoredConfig> {
    this.#checkOpen()
    const config = changedConfig(change, this.#kept.get(name))
    await this.#written(() => this.#kept.put(name, config))
    return config
  }

  /** @throws STORE_UNAVAILABLE when the deletion could not be written */
  async delete (name: string): Promise<boolean> {
    this.#checkOpen()
    const existed = this.#kept.doesExist(name)
    if (existed) await this.#written(() => this.#kept.remove(name))
    return existed
  }

  /** Rejects all later calls. A write to a closed database would make lmdb end the process. */
  close (): void {
    this.#isClosed = true
  }

  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    let after = ''
    for (;;) {
      this.#checkOpen()
      const page = [...this.#kept.getRange({ start: after, exclusiveStart: after !== '', limit: PAGE })]
      const last = page.at(-1)
      if (last === undefined) return
      for (const { key, value } of page) yield [key, value]
      after = last.key
    }
  }

  #checkOpen (): void {
    if (this.#isClosed) throw new errors.STORE_UNAVAILABLE('it is closed')
  }

  async #written (write: () => Promise<unknown>): Promise<void> {
    this.#checkOpen()
    this.#file.check()
    try {
      await this.#committer.flushed(write())
    } catch (error) {
      throw new errors.STORE_UNAVAILABLE(
        `a config could not be written: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error }
      )
    }
  }
}
