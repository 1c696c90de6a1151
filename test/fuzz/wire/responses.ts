const HEAD_END = '\r\n\r\n'
const LINE_END = '\r\n'
const BODILESS = new Set([204, 304])

/** Hears one answer of HTTP, as far as it comes. */
export interface ResponseListener {
  head (status: number, head: string): void
  body (bytes: Buffer): void
  /** It is whole. */
  end (): void
}

/** An answer that is expected, and who hears it. */
export interface Expected {
  readonly isHead: boolean
  readonly listener: ResponseListener
}

type Reading = 'head' | 'length' | 'size' | 'chunk' | 'chunk-end' | 'trailer' | 'close'

/** Reads the answers of one connection as they come, in the order of their requests. */
export class ResponseParser {
  readonly #expected: Expected[] = []
  #rest: Buffer = Buffer.alloc(0)
  #reading: Reading = 'head'
  /** Bytes of the body, or of the chunk, that have not come yet. */
  #left = 0
  /** Bytes that nobody has asked for. */
  surplus = 0

  expect (expected: Expected): void {
    this.#expected.push(expected)
  }

  read (bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length > 0 && this.#step());
  }

  #step (): boolean {
    const [current] = this.#expected
    if (current === undefined) {
      this.surplus += this.#rest.length
      this.#rest = Buffer.alloc(0)
      return false
    }
    switch (this.#reading) {
      case 'head': return this.#head(current)
      case 'size': return this.#size()
      case 'chunk-end':
      case 'trailer': return this.#lineEnd(current.listener)
      case 'length':
      case 'chunk':
      case 'close': return this.#body(current.listener)
    }
  }

  #head ({ isHead, listener }: Expected): boolean {
    const end = this.#rest.indexOf(HEAD_END)
    if (end === -1) return false
    const head = this.#take(end + HEAD_END.length).toString('latin1')
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
    // Another one follows.
    if (status >= 100 && status < 200 && status !== 101) return true
    listener.head(status, head)
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    if (isHead || BODILESS.has(status) || length === '0') this.#end(listener)
    else if (length !== undefined) [this.#reading, this.#left] = ['length', Number(length)]
    else [this.#reading, this.#left] = /^transfer-encoding: *chunked/im.test(head) ? ['size', 0] : ['close', Infinity]
    return true
  }

  #size (): boolean {
    const end = this.#rest.indexOf(LINE_END)
    if (end === -1) return false
    this.#left = parseInt(this.#take(end + LINE_END.length).toString('latin1'), 16)
    this.#reading = this.#left === 0 ? 'trailer' : 'chunk'
    return true
  }

  #lineEnd (listener: ResponseListener): boolean {
    if (this.#rest.length < LINE_END.length) return false
    this.#take(LINE_END.length)
    if (this.#reading === 'trailer') this.#end(listener)
    else this.#reading = 'size'
    return true
  }

  #body (listener: ResponseListener): boolean {
    const bytes = this.#take(Math.min(this.#left, this.#rest.length))
    this.#left -= bytes.length
    listener.body(bytes)
    if (this.#left > 0) return true
    if (this.#reading === 'chunk') this.#reading = 'chunk-end'
    else this.#end(listener)
    return true
  }

  #end (listener: ResponseListener): void {
    this.#reading = 'head'
    this.#expected.shift()
    listener.end()
  }

  #take (count: number): Buffer {
    const taken = this.#rest.subarray(0, count)
    this.#rest = this.#rest.subarray(count)
    return taken
  }
}
