import { type ClientError, EventsClient } from '../../client/index.js'
import type { Message, Ready, Refusal } from '../../types.js'
import type { Access } from './api.js'

export type FeedStatus = 'connecting' | 'live' | 'away' | 'cut' | 'ended' | 'refused'

interface Hooks {
  readonly message: (message: Message, isReplayed: boolean) => void
  /** Called with the id of every message, also of one that the client drops as a duplicate. */
  readonly raw: (id: string) => void
  /** Called when a status has changed. */
  readonly changed: () => void
  /** Called when a feed has reconnected. `recovered`: whether everything that it missed is replayed. */
  readonly resumed: (recovered: boolean) => void
  /** The server's clock, in ms since 1970. */
  readonly now: () => number
}

/** One namespace that the page is connected to. */
export class Feed {
  /** `null` at the root. */
  readonly instance: string | null
  status: FeedStatus = 'connecting'
  refusal: Refusal | undefined
  /** By the server's clock: what is older than this was replayed. */
  readyAt = 0
  #wasLive = false
  readonly #client: EventsClient
  readonly #hooks: Hooks

  /** @param start what it begins after; empty: with what comes next */
  constructor (instance: string | null, path: string, start: string, { key }: Access, hooks: Hooks) {
    this.instance = instance
    this.#hooks = hooks
    this.#client = new EventsClient(`${location.origin}/${instance === null ? '' : encodeURIComponent(instance)}`, {
      path,
      transports: ['websocket', 'polling'],
      reconnectionDelayMax: 2000,
      retryDelayMax: 5000,
      storage: { getItem: () => start, setItem: () => {} },
      ...key !== '' && { apikey: key },
      onError: error => { this.#failed(error) }
    })
    const { socket } = this.#client
    this.#client.onAny(message => { hooks.message(message, Date.parse(message.date_time) < this.readyAt) })
    socket.prependAny((_name: string, content: unknown) => {
      const { id } = (content ?? {}) as Partial<Message>
      if (typeof id === 'string') hooks.raw(id)
    })
    socket.on('connect', () => { this.#becomes('live') })
    socket.on('ws.ready', (ready: Ready) => { this.#ready(ready) })
    socket.on('disconnect', reason => { this.#becomes(reason === 'io server disconnect' ? 'ended' : 'away') })
    socket.on('connect_error', (error: ClientError) => { this.#failed(error) })
  }

  #becomes (status: FeedStatus): void {
    this.status = status
    if (status === 'live') this.refusal = undefined
    this.#hooks.changed()
  }

  #failed ({ data }: ClientError): void {
    if (data === undefined) {
      if (this.#wasLive && this.status === 'connecting') this.#becomes('away')
      return
    }
    this.refusal = data
    this.#becomes('refused')
  }

  #ready ({ recovered }: Ready): void {
    this.readyAt = this.#hooks.now()
    if (this.#wasLive && recovered !== null) this.#hooks.resumed(recovered)
    this.#wasLive = true
  }

  /** What it would resume after. */
  get lastEventId (): string {
    return this.#client.lastEventId
  }

  /** Cuts the connection, and does not let it come back by itself. */
  cut (): void {
    const { io: manager } = this.#client.socket
    manager.reconnection(false)
    manager.engine.close()
    this.#becomes('cut')
  }

  /** Connects again. What was missed comes first. */
  resume (): void {
    const { socket } = this.#client
    socket.io.reconnection(true)
    this.#becomes('connecting')
    socket.connect()
  }

  close (): void {
    this.#client.close()
  }
}

/** All namespaces that the page is connected to, over one connection. */
export class Feeds {
  // Map(instance, or null for the root -> feed)
  readonly #open = new Map<string | null, Feed>()
  readonly #hooks: Hooks
  isCut = false

  constructor (hooks: Hooks) {
    this.#hooks = hooks
  }

  get all (): Feed[] {
    return [...this.#open.values()]
  }

  find (instance: string | null): Feed | undefined {
    return this.#open.get(instance)
  }

  isLive (instance: string | null): boolean {
    return this.#open.get(instance)?.status === 'live'
  }

  open (instance: string | null, path: string, start: string, access: Access): void {
    this.#open.get(instance)?.close()
    this.#open.set(instance, new Feed(instance, path, start, access, this.#hooks))
    this.#hooks.changed()
  }

  close (instance: string): void {
    this.#open.get(instance)?.close()
    this.#open.delete(instance)
  }

  cut (): void {
    this.isCut = true
    for (const feed of this.all) feed.cut()
  }

  resume (): void {
    this.isCut = false
    for (const feed of this.all) if (feed.status === 'cut') feed.resume()
  }

  closeAll (): void {
    for (const feed of this.all) feed.close()
    this.#open.clear()
    this.isCut = false
  }
}
