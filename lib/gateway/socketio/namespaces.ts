import type { Namespace, Server, Socket } from 'socket.io'
import { instanceOfNamespace, namespaceOf } from '../../instances/names.js'
import type { Claims } from '../claims.js'
import { deleteNamespace, hasNamespace, middlewareCount, moveMatcherLast, namespaceCounts } from './engine.js'

/** Functions that handle the clients of the plugin's namespaces. */
export interface NamespaceHandlers {
  /**
   * Called for each client before it is connected. Resolves to the error that refuses it, or to `undefined` to accept
   * it.
   */
  readonly guard: (socket: Socket) => Promise<Error | undefined>
  /** Called for each client that has connected. */
  readonly connected: (socket: Socket) => void
}

/** A namespace of the plugin. Its name is one spelling of an instance's name, as clients use it. */
interface Entry {
  readonly namespace: Namespace
  /** Clients that use the namespace, from their first packet to the end of their session. */
  users: number
  /** Whether the application uses the namespace as well, so that it must not be deleted. */
  readonly isShared: boolean
}

/**
 * The namespaces of instances. A namespace is created when its first client connects, and deleted when its last client
 * has disconnected.
 *
 * They are created by `io.of(name)` and not as children of a dynamic namespace. With the option
 * `cleanupEmptyChildNamespaces`, which the application may have set, Socket.IO would delete children while a client is
 * still being checked.
 */
export class Namespaces {
  readonly #io: Server
  readonly #claims: Claims
  // Map(name as spelled by clients -> entry)
  readonly #entries = new Map<string, Entry>()
  #handlers: NamespaceHandlers | null = null
  #making: string | undefined
  /** Number of entries with `isShared`. */
  #shared = 0

  constructor (io: Server, claims: Claims) {
    this.#io = io
    this.#claims = claims
  }

  get size (): number {
    return this.#entries.size
  }

  /**
   * Whether the namespace with an instance's name belongs to the application: it was created before a client of the
   * plugin requested it.
   */
  isHosts (instance: string): boolean {
    const name = namespaceOf(instance)
    return !this.#entries.has(name) && hasNamespace(this.#io, name)
  }

  /** Whether the application has namespaces, or has listeners or middlewares at the root. */
  get isUsedByHost (): boolean {
    const { made, dynamic } = namespaceCounts(this.#io)
    // The root also counts in `made`, and the plugin's own function in `dynamic`.
    const isOurs = made === this.#entries.size + 1 && dynamic === 1 && this.#shared === 0
    return !isOurs || isUsedByHost(this.#io.of('/'))
  }

  /**
   * Starts to serve clients.
   *
   * @param withRoot whether the plugin serves the root
   */
  serve (handlers: NamespaceHandlers, withRoot: boolean): void {
    this.#handlers = handlers
    const io = this.#io
    io.on('new_namespace', namespace => { if (namespace.name !== this.#making) this.#madeByHost(namespace) })
    const matcher: Parameters<typeof moveMatcherLast>[1] = (name, auth, next) => {
      // The application's dynamic namespaces have precedence, regardless of when they were created. After the plugin's
      // function has moved behind them, it is called again if they all decline.
      if (moveMatcherLast(io, matcher)) {
        next(null, false)
        return
      }
      this.#make(name)
      next(null, true)
    }
    io.of(matcher)
    if (withRoot) this.#open(io.of('/'), true, handlers)
  }

  /**
   * The application has created a namespace, for example to emit to it. If clients of the plugin used it shortly
   * before, its next client must be checked as well.
   */
  #madeByHost (namespace: Namespace): void {
    if (this.#handlers !== null && this.#isClaimed(namespace.name)) this.#add(namespace, true, this.#handlers)
  }

  #isClaimed (name: string): boolean {
    try {
      return this.#claims.has(instanceOfNamespace(name))
    } catch {
      // No instance can have such a name.
      return false
    }
  }

  #make (name: string): void {
    this.#making = name
    const namespace = this.#io.of(name)
    this.#making = undefined
    if (this.#handlers !== null) this.#add(namespace, false, this.#handlers)
  }

  #add (namespace: Namespace, isShared: boolean, handlers: NamespaceHandlers): void {
    this.#entries.set(namespace.name, this.#open(namespace, isShared, handlers))
    if (isShared) this.#shared++
  }

  #open (namespace: Namespace, isShared: boolean, { guard, connected }: NamespaceHandlers): Entry {
    const entry: Entry = { namespace, users: 0, isShared }
    namespace.use((socket, next) => {
      entry.users++
      void guard(socket).then(next)
    })
    namespace.on('connection', connected)
    return entry
  }

  /**
   * A client no longer uses its namespace: it was refused or has disconnected. Must be called once for each client that
   * `guard` was called for.
   */
  release ({ nsp }: Socket): void {
    const entry = this.#entries.get(nsp.name)
    if (entry === undefined) return
    entry.users--
    // Socket.IO still uses the namespace in this tick.
    setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  /** Socket.IO has removed a client from its namespace. If the connection ended first, this is after `release`. */
  removed ({ nsp }: Socket): void {
    const entry = this.#entries.get(nsp.name)
    if (entry !== undefined) setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  #deleteIfEmpty (entry: Entry): void {
    const { namespace } = entry
    if (this.#entries.get(namespace.name) !== entry) return
    if (entry.isShared || entry.users > 0 || namespace.sockets.size > 0) return
    if (isUsedByHost(namespace)) return
    this.#entries.delete(namespace.name)
    deleteNamespace(this.#io, namespace)
  }
}

/** Whether the application has listeners or middlewares on a namespace, so that it may keep a reference to it. */
const isUsedByHost = (namespace: Namespace): boolean =>
  namespace.listenerCount('connection') > 1 || namespace.listenerCount('connect') > 0 || middlewareCount(namespace) > 1
