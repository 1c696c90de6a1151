/**
 * Stores a text under a name: `sessionStorage`, `localStorage`, React Native's `AsyncStorage`, or your own. Some
 * browser settings forbid all access to `localStorage`; then give `{ getItem: key => localStorage.getItem(key),
 * setItem: … }`.
 */
export interface IdStorage {
  /** Returns the text stored under a name; `null` or `undefined` if there is none. */
  getItem: (key: string) => string | null | undefined | Promise<string | null | undefined>
  /** Stores a text. If it returns a promise, the next text is stored after that promise has settled. */
  setItem: (key: string, value: string) => unknown
}

/**
 * Stores the id of the last message, so that a client can resume after its page or process has ended. The storage may
 * fail.
 */
export class Bookmark {
  readonly #storage: IdStorage | undefined
  readonly #key: string
  readonly #onError: (error: Error) => void
  #id = ''
  #isWriting = false
  #isFailing = false

  /** @param onError called when the storage fails; not called again until it has worked in between */
  constructor (storage: IdStorage | undefined, key: string, onError: (error: Error) => void) {
    this.#storage = storage
    this.#key = key
    this.#onError = onError
  }

  /** Resolves to the stored id; to an empty string if there is none or the storage fails. */
  async restore (): Promise<string> {
    try {
      return await this.#storage?.getItem(this.#key) ?? ''
    } catch (cause) {
      this.#fails('read', cause)
      return ''
    }
  }

  /**
   * Stores an id. A synchronous storage is written in this tick of the event loop. While an asynchronous storage is
   * writing, only the newest id waits.
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
