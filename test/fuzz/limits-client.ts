import { Claims } from './claims.js'
import { packetFault } from './judge.js'
import { Mailbox } from './mailbox.js'
import type { Part } from './parts.js'
import { ResponseParser, type ResponseListener } from './wire/responses.js'
import { RawPolling } from './wire/polling.js'
import { inTime, Tcp } from './wire/tcp.js'
import { RawWebSocket } from './wire/websocket.js'

type Blame = (what: string) => void

/** Who attacks, and from where. */
export interface Place {
  readonly port: number
  readonly marker: string
  readonly from: string
  readonly blame: Blame
}

const isAnswer = (packet: string): boolean => /^4[04]/.test(packet)

/** A client of Socket.IO that reads as long as it is told to. */
export class SocketClient {
  readonly #webSocket: RawWebSocket | undefined
  readonly #polling: RawPolling | undefined
  readonly #mailbox = new Mailbox()
  #isStalled = false

  constructor (way: 'websocket' | 'polling', { port, marker, from, blame }: Place) {
    const claims = new Claims(marker)
    const listener = {
      sent: (bytes: Buffer) => { claims.sent(bytes) },
      packet: (packet: string) => {
        const fault = packetFault(packet) ?? claims.fault(packet)
        if (fault !== undefined) blame(fault)
        this.#mailbox.put(packet)
      }
    }
    if (way === 'websocket') this.#webSocket = new RawWebSocket(port, listener, from)
    else this.#polling = new RawPolling(port, listener, from)
    void this.#webSocket?.tcp.closed.then(() => { this.#mailbox.close() })
  }

  get isClosed (): boolean {
    return this.#webSocket?.tcp.isClosed ?? this.#polling?.isClosed ?? true
  }

  async open (): Promise<this> {
    await this.#webSocket?.open()
    await this.#polling?.open()
    return this
  }

  /** Sends packets at once, and waits for no answer. */
  async send (packets: readonly string[]): Promise<void> {
    const parts: Part[] = [packets.join('\x1e')]
    if (this.#webSocket !== undefined) for (const packet of packets) this.#webSocket.send([packet], '')
    else await this.#polling?.post(parts, '')
  }

  /** Sends one message that is as long as it may not be. */
  async sendLong (bytes: number): Promise<void> {
    const parts: Part[] = ['42["echo","', { repeat: 'x', times: bytes }, '"]']
    this.#webSocket?.send(parts, '')
    await this.#polling?.post(parts, '')
  }

  /** Asks to be let in, and waits until it is in, refused, or gone. */
  async join (namespace: string, auth: object): Promise<void> {
    await this.send([`40${namespace},${JSON.stringify(auth)}`])
    const waiting = { isOver: false }
    const answered = this.#mailbox.next(isAnswer, 'no answer to who comes in').finally(() => { waiting.isOver = true })
    // What it rejects with is seen below.
    answered.catch(() => {})
    while (this.#polling !== undefined && !this.#polling.isClosed && !waiting.isOver) {
      await this.#polling.poll()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    if (this.#polling?.isClosed === true) this.#mailbox.close()
    await answered
  }

  /** Reads nothing from now on. */
  stall (): void {
    this.#isStalled = true
    this.#webSocket?.tcp.socket.pause()
  }

  /** Waits until the server has ended it. @throws NoAnswer */
  async ended (): Promise<void> {
    if (this.#webSocket !== undefined) await inTime(this.#webSocket.tcp.closed, 'the connection was not ended')
    else while (this.#polling?.isClosed === false) await this.#polling.poll()
  }

  leave (): void {
    if (this.#isStalled) this.#webSocket?.tcp.socket.resume()
    this.#webSocket?.tcp.reset()
    this.#polling?.vanish()
  }
}

/** One connection of HTTP whose requests are written in bunches, all from other addresses or from one. */
export class HttpClient {
  readonly #tcp: Tcp
  readonly #parser = new ResponseParser()
  readonly #blame: Blame
  #answered = 0
  #begun = 0
  #looked: () => void = () => {}

  constructor ({ port, blame }: Pick<Place, 'port' | 'blame'>) {
    this.#blame = blame
    this.#tcp = new Tcp(port, bytes => {
      this.#parser.read(bytes)
      this.#looked()
    })
    void this.#tcp.closed.then(() => { this.#looked() })
  }

  get isClosed (): boolean {
    return this.#tcp.isClosed
  }

  async open (): Promise<this> {
    await this.#tcp.opened()
    return this
  }

  /** Writes requests at once. */
  write (requests: ReadonlyArray<{ readonly line: string, readonly headers: Readonly<Record<string, string>> }>): void {
    for (let count = 0; count < requests.length; count++) this.#parser.expect({ isHead: false, listener: this.#listener() })
    this.#tcp.write(requests.map(({ line, headers }) => `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`).join(''))
  }

  #listener (): ResponseListener {
    let told = ''
    return {
      head: status => {
        this.#begun++
        if (status >= 500 && status !== 503) this.#blame(`a route answered ${status}`)
        told = status >= 400 ? ' ' : ''
      },
      body: bytes => { if (told !== '' && told.length < 2000) told += bytes.toString() },
      end: () => {
        // Of Fastify's own, one who is slow himself is told that he is.
        if (told !== '' && !/"code":"FST_ERR_|"message":"Client Timeout"/.test(told)) this.#blame(`an error without a code: ${told}`)
        this.#answered++
      }
    }
  }

  /** Waits until so many answers are whole, or it has ended. @throws NoAnswer */
  async answered (count: number): Promise<void> {
    await inTime(this.#until(() => this.#answered >= count), 'no answer to a request')
  }

  /** Waits until so many answers have begun, or it has ended. @throws NoAnswer */
  async begun (count: number): Promise<void> {
    await inTime(this.#until(() => this.#begun >= count), 'no answer to a request')
  }

  async #until (isEnough: () => boolean): Promise<void> {
    while (!isEnough() && !this.#tcp.isClosed) await new Promise<void>(resolve => { this.#looked = resolve })
  }

  stall (): void {
    this.#tcp.socket.pause()
  }

  leave (): void {
    this.#tcp.reset()
  }
}
