/** What may take a while is not lost yet: a client that has to reconnect first. In ms. */
const PATIENCE = 10_000

/** Counts what arrived against what was emitted. Each event has a number. */
export class Tally {
  /** Emits that were begun. */
  asked = 0
  /** Those that have resolved: from then on nobody may miss the event. */
  emitted = 0
  received = 0
  doubled = 0
  /** Emits that were rejected, or whose node was killed before it could answer: such an event may arrive or not. */
  failed = 0
  killed = 0
  resumed = 0
  /** @type {Set<number>} */
  #received = new Set()
  /**
   * Map(number -> when it was emitted), of those that have not arrived
   *
   * @type {Map<number, number>}
   */
  #missing = new Map()

  /** @param {number} number */
  emit (number) {
    this.emitted++
    if (!this.#received.has(number)) this.#missing.set(number, Date.now())
  }

  /** @param {number} number */
  receive (number) {
    this.received++
    if (this.#received.has(number)) this.doubled++
    this.#received.add(number)
    this.#missing.delete(number)
  }

  get isComplete () {
    return this.#missing.size === 0 && this.asked === this.emitted + this.failed
  }

  /** Events that were emitted some time ago, and have not arrived. */
  get lost () {
    const before = Date.now() - PATIENCE
    return [...this.#missing.values()].filter(emitted => emitted <= before).length
  }

  toString () {
    const { emitted, received, lost, doubled, failed, killed, resumed } = this
    return Object.entries({ emitted, received, lost, doubled, failed, killed, resumed }).map(([name, count]) => `${name} ${count}`).join('   ')
  }
}
