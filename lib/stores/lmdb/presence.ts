import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { errors } from '../../errors.js'
import type { StoreLogger } from '../store.js'

/** How often it is looked whether the file is there, in ms. */
const LOOK_EVERY = 1000

/**
 * Watches whether the file of a store is where it was opened. LMDB writes on to a file that was deleted or replaced,
 * as the system lets it, and all of that is gone with the process.
 */
export class Presence {
  readonly #path: string
  readonly #logger: StoreLogger
  readonly #opened: Pick<BigIntStats, 'dev' | 'ino'>
  readonly #timer: NodeJS.Timeout
  #isThere = true
  #isLooking = false
  #isClosed = false

  /** @param path of the file, which is open */
  constructor (path: string, logger: StoreLogger) {
    this.#path = path
    this.#logger = logger
    this.#opened = statSync(path, { bigint: true })
    this.#timer = setInterval(() => { void this.#look() }, LOOK_EVERY).unref()
  }

  get isThere (): boolean {
    return this.#isThere
  }

  /** @throws STORE_UNAVAILABLE when the file is not there */
  check (): void {
    if (!this.#isThere) {
      throw new errors.STORE_UNAVAILABLE(`${this.#path} was deleted or replaced: put it back, or restart this process`)
    }
  }

  async #look (): Promise<void> {
    // A file system that does not answer must not have one question more each second.
    if (this.#isLooking) return
    this.#isLooking = true
    const found = await stat(this.#path, { bigint: true }).catch(({ code }: NodeJS.ErrnoException) => code)
    this.#isLooking = false
    // Whoever has closed a store may delete its file.
    if (this.#isClosed) return
    // What cannot be asked just now (EIO, EMFILE) is no answer.
    if (typeof found === 'object') this.#found(found.ino === this.#opened.ino && found.dev === this.#opened.dev)
    else if (found === 'ENOENT' || found === 'ENOTDIR') this.#found(false)
  }

  #found (isThere: boolean): void {
    if (isThere === this.#isThere) return
    this.#isThere = isThere
    const path = this.#path
    if (isThere) this.#logger.warn({ path }, 'the file of the store is back where it was: events are accepted again')
    else this.#logger.error({ path }, 'the file of the store was deleted or replaced: no event is accepted')
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }
}
