import type { FastifyBaseLogger } from 'fastify'
import { errors } from '../errors.js'
import { inTime, START_PATIENCE, TookTooLong } from '../host/in-time.js'
import type { Instances } from './instances.js'
import type { ConfigStore } from '../stores/store.js'

interface Parts {
  readonly instances: Pick<Instances, 'load' | 'refresh' | 'removedElsewhere'>
  readonly configs: ConfigStore
  readonly logger: Pick<FastifyBaseLogger, 'warn'>
}

/**
 * Keeps the effective configs as the store has them: those that it has at the start, and what other nodes change. A
 * store that is away at the start is read when it comes. What could not be read is read at the next word of the store.
 */
export class ConfigFollower {
  readonly #parts: Parts
  // Names that could not be read
  readonly #unread = new Set<string>()
  /** Whether all could not be read the last time. */
  #isStale = false
  #reading: Promise<void> | null = null
  /** Whether all are to be read once more, after they are read now. */
  #again = false

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /**
   * Reads the configs. Resolves without them when the store is away and is to tell when it comes.
   *
   * @throws what the store throws
   */
  async start (): Promise<void> {
    const { configs, instances, logger } = this.#parts
    if (configs.watch === undefined) {
      await instances.load()
      return
    }
    // First, or what is changed in between would be missed.
    configs.watch((name, removed) => { this.#told(name, removed) })
    try {
      await inTime(this.#readAll(), START_PATIENCE)
    } catch (err) {
      if (!(err instanceof errors.STORE_UNAVAILABLE || err instanceof TookTooLong)) throw err
      logger.warn(
        { err },
        'the store is away: this node serves when it comes. Until then clients are told to come back, and what is emitted waits'
      )
    }
  }

  #told (name: string | null, removed: string | undefined): void {
    if (name !== null && removed !== undefined) {
      this.#parts.instances.removedElsewhere(name, removed).catch((err: unknown) => { this.#failed(err, name) })
    }
    if (name === null || this.#isStale) {
      this.#readAll().catch((err: unknown) => { this.#failed(err) })
      return
    }
    const due = [...this.#unread, name]
    this.#unread.clear()
    for (const name of due) void this.#read(name)
  }

  async #read (name: string): Promise<void> {
    try {
      await this.#parts.instances.refresh(name)
    } catch (err) {
      this.#unread.add(name)
      this.#failed(err, name)
    }
  }

  /** Whoever asks while all are being read wants them read once more: the list may be from before. */
  async #readAll (): Promise<void> {
    if (this.#reading === null) this.#reading = this.#readRounds().finally(() => { this.#reading = null })
    else this.#again = true
    await this.#reading
  }

  async #readRounds (): Promise<void> {
    do {
      this.#again = false
      this.#unread.clear()
      try {
        await this.#parts.instances.load()
        this.#isStale = false
      } catch (err) {
        this.#isStale = true
        // It came in the middle: the next round tells.
        if (!this.#again) throw err
      }
    } while (this.#again)
  }

  #failed (err: unknown, instance?: string): void {
    this.#parts.logger.warn(
      { err, instance },
      'configs that another node may have changed could not be read: they are read at the next word of the store'
    )
  }
}
