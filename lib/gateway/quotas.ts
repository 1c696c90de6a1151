import { countedAs } from '../access/addresses.js'
import { type LimitName, limitReached } from '../limits/limits.js'
import type { Limits } from '../types.js'
import type { Connection } from './connection.js'

const MINUTE = 60_000
/** Addresses that are remembered within a minute: some MB, whatever the number of addresses that an attacker has. */
const MAX_ADDRESSES = 100_000

/** @throws LIMIT_REACHED when one more would be over it */
function check (name: LimitName, count: number, limit: number): void {
  if (limit !== 0 && count >= limit) throw limitReached(name)
}

/** Counts connections, sessions and refusals against the limits, for every way in. */
export class Quotas {
  readonly #limits: Limits
  readonly #now: () => number
  #connections = 0
  // Map(address -> connections)
  readonly #addresses = new Map<string, number>()
  // Map(instance, or null for the root -> sessions)
  readonly #instances = new Map<string | null, number>()
  // Map(address -> refusals since #minute began)
  readonly #refusals = new Map<string, number>()
  #minute = 0

  constructor (limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
  }

  /** Connections that have a session. */
  get connections (): number {
    return this.#connections
  }

  /**
   * Counts a connection before its first session is added to it.
   *
   * @throws LIMIT_REACHED naming the limit that is reached, also when it has as many sessions as it may have
   */
  take (connection: Connection): void {
    const { connections, connectionsPerAddress, namespacesPerConnection } = this.#limits
    check('namespacesPerConnection', connection.sessions.length, namespacesPerConnection)
    if (connection.sessions.length > 0) return
    check('connections', this.#connections, connections)
    check('connectionsPerAddress', this.#addresses.get(keyOf(connection.address)) ?? 0, connectionsPerAddress)
    this.#connections++
    add(this.#addresses, keyOf(connection.address), 1)
  }

  /** Counts out a connection after its last session was deleted from it. */
  giveBack (connection: Connection): void {
    if (connection.sessions.length > 0) return
    this.#connections--
    add(this.#addresses, keyOf(connection.address), -1)
  }

  /**
   * Counts a session under its instance, or under the root (`null`), after its key was accepted: others must neither
   * learn that the instance is full, nor fill it.
   *
   * @throws LIMIT_REACHED
   */
  enter (instance: string | null): void {
    check('connectionsPerInstance', this.#instances.get(instance) ?? 0, this.#limits.connectionsPerInstance)
    add(this.#instances, instance, 1)
  }

  /** Counts out a session that `enter` has counted. */
  leave (instance: string | null): void {
    add(this.#instances, instance, -1)
  }

  /** Notes a refusal of an address. */
  refused (address: string | null): void {
    if (this.#limits.refusalsPerMinute === 0) return
    this.#turnMinute()
    const refusals = this.#refusals
    // The oldest goes, and not all: an attacker with many addresses must not free those that are locked out.
    const key = keyOf(address)
    if (refusals.size >= MAX_ADDRESSES && !refusals.has(key)) {
      const [oldest = ''] = refusals.keys()
      refusals.delete(oldest)
    }
    add(refusals, key, 1)
  }

  /**
   * Refuses an address that was refused too often in this minute.
   *
   * @throws LIMIT_REACHED
   */
  checkRefusals (address: string | null): void {
    const { refusalsPerMinute } = this.#limits
    if (refusalsPerMinute === 0) return
    this.#turnMinute()
    if ((this.#refusals.get(keyOf(address)) ?? 0) < refusalsPerMinute) return
    const left = this.#minute + MINUTE - this.#now()
    // Never after the minute: the clock may have been set back.
    throw limitReached('refusalsPerMinute', Math.ceil(Math.min(Math.max(left, 1000), MINUTE) / 1000))
  }

  #turnMinute (): void {
    const now = this.#now()
    if (now - this.#minute < MINUTE) return
    this.#minute = now
    this.#refusals.clear()
  }
}

/** Clients without an address, on a Unix socket, count as one. */
const keyOf = (address: string | null): string => address === null ? '' : countedAs(address)

function add<Key> (counts: Map<Key, number>, key: Key, step: number): void {
  const count = (counts.get(key) ?? 0) + step
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
