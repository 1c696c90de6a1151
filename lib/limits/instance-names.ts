import type { Instances } from '../instances/instances.js'
import { limitReached } from './limits.js'
import type { EventLog } from '../log/event-log.js'

/** How often it is looked which names are still in use, in ms, while there are as many as there may be. */
const LOOK_EVERY = 1000

/**
 * Counts the names of instances for `limits.instances`: those with a config, and those that this process has emitted
 * for or let clients into. What is kept for a name outlives its clients.
 */
export class InstanceNames {
  readonly #limit: number
  readonly #instances: Pick<Instances, 'names'>
  readonly #log: Pick<EventLog, 'stats'>
  #known = new Set<string>()
  #lookedAt = -Infinity

  /** @param limit names; 0 is no limit */
  constructor (limit: number, instances: Pick<Instances, 'names'>, log: Pick<EventLog, 'stats'>) {
    this.#limit = limit
    this.#instances = instances
    this.#log = log
  }

  /**
   * Notes that a name is used.
   *
   * @throws LIMIT_REACHED for one more than there may be
   */
  use (name: string): void {
    if (this.#limit === 0 || this.#known.has(name)) return
    if (this.#known.size >= this.#limit && !this.#hasRoomFor(name)) throw limitReached('instances')
    this.#known.add(name)
  }

  /** Forgets the names that have neither a config nor a past, as far as the log can tell. */
  #hasRoomFor (name: string): boolean {
    const now = performance.now()
    if (now - this.#lookedAt < LOOK_EVERY) return false
    this.#lookedAt = now
    if (this.#log.stats().streams >= this.#limit) return false
    this.#known = new Set(this.#instances.names())
    return this.#known.has(name) || this.#known.size < this.#limit
  }
}
