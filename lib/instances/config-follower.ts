import type { FastifyBaseLogger } from 'fastify'
import { errors } from '../errors.js'
import { inTime, START_TIMEOUT, TimedOut } from '../host/in-time.js'
import type { Instances } from './instances.js'
import type { ConfigStore } from '../stores/store.js'

interface Parts {
  readonly instances: Pick<Instances, 'load' | 'refresh' | 'removedElsewhere'>
  readonly configs: ConfigStore
  readonly logger: Pick<FastifyBaseLogger, 'warn'>
}

/**
 * Keeps the effective configs equal to those in the store: loads them at the start, and follows changes by other nodes.
 * If the store is unavailable at the start, they are loaded once it is available. A config that could not be read is
 * read again at the store's next notification.
 */
export class ConfigFollower {
  readonly #parts: Parts
  // Names whose configs could not be read
  readonly #failedNames = new Set<string>()
  /** True if the last load of all configs failed. */
  #isStale = false
  #reading: Promise<void> | null = null
  /** True if all configs must be loaded once more after the current load. */
  #mustReload = false

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Loads the configs. If the store is unavailable, and will notify when it is available, resolves without them.
   *
   * @throws the errors of the store
   */
  async start (): Promise<void> {
    const { configs, instances, logger } = this.#parts
    if (configs.watch === undefined) {
      await instances.load()
      return
    }
    // Watch before loading, so that no change in between is missed.
    configs.watch((name, removed) => { this.#onChange(name, removed) })
    try {
      await inTime(this.#readAll(), START_TIMEOUT)
    } catch (err) {
      if (!(err instanceof errors.STORE_UNAVAILABLE || err instanceof TimedOut)) throw err
      logger.warn(
        { err },
        'the store is unavailable: until it is available, clients are refused with retry: true, and emitted events are queued'
      )
    }
  }

  #onChange (name: string | null, removed: string | undefined): void {
    if (name !== null && removed !== undefined) {
      this.#parts.instances.removedElsewhere(name, removed).catch((err: unknown) => { this.#failed(err, name) })
    }
    if (name === null || this.#isStale) {
      this.#readAll().catch((err: unknown) => { this.#failed(err) })
      return
    }
    const due = [...this.#failedNames, name]
    this.#failedNames.clear()
    for (const name of due) void this.#read(name)
  }

  async #read (name: string): Promise<void> {
    try {
      await this.#parts.instances.refresh(name)
    } catch (err) {
      this.#failedNames.add(name)
      this.#failed(err, name)
    }
  }

  /** A request during a load starts another one: the current list may be older than the request. */
  async #readAll (): Promise<void> {
    if (this.#reading === null) this.#reading = this.#readRounds().finally(() => { this.#reading = null })
    else this.#mustReload = true
    await this.#reading
  }

  async #readRounds (): Promise<void> {
    do {
      this.#mustReload = false
      this.#failedNames.clear()
      try {
        await this.#parts.instances.load()
        this.#isStale = false
      } catch (err) {
        this.#isStale = true
        // A failure in between does not matter if another load follows.
        if (!this.#mustReload) throw err
      }
    } while (this.#mustReload)
  }

  #failed (err: unknown, instance?: string): void {
    this.#parts.logger.warn(
      { err, instance },
      'configs that another node may have changed could not be read: they are read again at the store\'s next notification'
    )
  }
}
