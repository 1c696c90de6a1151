import { Readable } from 'node:stream'
import { EventSource } from 'eventsource'
import { Manager, type Socket } from 'socket.io-client'
import type { Refusal } from '../../lib/index.js'
import { shortCode } from '../helpers/outcome.js'
import type { Way } from './rows.js'

/** What a client asks for. */
export interface Asked {
  /** Of the server, or of a network in front of it. */
  readonly url: string
  readonly apikey: string
  readonly instance: string
  /** The id to resume from. */
  readonly lastEventId?: string | undefined
}

const EVENTS = ['call', 'chats.set'] as const
/** Stock clients wait a second and more before they come back; these wait so long, in ms. */
const RECONNECT = 20

/** A stock client, and what it sees. */
export abstract class Client {
  /** What it was told of its own connection, in order. */
  readonly told: string[] = []
  /** The data of each event that it got. */
  readonly got: string[] = []
  /** How often it has begun to connect again by itself. */
  returns = 0
  /** Whether it was let in since it last began to connect. */
  isIn = false
  /** What an EventSource waits for before it comes back: how long a stock client waits is chance. */
  mayReturn: Promise<void> = Promise.resolve()
  /** Called when it is told something of its connection. */
  onTold: () => void = () => {}
  /** Called when it is let in. */
  onIn: () => void = () => {}
  readonly #waiting = new Set<() => void>()

  /** Whether it was told something and will not try again. */
  abstract get isFinal (): boolean
  /** Whether it has gone by itself, and for good. */
  hasLeft = false
  hasJoined = false
  protected abstract ask (): void
  /** Goes as an application has it go. */
  protected abstract go (): void
  abstract close (): void

  /** Asks to come in. */
  join (): void {
    this.hasJoined = true
    this.ask()
  }

  leave (): void {
    this.hasLeft = true
    this.go()
  }

  protected changed (): void {
    for (const check of this.#waiting) check()
  }

  protected letIn (): void {
    this.isIn = true
    this.onIn()
    this.changed()
  }

  protected hear (what: string): void {
    this.isIn = false
    this.told.push(what)
    this.onTold()
    this.changed()
  }

  protected take (message: unknown): void {
    this.got.push(String((message as { data: unknown }).data))
    this.changed()
  }

  /** Resolves when something is so, which is looked at whenever the client sees something. */
  async until (isSo: () => boolean): Promise<void> {
    if (isSo()) return
    await new Promise<void>(resolve => {
      const check = () => {
        if (!isSo()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
    })
  }
}

/** Socket.IO's own client, on a connection of its own. */
export class SocketClient extends Client {
  readonly manager: Manager
  readonly socket: Socket

  constructor ({ url, apikey, instance, lastEventId }: Asked, transport: 'websocket' | 'polling') {
    super()
    this.manager = new Manager(url, {
      transports: [transport],
      autoConnect: false,
      reconnectionDelay: RECONNECT,
      reconnectionDelayMax: RECONNECT
    })
    this.manager.on('open', () => { this.changed() })
    this.manager.on('reconnect_attempt', () => {
      this.returns++
      this.changed()
    })
    // So it ends its own connection as it takes a refusal, which it tells next.
    this.manager.on('close', reason => { if (reason !== 'forced close') this.hear('connection ends') })
    this.socket = this.manager.socket(`/${instance}`, { auth: { apikey, lastEventId } })
    this.#listen()
  }

  #listen (): void {
    this.socket.on('connect', () => { this.letIn() })
    this.socket.on('connect_error', (error: Error & { data?: Refusal }) => {
      if (error.data !== undefined) this.hear(refusalIn(error))
    })
    this.socket.on('disconnect', reason => { if (reason === 'io server disconnect') this.hear('disconnect') })
    for (const event of EVENTS) this.socket.on(event, (message: unknown) => { this.take(message) })
  }

  /** Opens the connection, and asks for no namespace. */
  async open (): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.manager.open(error => {
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }

  protected ask (): void {
    this.socket.connect()
  }

  get isFinal (): boolean {
    return this.hasJoined && this.told.length > 0 && !this.socket.active
  }

  /** The same client in one more namespace, of which it tells as of its own. */
  async alsoJoin (namespace: string): Promise<void> {
    const { auth } = this.socket
    const other = this.manager.socket(namespace, { auth: auth as Record<string, unknown> })
    const answer = new Promise<string>(resolve => {
      other.once('connect', () => { resolve('nothing') })
      other.once('connect_error', (error: Error & { data?: Refusal }) => { resolve(refusalIn(error)) })
    })
    other.connect()
    const said = await answer
    if (said !== 'nothing') this.hear(said)
  }

  protected go (): void {
    this.socket.disconnect()
    this.close()
  }

  close (): void {
    this.manager._close()
  }
}

const refusalIn = ({ data, message }: Error & { data?: Refusal }): string =>
  `connect_error ${data === undefined ? message : shortCode(data.code)}`

/** An EventSource as browsers have it. */
export class StreamClient extends Client {
  readonly #asked: Asked
  #source: EventSource | undefined
  #isClosed = false

  constructor (asked: Asked) {
    super()
    this.#asked = asked
  }

  protected ask (): void {
    const { url, instance } = this.#asked
    const source = this.#source = new EventSource(`${url}/instance/${instance}/events`, { fetch: this.#fetch })
    source.addEventListener('open', () => { this.letIn() })
    source.addEventListener('error', () => { this.changed() })
    for (const event of EVENTS) {
      source.addEventListener(event, ({ data }: MessageEvent<string>) => { this.take(JSON.parse(data)) })
    }
  }

  #isFirst = true

  /** Brings the key, which an EventSource cannot, and sees how the answer ends, which it does not tell. */
  readonly #fetch = async (url: string | URL, init: RequestInit): Promise<Response> => {
    const { apikey, lastEventId } = this.#asked
    const from = this.#isFirst && lastEventId !== undefined ? { 'last-event-id': lastEventId } : {}
    if (!this.#isFirst) {
      this.returns++
      this.changed()
      await this.mayReturn
    }
    this.#isFirst = false
    const response = await this.#answer(url, { ...init, headers: { ...init.headers as object, ...from, apikey } })
    const { status, headers, body } = response
    if (status === 200 && body !== null) {
      return new Response(Readable.toWeb(Readable.from(this.#read(body))) as BodyInit, { status, headers })
    }
    this.hear(`${status} ${await codeIn(response.clone())}`)
    return response
  }

  async #answer (url: string | URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init)
    } catch (error) {
      this.#ended('connection ends')
      throw error
    }
  }

  async * #read (body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        yield Buffer.from(decoder.decode(chunk, { stream: true }).replace(/^retry: \d+$/m, `retry: ${RECONNECT}`))
      }
      this.#ended('stream ends')
    } catch (error) {
      this.#ended('connection ends')
      throw error
    }
  }

  #ended (how: string): void {
    if (!this.#isClosed) this.hear(how)
  }

  get isFinal (): boolean {
    return this.told.length > 0 && this.#source?.readyState === EventSource.CLOSED
  }

  protected go (): void {
    this.close()
  }

  close (): void {
    this.#isClosed = true
    this.#source?.close()
  }
}

/** A program that asks for a page of the past, once. */
export class PageClient extends Client {
  readonly #asked: Asked
  readonly #aborting = new AbortController()
  isFinal = false

  constructor (asked: Asked) {
    super()
    this.#asked = asked
  }

  protected ask (): void {
    void this.#ask()
  }

  async #ask (): Promise<void> {
    const { url, apikey, instance, lastEventId = '' } = this.#asked
    try {
      const asked = `${url}/instance/${instance}/events?after=${encodeURIComponent(lastEventId)}`
      const headers = { apikey, accept: 'application/json' }
      const response = await fetch(asked, { headers, signal: this.#aborting.signal })
      if (response.status === 200) {
        const { events } = await response.json() as { events: unknown[] }
        for (const message of events) this.take(message)
        this.#end('200, whole')
      } else this.#end(`${response.status} ${await codeIn(response)}`)
    } catch {
      this.#end('connection ends')
    }
  }

  #end (how: string): void {
    this.isFinal = true
    if (!this.#aborting.signal.aborted) this.hear(how)
  }

  protected go (): void {
    this.close()
  }

  close (): void {
    this.#aborting.abort()
  }
}

async function codeIn (response: Response): Promise<string> {
  const { code } = await response.json() as { code?: string }
  return shortCode(code ?? 'without a code')
}

export function clientOf (way: Way, asked: Asked): Client {
  if (way === 'stream') return new StreamClient(asked)
  return way === 'page' ? new PageClient(asked) : new SocketClient(asked, way)
}
