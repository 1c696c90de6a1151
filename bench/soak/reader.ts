import type { Message, Ready } from 'fastify-ws-events'
import { type Emitted, type Kind, KINDS, type Numbered } from './plan.js'

/** What became of the events that a client should have had. */
export interface Verdict {
  received: number
  lost: number
  doubled: number
  disordered: number
  /** How often it was told that what it missed cannot be had any more. */
  gaps: number
}

export const noVerdict = (): Verdict => ({ received: 0, lost: 0, doubled: 0, disordered: 0, gaps: 0 })

/** Compares what a client gets with the numbers that it should get, and keeps the id that it resumes after. */
export class Reader {
  lastEventId = ''
  readonly #surprise: (text: string) => void
  readonly #verdict = noVerdict()
  // Map(instance and kind -> number that comes next)
  readonly #next = new Map<string, number>()
  // Those that were skipped, of each instance and kind
  readonly #missing = new Map<string, Set<number>>()
  #kinds: readonly Kind[] = KINDS
  /** The filter before, until the server has acknowledged this one. */
  #before: readonly Kind[] | null = null

  /** @param surprise told of what should not be, and is no event that is lost, doubled or out of order */
  constructor (surprise: (text: string) => void) {
    this.#surprise = surprise
  }

  get kinds (): readonly Kind[] {
    return this.#kinds
  }

  get isChanging (): boolean {
    return this.#before !== null
  }

  get verdict (): Verdict {
    let lost = 0
    for (const numbers of this.#missing.values()) lost += numbers.size
    return { ...this.#verdict, lost }
  }

  /** Asks for other kinds. Of those that it did not have, it cannot know yet which number is next. */
  ask (kinds: readonly Kind[]): void {
    for (const key of this.#next.keys()) {
      if (!kinds.some(kind => this.#kinds.includes(kind) && key.endsWith(`/${kind}`))) this.#next.delete(key)
    }
    this.#before = this.#kinds
    this.#kinds = kinds
  }

  /** The server has acknowledged what was asked for, or was given it at a new connection. */
  asked (): void {
    this.#before = null
  }

  ready ({ recovered, lastEventId }: Ready): void {
    const brought = this.lastEventId
    this.lastEventId = lastEventId
    if (recovered === true) {
      if (brought !== lastEventId) this.#surprise('it was recovered after another id than it had brought')
      return
    }
    if (recovered === false) this.#verdict.gaps++
    else if (brought !== '') this.#surprise('its id was not read')
    this.#next.clear()
  }

  position (lastEventId: string): void {
    if (lastEventId < this.lastEventId) this.#surprise('it was told a position that it had passed')
    this.lastEventId = lastEventId
  }

  take ({ id, event, instance, data }: Message): void {
    this.#verdict.received++
    const isLate = id <= this.lastEventId
    if (!isLate) this.lastEventId = id
    const kind = event as Kind
    if (this.#kinds.includes(kind)) this.#count(`${instance}/${kind}`, (data as Numbered).n, isLate)
    else if (this.#before?.includes(kind) !== true) this.#surprise(`it got ${event}, which it had not asked for`)
  }

  #count (key: string, number: number, isLate: boolean): void {
    const next = this.#next.get(key) ?? number
    if (number < next) {
      if (this.#missing.get(key)?.delete(number) === true) this.#verdict.disordered++
      else this.#verdict.doubled++
      return
    }
    if (isLate) this.#verdict.disordered++
    for (let skipped = next; skipped < number; skipped++) this.#miss(key, skipped)
    this.#next.set(key, number + 1)
  }

  #miss (key: string, number: number): void {
    const numbers = this.#missing.get(key) ?? new Set()
    this.#missing.set(key, numbers.add(number))
  }

  /** Whether the last event of everything that it listens to is there. */
  hasAll (emitted: Emitted): boolean {
    return emitted.every(([instance, counts]) => this.#kinds.every(kind => this.#next.get(`${instance}/${kind}`) === counts[KINDS.indexOf(kind)]))
  }

  /** What has not come by now is lost. */
  close (emitted: Emitted): void {
    for (const [instance, counts] of emitted) {
      for (const kind of this.#kinds) {
        const count = counts[KINDS.indexOf(kind)] ?? 0
        const key = `${instance}/${kind}`
        for (let number = this.#next.get(key) ?? count - 1; number < count; number++) this.#miss(key, number)
      }
    }
  }

  /** Its instance may have been removed, and with it what it could resume after. */
  startAnew (): void {
    this.lastEventId = ''
    this.#next.clear()
  }
}
