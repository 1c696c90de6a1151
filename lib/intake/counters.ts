import type { PublishStats, WebhookSkip } from '../types.js'

/** Counts what every source of published events brings. */
export class IntakeCounters {
  #accepted = 0
  #repeated = 0
  readonly #skipped: Record<WebhookSkip, number> = { 'unknown-event': 0, 'invalid-name': 0, removed: 0 }

  accepted (events: number): void {
    this.#accepted += events
  }

  repeated (): void {
    this.#repeated++
  }

  skipped (why: WebhookSkip): void {
    this.#skipped[why]++
  }

  get stats (): PublishStats {
    return { accepted: this.#accepted, repeated: this.#repeated, skipped: { ...this.#skipped } }
  }
}
