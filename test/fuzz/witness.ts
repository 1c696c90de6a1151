import type { Message } from '../../lib/index.js'
import type { ClientOptions } from '../helpers/client.js'
import { Follower } from '../helpers/resume.js'
import type { Scope } from '../helpers/server.js'
import { HEALTHY } from './draw/values.js'
import { keyOf } from './keys.js'

/** The number of a healthy event; of any other, whatever is in it. */
const numberOf = ({ instance, data }: Message): unknown => instance === HEALTHY ? (data as { n: number }).n : undefined

/** A healthy client beside the attack, and what it was sent. */
export class Witness {
  readonly name: string
  readonly #follower: Follower
  #messages = 0
  /** Why its connection ended, each time. */
  readonly cuts: string[] = []
  #refused: string[] = []

  constructor (t: Scope, url: string, marker: string, { auth, ...options }: ClientOptions = {}) {
    this.name = `${new URL(url).pathname} by ${String(options.transports)}`
    this.#follower = new Follower(t, url, '', { ...options, auth: { apikey: keyOf(marker, 'healthy'), ...auth as object } })
    const { socket } = this.#follower
    socket.onAny((event: string) => { if (!event.startsWith('ws.')) this.#messages++ })
    socket.on('disconnect', reason => { this.cuts.push(reason) })
    socket.on('connect_error', error => { if ((error as { data?: unknown }).data !== undefined) this.#refused.push(error.message) })
  }

  /** Resolves when it is in. */
  async ready (): Promise<void> {
    await this.#follower.nextReady(1)
  }

  get newestId (): string {
    return this.#follower.inbox.messages.at(-1)?.id ?? this.#follower.readies.at(-1)?.lastEventId ?? ''
  }

  /** Goes, for good. */
  leave (): void {
    this.#follower.socket.disconnect()
  }

  /** Resolves when it has the event of this number. */
  async has (number: number): Promise<void> {
    await this.#follower.inbox.got(message => numberOf(message) === number)
  }

  /** What was wrong with what it got, where so many events were meant for it. */
  faults (count: number): string[] {
    const { inbox: { messages }, readies } = this.#follower
    const faults = this.#refused.map(message => `it was refused: ${message}`)
    const numbers = messages.map(numberOf)
    const foreign = messages.filter(({ instance }: Message) => instance !== HEALTHY)
    if (foreign.length > 0) faults.push(`it got ${foreign.length} events of others, such as ${JSON.stringify(foreign[0]).slice(0, 200)}`)
    if (numbers.length !== count || numbers.some((number, at) => number !== at)) faults.push(`of ${count} events it got ${numbers.length}, not each once and in order; first wrong at ${numbers.findIndex((number, at) => number !== at)}`)
    // What its connection was cut in the middle of it may get again, and knows by the id.
    if (this.cuts.length === 0 && this.#messages !== messages.length) faults.push(`it got ${this.#messages - messages.length} events twice`)
    if (readies.some(({ recovered }) => recovered === false)) faults.push('it was told of a gap')
    return faults.map(fault => `the healthy client at ${this.name}: ${fault}`)
  }
}
