import type { Namespace, Server, Socket } from 'socket.io'
import { instanceOfNamespace, namespaceOf } from '../names.js'
import { deleteNamespace, hasNamespace, isArriving, middlewareCount, moveMatcherLast } from './internals.js'

/** Names that are remembered as ours: some MB. With `defaultConfig` there may be any number of instances. */
const MAX_SERVED = 100_000

type Guard = (socket: Socket) => Promise<Error | undefined>

interface Hooks {
  /** Asked for each client before it is in. Resolves to what refuses it, and `undefined` lets it in. */
  readonly guard: Guard
  /** Told of each client that is in. */
  readonly connected: (socket: Socket) => void
  /** Told once of each client that was asked for, when it is in, was refused, or is gone. */
  readonly settled: (socket: Socket) => void
}

/** One of our namespaces: a spelling of an instance's name that clients use. */
interface Entry {
  readonly namespace: Namespace
  /** Clients between their first packet and the end of their admission. */
  arriving: number
  /** Whether somebody of the host's holds it too, so that it must not be deleted. */
  readonly isShared: boolean
}

/**
 * The namespaces of instances: made when the first client asks for one, deleted when the last is gone.
 *
 * They are made by `io.of(name)` and not as children of a dynamic namespace, because Socket.IO deletes children
 * (`cleanupEmptyChildNamespaces`, which a host may have switched on) while somebody is still being admitted to them.
 */
export class Namespaces {
  readonly #io: Server
  readonly #hooks: Hooks
  // Map(name as spelled by clients -> entry)
  readonly #entries = new Map<string, Entry>()
  // Instances whose namespace has served a client, the latest last
  readonly #served = new Set<string>()
  // Map(client that our check has let in -> what settles it)
  readonly #arriving = new Map<Socket, () => void>()
  #making: string | undefined

  constructor (io: Server, hooks: Hooks) {
    this.#io = io
    this.#hooks = hooks
    io.on('new_namespace', namespace => { if (namespace.name !== this.#making) this.#madeByHost(namespace) })
    const matcher: Parameters<typeof moveMatcherLast>[1] = (name, auth, next) => {
      // The host's own dynamic namespaces come first, whenever they were made. When ours has moved behind them it
      // is asked once more, after they have all declined.
      if (moveMatcherLast(io, matcher)) {
        next(null, false)
        return
      }
      this.#make(name)
      next(null, true)
    }
    io.of(matcher)
  }

  get size (): number {
    return this.#entries.size
  }

  /** Whether the namespace of an instance's name is the host's: made before any client of ours asked for it. */
  isHosts (instance: string): boolean {
    const name = namespaceOf(instance)
    return hasNamespace(this.#io, name) && !this.#entries.has(name)
  }

  /** Serves the root as one of ours, whoever made it. */
  serveRoot (): void {
    this.#serve({ namespace: this.#io.of('/'), arriving: 0, isShared: true })
  }

  /** To be told when a client of an instance is in: from now on its namespace is ours, with clients or without. */
  claim (instance: string): void {
    this.#served.delete(instance)
    this.#served.add(instance)
    if (this.#served.size <= MAX_SERVED) return
    const [oldest] = this.#served
    if (oldest !== undefined) this.#served.delete(oldest)
  }

  /** To be told when an instance is no more. */
  release (instance: string): void {
    this.#served.delete(instance)
  }

  /**
   * The host asks for a namespace that is not there, to emit to it, say. If our clients have just left it, it must not
   * be one where the next client gets in unchecked.
   */
  #madeByHost (namespace: Namespace): void {
    if (this.#hasServed(namespace.name)) this.#add({ namespace, arriving: 0, isShared: true })
  }

  #hasServed (name: string): boolean {
    try {
      return this.#served.has(instanceOfNamespace(name))
    } catch {
      // No instance has such a name.
      return false
    }
  }

  #add (entry: Entry): void {
    this.#entries.set(entry.namespace.name, entry)
    this.#serve(entry)
  }

  #make (name: string): void {
    this.#making = name
    const namespace = this.#io.of(name)
    this.#making = undefined
    this.#add({ namespace, arriving: 0, isShared: false })
  }

  #serve (entry: Entry): void {
    entry.namespace.use((socket, next) => {
      entry.arriving++
      void this.#hooks.guard(socket).then(refusal => {
        if (refusal === undefined) this.#awaitArrival(entry, socket)
        else setImmediate(() => { this.#settle(entry, socket) })
        next(refusal)
      })
    })
    entry.namespace.on('connection', socket => {
      this.#hooks.connected(socket)
      this.#arriving.get(socket)?.()
    })
  }

  /** Our check has let a client in. It may be in at once, after others of the host's, or never. */
  #awaitArrival (entry: Entry, socket: Socket): void {
    const { conn } = socket
    const settle = () => {
      if (!this.#arriving.delete(socket)) return
      conn.off('close', settle)
      this.#settle(entry, socket)
    }
    this.#arriving.set(socket, settle)
    conn.prependListener('close', settle)
    // By then it is in, or waits for a middleware of the host's. Refused by one of them later on, it is held until its
    // connection ends.
    setImmediate(() => { if (!isArriving(socket) || conn.readyState === 'closed') settle() })
  }

  #settle (entry: Entry, socket: Socket): void {
    entry.arriving--
    this.#hooks.settled(socket)
    setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  /** To be told of each client that has left one of our namespaces. */
  left ({ nsp }: Socket): void {
    const entry = this.#entries.get(nsp.name)
    if (entry !== undefined) setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  #deleteIfEmpty (entry: Entry): void {
    const { namespace } = entry
    if (this.#entries.get(namespace.name) !== entry) return
    if (entry.isShared || entry.arriving > 0 || namespace.sockets.size > 0) return
    // The host listens to it or guards it, so it holds a reference that must stay good.
    if (namespace.listenerCount('connection') > 1 || namespace.listenerCount('connect') > 0 || middlewareCount(namespace) > 1) return
    this.#entries.delete(namespace.name)
    deleteNamespace(this.#io, namespace)
  }
}
