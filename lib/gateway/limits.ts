import { errors } from '../errors.js'
import type { Limits } from '../types.js'
import type { Link } from './link.js'

const MINUTE = 60_000
/** Addresses that are remembered within a minute: some MB, whatever the number of addresses that an attacker has. */
const MAX_ADDRESSES = 100_000

/** What a client holds of the limits, from its first packet to its end. */
export class Place {
  readonly #release: (instances: boolean) => void
  readonly #takeInstance: () => void
  #held: 'connection' | 'instance' | 'nothing' = 'connection'

  constructor (takeInstance: () => void, release: (instances: boolean) => void) {
    this.#takeInstance = takeInstance
    this.#release = release
  }

  /**
   * Takes a place in the instance's namespace, or at the root. Only for a client whose key is accepted: others must
   * neither learn that it is full, nor fill it.
   *
   * @throws LIMIT
   */
  takeInstance (): void {
    this.#takeInstance()
    this.#held = 'instance'
  }

  /** Gives all back; once is enough. */
  release (): void {
    if (this.#held === 'nothing') return
    this.#release(this.#held === 'instance')
    this.#held = 'nothing'
  }
}

/** Whether what refuses a client is its own doing on its own connection, so that coming back would change nothing. */
export function isOwnLimit (error: unknown): boolean {
  return error instanceof errors.LIMIT && 'limit' in error && error.limit === 'namespacesPerConnection'
}

/** @throws LIMIT when one more would be over it */
function check (name: keyof Limits, count: number, limit: number): void {
  if (limit !== 0 && count >= limit) throw Object.assign(new errors.LIMIT(name), { limit: name })
}

/** Counts clients, connections and refusals against the limits. */
export class Places {
  readonly #limits: Limits
  readonly #now: () => number
  // Map(connection -> places that it holds)
  readonly #links = new Map<Link, number>()
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
    return this.#links.size
  }

  /**
   * Takes a place on the node for a client.
   *
   * @param instance whose namespace it wants into; `null` is the root
   * @throws LIMIT naming the limit that is reached
   */
  take (link: Link, instance: string | null): Place {
    const { connections, connectionsPerAddress, connectionsPerInstance, namespacesPerConnection } = this.#limits
    const held = this.#links.get(link) ?? 0
    check('namespacesPerConnection', held, namespacesPerConnection)
    if (held === 0) {
      check('connections', this.#links.size, connections)
      check('connectionsPerAddress', this.#addresses.get(addressOf(link)) ?? 0, connectionsPerAddress)
      add(this.#addresses, addressOf(link), 1)
    }
    add(this.#links, link, 1)
    return new Place(() => {
      check('connectionsPerInstance', this.#instances.get(instance) ?? 0, connectionsPerInstance)
      add(this.#instances, instance, 1)
    }, inInstance => {
      if (inInstance) add(this.#instances, instance, -1)
      add(this.#links, link, -1)
      if (!this.#links.has(link)) add(this.#addresses, addressOf(link), -1)
    })
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
    check('refusalsPerMinute', this.#refusals.get(address ?? '') ?? 0, refusalsPerMinute)
  }

  #turnMinute (): void {
    const now = this.#now()
    if (now - this.#minute < MINUTE && this.#refusals.size < MAX_ADDRESSES) return
    this.#minute = now
    this.#refusals.clear()
  }
}

/** Clients without an address, on a Unix socket, count as one. */
const addressOf = (link: Link): string => link.peer.address ?? ''

function add<Key> (counts: Map<Key, number>, key: Key, step: number): void {
  const count = (counts.get(key) ?? 0) + step
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
