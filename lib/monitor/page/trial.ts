import type { Api } from './api.js'
import type { Feeds } from './feeds.js'

/** How long the connection stays broken, in ms, unless the user reconnects before. */
export const BREAK = 10_000
/** How long the events of the history may take to arrive over the connection, in ms. */
const PATIENCE = 10_000
const LOOK = 200

export interface Outcome {
  /** Events that were emitted between the break and the check. */
  readonly expected: number
  readonly missed: number
  readonly doubled: number
}

const after = async (ms: number): Promise<void> => { await new Promise(resolve => { setTimeout(resolve, ms) }) }

/** Breaks the connection, lets it resume, and compares what was received with the history, id by id. */
export class Trial {
  phase: 'broken' | 'resuming' | 'done' | 'failed' = 'broken'
  readonly since = Date.now()
  outcome: Outcome | null = null
  // Map(id -> how often it was received)
  readonly #received = new Map<string, number>()
  readonly #starts: ReadonlyArray<readonly [instance: string | null, id: string]>
  readonly #feeds: Feeds

  constructor (feeds: Feeds) {
    this.#feeds = feeds
    this.#starts = feeds.all.filter(({ status }) => status === 'live')
      .map(({ instance, lastEventId }) => [instance, lastEventId] as const)
    feeds.cut()
  }

  /** Counts a message that was received. */
  received (id: string): void {
    if (this.phase === 'resuming') this.#received.set(id, (this.#received.get(id) ?? 0) + 1)
  }

  get replayed (): number {
    return this.#received.size
  }

  async resume (api: Api, prefix: string): Promise<void> {
    if (this.phase !== 'broken') return
    this.phase = 'resuming'
    this.#feeds.resume()
    try {
      await this.#until(() => this.#starts.every(([instance]) => this.#feeds.isLive(instance)))
      const expected = await this.#expected(api, prefix)
      const missing = () => expected.filter(id => !this.#received.has(id)).length
      await this.#until(() => missing() === 0)
      const doubled = [...this.#received.values()].filter(count => count > 1).length
      this.outcome = { expected: expected.length, missed: missing(), doubled }
      this.phase = 'done'
    } catch {
      this.phase = 'failed'
    }
  }

  async #until (isSo: () => boolean): Promise<void> {
    const end = Date.now() + PATIENCE
    while (!isSo() && Date.now() < end) await after(LOOK)
  }

  /** What the history has after the last ids that had come. */
  async #expected (api: Api, prefix: string): Promise<string[]> {
    const ids: string[] = []
    for (const [instance, start] of this.#starts) {
      if (start === '') continue
      for (let after = start, more = true; more;) {
        const page = await api.page(prefix, instance, after, 1000)
        if (page.recovered === false) throw new Error('the history does not reach back so far')
        ids.push(...page.events.map(({ id }) => id))
        after = page.lastEventId
        more = page.more
      }
    }
    return ids
  }
}
