import { type Event, EventBatch, type FrameBatch } from './batch.js'
import type { Filter } from './filter.js'
import { FilterIndex } from './filter-index.js'
import type { LiveSession } from './session.js'

/** The sessions of a channel that have the same filter. */
interface Group {
  readonly filter: Filter
  /** Whether their clients keep ids to resume from. */
  readonly resumes: boolean
  readonly sessions: Set<LiveSession>
  /** True if a message was delivered to them since their last offset notice. */
  delivered: boolean
}

/** Delivers a batch of frames to sessions. */
export type Deliver = (sessions: Iterable<LiveSession>, batch: FrameBatch) => void

const NOBODY: ReadonlyMap<Group, readonly number[]> = new Map()

const groupKey = ({ filter, resumes, byPid }: LiveSession): string =>
  byPid ? `++${filter.key}` : resumes ? `+${filter.key}` : filter.key

/** The live sessions of one stream, and the events that wait to be delivered to them at the end of the tick. */
export class Channel {
  // Map(filter key, and whether and how they resume -> group)
  readonly #groups = new Map<string, Group>()
  readonly #index = new FilterIndex<Group>()
  /** Events of its stream since its last offset notices, delivered to anybody or not, and their bytes. */
  passedEvents = 0
  passedBytes = 0
  #waiting: Event[] = []
  #waitingBytes = 0
  #isFlushing = false

  get waitingBytes (): number {
    return this.#waitingBytes
  }

  /** Sessions that keep ids, and were delivered nothing since the last call. */
  * takeQuiet (): Generator<LiveSession> {
    for (const group of this.#groups.values()) {
      const { delivered, resumes, sessions } = group
      group.delivered = false
      if (!delivered && resumes) yield * sessions
    }
  }

  /** Sessions that keep ids. */
  * resuming (): Generator<LiveSession> {
    for (const { resumes, sessions } of this.#groups.values()) {
      if (resumes) yield * sessions
    }
  }

  /** Whether the filter of any session lets an event through. */
  wants (event: Event): boolean {
    if (this.#index.unfiltered.size > 0) return true
    for (const { filter } of this.#index.candidates(event)) {
      if (event.passes(filter)) return true
    }
    return false
  }

  has (session: LiveSession): boolean {
    return this.#groups.get(groupKey(session))?.sessions.has(session) === true
  }

  join (session: LiveSession): void {
    const key = groupKey(session)
    const group = this.#groups.get(key) ?? this.#open(key, session)
    // One filter for all that have the same, because there may be many.
    session.filter = group.filter
    group.sessions.add(session)
  }

  #open (key: string, { filter, resumes }: LiveSession): Group {
    const group: Group = { filter, resumes, sessions: new Set(), delivered: true }
    this.#groups.set(key, group)
    this.#index.add(group)
    return group
  }

  leave (session: LiveSession): void {
    const key = groupKey(session)
    const group = this.#groups.get(key)
    if (group?.sessions.delete(session) !== true || group.sessions.size > 0) return
    this.#groups.delete(key)
    this.#index.delete(group)
  }

  /** @returns whether it is the first event that waits */
  push (event: Event): boolean {
    this.#waitingBytes += event.packet.size
    return this.#waiting.push(event) === 1
  }

  /**
   * Delivers what waits to every session whose filter lets it through.
   *
   * @returns what was delivered; `undefined` for nothing
   */
  flush (deliver: Deliver): readonly Event[] | undefined {
    // A listener of the application may emit and so flush again: what is newer waits for the next tick, behind this.
    if (this.#isFlushing || this.#waiting.length === 0) return
    this.#isFlushing = true
    try {
      return this.#deliverWaiting(deliver)
    } finally {
      this.#isFlushing = false
    }
  }

  #deliverWaiting (deliver: Deliver): readonly Event[] {
    const events = this.#waiting
    const batch = new EventBatch(events)
    this.#waiting = []
    this.#waitingBytes = 0
    const passing = this.#passing(events)
    for (const group of this.#index.unfiltered) this.#deliverTo(group, batch.whole(), deliver)
    for (const [group, positions] of passing) this.#deliverTo(group, batch.only(positions), deliver)
    return events
  }

  #deliverTo (group: Group, frames: FrameBatch, deliver: Deliver): void {
    group.delivered = true
    deliver(group.sessions, frames)
  }

  /** The groups with a filter that lets something through, each with the positions of what it lets through. */
  #passing (events: readonly Event[]): ReadonlyMap<Group, readonly number[]> {
    if (this.#index.isPlain) return NOBODY
    const passing = new Map<Group, number[]>()
    for (const [at, event] of events.entries()) {
      for (const group of this.#index.candidates(event)) {
        if (this.#index.unfiltered.has(group) || !event.passes(group.filter)) continue
        const positions = passing.get(group)
        if (positions === undefined) passing.set(group, [at])
        else positions.push(at)
      }
    }
    return passing
  }
}
