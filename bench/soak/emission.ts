import type { WsEvents } from 'fastify-ws-events'
import { payload } from '../lib/payload.js'
import { type Emitted, INSTANCES, KINDS, type Numbered, type Kind } from './plan.js'

/** Between two looks at what is due, in ms. */
const PERIOD = 20
/** Every so many events one is large, as media are. */
const LARGE_EVERY = 100
const LARGE = 32 * 1024
const SIZES = [300, 500, 1000]

const texts = SIZES.map(bytes => JSON.stringify(payload(bytes)))
const largeText = JSON.stringify(payload(LARGE))

/** Emits numbered events at a rate, to one instance after the other. */
export class Emission {
  /** That were emitted. */
  count = 0
  /** Whose promise was rejected. */
  failed = 0
  readonly #wsEvents: WsEvents
  // Map(instance -> events of each kind, in the order of KINDS)
  readonly #counts = new Map(INSTANCES.map(instance => [instance, KINDS.map(() => 0)]))
  #timer: NodeJS.Timeout | undefined

  constructor (wsEvents: WsEvents) {
    this.#wsEvents = wsEvents
  }

  /** @param rate events a second */
  start (rate: number): void {
    const start = performance.now()
    this.#timer = setInterval(() => {
      const due = (performance.now() - start) / 1000 * rate
      while (this.count < due) this.#emitNext()
    }, PERIOD)
  }

  #emitNext (): void {
    const instance = INSTANCES[this.count % INSTANCES.length] as string
    const text = this.count % LARGE_EVERY === 0 ? largeText : texts[this.count % texts.length] as string
    this.#emit(instance, Math.floor(this.count / INSTANCES.length) % KINDS.length, text)
  }

  #emit (instance: string, kind: number, text: string): void {
    const counts = this.#counts.get(instance) as number[]
    const data: Numbered = { n: counts[kind] as number, text }
    counts[kind] = data.n + 1
    this.count++
    // The plugin logs it.
    this.#wsEvents.emit(instance, KINDS[kind] as Kind, data).catch(() => { this.failed++ })
  }

  /** Emits one more of each kind for each instance, by which clients can tell that they have all. */
  finish (): Emitted {
    clearInterval(this.#timer)
    for (const instance of INSTANCES) KINDS.forEach((_, kind) => { this.#emit(instance, kind, '') })
    return [...this.#counts]
  }
}
