import { errors } from '../errors.js'
import type { Limits } from '../types.js'
import type { Connection } from './internals.js'

const MINUTE = 60_000
/** Addresses that are remembered within a minute: some MB, whatever the number of addresses that an attacker has. */
const MAX_ADDRESSES = 100_000

/** A place in a namespace that a client holds, from its admission to its end. */
export interface Place {
  /** Gives it back; once is enough. */
  release(): void
}

interface Held {
  namespaces: number
  readonly address: string
}

const within = (count: number, limit: number): boolean => limit === 0 || count < limit

/** Counts clients, connections and refusals against the limits. */
export class Places {
  readonly #limits: Limits
  readonly #now: () => number
  // Map(connection -> what it holds)
  readonly #connections = new Map<Connection, Held>()
  // Map(address -> connections)
  readonly #addresses = new Map<string, number>()
  // Map(instance, or null for the root -> clients)
  readonly #instances = new Map<string | null, number>()
  // Map(address -> refusals since #minute began)
  readonly #refusals = new Map<string, number>()
  #minute = 0

  constructor (limits: Limits, now: () => number = Date.now) {
    this.#limits = limits
    this.#now = now
  }

  /** Connections that hold a place. */
  get connections (): number {
    return this.#connections.size
  }

  /**
   * Takes a place for a client.
   *
   * @throws LIMIT naming the limit that is reached
   */
  take (connection: Connection, address: string | null, instance: string | null): Place {
    const at = address ?? ''
    const held = this.#connections.get(connection)
    const reached = this.#reached(held, at, instance)
    if (reached !== undefined) throw new errors.LIMIT(reached)
    if (held === undefined) {
      this.#connections.set(connection, { namespaces: 1, address: at })
      add(this.#addresses, at, 1)
    } else {
      held.namespaces++
    }
    add(this.#instances, instance, 1)
    let taken = true
    return {
      release: () => {
        if (!taken) return
        taken = false
        add(this.#instances, instance, -1)
        this.#give(connection)
      }
    }
  }

  #reached (held: Held | undefined, address: string, instance: string | null): keyof Limits | undefined {
    const { connections, connectionsPerAddress, connectionsPerInstance, namespacesPerConnection } = this.#limits
    if (held !== undefined && !within(held.namespaces, namespacesPerConnection)) return 'namespacesPerConnection'
    if (held === undefined && !within(this.#connections.size, connections)) return 'connections'
    if (held === undefined && !within(this.#addresses.get(address) ?? 0, connectionsPerAddress)) return 'connectionsPerAddress'
    if (!within(this.#instances.get(instance) ?? 0, connectionsPerInstance)) return 'connectionsPerInstance'
  }

  #give (connection: Connection): void {
    const held = this.#connections.get(connection)
    if (held === undefined || --held.namespaces > 0) return
    this.#connections.delete(connection)
    add(this.#addresses, held.address, -1)
  }

  /** Notes a refusal of an address. */
  refused (address: string | null): void {
    if (this.#limits.refusalsPerMinute === 0) return
    this.#turnMinute()
    add(this.#refusals, address ?? '', 1)
  }

  /**
   * Sends an address away that was refused too often in this minute.
   *
   * @throws LIMIT
   */
  checkRefusals (address: string | null): void {
    const { refusalsPerMinute } = this.#limits
    if (refusalsPerMinute === 0) return
    this.#turnMinute()
    if (!within(this.#refusals.get(address ?? '') ?? 0, refusalsPerMinute)) throw new errors.LIMIT('refusalsPerMinute')
  }

  #turnMinute (): void {
    const now = this.#now()
    if (now - this.#minute < MINUTE && this.#refusals.size < MAX_ADDRESSES) return
    this.#minute = now
    this.#refusals.clear()
  }
}

function add<Key> (counts: Map<Key, number>, key: Key, step: number): void {
  const count = (counts.get(key) ?? 0) + step
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
