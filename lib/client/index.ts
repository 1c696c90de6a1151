/**
 * A client for Node and browsers that resumes after each reconnect. It needs `socket.io-client`.
 *
 * @module fastify-ws-events/client
 */
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import type { EventData, EventTypes, Message, Position, Ready, Refusal } from '../types.js'
import { Bookmark, type IdStorage } from './bookmark.js'

export type { EventTypes, IdStorage, Message, Position, Ready, Refusal }

/** The dotted names of the declared events; any string while no event is declared. */
export type ClientEventName = [keyof EventTypes] extends [never] ? string : keyof EventTypes & string

/** A refusal by the server, with the reason in `data`, or a failure of `apikey` or `storage`. */
export interface ClientError extends Error {
  /** The refusal; left out if the server did not refuse the client. */
  data?: Refusal
}

/** Options of `connect`: all options of socket.io-client's `io()` except `auth`, and the following. */
export interface ConnectOptions extends Partial<Omit<ManagerOptions & SocketOptions, 'auth'>> {
  /**
   * The key, or a function that returns it. The function is called at each connect, so that a token can be renewed.
   * @default none
   */
  apikey?: string | (() => string | Promise<string>) | undefined
  /**
   * The events to receive, such as `messages.*`.
   * @default all
   */
  events?: readonly string[] | undefined
  /**
   * The instances whose events to receive; only at the root in global mode.
   * @default all
   */
  instances?: readonly string[] | undefined
  /**
   * Stores the last id, so that the client resumes after the page is reloaded or the process restarts. Each tab has its
   * own `sessionStorage`. All tabs share `localStorage`, where the last tab to write decides the position: use it only
   * if the state that the handlers write is shared as well.
   * @default none
   */
  storage?: IdStorage | undefined
  /**
   * The name under which the id is stored.
   * @default made of the URL, without its query
   */
  storageKey?: string | undefined
  /**
   * Called after a gap: missed events are lost, and the application must reload its state. If it returns a promise,
   * messages are held back until the promise settles, so that none is applied to the old state: up to 10,000. If more
   * come, the client reconnects afterwards and resumes. Another gap calls it again, even before the promise has
   * settled.
   */
  onGap?: ((ready: Ready) => unknown) | undefined
  /**
   * Called when the server refuses or disconnects the client, and when `apikey` or `storage` fails. After a refusal
   * with `error.data.retry`, the client retries by itself, and reports each code only once until it is connected. After
   * any other refusal, call `socket.connect()` to try again. A failure of `apikey` is retried as well.
   * @default console.warn
   */
  onError?: ((error: ClientError) => void) | undefined
  /**
   * The longest delay between retries after a refusal with `retry`, in ms. The first delay is `reconnectionDelay`; it
   * doubles at each retry.
   * @default 30000
   */
  retryDelayMax?: number | undefined
}

/** Messages that are held back while `onGap` loads. If more come, the client resumes after it instead. */
const MAX_HELD_BACK = 10_000

type Handler = (message: Message) => unknown

/** The key for handlers of all events. No event can have this name. */
const ANY = '*'

/**
 * A client that resumes after each reconnect. Within one process, no event is lost or repeated. After a crash a message
 * may be repeated: its id is stored after its handlers have returned, even if one threw. Promises of handlers are not
 * awaited.
 */
export class EventsClient {
  /**
   * The Socket.IO client: use it for `connect`, `connect_error` and `disconnect`, and for messages that are not the
   * plugin's.
   */
  readonly socket: Socket
  readonly #options: Pick<ConnectOptions, 'apikey' | 'events' | 'instances' | 'onGap'>
  readonly #onError: (error: ClientError) => void
  readonly #retryDelayMax: number
  readonly #bookmark: Bookmark
  readonly #restored: Promise<void>
  // Map(event -> handlers)
  readonly #handlers = new Map<string, Set<Handler>>()
  #last = ''
  // Events after a gap, held back while the application reloads its state
  #heldBack: Array<[name: string, content: unknown]> = []
  /** Whether more messages came than may be held back. */
  #isOverfull = false
  // The latest call of `onGap`, until it is done; null when no event is held back
  #gapLoad: symbol | null = null
  #attempts = 0
  #retries = 0
  /** Codes of the refusals that were reported since the client was last connected. */
  readonly #reportedCodes = new Set<string>()
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  /**
   * See {@link connect}.
   *
   * @param url as for socket.io-client's `io()`
   * @param options which events to receive, and where to store the last id
   */
  constructor (url: string, options: ConnectOptions = {}) {
    const {
      apikey,
      events,
      instances,
      storage,
      storageKey,
      onGap,
      onError = warn,
      retryDelayMax = 30_000,
      ...rest
    } = options
    this.#options = { apikey, events, instances, onGap }
    this.#onError = onError
    this.#retryDelayMax = retryDelayMax
    // Without the query, which may contain the key.
    this.#bookmark = new Bookmark(storage, storageKey ?? `fastify-ws-events:${url.replace(/\?.*/s, '')}`, onError)
    this.#restored = this.#bookmark.restore().then(id => { this.#last = id })
    this.socket = io(url, { ...rest, auth: send => { void this.#authenticate(send) } })
    this.socket.onAny((name: string, content: unknown) => { this.#receive(name, content) })
    this.socket.on('connect', () => {
      this.#retries = 0
      this.#reportedCodes.clear()
    })
    this.socket.on('connect_error', (error: ClientError) => { this.#refused(error) })
    this.socket.on('disconnect', reason => {
      if (reason === 'io server disconnect') this.#onError(new Error('the server has sent this client away'))
    })
  }

  /** The id after which the client would resume; empty before the first connect if no id was stored. */
  get lastEventId (): string {
    return this.#last
  }

  /**
   * Adds a handler. Events that have no handler are skipped, so add handlers in the same tick as `connect()`.
   *
   * @param event its dotted name
   * @param handler called with each message of the event
   * @returns a function that removes the handler
   */
  on<Name extends ClientEventName>(event: Name, handler: (message: Message<EventData<Name>>) => unknown): () => void {
    return this.#add(event, handler)
  }

  /**
   * Adds a handler of all events, called before the handlers of one event.
   *
   * @param handler called with each message
   * @returns a function that removes the handler
   */
  onAny (handler: (message: Message) => unknown): () => void {
    return this.#add(ANY, handler)
  }

  /** Disconnects for good. No handler is called after this, and all timers are cleared. */
  close (): void {
    this.#isClosed = true
    clearTimeout(this.#retryTimer)
    this.socket.disconnect()
  }

  #add (event: string, handler: Handler): () => void {
    const handlers = this.#handlers.get(event) ?? new Set()
    this.#handlers.set(event, handlers.add(handler))
    return () => { handlers.delete(handler) }
  }

  /**
   * Sends the key, the filter and the last id. On a connection that is shared with other clients it is called before
   * `socket` is set.
   */
  async #authenticate (send: (auth: object) => void): Promise<void> {
    const { apikey, events, instances } = this.#options
    const attempt = ++this.#attempts
    // If the connection has changed during an await, a newer attempt sends the answer. A second answer would add a
    // second session.
    const isCurrent = () =>
      attempt === this.#attempts && this.socket.active && this.socket.io.engine.readyState === 'open'
    try {
      await this.#restored
      const key = typeof apikey === 'function' ? await apikey() : apikey
      if (isCurrent()) send({ apikey: key, events, instances, lastEventId: this.#last })
    } catch (cause) {
      if (!isCurrent()) return
      this.socket.disconnect()
      this.#retry()
      this.#onError(new Error('the function that gives the key has failed', { cause }))
    }
  }

  #refused (error: ClientError): void {
    // An active stock client reconnects by itself.
    if (this.socket.active) return
    const { code = '', retry = false } = error.data ?? {}
    if (retry && this.#retry() && this.#reportedCodes.has(code)) return
    this.#reportedCodes.add(code)
    this.#onError(error)
  }

  /**
   * Retries after a random delay, so that clients that were refused together do not reconnect together.
   *
   * @returns whether a retry is scheduled, as allowed by socket.io-client's reconnection options
   */
  #retry (): boolean {
    const { socket: { io: manager } } = this
    if (this.#isClosed || !manager.reconnection() || this.#retries >= manager.reconnectionAttempts()) return false
    const delay = Math.min(manager.reconnectionDelay() * 2 ** this.#retries++, this.#retryDelayMax)
    clearTimeout(this.#retryTimer)
    // The application may have called `connect()` meanwhile.
    this.#retryTimer = setTimeout(
      () => { if (!this.socket.active) this.socket.connect() },
      delay * (1 + Math.random()) / 2
    )
    if (manager.opts.autoUnref === true) this.#retryTimer.unref()
    return true
  }

  #receive (name: string, content: unknown): void {
    if (this.#isClosed) return
    if (name === 'ws.ready') this.#onReady(content as Ready)
    else if (this.#gapLoad !== null) this.#holdBack(name, content)
    else if (name === 'ws.position') this.#advance((content as Position).lastEventId)
    else if (isMessage(name, content)) this.#handle(content)
  }

  #holdBack (name: string, content: unknown): void {
    if (this.#heldBack.length >= MAX_HELD_BACK) this.#isOverfull = true
    if (this.#isOverfull) this.#heldBack = []
    else this.#heldBack.push([name, content])
  }

  #onReady (ready: Ready): void {
    // Events held back so far are either replayed now or part of the gap.
    this.#heldBack = []
    this.#isOverfull = false
    if (ready.recovered === true) return
    // The new id may be smaller than the last one: ids of another epoch are not comparable.
    this.#last = ready.lastEventId
    if (ready.recovered === false) void this.#load(ready)
    else this.#bookmark.keep(this.#last)
  }

  async #load (ready: Ready): Promise<void> {
    const load = Symbol('load')
    this.#gapLoad = load
    try {
      await this.#options.onGap?.(ready)
    } catch (error) {
      report(error)
    }
    if (this.#gapLoad !== load) return
    this.#gapLoad = null
    // Stored only after `onGap` is done: after a crash before that, the server must report the gap again.
    this.#bookmark.keep(this.#last)
    // The server then replays the events since the gap. A client that is disconnected gets them at its next connect.
    if (this.#isOverfull && this.socket.connected) this.socket.disconnect().connect()
    this.#isOverfull = false
    for (let next; (next = this.#heldBack.shift()) !== undefined;) this.#receive(...next)
  }

  #handle (message: Message): void {
    if (message.id <= this.#last) return
    for (const handler of [...this.#handlers.get(ANY) ?? [], ...this.#handlers.get(message.event) ?? []]) {
      // A handler may have closed the client.
      if (this.#isClosed) break
      try {
        handler(message)
      } catch (error) {
        report(error)
      }
    }
    this.#advance(message.id)
  }

  #advance (id: string): void {
    if (id <= this.#last) return
    this.#last = id
    this.#bookmark.keep(id)
  }
}

/**
 * Connects to `https://host/instance`, or in global mode to `https://host`. The client remembers the id of the last
 * message and resumes after it at each reconnect.
 *
 * @param url as for socket.io-client's `io()`
 * @param options which events to receive, and where to store the last id
 * @returns a client that connects by itself
 */
export function connect (url: string, options?: ConnectOptions): EventsClient {
  return new EventsClient(url, options)
}

/** The application may send its own events over the same namespace, with an `id` of their own. */
function isMessage (name: string, content: unknown): content is Message {
  const { id, event, instance } = (content ?? {}) as Partial<Message>
  return event === name && typeof id === 'string' && typeof instance === 'string'
}

/** Reports an error of a handler as uncaught, like an EventTarget does, without stopping the caller. */
function report (error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void }
  if (reportError !== undefined) reportError(error)
  else queueMicrotask(() => { throw error })
}

function warn (error: ClientError): void {
  // eslint-disable-next-line no-console -- a browser has no other log
  console.warn(error)
}
