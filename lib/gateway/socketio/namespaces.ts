import type { Namespace, Server, Socket } from 'socket.io'
import { instanceOfNamespace, namespaceOf } from '../../instances/names.js'
import type { Claims } from '../claims.js'
import { deleteNamespace, hasNamespace, middlewareCount, moveMatcherLast, namespaceCounts } from './engine.js'

/** What is done with the clients of our namespaces. */
export interface NamespaceHandlers {
  /** Called for each client before it is in. Resolves to what refuses it, and `undefined` lets it in. */
  readonly guard: (socket: Socket) => Promise<Error | undefined>
  /** Called for each client that is in. */
  readonly connected: (socket: Socket) => void
}

/** One of our namespaces: a spelling of an instance's name that clients use. */
interface Entry {
  readonly namespace: Namespace
  /** Clients that hold it: from their first packet to the end of their session. */
  holders: number
  /** Whether the application holds it too, so that it must not be deleted. */
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
  readonly #claims: Claims
  // Map(name as spelled by clients -> entry)
  readonly #entries = new Map<string, Entry>()
  #handlers: NamespaceHandlers | null = null
  #making: string | undefined
  /** How many of the entries the application holds too. Those stay. */
  #shared = 0

  constructor (io: Server, claims: Claims) {
    this.#io = io
    this.#claims = claims
  }

  get size (): number {
    return this.#entries.size
  }

  /** Whether the namespace of an instance's name is the host's: made before any client of ours asked for it. */
  isHosts (instance: string): boolean {
    const name = namespaceOf(instance)
    return !this.#entries.has(name) && hasNamespace(this.#io, name)
  }

  /** Whether the host has namespaces, or listens to the root or guards it. */
  get isUsedByHost (): boolean {
    const { made, dynamic } = namespaceCounts(this.#io)
    // The root is among those that are made, and our own function among the dynamic ones.
    const isOurs = made === this.#entries.size + 1 && dynamic === 1 && this.#shared === 0
    return !isOurs || isUsedByHost(this.#io.of('/'))
  }

  /**
   * Serves clients from now on.
   *
   * @param withRoot whether the plugin serves the root
   */
  serve (handlers: NamespaceHandlers, withRoot: boolean): void {
    this.#handlers = handlers
    const io = this.#io
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
    if (withRoot) this.#open(io.of('/'), true, handlers)
  }

  /**
   * The host asks for a namespace that is not there, to emit to it, say. If our clients have just left it, it must not
   * be one where the next client gets in unchecked.
   */
  #madeByHost (namespace: Namespace): void {
    if (this.#handlers !== null && this.#isClaimed(namespace.name)) this.#add(namespace, true, this.#handlers)
  }

  #isClaimed (name: string): boolean {
    try {
      return this.#claims.has(instanceOfNamespace(name))
    } catch {
      // No instance has such a name.
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
    const entry: Entry = { namespace, holders: 0, isShared }
    namespace.use((socket, next) => {
      entry.holders++
      void guard(socket).then(next)
    })
    namespace.on('connection', connected)
    return entry
  }

  /** A client holds its namespace no more: it was refused, or has left. To be called once for each that was guarded. */
  release ({ nsp }: Socket): void {
    const entry = this.#entries.get(nsp.name)
    if (entry === undefined) return
    entry.holders--
    // Socket.IO still works with it in this tick.
    setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  /** Socket.IO has removed a client from its namespace: later than its release where its connection ends first. */
  removed ({ nsp }: Socket): void {
    const entry = this.#entries.get(nsp.name)
    if (entry !== undefined) setImmediate(() => { this.#deleteIfEmpty(entry) })
  }

  #deleteIfEmpty (entry: Entry): void {
    const { namespace } = entry
    if (this.#entries.get(namespace.name) !== entry) return
    if (entry.isShared || entry.holders > 0 || namespace.sockets.size > 0) return
    if (isUsedByHost(namespace)) return
    this.#entries.delete(namespace.name)
    deleteNamespace(this.#io, namespace)
  }
}

/** The host listens to it or guards it, so it holds a reference that must stay good. */
const isUsedByHost = (namespace: Namespace): boolean =>
  namespace.listenerCount('connection') > 1 || namespace.listenerCount('connect') > 0 || middlewareCount(namespace) > 1
