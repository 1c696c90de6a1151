import { Socket as ServerSocket } from 'socket.io'
import type { Manager, Socket } from 'socket.io-client'
import type { Message } from '../../lib/index.js'
import { admitted, connect, type ClientOptions } from './client.js'
import type { Scope } from './server.js'

/** A stock client that keeps no ids, with all that it is handed, and whether it was recovered each time that it came. */
export class StockClient {
  readonly socket: Socket
  readonly messages: Message[] = []
  /** What each of them had as a second argument. */
  readonly seconds: unknown[] = []
  /** Events of all kinds. */
  readonly heard: string[] = []
  readonly recovered: boolean[] = []
  /** Ids that it was handed before it was told that it is in: those that it had received when its connection broke. */
  readonly held: string[] = []
  #isIn = false
  #check: () => void = () => {}

  constructor (t: Scope, url: string, { manager, ...options }: ClientOptions & { manager?: Manager } = {}) {
    const { auth } = options
    const socket = manager === undefined ? connect(t, url, options) : manager.socket(new URL(url).pathname, { ...(auth !== undefined && { auth }) })
    this.socket = socket
    socket.on('connect', () => {
      this.#isIn = true
      this.recovered.push(socket.recovered)
      this.#check()
    })
    socket.on('disconnect', () => { this.#isIn = false })
    socket.onAny((event: string, message: Message, second: unknown) => {
      this.heard.push(event)
      if (event.startsWith('ws.') || typeof message !== 'object') return
      if (!this.#isIn) this.held.push(message.id)
      this.messages.push(message)
      this.seconds.push(second)
      this.#check()
    })
  }

  /** One that is in. */
  static async in (t: Scope, url: string, options: ClientOptions & { manager?: Manager } = {}): Promise<StockClient> {
    const client = new StockClient(t, url, options)
    await admitted(client.socket)
    return client
  }

  get datas (): unknown[] {
    return this.messages.map(({ data }) => data)
  }

  get pid (): string | undefined {
    return (this.socket as unknown as { _pid?: string })._pid
  }

  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }

  async got (count: number): Promise<unknown[]> {
    await this.until(() => this.messages.length >= count)
    return this.datas
  }

  /** Ends the connection as a network does. Resolves to whether it was recovered, when it is back. */
  async drop (meanwhile: () => unknown = () => {}): Promise<boolean> {
    const before = this.recovered.length
    this.socket.io.engine.close()
    await meanwhile()
    await this.until(() => this.recovered.length > before)
    return this.recovered.at(-1) as boolean
  }

  /** The same for what must all have happened before it comes back, however slow the machine is. */
  async miss (meanwhile: () => unknown): Promise<boolean> {
    const before = this.recovered.length
    const { io } = this.socket
    io.reconnection(false)
    io.engine.close()
    await meanwhile()
    io.reconnection(true)
    this.socket.connect()
    await this.until(() => this.recovered.length > before)
    return this.recovered.at(-1) as boolean
  }
}

/** What Socket.IO's server writes a client's first packet with. */
interface FirstPacket {
  connected: boolean
  readonly id: string
  join: (room: string) => void
  packet: (packet: object) => void
}

/** Until the test ends, Socket.IO is of a version that writes no pid. */
export function writeNoPid (t: Scope): void {
  const prototype = ServerSocket.prototype as unknown as { _onconnect: (this: FirstPacket) => void }
  const { _onconnect: before } = prototype
  t.teardown(() => { prototype._onconnect = before })
  prototype._onconnect = function () {
    this.connected = true
    this.join(this.id)
    this.packet({ type: 0, data: { sid: this.id } })
  }
}
