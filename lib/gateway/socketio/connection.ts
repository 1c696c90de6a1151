import { Connection, type ConnectionTelemetry } from '../connection.js'
import { type EngineConnection, endConnection } from './engine.js'
import { Polls } from './polls.js'
import { drained, followPolls, queuedBytes, takenBytes, type Way, type Wired } from './wire.js'

/** Where an Engine.IO connection keeps ours: a property takes less memory than a map of all connections. */
const CONNECTION = Symbol('fastify-ws-events.connection')

type Holder = EngineConnection & { [CONNECTION]?: SocketConnection }

/** The Engine.IO connection of a Socket.IO client. Its sessions are the namespaces that it is in. */
export class SocketConnection extends Connection implements Wired {
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
  /** Answers to its polls; `null` while there is none. */
  #polls: Polls | null = null
  /** How it can be written to, as found at the last write. */
  way: Way | undefined = undefined

  /** Ours of an Engine.IO connection; `undefined` before a client of it asked to be let in. */
  static of (engine: Holder): SocketConnection | undefined {
    return engine[CONNECTION]
  }

  constructor (engine: Holder, address: string | null, telemetry: ConnectionTelemetry) {
    super(address, telemetry)
    this.engine = engine
    engine[CONNECTION] = this
    // Each session that is being let in listens for its end, and there may be more than ten at once.
    engine.setMaxListeners(0)
    followPolls(engine, response => { (this.#polls ??= new Polls()).add(response) })
  }

  get queuedBytes (): number {
    return queuedBytes(this) + (this.#polls?.queuedBytes ?? 0)
  }

  get takenBytes (): number | null {
    return takenBytes(this) ?? this.#polls?.takenBytes ?? null
  }

  async drained (): Promise<void> {
    await drained(this)
  }

  /**
   * The connection has closed: ends the answers to its polls that were not read.
   *
   * @param ms for which they may still be read
   * @param onlySmall whether that holds for small ones alone, and large ones are ended at once
   */
  endPolls (ms: number, onlySmall: boolean): void {
    this.#polls?.end(ms, onlySmall)
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
