/** Seconds that are kept of an instance. */
export const SPAN = 60

/** Events per second of one instance, over the last minute. */
export class Rate {
  readonly #counts = new Uint32Array(SPAN)
  #second = 0
  total = 0

  add (now: number): void {
    this.#advance(now)
    const at = this.#second % SPAN
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.total++
  }

  #advance (now: number): void {
    const second = Math.floor(now / 1000)
    if (second - this.#second >= SPAN) this.#counts.fill(0)
    else for (let passed = this.#second + 1; passed <= second; passed++) this.#counts[passed % SPAN] = 0
    this.#second = Math.max(second, this.#second)
  }

  /** The counts, the oldest first, without the second that is not over. */
  series (now: number): number[] {
    this.#advance(now)
    return Array.from({ length: SPAN - 1 }, (_, at) => this.#counts[(this.#second + 1 + at) % SPAN] ?? 0)
  }

  /** Events per second over the last ten. */
  perSecond (now: number): number {
    return this.series(now).slice(-10).reduce((sum, count) => sum + count, 0) / 10
  }
}

/** Whether an instance is silent for far longer than is usual for it. */
export function isSilent (last: number | null, interval: number, count: number, now: number): boolean {
  return last !== null && count >= 20 && now - last > Math.max(60_000, interval * 20)
}

/** What the page keeps of the node's health, at each look: counters become rates. */
export interface Sample {
  readonly time: number
  readonly connections: number
  readonly delivered: number
  readonly queued: number
  readonly slow: number
}

interface Counters {
  readonly time: number
  readonly connections: number
  readonly delivered: number
  readonly queuedBytes: number
  readonly slowConsumers: number
}

/** The last hour, as long as the page was open. */
export class HealthHistory {
  readonly #maxAge: number
  #samples: Sample[] = []
  #before: Counters | null = null

  constructor (maxAge = 3_600_000) {
    this.#maxAge = maxAge
  }

  add (counters: Counters): void {
    const { time, connections, delivered, queuedBytes, slowConsumers } = counters
    const before = this.#before
    this.#before = counters
    // A server that was started again counts from 0.
    if (before === null || delivered < before.delivered || time <= before.time) return
    this.#samples.push({
      time,
      connections,
      delivered: (delivered - before.delivered) / ((time - before.time) / 1000),
      queued: queuedBytes,
      slow: slowConsumers - before.slowConsumers
    })
    if ((this.#samples[0]?.time ?? time) < time - this.#maxAge) {
      this.#samples = this.#samples.filter(sample => sample.time >= time - this.#maxAge)
    }
  }

  get samples (): readonly Sample[] {
    return this.#samples
  }
}
