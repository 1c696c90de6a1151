import type { Message } from '../../types.js'
import type { Api } from './api.js'
import { Ring } from './model/ring.js'
import { Matches, type View } from './model/view.js'

/** Maximum number of events that are kept, and of their bytes. */
const MOST = 50_000
const BYTES = 24 * 1024 * 1024
const PAGE = 500

type Range = NonNullable<View['range']>

/** The position in the history of one stream. */
interface Cursor {
  readonly instance: string | null
  after: string
  events: Message[]
  isDone: boolean
}

/** A part of the history, read page by page and put into the order of the ids. */
export class HistoryReader {
  readonly range: Range
  readonly ring = new Ring(MOST, BYTES)
  matches: Matches
  status: 'reading' | 'done' | 'full' | 'failed' = 'reading'
  /** From when on it is whole, in ms since 1970. */
  since: number
  error: unknown
  #isStopped = false
  readonly #api: Api
  readonly #prefix: string
  readonly #changed: () => void

  constructor (range: Range, view: View, api: Api, prefix: string, changed: () => void) {
    this.range = range
    this.since = range.from
    this.matches = new Matches(this.ring, view)
    this.#api = api
    this.#prefix = prefix
    this.#changed = changed
  }

  stop (): void {
    this.#isStopped = true
  }

  /** @param instances the streams to read; `null` is the root */
  async read (instances: ReadonlyArray<string | null>): Promise<void> {
    try {
      const cursors = await Promise.all(instances.map(async instance => await this.#begin(instance)))
      while (!this.#isStopped && this.status === 'reading') await this.#step(cursors)
    } catch (error) {
      this.status = 'failed'
      this.error = error
    }
    this.#changed()
  }

  async #begin (instance: string | null): Promise<Cursor> {
    const { lastEventId, time, complete } = await this.#api.position(instance, { since: this.range.from })
    if (!complete) this.since = Math.max(this.since, Date.parse(time))
    return { instance, after: lastEventId, events: [], isDone: false }
  }

  /** Takes what is certain: up to the newest event that every stream has reached. */
  async #step (cursors: readonly Cursor[]): Promise<void> {
    await Promise.all(cursors.map(async cursor => { await this.#fill(cursor) }))
    if (cursors.some(({ events, isDone }) => events.length === 0 && !isDone)) return
    for (;;) {
      const [next] = cursors.filter(({ events }) => events.length > 0)
        .sort((a, b) => (a.events[0]?.id ?? '') < (b.events[0]?.id ?? '') ? -1 : 1)
      if (next === undefined) {
        if (cursors.every(({ isDone }) => isDone)) this.status = 'done'
        break
      }
      this.#take(next.events.shift())
      if (this.status !== 'reading') break
      if (next.events.length === 0 && !next.isDone) break
    }
    this.#changed()
  }

  #take (message: Message | undefined): void {
    if (message === undefined) return
    const seq = this.ring.add(message, { delay: null })
    if (seq !== null) this.matches.added(seq)
    if (this.ring.first > 0 || this.ring.size >= MOST) this.status = 'full'
  }

  async #fill (cursor: Cursor): Promise<void> {
    if (cursor.isDone || cursor.events.length > 0) return
    const { events, lastEventId, more, recovered } =
      await this.#api.page(this.#prefix, cursor.instance, cursor.after, PAGE)
    cursor.after = lastEventId
    cursor.events = events.filter(({ date_time: time }) => Date.parse(time) <= this.range.to)
    cursor.isDone = !more || recovered === false || cursor.events.length < events.length
  }
}
