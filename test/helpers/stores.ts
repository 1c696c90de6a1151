import type { EventLog, LogPage, StreamName, Watch } from '../../lib/log/event-log.js'
import { memoryStore } from '../../lib/stores/memory/index.js'
import type { Store } from '../../lib/stores/store.js'
import { type Latch, latch } from './latch.js'

/** The memory store with parts of its log replaced: `change` gets the log, and gives what takes the place of its members. */
export function storeWith (change: (log: EventLog) => Partial<EventLog>): Store {
  const memory = memoryStore()
  return {
    ...memory,
    name: 'changed:',
    async open (options) {
      const open = await memory.open(options)
      const { log } = open
      const whole: EventLog = {
        head: stream => log.head(stream),
        wants: streams => log.wants(streams),
        append: (streams, record) => log.append(streams, record),
        read: (stream, after, maxBytes) => log.read(stream, after, maxBytes),
        watch: (stream, listener, onGap) => log.watch(stream, listener, onGap),
        remove: async stream => { await log.remove(stream) },
        drained: async () => { await log.drained() },
        stats: () => log.stats()
      }
      return { ...open, log: { ...whole, ...change(log) } }
    }
  }
}

/** The memory store, which keeps the second page from a reader until `second` is opened. */
export function storeThatPauses (): { readonly store: Store, readonly second: Latch, countFromHere: () => void } {
  const second = latch()
  let pages = 0
  const store = storeWith(log => ({
    read: async (stream, after, maxBytes) => {
      if (++pages === 2) await second.opened
      return log.read(stream, after, maxBytes)
    }
  }))
  return { store, second, countFromHere: () => { pages = 0 } }
}

/** Resolves in a later turn of the event loop. */
export const later = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve) }) }

/** As of a store on another machine: nothing comes at once, and an event is remembered and told a while after it was given. */
export function asyncStore (): Store {
  return storeWith(log => {
    let last = Promise.resolve()
    const append: EventLog['append'] = async (streams, record) => {
      const before = last
      const done = before.then(later).then(() => log.append(streams, record))
      last = done.then(() => {}, () => {})
      return await done
    }
    const read = async (stream: StreamName, after: string, maxBytes: number): Promise<LogPage> => {
      await later()
      return log.read(stream, after, maxBytes)
    }
    const watch: EventLog['watch'] = (stream, listener, onGap) => {
      let isClosed = false
      let inner: Watch | undefined
      const ready = later().then(() => { if (!isClosed) inner = log.watch(stream, listener, onGap) })
      const close = (): void => {
        isClosed = true
        inner?.close()
      }
      return { ready, close }
    }
    return { append, read, watch, drained: async () => { await last } }
  })
}
