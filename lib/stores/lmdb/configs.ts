import type { Database } from 'lmdb'
import { errors } from '../../errors.js'
import { changedConfig } from '../changed.js'
import type { ConfigChange, ConfigStore, StoredConfig } from '../store.js'
import type { Committer } from './commit.js'
import type { Presence } from './presence.js'

/** Configs that are read at a time when they are listed, so that a long list does not hold the others up. */
const PAGE = 256

/** Configs beside the log, in the same file. */
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

  /** @throws STORE_UNAVAILABLE when it is closed */
  async get (name: string): Promise<StoredConfig | null> {
    this.#checkOpen()
    return this.#kept.get(name) ?? null
  }

  /** @throws STORE_UNAVAILABLE when it could not be written, or its file was deleted */
  async set (name: string, change: ConfigChange): Promise<StoredConfig> {
    this.#checkOpen()
    const config = changedConfig(change, this.#kept.get(name))
    await this.#written(() => this.#kept.put(name, config))
    return config
  }

  /** @throws STORE_UNAVAILABLE when it could not be written */
  async delete (name: string): Promise<boolean> {
    this.#checkOpen()
    const existed = this.#kept.doesExist(name)
    if (existed) await this.#written(() => this.#kept.remove(name))
    return existed
  }

  /** Takes nothing more. lmdb would end the process for what is put where it is closed. */
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
