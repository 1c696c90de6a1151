import type { Channel } from './channel.js'
import type { Subscriber } from './subscriber.js'

/** Clients that are told in one turn of the event loop. */
const CLIENTS_A_TURN = 500

/** Tells a client that it may have missed something, and that what it gets from now on comes after `head`. */
export type TellGap = (subscriber: Subscriber, head: string) => void

/** Clients of a channel that are still to be told. */
interface Untold {
  readonly head: string
  readonly subscribers: readonly Subscriber[]
  /** How many are told. */
  told: number
}

/**
 * Tells clients that are connected of a gap in their stream. There may be thousands, so it takes some turns of the
 * event loop; until it is over nothing newer may be written to the channel.
 */
export class Gaps {
  readonly #tell: TellGap
  // Map(channel -> those who are still to be told)
  readonly #untold = new Map<Channel, Untold>()
  // Channels of which a client is being told in this moment
  readonly #busy = new Set<Channel>()

  constructor (tell: TellGap) {
    this.#tell = tell
  }

  /** Tells all who keep ids to resume from, the first of them at once. */
  begin (channel: Channel, head: string): void {
    this.#untold.set(channel, { head, subscribers: [...channel.resuming()], told: 0 })
    this.#continue(channel)
  }

  /** Whether somebody is still to be told. */
  isTelling (channel: Channel): boolean {
    return this.#untold.has(channel)
  }

  /**
   * Tells the others at once, because somebody wants to write.
   *
   * @returns `false` when that cannot be, because a listener of the host's asks for it in the middle of telling
   */
  finish (channel: Channel): boolean {
    if (this.#busy.has(channel)) return false
    this.#tellSome(channel, Infinity)
    return true
  }

  #continue (channel: Channel): void {
    this.#tellSome(channel, CLIENTS_A_TURN)
    if (this.#untold.has(channel)) setImmediate(() => { this.#continue(channel) })
  }

  #tellSome (channel: Channel, count: number): void {
    const untold = this.#untold.get(channel)
    if (untold === undefined) return
    const { subscribers, head, told } = untold
    untold.told += Math.min(count, subscribers.length - told)
    this.#busy.add(channel)
    for (const subscriber of subscribers.slice(told, untold.told)) {
      // It may have left since.
      if (channel.has(subscriber)) this.#tell(subscriber, head)
    }
    this.#busy.delete(channel)
    if (untold.told === subscribers.length) this.#untold.delete(channel)
  }
}
