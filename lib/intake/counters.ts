import { excerpt } from '../instances/names.js'
import type { PublishStats, WebhookSkip } from '../types.js'

/** Names of skipped webhooks that are kept. What comes from outside must not fill the memory. */
const MAX_NAMES = 1000

/** Webhooks that were skipped for one reason and one name. */
export interface SkippedWebhooks {
  readonly reason: WebhookSkip
  /** Of the event for `unknown-event`, else of the instance; shortened where it is long. */
  readonly name: string
  readonly count: number
  /** When the newest of them came, in ms since 1970. */
  readonly last: number
}

/** Counts what every source of published events brings. */
export class IntakeCounters {
  #accepted = 0
  #repeated = 0
  readonly #skipped: Record<WebhookSkip, number> = { 'unknown-event': 0, 'invalid-name': 0, removed: 0 }
  // Map(reason and name -> what was skipped), the one skipped last at the end
  readonly #names = new Map<string, SkippedWebhooks>()

  accepted (events: number): void {
    this.#accepted += events
  }

  repeated (): void {
    this.#repeated++
  }

  /** @returns whether it is the first of its reason and name; `false` also for one name too many */
  skipped (reason: WebhookSkip, name: string): boolean {
    this.#skipped[reason]++
    const shown = excerpt(name)
    const key = `${reason} ${shown}`
    const before = this.#names.get(key)
    if (before === undefined && this.#names.size >= MAX_NAMES) return false
    this.#names.delete(key)
    this.#names.set(key, { reason, name: shown, count: (before?.count ?? 0) + 1, last: Date.now() })
    return before === undefined
  }

  /** The names of skipped webhooks, the one skipped last first; at most {@link MAX_NAMES} of this process. */
  get skippedNames (): SkippedWebhooks[] {
    return [...this.#names.values()].reverse()
  }

  get stats (): PublishStats {
    return { accepted: this.#accepted, repeated: this.#repeated, skipped: { ...this.#skipped } }
  }
}
