import { countedAs } from '../access/addresses.js'
import { type LimitName, limitReached } from '../limits/limits.js'
import type { Limits } from '../types.js'
import type { Connection } from './connection.js'

/** @throws LIMIT_REACHED when one more would exceed the limit */
function check (name: LimitName, count: number, limit: number): void {
  if (limit !== 0 && count >= limit) throw limitReached(name)
}

/** Counts connections and sessions for the limits, for sockets, streams and pages alike. */
export class Quotas {
  readonly #limits: Limits
  #connections = 0
  // Map(address -> connections)
  readonly #addresses = new Map<string, number>()
  // Map(instance, or null for the root -> sessions)
  readonly #instances = new Map<string | null, number>()

  constructor (limits: Limits) {
    this.#limits = limits
  }

  /** Connections that have a session. */
  get connections (): number {
    return this.#connections
  }

  /**
   * Counts a connection, before its first session is added to it.
   *
   * @throws LIMIT_REACHED naming the limit, also if the connection has its maximum of sessions
   */
  take (connection: Connection): void {
    const { connections, connectionsPerAddress, namespacesPerConnection } = this.#limits
    check('namespacesPerConnection', connection.sessions.length, namespacesPerConnection)
    if (connection.sessions.length > 0) return
    check('connections', this.#connections, connections)
    // Without a limit the count is not needed, and parsing an address takes time.
    if (connectionsPerAddress !== 0) {
      const address = keyOf(connection.address)
      check('connectionsPerAddress', this.#addresses.get(address) ?? 0, connectionsPerAddress)
      add(this.#addresses, address, 1)
    }
    this.#connections++
  }

  /** Removes a connection from the count after its last session was removed from it. */
  giveBack (connection: Connection): void {
    if (connection.sessions.length > 0) return
    this.#connections--
    if (this.#limits.connectionsPerAddress !== 0) add(this.#addresses, keyOf(connection.address), -1)
  }

  /**
   * Counts a session for its instance, or for the root (`null`), after its key was accepted. Clients without a valid
   * key must neither learn that the instance is full, nor fill it.
   *
   * @throws LIMIT_REACHED
   */
  enter (instance: string | null): void {
    check('connectionsPerInstance', this.#instances.get(instance) ?? 0, this.#limits.connectionsPerInstance)
    add(this.#instances, instance, 1)
  }

  /** Removes a session that `enter` has counted. */
  leave (instance: string | null): void {
    add(this.#instances, instance, -1)
  }
}

/** All clients without an address (on a Unix socket) share one count. */
const keyOf = (address: string | null): string => address === null ? '' : countedAs(address)

function add<Key> (counts: Map<Key, number>, key: Key, step: number): void {
  const count = (counts.get(key) ?? 0) + step
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
