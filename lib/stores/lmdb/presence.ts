import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { errors } from '../../errors.js'
import type { StoreLogger } from '../store.js'

/** How often to check whether the file exists, in ms. */
const CHECK_PERIOD = 1000

/**
 * Checks that the file of a store is still at its path. If the file is deleted or replaced, LMDB keeps writing to the
 * old one without an error, and its data is lost when the process ends.
 */
export class Presence {
  readonly #path: string
  readonly #logger: StoreLogger
  readonly #opened: Pick<BigIntStats, 'dev' | 'ino'>
  readonly #timer: NodeJS.Timeout
  #exists = true
  #isChecking = false
  #isClosed = false

  /** @param path of the file, which LMDB has open */
  constructor (path: string, logger: StoreLogger) {
    this.#path = path
    this.#logger = logger
    this.#opened = statSync(path, { bigint: true })
    this.#timer = setInterval(() => { void this.#look() }, CHECK_PERIOD).unref()
  }

  get isThere (): boolean {
    return this.#exists
  }

  /** @throws STORE_UNAVAILABLE when the file was deleted or replaced */
  check (): void {
    if (!this.#exists) {
      throw new errors.STORE_UNAVAILABLE(`${this.#path} was deleted or replaced: put it back, or restart this process`)
    }
  }

  async #look (): Promise<void> {
    // If the file system does not answer, do not start another check.
    if (this.#isChecking) return
    this.#isChecking = true
    const found = await stat(this.#path, { bigint: true }).catch(({ code }: NodeJS.ErrnoException) => code)
    this.#isChecking = false
    // After the store is closed, its file may be deleted.
    if (this.#isClosed) return
    // An error such as EIO or EMFILE does not show that the file is missing.
    if (typeof found === 'object') this.#found(found.ino === this.#opened.ino && found.dev === this.#opened.dev)
    else if (found === 'ENOENT' || found === 'ENOTDIR') this.#found(false)
  }

  #found (isThere: boolean): void {
    if (isThere === this.#exists) return
    this.#exists = isThere
    const path = this.#path
    if (isThere) this.#logger.warn({ path }, 'the file of the store is back where it was: events are accepted again')
    else this.#logger.error({ path }, 'the file of the store was deleted or replaced: no event is accepted')
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }
}
