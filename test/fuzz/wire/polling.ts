import type { Header } from '../draw/http.js'
import { bytesOf, type Part } from '../parts.js'
import { type HttpAnswer, HttpConnection } from './http.js'
import { requestBytes } from './request.js'
import type { Listener } from './websocket.js'

const SEPARATOR = '\x1e'
const TEXT = 'text/plain;charset=UTF-8'

/** A polling connection of Engine.IO, by hand. */
export class RawPolling {
  readonly #port: number
  readonly #listener: Listener
  readonly #from: Header[]
  readonly #connections = new Set<HttpConnection>()
  /** Of these, those that wait for no answer. */
  readonly #idle = new Set<HttpConnection>()
  #path = ''
  #isGone = false
  sid = ''
  isClosed = false

  /** @param from the address that it says it comes from; left out: none */
  constructor (port: number, listener: Listener, from?: string) {
    this.#port = port
    this.#from = from === undefined ? [] : [['X-Forwarded-For', [from]]]
    this.#listener = listener
  }

  async open (): Promise<void> {
    const answer = await this.#exchange('GET', '/socket.io/?EIO=4&transport=polling', null, '')
    const sid = /"sid":"([^"]+)"/.exec(answer?.body.toString() ?? '')?.[1]
    if (sid === undefined) this.isClosed = true
    this.sid = sid ?? ''
    this.#path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`
  }

  /** Posts a body, and resolves to the answer. */
  async post (body: readonly Part[], newestId: string, contentType = TEXT): Promise<HttpAnswer | null> {
    this.#listener.sent(bytesOf(body, newestId))
    return await this.#exchange('POST', this.#path, body, contentType, newestId)
  }

  /** Polls once. */
  async poll (): Promise<HttpAnswer | null> {
    const answer = await this.#exchange('GET', this.#path, null, '')
    if (answer === null || answer.status !== 200) this.isClosed = true
    else for (const packet of answer.body.toString().split(SEPARATOR)) await this.#read(packet)
    return answer
  }

  async #read (packet: string): Promise<void> {
    if (packet === '2') await this.post(['3'], '')
    else if (packet === '1') this.isClosed = true
    else this.#listener.packet(packet)
  }

  async #exchange (method: string, path: string, body: readonly Part[] | null, contentType: string, newestId = ''): Promise<HttpAnswer | null> {
    if (this.#isGone) return null
    const connection = [...this.#idle].find(({ isClosed }) => !isClosed) ?? new HttpConnection(this.#port)
    this.#connections.add(connection)
    this.#idle.delete(connection)
    const answer = await connection.exchange(requestBytes({ method, url: [path], headers: [...this.#from, ...(body === null ? [] : [['Content-Type', [contentType]] as const])], body, chunk: 0 }, newestId), false)
    if (!connection.isClosed) this.#idle.add(connection)
    return answer
  }

  /** Says goodbye. */
  async close (): Promise<void> {
    if (!this.isClosed) await this.post(['1'], '')
    this.vanish()
  }

  /** Ends without a word. */
  vanish (): void {
    this.isClosed = true
    this.#isGone = true
    for (const connection of this.#connections) connection.end()
  }
}
