import type { SkipReason } from '../types.js'

/** Maximum number of instances with activity. Publishers choose the names, so there may be any number. */
const MAX_INSTANCES = 10_000
/** Weight of the newest interval in the usual one. */
const WEIGHT = 0.1

/** What this node has emitted for an instance since the monitor was registered. */
export interface InstanceActivity {
  /** Accepted events. */
  count: number
  /** When the newest of them was emitted, in ms since 1970. */
  last: number
  /** The usual interval between two of them, in ms; 0 before the second. */
  interval: number
  /** Events that did not go to the instance's own namespace. */
  skipped: number
  /** Why the newest of these did not. */
  skipReason: SkipReason | null
}

/** Keeps when events of each instance were emitted. Without a monitor it is off, and costs `emit` nothing. */
export class Activity {
  readonly #now: () => number
  // Map(instance -> its activity), oldest first; null: off
  #instances: Map<string, InstanceActivity> | null = null

  constructor (now: () => number = Date.now) {
    this.#now = now
  }

  /** Starts to record. Idempotent. */
  start (): void {
    this.#instances ??= new Map()
  }

  /** Records an accepted event of an instance. @param skipReason why its own namespace did not get the event */
  note (instance: string, skipReason: SkipReason | null): void {
    if (this.#instances === null) return
    const now = this.#now()
    const known = this.#instances.get(instance)
    const activity = known ?? this.#add(instance, now)
    if (known !== undefined) {
      const since = now - known.last
      known.interval = known.count === 1 ? since : known.interval + WEIGHT * (since - known.interval)
    }
    activity.count++
    activity.last = now
    if (skipReason === null) return
    activity.skipped++
    activity.skipReason = skipReason
  }

  #add (instance: string, last: number): InstanceActivity {
    const activity = { count: 0, last, interval: 0, skipped: 0, skipReason: null }
    const [first] = this.#instances?.keys() ?? []
    if (first !== undefined && (this.#instances?.size ?? 0) >= MAX_INSTANCES) this.#instances?.delete(first)
    this.#instances?.set(instance, activity)
    return activity
  }

  /** The activity of an instance; `undefined` if nothing was emitted for it. */
  of (instance: string): InstanceActivity | undefined {
    return this.#instances?.get(instance)
  }
}
