import type { Subscriber } from './subscriber.js'

const NONE: readonly Subscriber[] = []

/** The turn of a link that was ended. */
export const ENDED = -1

/** A client's connection, with what we keep about it. There is one for each client, so every field counts. */
export abstract class Link {
  /** The client's, as far as trusted proxies tell; `null` where there is none (a Unix socket). */
  readonly address: string | null
  /** Clients on it that hold a place. */
  places = 0
  /** Its clients that are in. Nearly always one, so the list is made anew for each more: it has no room to spare. */
  subscribers: readonly Subscriber[] = NONE
  /** The turn of the event loop in which it was last written to. */
  turn = 0

  constructor (address: string | null) {
    this.address = address
  }

  /** Bytes that wait for the client, in all buffers between us and the kernel. */
  abstract get queuedBytes (): number

  /** Resolves when something that waits has gone out, when the connection has ended, or after a moment. */
  abstract drained (): Promise<void>

  /** Ends the connection at once, with what waits, so that a stock client comes back by itself. */
  protected abstract endNow (): void

  /** Whether it was ended by us. Its close is reported later, and nothing more is written until then. */
  get ended (): boolean {
    return this.turn === ENDED
  }

  add (subscriber: Subscriber): void {
    this.subscribers = this.subscribers.length === 0 ? [subscriber] : [...this.subscribers, subscriber]
  }

  delete (subscriber: Subscriber): void {
    const others = this.subscribers.filter(other => other !== subscriber)
    this.subscribers = others.length === 0 ? NONE : others
  }

  /** Ends the connection at once, so that a stock client comes back by itself. */
  end (): void {
    this.turn = ENDED
    this.endNow()
  }
}
