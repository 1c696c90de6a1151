import { type ClientError, EventsClient } from '../../client/index.js'
import type { Message, Ready, Refusal } from '../../types.js'
import type { Access } from './api.js'

export type FeedStatus = 'connecting' | 'live' | 'away' | 'cut' | 'ended' | 'refused'

/** What came of the last resume. */
export interface Resumed {
  readonly recovered: boolean
  /** Messages that had been missed and came. */
  readonly count: number
}

interface Hooks {
  readonly message: (message: Message) => void
  /** Told whenever a status or a count has changed. */
  readonly changed: () => void
  /** Asks the server for the newest id of a stream, as it is now. */
  readonly headOf: (instance: string | null) => Promise<string>
}

/** One namespace that the page is connected to. */
export class Feed {
  /** `null` at the root. */
  readonly instance: string | null
  status: FeedStatus = 'connecting'
  refusal: Refusal | undefined
  resumed: Resumed | undefined
  readonly #client: EventsClient
  readonly #hooks: Hooks
  /** Ids that have come since it resumed, until it is known which of them had been missed. */
  #sinceResume: string[] | null = null
  #head = ''

  constructor (instance: string | null, path: string, { key }: Access, hooks: Hooks) {
    this.instance = instance
    this.#hooks = hooks
    this.#client = new EventsClient(`${location.origin}/${instance === null ? '' : encodeURIComponent(instance)}`, {
      path,
      transports: ['websocket', 'polling'],
      reconnectionDelayMax: 2000,
      ...key !== '' && { apikey: key },
      onGap: () => { this.#becomes(this.status, { recovered: false, count: 0 }) },
      onError: error => { this.#failed(error) }
    })
    const { socket } = this.#client
    this.#client.onAny(message => { this.#hear(message) })
    socket.on('connect', () => { this.#becomes('live') })
    socket.on('ws.ready', (ready: Ready) => { this.#ready(ready) })
    socket.on('disconnect', reason => { this.#becomes(reason === 'io server disconnect' ? 'ended' : 'away') })
    socket.on('connect_error', (error: ClientError) => { if (error.data !== undefined) this.#failed(error) })
  }

  #becomes (status: FeedStatus, resumed = this.resumed): void {
    this.status = status
    this.resumed = resumed
    if (status === 'live') this.refusal = undefined
    this.#hooks.changed()
  }

  #failed ({ data }: ClientError): void {
    if (data === undefined) return
    this.refusal = data
    this.#becomes('refused')
  }

  #ready ({ recovered }: Ready): void {
    if (recovered !== true) return
    this.#sinceResume = []
    this.#head = ''
    void this.#countMissed()
  }

  /** What came up to the id that is the newest now had been missed, and was brought. */
  async #countMissed (): Promise<void> {
    const head = await this.#hooks.headOf(this.instance).catch(() => '')
    const since = this.#sinceResume ?? []
    this.#sinceResume = null
    this.#head = head
    this.#becomes(this.status, { recovered: true, count: since.filter(id => id <= head).length })
  }

  #hear (message: Message): void {
    if (this.#sinceResume !== null) this.#sinceResume.push(message.id)
    else if (message.id <= this.#head && this.resumed !== undefined) {
      this.resumed = { ...this.resumed, count: this.resumed.count + 1 }
    }
    this.#hooks.message(message)
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
    this.resumed = undefined
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
  // Map(instance -> its last message), whichever namespace it came by
  readonly #last = new Map<string, Message>()
  isCut = false

  constructor (hooks: Hooks) {
    this.#hooks = {
      ...hooks,
      message: message => {
        this.#last.set(message.instance, message)
        hooks.message(message)
      }
    }
  }

  /** The last message of an instance that has come. */
  lastOf (instance: string): Message | undefined {
    return this.#last.get(instance)
  }

  get all (): Feed[] {
    return [...this.#open.values()]
  }

  find (instance: string | null): Feed | undefined {
    return this.#open.get(instance)
  }

  open (instance: string | null, path: string, access: Access): void {
    this.#open.get(instance)?.close()
    this.#open.set(instance, new Feed(instance, path, access, this.#hooks))
    this.#hooks.changed()
  }

  cut (): void {
    this.isCut = true
    for (const feed of this.all) feed.cut()
  }

  resume (): void {
    this.isCut = false
    for (const feed of this.all) feed.resume()
  }

  closeAll (): void {
    for (const feed of this.all) feed.close()
    this.#open.clear()
    this.#last.clear()
    this.isCut = false
  }

  /** What came of the last resume, over all of them; `undefined`: there was none, or it is not over. */
  get resumed (): Resumed | undefined {
    const resumed = this.all.map(feed => feed.resumed)
    const done = resumed.filter(each => each !== undefined)
    if (done.length === 0 || done.length < this.all.filter(({ status }) => status !== 'refused').length) return
    return {
      recovered: done.every(({ recovered }) => recovered),
      count: done.reduce((sum, { count }) => sum + count, 0)
    }
  }
}
