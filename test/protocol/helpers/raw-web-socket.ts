import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { BINARY, CLOSE, type Frame, frameOf, PING, PONG, readFrame, TEXT } from './frames.js'
import { bytesOf, CLOSED, lineOf, Lines } from './lines.js'

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What ends the head of an answer of HTTP. */
const END = '\r\n\r\n'

/** What a connection's request is made of. */
interface Request {
  readonly method?: string
  /** What follows `/socket.io/?`. */
  readonly query?: string
  /** These in place of those that belong to it; `null` leaves one out. */
  readonly headers?: Record<string, string | null>
}

/** How HTTP answered. */
interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
}

/**
 * A WebSocket by hand, on a TCP socket: what comes is not put right by any library. Frames of text are lines as they
 * are, those of bytes are `[01 02]`, control frames are named, and the end is `closed`.
 */
export class RawWebSocket {
  readonly lines = new Lines()
  /** The frames that came, as bytes. */
  readonly frames: Buffer[] = []
  /** How it ended: `close 1000` by a frame, `close` by one without a code, `cut` without one. */
  ending = 'cut'
  answer: Answer = { status: 0, headers: {} }
  /** What HTTP gave with a refusal. */
  body = ''
  readonly #tcp: Socket
  #chunks: Buffer[] = []
  /** Bytes in the chunks, and how many there must be of the next frame. */
  #length = 0
  #wanted = 0
  #isLeaving = false
  readonly #closed: Promise<void>

  private constructor (tcp: Socket) {
    this.#tcp = tcp
    this.#closed = new Promise(resolve => { tcp.once('close', () => { resolve() }) })
  }

  /** Resolves when HTTP has answered, or has ended the connection. */
  static async open (port: number, { method = 'GET', query = 'EIO=4&transport=websocket', headers = {} }: Request = {}): Promise<RawWebSocket> {
    const tcp = connect(port, '127.0.0.1')
    // As it ends is told by its close: a server that cuts a connection while we write is no fault of a test.
    tcp.on('error', () => {})
    const key = randomBytes(16).toString('base64')
    const all = { Host: `127.0.0.1:${port}`, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key, ...headers }
    const head = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')
    tcp.write(`${method} /socket.io/?${query} HTTP/1.1\r\n${head}\r\n`)
    const opened = new RawWebSocket(tcp)
    await opened.#answered(createHash('sha1').update(key + GUID).digest('base64'))
    return opened
  }

  async #answered (accept: string): Promise<void> {
    const { head, rest } = await readHead(this.#tcp)
    this.answer = answerOf(head)
    if (this.answer.status !== 101) {
      this.body = rest.toString()
      for await (const chunk of this.#tcp) this.body += String(chunk)
      await this.#closed
      return
    }
    if (this.answer.headers['sec-websocket-accept'] !== accept) throw new Error('the answer is to another key')
    this.#tcp.once('close', () => { this.lines.push(CLOSED) })
    this.#tcp.on('data', (chunk: Buffer) => { this.#read(chunk) })
    this.#read(rest)
  }

  #read (chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    // A large frame comes in many chunks, which are put together once.
    if (this.#length < this.#wanted) return
    let data: Buffer = Buffer.concat(this.#chunks)
    let found = readFrame(data)
    for (; typeof found !== 'number'; found = readFrame(data)) {
      data = found.rest
      this.#take(found.frame)
    }
    this.#chunks = [data]
    this.#length = data.length
    this.#wanted = found
  }

  #take ({ opcode, payload, oddity, bytes }: Frame): void {
    this.frames.push(bytes)
    if (oddity !== undefined) this.lines.push(`a frame that begins with ${oddity}`)
    if (opcode === TEXT) this.lines.push(payload.toString())
    else if (opcode === BINARY) this.lines.push(lineOf(payload))
    else if (opcode === PING) this.lines.push(`ping ${payload.toString()}`)
    else if (opcode === PONG) this.lines.push(`pong ${payload.toString()}`)
    else if (opcode === CLOSE) this.#end(payload)
    else this.lines.push(`opcode ${opcode}`)
  }

  #end (payload: Buffer): void {
    this.ending = payload.length === 0 ? 'close' : `close ${payload.readUInt16BE(0)}`
    if (!this.#isLeaving) this.write(frameOf(CLOSE, payload))
    this.#tcp.end()
  }

  /** Writes bytes as they are. */
  write (...bytes: Buffer[]): void {
    this.#tcp.write(Buffer.concat(bytes))
  }

  /** Sends a line as a message. */
  async send (line: string): Promise<void> {
    const bytes = bytesOf(line)
    this.write(bytes === null ? frameOf(TEXT, line) : frameOf(BINARY, bytes))
  }

  async next (): Promise<string> {
    return await this.lines.next()
  }

  /** Closes it, unless it is closed. Resolves to what came that nobody had asked for. */
  async leave (): Promise<string[]> {
    if (this.#tcp.writableEnded) {
      await this.#closed
      return this.lines.rest()
    }
    this.#isLeaving = true
    this.write(frameOf(CLOSE, Buffer.from([0x03, 0xe8])))
    await this.#closed
    // The last line is the end that was asked for.
    return this.lines.rest().slice(0, -1)
  }

  /** Says on the TCP connection under it that nothing more comes. */
  end (): void {
    this.#tcp.end()
  }

  /** Ends the TCP connection under it. */
  cut (): void {
    this.#tcp.destroy()
  }
}

/** Reads what HTTP answers before anything else; all that there is, when the connection ends before. */
async function readHead (tcp: Socket): Promise<{ head: string, rest: Buffer }> {
  let data: Buffer = Buffer.alloc(0)
  await new Promise<void>(resolve => {
    const receive = (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      if (!data.includes(END)) return
      tcp.off('data', receive)
      resolve()
    }
    tcp.on('data', receive)
    tcp.once('close', () => { resolve() })
  })
  const end = data.indexOf(END)
  return end === -1 ? { head: data.toString(), rest: Buffer.alloc(0) } : { head: data.subarray(0, end).toString(), rest: data.subarray(end + END.length) }
}

function answerOf (head: string): Answer {
  const [first = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  return { status: Number(first.split(' ')[1]), headers }
}
