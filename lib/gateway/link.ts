import { type Connection, endConnection } from './internals.js'
import type { Subscriber } from './subscriber.js'

/** The TCP socket under a WebSocket. */
export interface DirectSocket {
  readonly writable: boolean
  readonly writableLength: number
  write(data: Buffer): boolean
  once(event: 'drain', listener: () => void): unknown
  off(event: 'drain', listener: () => void): unknown
}

/** A WebSocket that can be written to directly. */
export interface FastSocket {
  readonly webSocket: { readonly readyState: number }
  readonly sender: { readonly _state: number, readonly _bufferedBytes: number }
  readonly stream: DirectSocket
}

/** How a link can be written to while it has this transport. */
interface Way {
  readonly transport: unknown
  readonly fast: FastSocket | undefined
}

/** Where a connection keeps its link: a property takes less memory than a map of all connections. */
const LINK = Symbol('fastify-ws-events.link')

const NONE: readonly Subscriber[] = []

/** The turn of a link that was ended. */
const ENDED = -1

/**
 * A client's connection, with what we keep about it. Several namespaces may share one. There is one for each client,
 * so every field counts.
 */
export class Link {
  readonly connection: Connection
  /** The client's, as far as trusted proxies tell; `null` where there is none (a Unix socket). */
  readonly address: string | null
  /** Clients on it that hold a place. */
  places = 0
  /** Clients on it that were refused. */
  refusals = 0
  /** The second in which a client asked last to come in, and how many did so in it. */
  #second = 0
  #asked = 0
  /** Its clients that are in. Nearly always one, so the list is made anew for each more: it has no room to spare. */
  subscribers: readonly Subscriber[] = NONE
  /** The turn of the event loop in which it was last written to. */
  turn = 0
  /** How it can be written to, as found at the last write. */
  way: Way | undefined = undefined

  /**
   * The link of a connection, made when it is first asked for.
   *
   * @param address of the client
   */
  static of (connection: Connection & { [LINK]?: Link }, address: string | null): Link {
    connection[LINK] ??= new Link(connection, address)
    return connection[LINK]
  }

  private constructor (connection: Connection, address: string | null) {
    this.connection = connection
    this.address = address
    // Each client on its way in waits for the end of its connection, and more than ten may come over one at once.
    connection.setMaxListeners(0)
  }

  /** Whether it was ended by us. Its close is reported later, and nothing more is written until then. */
  get ended (): boolean {
    return this.turn === ENDED
  }

  /**
   * Notes that a client asks to come in.
   *
   * @param now in ms
   * @returns how many have asked in this second
   */
  asked (now: number): number {
    const second = Math.floor(now / 1000)
    if (second !== this.#second) this.#asked = 0
    this.#second = second
    return ++this.#asked
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
    endConnection(this.connection)
  }
}
