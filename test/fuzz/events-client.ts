import type { EventsAsk } from './draw/events.js'
import type { HttpRequest } from './draw/http.js'
import { eventsFault, isStream, StreamJudge } from './judge-events.js'
import { requestBytes } from './wire/request.js'
import { ResponseParser, type ResponseListener } from './wire/responses.js'
import { inTime, Tcp } from './wire/tcp.js'

/** For how long a client reads nothing, in ms. */
const LATE = 20

type Blame = (what: string) => void

/** The answer to one request, judged as it comes. */
class Answer implements ResponseListener {
  readonly #request: HttpRequest
  readonly #marker: string
  readonly #blame: Blame
  readonly #chunks: Buffer[] = []
  #status = 0
  #head = ''
  #stream: StreamJudge | null = null
  hasBody = false
  isWhole = false

  constructor (request: HttpRequest, marker: string, blame: Blame) {
    this.#request = request
    this.#marker = marker
    this.#blame = blame
  }

  /** Whether its client has what it waits for: all of it, or the beginning of a stream. */
  get isTaken (): boolean {
    return this.isWhole || this.#stream?.isReady === true
  }

  head (status: number, head: string): void {
    this.#status = status
    this.#head = head
    if (!isStream(status, head)) return
    this.#stream = new StreamJudge(this.#request, this.#marker)
    this.#judge()
  }

  body (bytes: Buffer): void {
    this.hasBody = true
    if (this.#stream === null) this.#chunks.push(bytes)
    else this.#say(this.#stream.read(bytes))
  }

  end (): void {
    this.isWhole = true
    if (this.#stream === null) this.#judge()
  }

  #judge (): void {
    this.#say(eventsFault(this.#request, { status: this.#status, head: this.#head, body: Buffer.concat(this.#chunks) }, this.#marker))
  }

  #say (fault: string | undefined): void {
    if (fault !== undefined) this.#blame(fault)
  }
}

/** A client of streams and pages that writes its requests at once, and takes as much of the answers as it was told. */
export class EventsClient {
  readonly #ask: EventsAsk
  readonly #bytes: Buffer
  readonly #answers: readonly Answer[]
  readonly #parser = new ResponseParser()
  readonly #tcp: Tcp
  #hasHead = false
  #looked: () => void = () => {}

  constructor (port: number, ask: EventsAsk, newestId: string, marker: string, blame: Blame) {
    this.#ask = ask
    this.#bytes = Buffer.concat(ask.requests.map(request => requestBytes(request, newestId)))
    this.#answers = ask.requests.map(request => new Answer(request, marker, blame))
    for (const [at, listener] of this.#answers.entries()) this.#parser.expect({ isHead: ask.requests[at]?.method === 'HEAD', listener })
    this.#tcp = new Tcp(port, bytes => {
      this.#hasHead = true
      this.#parser.read(bytes)
      this.#looked()
    })
    void this.#tcp.closed.then(() => { this.#looked() })
  }

  /** @throws NoAnswer */
  async run (): Promise<void> {
    try {
      await this.#run()
    } finally {
      this.#tcp.reset()
    }
  }

  async #run (): Promise<void> {
    const { takes, leaves } = this.#ask
    await this.#tcp.opened()
    if (takes === 'late' || takes === 'nothing') this.#tcp.socket.pause()
    this.#tcp.write(this.#bytes)
    if (takes === 'late' || takes === 'nothing') await new Promise(resolve => { setTimeout(resolve, LATE) })
    if (takes === 'late') this.#tcp.socket.resume()
    if (takes !== 'nothing') await inTime(this.#until(takes), 'no answer to a request for events')
    if (leaves === 'end' && takes !== 'nothing') await this.#tcp.end()
  }

  async #until (takes: EventsAsk['takes']): Promise<void> {
    while (!this.#tcp.isClosed && !this.#has(takes)) await new Promise<void>(resolve => { this.#looked = resolve })
  }

  #has (takes: EventsAsk['takes']): boolean {
    if (takes === 'head') return this.#hasHead
    if (takes === 'middle') return this.#answers.some(({ hasBody, isWhole }) => hasBody || isWhole)
    // What is behind a stream is not answered before that ends.
    const first = this.#answers.find(({ isWhole }) => !isWhole)
    return first === undefined || first.isTaken
  }
}
