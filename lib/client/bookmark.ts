/**
 * Keeps a text under a name: `sessionStorage`, `localStorage`, React Native's `AsyncStorage`, or your own. Where the
 * browser may forbid even to look at it, give `{ getItem: key => localStorage.getItem(key), setItem: … }`.
 */
export interface IdStorage {
  /** The text that is kept under a name; `null` or `undefined` if there is none. */
  getItem: (key: string) => string | null | undefined | Promise<string | null | undefined>
  /** Keeps a text. If it returns a promise, the next one is written after that. */
  setItem: (key: string, value: string) => unknown
}

/** Where one reader of the stream has got to, also when the page or the process is gone. Its storage may fail. */
export class Bookmark {
  readonly #storage: IdStorage | undefined
  readonly #key: string
  readonly #onError: (error: Error) => void
  #id = ''
  #isWriting = false
  #isFailing = false

  /** @param onError told when the storage fails, once until it works again */
  constructor (storage: IdStorage | undefined, key: string, onError: (error: Error) => void) {
    this.#storage = storage
    this.#key = key
    this.#onError = onError
  }

  /** Resolves to the id that was kept; to an empty text where there is none, or it cannot be read. */
  async restore (): Promise<string> {
    try {
      return await this.#storage?.getItem(this.#key) ?? ''
    } catch (cause) {
      this.#fails('read', cause)
      return ''
    }
  }

  /**
   * Written before the event loop turns, if the storage answers at once; to a slow one, the
   * newest after what is under way.
   */
  keep (id: string): void {
    this.#id = id
    if (this.#storage !== undefined && !this.#isWriting) void this.#write(this.#storage)
  }

  async #write (storage: IdStorage): Promise<void> {
    this.#isWriting = true
    try {
      for (let written; written !== this.#id;) {
        written = this.#id
        await storage.setItem(this.#key, written)
      }
      this.#isFailing = false
    } catch (cause) {
      this.#fails('stored', cause)
    } finally {
      this.#isWriting = false
    }
  }

  #fails (verb: string, cause: unknown): void {
    if (!this.#isFailing) this.#onError(new Error(`the id of the last event could not be ${verb}`, { cause }))
    this.#isFailing = true
  }
}
