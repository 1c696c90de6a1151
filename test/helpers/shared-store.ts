import { errors } from '../../lib/errors.js'
import { type EventLog, type GapListener, type LogListener, sizeOf, type StreamName, type Watch } from '../../lib/log/event-log.js'
import { MemoryConfigStore } from '../../lib/stores/memory/configs.js'
import { MemoryLog } from '../../lib/stores/memory/log.js'
import type { ConfigStore, OpenOptions, OpenStore, PendingLimits, Store } from '../../lib/stores/store.js'
import { later } from './stores.js'

const HOUR = 3_600_000
const MiB = 1024 * 1024
const retention = { maxAge: HOUR, maxEvents: 10_000, maxBytes: 64 * MiB }

const isAway = (): Error => new errors.STORE_UNAVAILABLE('it is away')

/** A watch of a node. */
interface Watching {
  readonly stream: StreamName
  readonly listener: LogListener
  readonly onGap: GapListener
  /** In the log, once it is ready. */
  inner: Watch | undefined
  isClosed: boolean
}

/** Something that waits for the store to come back. */
interface Waiter {
  readonly node: Node
  readonly go: () => void
  readonly fail: (error: Error) => void
}

/** One store that several nodes of this process share, as over a network: nothing comes at once, and it can be away. */
export class SharedStore {
  #now = () => Date.now()
  log = this.#newLog()
  readonly configs = new MemoryConfigStore()
  readonly nodes: Node[] = []
  readonly watching = new Set<Watching>()
  /** Messages of nodes to each other. */
  readonly told: string[] = []
  isAway = false
  /** Watches are not ready before this. */
  watchesReady: Promise<void> = Promise.resolve()
  /** Nothing is remembered before this, whether the store is away or not. */
  logReady: Promise<void> = Promise.resolve()
  #waiters: Waiter[] = []

  #newLog (): MemoryLog {
    return new MemoryLog({ retention, maxTotalBytes: 256 * MiB, now: this.#now })
  }

  /** The store as the next node opens it. */
  node (): Store {
    return {
      name: 'shared:',
      retention,
      open: async ({ limits }: OpenOptions): Promise<OpenStore> => {
        const node = new Node(this, limits ?? { pendingEvents: 0, pendingBytes: 0 })
        this.nodes.push(node)
        return node.open()
      }
    }
  }

  away (): void {
    this.isAway = true
  }

  back (): void {
    this.isAway = false
    for (const { go } of this.#waiters.splice(0)) go()
    for (const { changed } of this.nodes) changed(null)
  }

  /** Resolves when the store is there for a node. @throws STORE_UNAVAILABLE when the node is closed before */
  async there (node: Node): Promise<void> {
    if (!this.isAway) return
    if (node.isClosed) throw isAway()
    await new Promise<void>((resolve, reject) => { this.#waiters.push({ node, go: resolve, fail: reject }) })
  }

  /** Lets a node wait no longer. */
  closed (node: Node): void {
    for (const waiter of this.#waiters) if (waiter.node === node) waiter.fail(isAway())
    this.#waiters = this.#waiters.filter(waiter => waiter.node !== node)
  }

  /** An answer of the store, in a later turn. @throws STORE_UNAVAILABLE while it is away */
  async answer<T> (give: () => Promise<T>): Promise<T> {
    await later()
    if (this.isAway) throw isAway()
    return await give()
  }

  /** Tells every node that a config has changed. */
  changed (name: string | null): void {
    for (const node of this.nodes) node.changed(name)
  }

  /** Begins anew with nothing, and with ids that are less than those before. */
  gap (): void {
    const now = this.#now
    this.#now = () => now() - HOUR
    this.log.close()
    this.log = this.#newLog()
    for (const watching of this.watching) {
      if (watching.inner === undefined) continue
      watching.inner = this.log.watch(watching.stream, watching.listener)
      watching.onGap(this.log.head())
    }
  }
}

/** What one node has open. */
class Node {
  readonly #shared: SharedStore
  readonly #limits: PendingLimits
  /** What is appended goes in this order. */
  #last: Promise<unknown> = Promise.resolve()
  #pendingEvents = 0
  #pendingBytes = 0
  isClosed = false
  changed: (name: string | null) => void = () => {}
  heard: (message: string) => void = () => {}
  /** What it has asked of the configs. */
  readonly asked: string[] = []

  constructor (shared: SharedStore, limits: PendingLimits) {
    this.#shared = shared
    this.#limits = limits
  }

  open (): OpenStore {
    const shared = this.#shared
    return {
      log: this.#log(),
      configs: this.#configs(),
      peers: {
        tell: async message => {
          await shared.answer(async () => { shared.told.push(message) })
          for (const node of shared.nodes) node.heard(message)
        },
        listen: listener => { this.heard = message => { if (!this.isClosed) listener(message) } }
      },
      health: () => ({ available: !shared.isAway, pendingEvents: this.#pendingEvents, pendingBytes: this.#pendingBytes }),
      close: async () => {
        this.isClosed = true
        shared.closed(this)
      }
    }
  }

  #configs (): ConfigStore {
    const shared = this.#shared
    const { configs, asked } = { configs: shared.configs, asked: this.asked }
    const told = (name: string) => { void later().then(() => { shared.changed(name) }) }
    return {
      get: async name => {
        asked.push(`get ${name}`)
        return await shared.answer(async () => await configs.get(name))
      },
      set: async (name, change) => {
        const stored = await shared.answer(async () => await configs.set(name, change))
        told(name)
        return stored
      },
      delete: async name => {
        const was = await shared.answer(async () => await configs.delete(name))
        if (was) told(name)
        return was
      },
      async * list () {
        asked.push('list')
        await shared.answer(async () => {})
        yield * configs.list()
      },
      watch: changed => { this.changed = name => { if (!this.isClosed) changed(name) } }
    }
  }

  #log (): EventLog {
    const shared = this.#shared
    const append: EventLog['append'] = (streams, record) => {
      const bytes = sizeOf(record)
      const { pendingEvents, pendingBytes } = this.#limits
      if (shared.isAway && ((pendingEvents !== 0 && this.#pendingEvents >= pendingEvents) || (pendingBytes !== 0 && this.#pendingBytes + bytes > pendingBytes))) throw new errors.PENDING_FULL()
      this.#pendingEvents++
      this.#pendingBytes += bytes
      const done = this.#last.then(later).then(async () => {
        await shared.logReady
        await shared.there(this)
      }).then(() => shared.log.append(streams, record)).finally(() => {
        this.#pendingEvents--
        this.#pendingBytes -= bytes
      })
      this.#last = done.catch(() => {})
      return done
    }
    return {
      append,
      head: () => shared.log.head(),
      wants: streams => streams.length > 0,
      read: async (stream, after, maxBytes) => {
        await later()
        if (shared.isAway) throw isAway()
        return shared.log.read(stream, after, maxBytes)
      },
      watch: (stream, listener, onGap = () => {}) => this.#watch(stream, listener, onGap),
      remove: async stream => { await shared.answer(async () => { await shared.log.remove(stream) }) },
      drained: async () => { await this.#last.then(later) },
      stats: () => shared.log.stats()
    }
  }

  #watch (stream: StreamName, listener: LogListener, onGap: GapListener): Watch {
    const shared = this.#shared
    const watching: Watching = { stream, listener, onGap, inner: undefined, isClosed: false }
    shared.watching.add(watching)
    const ready = later().then(async () => { await shared.there(this) }).then(async () => { await shared.watchesReady }).then(() => {
      if (!watching.isClosed) watching.inner = shared.log.watch(stream, listener)
    })
    return {
      ready,
      close: () => {
        watching.isClosed = true
        watching.inner?.close()
        shared.watching.delete(watching)
      }
    }
  }
}
