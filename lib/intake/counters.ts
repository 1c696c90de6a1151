import { excerpt } from '../instances/names.js'
import type { PublishStats, WebhookSkip } from '../types.js'

/** Maximum number of names of skipped webhooks that are kept, because they come from outside. */
const MAX_NAMES = 1000

/** Counts the skipped webhooks of one reason and one name. */
export interface SkippedWebhooks {
  readonly reason: WebhookSkip
  /** The name of the event for `unknown-event`, otherwise of the instance; shortened if it is long. */
  readonly name: string
  readonly count: number
  /** When the last of them was received, in ms since 1970. */
  readonly last: number
}

/** Counters of publishing over HTTP and of webhooks. */
export class IntakeCounters {
  #accepted = 0
  #repeated = 0
  readonly #skipped: Record<WebhookSkip, number> = { 'unknown-event': 0, 'invalid-name': 0, removed: 0 }
  // Map(reason and name -> count), the most recently skipped last
  readonly #names = new Map<string, SkippedWebhooks>()

  accepted (events: number): void {
    this.#accepted += events
  }

  repeated (): void {
    this.#repeated++
  }

  /** @returns whether the reason and name are new; `false` also if the maximum of names is reached */
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

  /** The names of skipped webhooks of this process, the most recent first; at most {@link MAX_NAMES}. */
  get skippedNames (): SkippedWebhooks[] {
    return [...this.#names.values()].reverse()
  }

  get stats (): PublishStats {
    return { accepted: this.#accepted, repeated: this.#repeated, skipped: { ...this.#skipped } }
  }
}
