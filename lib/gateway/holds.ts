import type { EventLog, StreamName, Watch } from '../log/event-log.js'

/** Keeps a stream watched. */
export interface Hold {
  /** Resolves when nothing more can be missed; `undefined` where that is so already. */
  readonly ready: Promise<void> | undefined
  release(): void
}

/** One watch for all who hold a stream. */
interface Entry {
  readonly watch: Watch
  ready: Promise<void> | undefined
  holders: number
}

/** Nothing is brought to whoever only holds a stream. */
const ignore = (): void => {}

/** Keeps streams watched while clients are on their way in: from their check to their join nothing can be missed. */
export class Holds {
  readonly #log: EventLog
  // Map(stream -> its watch)
  readonly #entries = new Map<StreamName, Entry>()

  constructor (log: EventLog) {
    this.#log = log
  }

  /** To be released by whoever takes it, and once is enough. */
  take (stream: StreamName): Hold {
    const entry = this.#entryOf(stream)
    entry.holders++
    let isHeld = true
    return {
      ready: entry.ready,
      release: () => {
        if (isHeld) this.#release(stream, entry)
        isHeld = false
      }
    }
  }

  #entryOf (stream: StreamName): Entry {
    const known = this.#entries.get(stream)
    if (known !== undefined) return known
    const watch = this.#log.watch(stream, ignore)
    const entry: Entry = { watch, holders: 0, ready: undefined }
    entry.ready = watch.ready?.then(
      () => { entry.ready = undefined },
      (err: unknown) => {
        // Whoever comes next tries anew.
        this.#forget(stream, entry)
        throw err
      }
    )
    this.#entries.set(stream, entry)
    return entry
  }

  #release (stream: StreamName, entry: Entry): void {
    if (--entry.holders > 0) return
    this.#forget(stream, entry)
    entry.watch.close()
  }

  #forget (stream: StreamName, entry: Entry): void {
    if (this.#entries.get(stream) === entry) this.#entries.delete(stream)
  }
}
