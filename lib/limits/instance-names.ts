import type { Instances } from '../instances/instances.js'
import { limitReached } from './limits.js'
import type { EventLog } from '../log/event-log.js'

/** While the limit is reached, minimum time between two scans for unused names, in ms. */
const SCAN_PERIOD = 1000

/**
 * Counts the names of instances for `limits.instances`: names with a config, and names that this process has emitted
 * for or has accepted clients for. A name counts after its clients have left, because its config or history is kept.
 */
export class InstanceNames {
  readonly #limit: number
  readonly #instances: Pick<Instances, 'names'>
  readonly #log: Pick<EventLog, 'stats'>
  #known = new Set<string>()
  #scannedAt = -Infinity

  /** @param limit names; 0 is no limit */
  constructor (limit: number, instances: Pick<Instances, 'names'>, log: Pick<EventLog, 'stats'>) {
    this.#limit = limit
    this.#instances = instances
    this.#log = log
  }

  /**
   * Counts a name.
   *
   * @throws LIMIT_REACHED if the name is new and the limit is reached
   */
  use (name: string): void {
    if (this.#limit === 0 || this.#known.has(name)) return
    if (this.#known.size >= this.#limit && !this.#hasRoomFor(name)) throw limitReached('instances')
    this.#known.add(name)
  }

  /**
   * Drops names that have neither a config nor a history. The log only counts its streams, so all names without a
   * config are dropped if the streams are below the limit.
   */
  #hasRoomFor (name: string): boolean {
    const now = performance.now()
    if (now - this.#scannedAt < SCAN_PERIOD) return false
    this.#scannedAt = now
    if (this.#log.stats().streams >= this.#limit) return false
    this.#known = new Set(this.#instances.names())
    return this.#known.has(name) || this.#known.size < this.#limit
  }
}
