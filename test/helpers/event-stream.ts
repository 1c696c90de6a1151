import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Message, Ready } from '../../lib/index.js'
import { findProgram } from './daemon.js'
import type { Scope } from './server.js'

/** An event of a stream, as a client reads it. */
export interface ServerSentEvent {
  readonly id: string | undefined
  readonly name: string
  readonly data: unknown
}

/** Reads a stream of server-sent events as a browser does. */
class Reader {
  readonly events: ServerSentEvent[] = []
  /** Each retry that was told, in ms. */
  readonly retries: number[] = []
  comments = 0
  /** The last id that was told with an event. */
  lastEventId: string | undefined
  /** Fields that no stream of ours has. */
  readonly unknown: string[] = []
  /** The bytes that have come, whatever they say. */
  bytes = 0
  readonly #waiting = new Set<() => void>()
  #rest = ''
  #fields: Record<string, string> = {}

  read (text: string): void {
    this.bytes += text.length
    const lines = `${this.#rest}${text}`.split(/\r\n|\r|\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
    for (const check of this.#waiting) check()
  }

  #line (line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const [, field = '', value = ''] = /^([^:]*): ?([^]*)$/.exec(line) ?? ['', line]
    if (field === '') this.comments++
    else if (field === 'retry') this.retries.push(Number(value))
    else if (['id', 'event', 'data'].includes(field)) this.#fields[field] = value
    else this.unknown.push(line)
  }

  #dispatch (): void {
    const { id, event, data } = this.#fields
    this.#fields = {}
    if (data === undefined) return
    if (id !== undefined) this.lastEventId = id
    this.events.push({ id, name: event ?? 'message', data: JSON.parse(data) })
  }

  get messages (): Message[] {
    return this.events.filter(({ name }) => !name.startsWith('ws.')).map(({ data }) => data as Message)
  }

  get readies (): Ready[] {
    return this.events.filter(({ name }) => name === 'ws.ready').map(({ data }) => data as Ready)
  }

  async until (isEnough: () => boolean): Promise<void> {
    if (isEnough()) return
    await new Promise<void>(resolve => {
      const check = () => {
        if (!isEnough()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
    })
  }

  /** Resolves to the messages, as soon as there are so many. */
  async got (count: number): Promise<Message[]> {
    await this.until(() => this.messages.length >= count)
    return this.messages
  }

  /** Resolves to the first `ws.ready`. */
  async ready (): Promise<Ready> {
    await this.until(() => this.readies.length > 0)
    return this.readies[0] as Ready
  }
}

type Headers = Readonly<Record<string, string>>

/** A client that reads a stream by hand. Ended with the test. */
export class EventStream extends Reader {
  readonly response: IncomingMessage
  /** Resolves to whether it was ended in order, as opposed to cut off. */
  readonly ended: Promise<boolean>

  private constructor (response: IncomingMessage, isPaused: boolean) {
    super()
    this.response = response
    response.on('error', () => {})
    this.ended = new Promise(resolve => { response.once('close', () => { resolve(response.complete) }) })
    if (!isPaused) this.resume()
  }

  resume (): void {
    this.response.setEncoding('utf8').on('data', (text: string) => { this.read(text) })
  }

  /** @throws what is answered instead of a stream */
  static async open (t: Scope, url: string, headers: Headers = {}, { isPaused = false, accept = 'text/event-stream' } = {}): Promise<EventStream> {
    const outgoing = request(url, { agent: false, headers: { accept, ...headers } })
    // One that is ended for good measure.
    outgoing.on('error', () => {})
    t.teardown(() => { outgoing.destroy() })
    outgoing.end()
    const [response] = await once(outgoing, 'response') as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${(await response.toArray()).join('')}`)
    return new EventStream(response, isPaused)
  }

  get headers (): IncomingHttpHeaders {
    return this.response.headers
  }

  /** Leaves, as one who loses the network does. */
  cut (): void {
    this.response.destroy()
  }
}

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutCurl: string | false = findProgram('curl') === undefined && 'there is no curl: apt-get install curl (Debian), or put curl on the PATH'

/** `curl -N` on a stream. Killed with the test. */
export class Curl extends Reader {
  /** Resolves to its exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>
  readonly #kill: () => void

  constructor (t: Scope, url: string, args: readonly string[] = []) {
    super()
    const child = spawn('curl', ['-sSN', ...args, url], { stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.setEncoding('utf8').on('data', (text: string) => { this.read(text) })
    this.ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
    this.#kill = () => { child.kill('SIGKILL') }
    t.teardown(async () => { await this.kill() })
  }

  async kill (): Promise<void> {
    this.#kill()
    await this.ended
  }
}
