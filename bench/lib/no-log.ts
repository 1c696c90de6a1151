import { type EventLog, Ids, type LogEntry, type LogListener, type LogPage, type LogRecord, type LogStats, memoryStore, type Store, type StreamName, type Watch } from 'fastify-ws-events/stores'

/** A store that gives ids, tells who watches, and remembers no event: what an event costs without a log. */
export function noLog (): Store {
  const store = memoryStore()
  return {
    ...store,
    name: 'no log',
    open: async options => ({ ...await store.open(options), log: new NoLog() })
  }
}

class NoLog implements EventLog {
  readonly #ids = new Ids()
  // Map(stream -> who watches it)
  readonly #listeners = new Map<StreamName, Set<LogListener>>()

  head (): string {
    return this.#ids.last
  }

  wants (streams: readonly StreamName[]): boolean {
    return streams.some(stream => this.#listeners.has(stream))
  }

  append (streams: readonly StreamName[], record: LogRecord): string {
    const entry: LogEntry = { id: this.#ids.next(), ...record }
    for (const stream of streams) {
      for (const listener of this.#listeners.get(stream) ?? []) listener(entry)
    }
    return entry.id
  }

  read (): LogPage {
    return 'gap'
  }

  watch (stream: StreamName, listener: LogListener): Watch {
    const listeners = this.#listeners.get(stream) ?? new Set()
    this.#listeners.set(stream, listeners.add(listener))
    return {
      ready: Promise.resolve(),
      close: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#listeners.delete(stream)
      }
    }
  }

  async remove (): Promise<void> {}

  async drained (): Promise<void> {}

  stats (): LogStats {
    return { streams: 0, records: 0, bytes: 0 }
  }
}
