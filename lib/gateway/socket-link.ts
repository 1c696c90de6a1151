import type { Socket } from 'socket.io'
import { type Connection, endConnection } from './internals.js'
import { Link } from './link.js'
import { drained, queuedBytes } from './wire.js'

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

const NONE: readonly Socket[] = []

/** Where a connection keeps its link: a property takes less memory than a map of all connections. */
const LINK = Symbol('fastify-ws-events.link')

/** The connection of a Socket.IO client. Several namespaces may share one. */
export class SocketLink extends Link {
  readonly connection: Connection
  /** Clients on it that were refused. */
  refusals = 0
  /** Clients on it that are being checked. Mostly none, so the list is made anew at each change, as that of its clients. */
  joining: readonly Socket[] = NONE
  /** Whether a client on it has asked for an instance. */
  asksForInstance = false
  /** Refusals of the root in traditional mode, which count only if nobody on it ever asks for an instance. */
  rootRefusals = 0
  /** The second in which a client asked last to come in, and how many did so in it. */
  #second = 0
  #asked = 0
  /** How it can be written to, as found at the last write. */
  way: Way | undefined = undefined

  /**
   * The link of a connection, made when it is first asked for.
   *
   * @param address of the client
   */
  static of (connection: Connection & { [LINK]?: SocketLink }, address: string | null): SocketLink {
    connection[LINK] ??= new SocketLink(connection, address)
    return connection[LINK]
  }

  private constructor (connection: Connection, address: string | null) {
    super(address)
    this.connection = connection
    // Each client on its way in waits for the end of its connection, and more than ten may come over one at once.
    connection.setMaxListeners(0)
  }

  get queuedBytes (): number {
    return queuedBytes(this)
  }

  async drained (): Promise<void> {
    await drained(this)
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

  /** Notes that a client is being checked, until it is in, refused or gone. */
  join (socket: Socket): void {
    this.joining = [...this.joining, socket]
  }

  settled (socket: Socket): void {
    const others = this.joining.filter(other => other !== socket)
    this.joining = others.length === 0 ? NONE : others
  }

  protected endNow (): void {
    endConnection(this.connection)
  }
}
