import type { EventLog, StreamName, Watch } from '../../lib/log/event-log.js'
import type { Store } from '../../lib/stores/store.js'
import { latch, type Latch } from '../helpers/latch.js'

/** Something that is held up while a test wants it to be. */
export class Gate {
  /** How many have come to it while it was closed. */
  held = 0
  #latch: Latch | undefined

  close (): void {
    this.#latch = latch()
  }

  open (): void {
    this.#latch?.open()
    this.#latch = undefined
  }

  get isClosed (): boolean {
    return this.#latch !== undefined
  }

  async pass (): Promise<void> {
    if (this.#latch === undefined) return
    this.held++
    await this.#latch.opened
  }
}

/** What a test holds up in a store, and sees of it, for one stream. */
export class StoreGates {
  /** Before a watch is ready. */
  readonly watch = new Gate()
  /** Before a page of the past is read. */
  readonly read = new Gate()
  /** Watches that are open. */
  watches = 0
  readonly #stream: StreamName

  constructor (stream: StreamName) {
    this.#stream = stream
  }

  /** The same store, with the stream behind the gates. */
  around (store: Store): Store {
    return {
      ...store,
      open: async options => {
        const open = await store.open(options)
        return { ...open, log: this.#gated(open.log), close: async () => { await open.close() } }
      }
    }
  }

  #gated (log: EventLog): EventLog {
    return {
      head: stream => log.head(stream),
      wants: streams => log.wants(streams),
      append: (streams, record) => log.append(streams, record),
      read: (stream, after, maxBytes) => this.#read(log, stream, after, maxBytes),
      watch: (stream, listener, onGap) => this.#watch(stream, log.watch(stream, listener, onGap)),
      remove: async stream => { await log.remove(stream) },
      drained: async () => { await log.drained() },
      stats: () => log.stats()
    }
  }

  #read (log: EventLog, ...asked: Parameters<EventLog['read']>): ReturnType<EventLog['read']> {
    if (asked[0] !== this.#stream || !this.read.isClosed) return log.read(...asked)
    return this.read.pass().then(() => log.read(...asked))
  }

  #watch (stream: StreamName, watch: Watch): Watch {
    if (stream !== this.#stream) return watch
    this.watches++
    let isOpen = true
    const held = this.watch.isClosed ? this.watch.pass() : undefined
    const ready = held === undefined ? watch.ready : held.then(() => watch.ready)
    return {
      ...(ready !== undefined && { ready }),
      close: () => {
        if (isOpen) this.watches--
        isOpen = false
        watch.close()
      }
    }
  }
}
