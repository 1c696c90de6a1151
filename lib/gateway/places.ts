import { type LimitName, limitReached } from '../limits.js'
import type { Limits } from '../types.js'
import type { Link } from './link.js'

const MINUTE = 60_000
/** Addresses that are remembered within a minute: some MB, whatever the number of addresses that an attacker has. */
const MAX_ADDRESSES = 100_000

/** @throws LIMIT_REACHED when one more would be over it */
function check (name: LimitName, count: number, limit: number): void {
  if (limit !== 0 && count >= limit) throw limitReached(name)
}

/** Counts connections, clients and refusals against the limits. */
export class Places {
  readonly #limits: Limits
  readonly #now: () => number
  #connections = 0
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
    return this.#connections
  }

  /**
   * Takes a place on the node for a client, from its first packet on.
   *
   * @throws LIMIT_REACHED naming the limit that is reached
   */
  take (link: Link): void {
    const { connections, connectionsPerAddress, namespacesPerConnection } = this.#limits
    check('namespacesPerConnection', link.places, namespacesPerConnection)
    if (link.places === 0) {
      check('connections', this.#connections, connections)
      check('connectionsPerAddress', this.#addresses.get(addressOf(link)) ?? 0, connectionsPerAddress)
      this.#connections++
      add(this.#addresses, addressOf(link), 1)
    }
    link.places++
  }

  /** Gives back what `take` took. */
  giveBack (link: Link): void {
    if (--link.places > 0) return
    this.#connections--
    add(this.#addresses, addressOf(link), -1)
  }

  /**
   * Counts a client into an instance's namespace, or into the root (`null`). Only one whose key is accepted: others
   * must neither learn that it is full, nor fill it.
   *
   * @throws LIMIT_REACHED
   */
  enter (instance: string | null): void {
    check('connectionsPerInstance', this.#instances.get(instance) ?? 0, this.#limits.connectionsPerInstance)
    add(this.#instances, instance, 1)
  }

  /** Counts out a client that `enter` has counted in. */
  leave (instance: string | null): void {
    add(this.#instances, instance, -1)
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
   * @throws LIMIT_REACHED
   */
  checkRefusals (address: string | null): void {
    const { refusalsPerMinute } = this.#limits
    if (refusalsPerMinute === 0) return
    this.#turnMinute()
    if ((this.#refusals.get(address ?? '') ?? 0) < refusalsPerMinute) return
    const left = this.#minute + MINUTE - this.#now()
    // Never after the minute: the clock may have been set back.
    throw limitReached('refusalsPerMinute', Math.ceil(Math.min(Math.max(left, 1000), MINUTE) / 1000))
  }

  #turnMinute (): void {
    const now = this.#now()
    if (now - this.#minute < MINUTE && this.#refusals.size < MAX_ADDRESSES) return
    this.#minute = now
    this.#refusals.clear()
  }
}

/** Clients without an address, on a Unix socket, count as one. */
const addressOf = (link: Link): string => link.address ?? ''

function add<Key> (counts: Map<Key, number>, key: Key, step: number): void {
  const count = (counts.get(key) ?? 0) + step
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
