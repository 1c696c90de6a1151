import { inTime, Tcp } from './tcp.js'

export interface HttpAnswer {
  readonly status: number
  readonly head: string
  readonly body: Buffer
}

const HEAD_END = '\r\n\r\n'
const BODILESS = new Set([204, 304])

/** A connection that requests are written to by hand, one after the other. */
export class HttpConnection {
  readonly #tcp: Tcp
  #received = Buffer.alloc(0)
  #arrived: () => void = () => {}
  /** Whether it has ended in the middle of an answer, as one does that is ended from here. */
  #isCut = false

  constructor (port: number) {
    this.#tcp = new Tcp(port, bytes => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#arrived()
    })
    void this.#tcp.closed.then(() => { this.#arrived() })
  }

  get isClosed (): boolean {
    return this.#tcp.isClosed
  }

  /** Resolves to the answer, and to `null` when the connection ended before it was whole. @throws NoAnswer */
  async exchange (bytes: Buffer, isHead: boolean): Promise<HttpAnswer | null> {
    await this.#tcp.opened()
    this.#tcp.write(bytes)
    return await inTime(this.#answer(isHead), 'no answer to a request')
  }

  async #answer (isHead: boolean): Promise<HttpAnswer | null> {
    for (;;) {
      const head = await this.#untilHead()
      if (head === null) return null
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
      // Another one follows.
      if (status >= 100 && status < 200 && status !== 101) continue
      if (isHead || status === 101 || BODILESS.has(status)) return { status, head, body: Buffer.alloc(0) }
      const body = await this.#body(head)
      return this.#isCut ? null : { status, head, body }
    }
  }

  async #untilHead (): Promise<string | null> {
    for (;;) {
      const end = this.#received.indexOf(HEAD_END)
      if (end !== -1) return this.#take(end + HEAD_END.length).toString('latin1')
      if (this.#tcp.isClosed) return null
      await this.#more()
    }
  }

  async #body (head: string): Promise<Buffer> {
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    if (length !== undefined) return await this.#bytes(Number(length))
    if (!/^transfer-encoding: *chunked/im.test(head)) return await this.#bytes(Infinity)
    const chunks: Buffer[] = []
    for (;;) {
      const size = parseInt((await this.#line()).toString('latin1'), 16)
      const chunk = await this.#bytes(size)
      await this.#line()
      if (size === 0 || this.#tcp.isClosed) return Buffer.concat(chunks)
      chunks.push(chunk)
    }
  }

  async #line (): Promise<Buffer> {
    for (;;) {
      const end = this.#received.indexOf('\r\n')
      if (end !== -1) return this.#take(end + 2)
      if (this.#tcp.isClosed) {
        this.#isCut = true
        return Buffer.alloc(0)
      }
      await this.#more()
    }
  }

  async #bytes (count: number): Promise<Buffer> {
    while (this.#received.length < count && !this.#tcp.isClosed) await this.#more()
    if (this.#received.length < count && count !== Infinity) this.#isCut = true
    return this.#take(Math.min(count, this.#received.length))
  }

  #take (count: number): Buffer {
    const taken = this.#received.subarray(0, count)
    this.#received = this.#received.subarray(count)
    return taken
  }

  async #more (): Promise<void> {
    await new Promise<void>(resolve => { this.#arrived = resolve })
  }

  end (): void {
    this.#tcp.reset()
  }
}
