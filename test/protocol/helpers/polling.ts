import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { bytesOf, CLOSED, lineOf, Lines } from './lines.js'

/** What Engine.IO writes between the packets of a payload. */
export const SEPARATOR = '\x1e'

export interface Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request under way that may be given up. */
export interface Pending {
  readonly response: Promise<Response>
  abort (): void
}

/** HTTP to the Engine.IO server at a port, on connections that are kept. */
export class Http {
  readonly #agent = new Agent({ keepAlive: true })
  readonly #port: number

  constructor (port: number) {
    this.#port = port
  }

  /** @param query what follows `/socket.io/?` */
  request (method: string, query: string, body?: string, headers: Record<string, string> = {}): Pending {
    const sent = request({ host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path: `/socket.io/?${query}`, headers })
    const response = new Promise<IncomingMessage>((resolve, reject) => { sent.once('response', resolve).once('error', reject) })
      .then(async message => ({ status: message.statusCode ?? 0, headers: message.headers, body: await text(message) }))
    sent.end(body)
    return { response, abort: () => { sent.destroy() } }
  }

  async get (query: string): Promise<Response> {
    return await this.request('GET', query).response
  }

  async post (query: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return await this.request('POST', query, body, { 'Content-Type': 'text/plain;charset=UTF-8', ...headers }).response
  }

  close (): void {
    this.#agent.destroy()
  }
}

/** The query of a session. */
export const sessionQuery = (sid: string): string => `EIO=4&transport=polling&sid=${sid}`

export interface Handshake {
  readonly sid: string
  readonly upgrades: readonly string[]
  readonly pingInterval: number
  readonly pingTimeout: number
  readonly maxPayload: number
}

/** What Engine.IO's `open` packet says. */
export const handshakeOf = (packet: string): Handshake => JSON.parse(packet.slice(1)) as Handshake

/** Opens a session. */
export async function openSession (http: Http): Promise<string> {
  const { body } = await http.get('EIO=4&transport=polling')
  return handshakeOf(body).sid
}

/** A client that polls until its session ends. Packets are lines, as of a WebSocket; the end is `closed`. */
export class RawPolling {
  readonly lines = new Lines()
  /** How it ended: `1` by a packet, or what HTTP answered, after what became of the last that was sent. */
  ending = ''
  readonly #http: Http
  readonly #query: string
  readonly #polling: Promise<void>
  #isPaused = false

  private constructor (http: Http, sid: string) {
    this.#http = http
    this.#query = sessionQuery(sid)
    this.#polling = this.#poll()
  }

  static async open (port: number): Promise<RawPolling> {
    const http = new Http(port)
    const { body } = await http.get('EIO=4&transport=polling')
    const opened = new RawPolling(http, handshakeOf(body).sid)
    opened.lines.push(body)
    return opened
  }

  async #poll (): Promise<void> {
    let isOpen = true
    while (isOpen) {
      const { status, body } = await this.#http.get(this.#query)
      isOpen = status === 200 && this.#take(body)
      if (status !== 200) this.ending += `${status} ${body}`
      if (isOpen && this.#isPaused) return
    }
    this.lines.push(CLOSED)
  }

  #take (payload: string): boolean {
    for (const packet of payload.split(SEPARATOR)) {
      if (packet === '1') {
        this.ending += packet
        return false
      }
      // The packet that says nothing ends a poll: when it comes tells only how fast we were.
      if (packet !== '6') this.lines.push(packet.startsWith('b') ? lineOf(Buffer.from(packet.slice(1), 'base64')) : packet)
    }
    return true
  }

  /** Polls no more. Resolves when the poll under way is answered. */
  async pause (): Promise<void> {
    this.#isPaused = true
    await this.#polling
    this.#http.close()
  }

  async send (line: string): Promise<void> {
    const bytes = bytesOf(line)
    const sent = this.#http.post(this.#query, bytes === null ? line : `b${bytes.toString('base64')}`)
    const said = await sent.then(({ status, body }) => `${status} ${body}`, (error: NodeJS.ErrnoException) => error.code)
    if (said !== '200 ok') this.ending += `${said}, then `
  }

  async next (): Promise<string> {
    return await this.lines.next()
  }

  /** Closes the session, unless it is closed. Resolves to what came that nobody had asked for. */
  async leave (): Promise<string[]> {
    const isOpen = this.ending === ''
    if (isOpen) await this.send('1')
    await this.#polling
    this.#http.close()
    return isOpen ? this.lines.rest().slice(0, -1) : this.lines.rest()
  }
}
