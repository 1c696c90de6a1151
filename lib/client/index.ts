/**
 * A client for Node and browsers that resumes after each reconnect. It needs `socket.io-client`.
 *
 * @module fastify-ws-events/client
 */
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import type { EventData, EventTypes, Message, Position, Ready, Refusal } from '../types.js'
import { Bookmark, type IdStorage } from './bookmark.js'

export type { EventTypes, IdStorage, Message, Position, Ready, Refusal }

/** The dotted names of the events that are declared; any text while none is. */
export type ClientEventName = [keyof EventTypes] extends [never] ? string : keyof EventTypes & string

/** A refusal of the server, of which `data` says why, or a failure of `apikey` or `storage`. */
export interface ClientError extends Error {
  /** The refusal; left out where the server has not refused the client. */
  data?: Refusal
}

/** Options of `connect`: all that `io()` of socket.io-client takes but for `auth`, and the following. */
export interface ConnectOptions extends Partial<Omit<ManagerOptions & SocketOptions, 'auth'>> {
  /**
   * The key, or a function that is asked for it at each connect, so that a token can be renewed.
   * @default none
   */
  apikey?: string | (() => string | Promise<string>) | undefined
  /**
   * The events to get, such as `messages.*`.
   * @default all
   */
  events?: readonly string[] | undefined
  /**
   * The instances to get events of; at the root of global mode only.
   * @default all
   */
  instances?: readonly string[] | undefined
  /**
   * Keeps the last id for when the page is loaded anew or the process starts again. `sessionStorage` is each tab's
   * own. Tabs share `localStorage`, and with it one position, of whoever wrote last: right if what their handlers
   * write is shared too.
   * @default none
   */
  storage?: IdStorage | undefined
  /**
   * The name to keep it under.
   * @default made of the URL, without its query
   */
  storageKey?: string | undefined
  /**
   * Called when what was missed cannot be had any more: load your state anew. If it returns a promise, messages wait
   * for that, so that none is applied to the old state: up to 10,000, and when there were more, the client connects
   * once more and resumes. At another gap it is called again, even while it loads.
   */
  onGap?: ((ready: Ready) => unknown) | undefined
  /**
   * Told when the server refuses the client, or sends it away, and when `apikey` or `storage` fails. A refusal that
   * may pass (`error.data.retry`) is tried again by itself, and told once for each code until the client is in: the
   * instance may be mistyped. After any other, `socket.connect()` tries again. `apikey` is tried again, too.
   * @default console.warn
   */
  onError?: ((error: ClientError) => void) | undefined
  /**
   * The longest time between tries after a refusal that may pass, in ms. It begins with `reconnectionDelay`, and
   * doubles.
   * @default 30000
   */
  retryDelayMax?: number | undefined
}

/** Messages that are held while `onGap` loads. What is more is had again from the server when it has ended. */
const MAX_HELD = 10_000

type Handler = (message: Message) => unknown

/** The name under which the handlers of all events are kept; no event is called so. */
const ANY = '*'

/**
 * A client that misses no event and gets none twice while it lives. Across a crash, a message may come again: its id
 * is kept after its handlers have returned, also if one threw. A promise of theirs is not waited for.
 */
export class EventsClient {
  /** For `connect`, `connect_error` and `disconnect`, and for what is not a message of the plugin. */
  readonly socket: Socket
  readonly #options: Pick<ConnectOptions, 'apikey' | 'events' | 'instances' | 'onGap'>
  readonly #onError: (error: ClientError) => void
  readonly #retryDelayMax: number
  readonly #bookmark: Bookmark
  readonly #restored: Promise<void>
  // Map(event -> handlers)
  readonly #handlers = new Map<string, Set<Handler>>()
  #last = ''
  // What is behind a gap, while the application loads its state
  #held: Array<[name: string, content: unknown]> = []
  /** Whether there was more to hold than may be. */
  #isOverfull = false
  // The load that counts; null when nothing is held
  #loading: symbol | null = null
  #attempts = 0
  #retries = 0
  /** Codes of refusals that were told since it was in last. */
  readonly #told = new Set<string>()
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  /**
   * As {@link connect}.
   *
   * @param url as for socket.io-client's `io()`
   * @param options what to get, and where to resume
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
    // A query may hold the key.
    this.#bookmark = new Bookmark(storage, storageKey ?? `fastify-ws-events:${url.replace(/\?.*/s, '')}`, onError)
    this.#restored = this.#bookmark.restore().then(id => { this.#last = id })
    this.socket = io(url, { ...rest, auth: send => { void this.#authenticate(send) } })
    this.socket.onAny((name: string, content: unknown) => { this.#hear(name, content) })
    this.socket.on('connect', () => {
      this.#retries = 0
      this.#told.clear()
    })
    this.socket.on('connect_error', (error: ClientError) => { this.#refused(error) })
    this.socket.on('disconnect', reason => {
      if (reason === 'io server disconnect') this.#onError(new Error('the server has sent this client away'))
    })
  }

  /** What it would resume after; empty before the first connect, if nothing was stored. */
  get lastEventId (): string {
    return this.#last
  }

  /**
   * Adds a handler. Add those that must miss nothing in the same turn as `connect()`: what nobody handles has passed.
   *
   * @param event its dotted name
   * @param handler called with each message of the event
   * @returns a function that takes the handler out again
   */
  on<Name extends ClientEventName>(event: Name, handler: (message: Message<EventData<Name>>) => unknown): () => void {
    return this.#add(event, handler)
  }

  /**
   * Adds a handler of all events, called before those of one.
   *
   * @param handler called with each message
   * @returns a function that takes the handler out again
   */
  onAny (handler: (message: Message) => unknown): () => void {
    return this.#add(ANY, handler)
  }

  /** Leaves, for good: no handler is called any more, and no timer is left. */
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

  /** Tells the server who this is and where it stands. Over a shared connection it is called before `socket` is set. */
  async #authenticate (send: (auth: object) => void): Promise<void> {
    const { apikey, events, instances } = this.#options
    const attempt = ++this.#attempts
    // If the connection has changed meanwhile, another attempt answers: two answers would be two clients.
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
    // While it is active, the stock client comes back by itself.
    if (this.socket.active) return
    const { code = '', retry = false } = error.data ?? {}
    if (retry && this.#retry() && this.#told.has(code)) return
    this.#told.add(code)
    this.#onError(error)
  }

  /**
   * Tries again later, at a random moment, so that those who were refused together do not come back together.
   *
   * @returns whether it does, as socket.io-client's options about reconnection want it
   */
  #retry (): boolean {
    const { socket: { io: manager } } = this
    if (this.#isClosed || !manager.reconnection() || this.#retries >= manager.reconnectionAttempts()) return false
    const delay = Math.min(manager.reconnectionDelay() * 2 ** this.#retries++, this.#retryDelayMax)
    clearTimeout(this.#retryTimer)
    // The application may have told it to connect meanwhile.
    this.#retryTimer = setTimeout(
      () => { if (!this.socket.active) this.socket.connect() },
      delay * (1 + Math.random()) / 2
    )
    if (manager.opts.autoUnref === true) this.#retryTimer.unref()
    return true
  }

  #hear (name: string, content: unknown): void {
    if (this.#isClosed) return
    if (name === 'ws.ready') this.#start(content as Ready)
    else if (this.#loading !== null) this.#hold(name, content)
    else if (name === 'ws.position') this.#pass((content as Position).lastEventId)
    else if (isMessage(name, content)) this.#handle(content)
  }

  #hold (name: string, content: unknown): void {
    if (this.#held.length >= MAX_HELD) this.#isOverfull = true
    if (this.#isOverfull) this.#held = []
    else this.#held.push([name, content])
  }

  #start (ready: Ready): void {
    // It is replayed now, or belongs to what is lost.
    this.#held = []
    this.#isOverfull = false
    if (ready.recovered === true) return
    // Without comparing: ids of another life of the server may be less.
    this.#last = ready.lastEventId
    if (ready.recovered === false) void this.#load(ready)
    else this.#bookmark.keep(this.#last)
  }

  async #load (ready: Ready): Promise<void> {
    const load = Symbol('load')
    this.#loading = load
    try {
      await this.#options.onGap?.(ready)
    } catch (error) {
      report(error)
    }
    if (this.#loading !== load) return
    this.#loading = null
    // Not before: who crashes in the middle must be told of the gap again.
    this.#bookmark.keep(this.#last)
    // The server replays what came since the gap. Who is disconnected gets it at the next connect.
    if (this.#isOverfull && this.socket.connected) this.socket.disconnect().connect()
    this.#isOverfull = false
    for (let next; (next = this.#held.shift()) !== undefined;) this.#hear(...next)
  }

  #handle (message: Message): void {
    if (message.id <= this.#last) return
    for (const handler of [...this.#handlers.get(ANY) ?? [], ...this.#handlers.get(message.event) ?? []]) {
      // One of them may have closed it.
      if (this.#isClosed) break
      try {
        handler(message)
      } catch (error) {
        report(error)
      }
    }
    this.#pass(message.id)
  }

  #pass (id: string): void {
    if (id <= this.#last) return
    this.#last = id
    this.#bookmark.keep(id)
  }
}

/**
 * Connects to `https://host/instance`, or in global mode to `https://host`. It remembers the id of the last message
 * and resumes after it at each reconnect.
 *
 * @param url as for socket.io-client's `io()`
 * @param options what to get, and where to resume
 * @returns a client that connects by itself
 */
export function connect (url: string, options?: ConnectOptions): EventsClient {
  return new EventsClient(url, options)
}

/** The host may send other events over the same namespace, with an `id` of their own. */
function isMessage (name: string, content: unknown): content is Message {
  const { id, event, instance } = (content ?? {}) as Partial<Message>
  return event === name && typeof id === 'string' && typeof instance === 'string'
}

/** As an EventTarget does: the error is told to whoever hears of uncaught ones, and stops nothing here. */
function report (error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void }
  if (reportError !== undefined) reportError(error)
  else queueMicrotask(() => { throw error })
}

function warn (error: ClientError): void {
  // eslint-disable-next-line no-console -- a browser has no other log
  console.warn(error)
}
