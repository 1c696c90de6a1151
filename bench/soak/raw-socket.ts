import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { WebSocket } from 'ws'

interface Handlers {
  /** The server has accepted the client in its namespace. */
  readonly joined: () => void
  /** It has refused it, with this answer. */
  readonly refused: (answer: string) => void
  /** It has sent it out of the namespace. */
  readonly sentAway: () => void
  readonly event: (name: string, content: unknown) => void
  readonly acknowledged: (answer: unknown) => void
  /** The connection was ended, and not by the client. */
  readonly closed: () => void
}

interface Options {
  readonly port: number
  /** As the protocol writes it, such as `/acme,`. */
  readonly namespace: string
  /** Left out: it never asks to be let in. */
  readonly auth?: object
}

/** A WebSocket that speaks Engine.IO 4 and Socket.IO 5 by hand: less work than a stock client, and every packet is at hand. */
export class RawSocket {
  readonly #options: Options
  readonly #handlers: Handlers
  readonly #webSocket: WebSocket
  #tcp: Socket | undefined
  /** Ended by the client: nothing is handed over any more. */
  #isOver = false

  constructor (options: Options, handlers: Handlers) {
    this.#options = options
    this.#handlers = handlers
    this.#webSocket = new WebSocket(`ws://127.0.0.1:${options.port}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      createConnection: (connection: object) => {
        this.#tcp = connect(connection as NetConnectOpts)
        return this.#tcp
      }
    })
    this.#webSocket.on('message', (data: Buffer) => { if (!this.#isOver) this.#read(data.toString()) })
    // It is closed after that, and then told.
    this.#webSocket.on('error', () => {})
    this.#webSocket.once('close', () => { if (!this.#isOver) handlers.closed() })
  }

  #read (packet: string): void {
    if (packet === '2') this.#send('3')
    else if (packet.startsWith('0')) this.#knock()
    else if (packet.startsWith('4')) this.#receive(packet)
  }

  #knock (): void {
    const { namespace, auth } = this.#options
    if (auth !== undefined) this.#send(`40${namespace}${JSON.stringify(auth)}`)
  }

  #receive (packet: string): void {
    const content = packet.slice(2 + this.#options.namespace.length)
    switch (packet[1]) {
      case '0': this.#handlers.joined(); break
      case '1': this.#handlers.sentAway(); break
      case '2': this.#handlers.event(...JSON.parse(content) as [string, unknown]); break
      case '3': this.#handlers.acknowledged((JSON.parse(content.slice(content.indexOf('['))) as unknown[])[0]); break
      case '4': this.#handlers.refused(content); break
    }
  }

  #send (packet: string): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.send(packet)
  }

  /** Sends an event, and asks for an acknowledgement. */
  emit (event: string, content: object): void {
    this.#send(`42${this.#options.namespace}0${JSON.stringify([event, content])}`)
  }

  pause (): void {
    this.#webSocket.pause()
  }

  resume (): void {
    this.#webSocket.resume()
  }

  /** Ends the connection as a network does. */
  reset (): void {
    this.#isOver = true
    if (this.#tcp === undefined) this.#webSocket.terminate()
    else this.#tcp.resetAndDestroy()
  }

  /** Ends it as a client does: says goodbye to the namespace, and closes. */
  close (): void {
    this.#isOver = true
    this.#send(`41${this.#options.namespace}`)
    this.#webSocket.close()
  }
}
