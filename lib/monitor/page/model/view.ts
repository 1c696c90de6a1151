import type { Ring } from './ring.js'
import { DIRECTIONS, type Direction, type Kind, KINDS } from './summary.js'

/** What is chosen to be seen. */
export interface View {
  /** Empty: all; the same for the next two. */
  readonly instances: readonly string[]
  readonly events: readonly string[]
  readonly kinds: readonly Kind[]
  readonly direction: Direction
  readonly text: string
  /** A time in the past, in ms since 1970; `null`: live. */
  readonly range: { readonly from: number, readonly to: number } | null
}

export const EVERYTHING: View = { instances: [], events: [], kinds: [], direction: '', text: '', range: null }
export const TABS = ['stream', 'instances', 'health'] as const
export type Tab = typeof TABS[number]

export const isFiltered = ({ instances, events, kinds, direction, text }: View): boolean =>
  instances.length + events.length + kinds.length > 0 || direction !== '' || text !== ''

/** A view as a fragment of the URL. A text may be a phone number: it is left out by default. */
export function toFragment (tab: Tab, view: View, withText = false): string {
  const { instances, events, kinds, direction, text, range } = view
  const query = new URLSearchParams()
  for (const instance of instances) query.append('instance', instance)
  for (const event of events) query.append('event', event)
  for (const kind of kinds) query.append('kind', kind)
  if (direction !== '') query.set('direction', direction)
  if (range !== null) {
    query.set('from', new Date(range.from).toISOString())
    query.set('to', new Date(range.to).toISOString())
  }
  if (withText && text !== '') query.set('text', text)
  const params = query.toString()
  return params === '' ? `#${tab}` : `#${tab}?${params}`
}

/** What cannot be understood is left out. */
export function fromFragment (fragment: string): { tab: Tab, view: View } {
  const [name, params = ''] = fragment.replace(/^#/, '').split('?', 2)
  const query = new URLSearchParams(params)
  const direction = query.get('direction') ?? ''
  const from = Date.parse(query.get('from') ?? '')
  const to = Date.parse(query.get('to') ?? '')
  return {
    tab: TABS.find(tab => tab === name) ?? 'stream',
    view: {
      instances: query.getAll('instance'),
      events: query.getAll('event'),
      kinds: KINDS.filter(kind => query.getAll('kind').includes(kind)),
      direction: DIRECTIONS.find(each => each === direction) ?? '',
      text: query.get('text') ?? '',
      range: from < to ? { from, to } : null
    }
  }
}

/** A text as it stands in JSON, in small letters. */
const needleOf = (text: string): string => JSON.stringify(text.trim()).slice(1, -1).toLowerCase()

/** Whether an event of a ring is in a view. */
export function matcher (ring: Ring, { instances, events, kinds, direction, text }: View): (seq: number) => boolean {
  const wantedKinds = new Set(kinds.map(kind => KINDS.indexOf(kind)))
  const wantedDirection = DIRECTIONS.indexOf(direction)
  const needle = needleOf(text)
  return seq =>
    (instances.length === 0 || instances.includes(ring.instances.get(ring.instanceOf(seq)))) &&
    (events.length === 0 || events.includes(ring.events.get(ring.eventOf(seq)))) &&
    (kinds.length === 0 || wantedKinds.has(ring.kindOf(seq))) &&
    (direction === '' || ring.directionOf(seq) === wantedDirection) &&
    (needle === '' || ring.searchText(seq).includes(needle))
}

/** The events of a ring that are in a view, the newest first. Where there are many they are found bit by bit. */
export class Matches {
  readonly view: View
  readonly #ring: Ring
  readonly #matches: ((seq: number) => boolean) | null
  /** Events that were added after it was made, from a sequence number on, the oldest first. */
  #newer: number[] = []
  #start = 0
  /** Events that were there when it was made, the newest first, as far as was looked. */
  readonly #older: number[] = []
  #below: number

  constructor (ring: Ring, view: View) {
    this.view = view
    this.#ring = ring
    this.#matches = isFiltered(view) ? matcher(ring, view) : null
    this.#below = this.#matches === null ? 0 : ring.next
  }

  /** Adds a new event, if it matches. @returns whether it is one of these */
  added (seq: number): boolean {
    if (this.#matches === null) return true
    if (!this.#matches(seq)) return false
    this.#newer.push(seq)
    return true
  }

  get isComplete (): boolean {
    return this.#matches === null || this.#below <= this.#ring.first
  }

  /** Looks on until a time, by `now`. */
  scan (until: number, now: () => number): void {
    while (!this.isComplete) {
      const seq = --this.#below
      if (this.#matches?.(seq) === true) this.#older.push(seq)
      if (now() >= until) return
    }
  }

  /** Forgets what the ring has dropped. */
  trim (): void {
    const { first } = this.#ring
    while ((this.#older.at(-1) ?? first) < first) this.#older.pop()
    while ((this.#newer[this.#start] ?? first) < first) this.#start++
    if (this.#start > 4096) {
      this.#newer = this.#newer.slice(this.#start)
      this.#start = 0
    }
  }

  get size (): number {
    return this.#matches === null ? this.#ring.size : this.#newer.length - this.#start + this.#older.length
  }

  /** @param at 0 is the newest */
  at (at: number): number | undefined {
    if (this.#matches === null) return at < this.#ring.size ? this.#ring.next - 1 - at : undefined
    const newer = this.#newer.length - this.#start
    return at < newer ? this.#newer[this.#newer.length - 1 - at] : this.#older[at - newer]
  }

  /** How many are newer than an event. */
  newerThan (seq: number): number {
    let low = 0
    let high = this.size
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.at(middle) ?? -1) > seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The next event, in one direction, of the same chat or of the same name. */
export function neighbour (ring: Ring, seq: number, by: 'chat' | 'event', step: 1 | -1): number | null {
  const isSame = by === 'chat'
    ? (other: number) => ring.chatOf(other) === ring.chatOf(seq)
    : (other: number) => ring.eventOf(other) === ring.eventOf(seq) && ring.instanceOf(other) === ring.instanceOf(seq)
  if (by === 'chat' && ring.chatOf(seq) === 0) return null
  for (let other = seq + step; ring.has(other); other += step) if (isSame(other)) return other
  return null
}
