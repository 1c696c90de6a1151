import { Connection } from '../connection.js'
import type { Telemetry } from '../telemetry.js'
import { type EngineConnection, endConnection } from './engine.js'
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

/** How a connection can be written to while it has this transport. */
interface Way {
  readonly transport: unknown
  readonly fast: FastSocket | undefined
}

/** Where an Engine.IO connection keeps ours: a property takes less memory than a map of all connections. */
const CONNECTION = Symbol('fastify-ws-events.connection')

type Holder = EngineConnection & { [CONNECTION]?: SocketConnection }

/** The Engine.IO connection of a Socket.IO client. Its sessions are the namespaces that it is in. */
export class SocketConnection extends Connection {
  readonly engine: EngineConnection
  /** Sessions on it that were refused. */
  refusals = 0
  /** Whether a client on it has asked for an instance. */
  asksForInstance = false
  /** Refusals of the root in traditional mode, which count only if no client on it ever asks for an instance. */
  rootRefusals = 0
  /** The second in which a client asked last to be let in, and how many did so in it. */
  #second = 0
  #asked = 0
  /** How it can be written to, as found at the last write. */
  way: Way | undefined = undefined

  /** Ours of an Engine.IO connection; `undefined` before a client of it asked to be let in. */
  static of (engine: Holder): SocketConnection | undefined {
    return engine[CONNECTION]
  }

  constructor (engine: Holder, address: string | null, telemetry: Telemetry) {
    super(address, telemetry)
    this.engine = engine
    engine[CONNECTION] = this
    // Each session that is being let in listens for its end, and there may be more than ten at once.
    engine.setMaxListeners(0)
  }

  get queuedBytes (): number {
    return queuedBytes(this)
  }

  async drained (): Promise<void> {
    await drained(this)
  }

  /**
   * Notes that a client asks to be let in.
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

  protected terminate (): void {
    endConnection(this.engine)
  }
}
