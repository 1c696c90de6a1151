import { callHost, hostFailed } from '../host/host-call.js'
import { changedConfig } from './changed.js'
import type { ConfigChange, ConfigStore, HostConfigs, StoredConfig } from './store.js'

/**
 * Adapts the option `configs` to a {@link ConfigStore}. The results of the application's functions are validated, their
 * errors become coded errors, and each call has 10 s.
 */
export class HostConfigStore implements ConfigStore {
  readonly #host: HostConfigs

  constructor (host: HostConfigs) {
    this.#host = host
  }

  async get (name: string): Promise<StoredConfig | null> {
    const found = await this.#ask('get', async () => await this.#host.get(name))
    return found === null || found === undefined ? null : this.#checked('get', name, found)
  }

  async set (name: string, change: ConfigChange): Promise<StoredConfig> {
    const config = changedConfig(change, change.keepEvents === true ? await this.get(name) : null)
    await this.#ask('set', async () => await this.#host.set(name, config))
    return config
  }

  async delete (name: string): Promise<boolean> {
    return await this.#ask('delete', async () => await this.#host.delete(name)) === true
  }

  async * list (): AsyncGenerator<readonly [string, StoredConfig]> {
    const entries = await this.#ask('list', async () => {
      const all: unknown[] = []
      for await (const entry of await this.#host.list()) all.push(entry)
      return all
    })
    for (const entry of entries) yield this.#checkedEntry(entry)
  }

  #checkedEntry (entry: unknown): readonly [string, StoredConfig] {
    const [name, config] = Array.isArray(entry) ? entry as unknown[] : []
    if (typeof name !== 'string') throw failed('list', 'it must give pairs of [name, { enabled, events }]')
    return [name, this.#checked('list', name, config)]
  }

  async #ask<Answer> (call: keyof HostConfigs, ask: () => Promise<Answer>): Promise<Answer> {
    return await callHost(`configs: ${call}`, ask)
  }

  #checked (call: keyof HostConfigs, name: string, config: unknown): StoredConfig {
    const found = typeof config === 'object' && config !== null ? config : {}
    const { enabled, events, since } = found as Partial<StoredConfig>
    const isList = events === null || (Array.isArray(events) && events.every(event => typeof event === 'string'))
    if (typeof enabled !== 'boolean' || !isList) {
      throw failed(call, `its config of "${name}" is no { enabled: boolean, events: string[] | null }`)
    }
    return { enabled, events, ...(typeof since === 'string' && { since }) }
  }
}

const failed = (call: keyof HostConfigs, why: string): Error => hostFailed(`configs: ${call}`, why)
