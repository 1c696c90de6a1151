import { connect, type EventsClient, type IdStorage } from '../../../lib/client/index.js'
import type { Message, Ready } from '../../../lib/index.js'
import type { Draw } from './draw.js'

/** The longest time that a client is away when its connection has ended, in ms. */
const MAX_AWAY = 150

interface Options {
  /** Of all nodes. */
  readonly urls: readonly string[]
  /** `null`: the root. */
  readonly instance: string | null
  readonly draw: Draw
}

export const numberOf = ({ data }: Message): number => (data as { number: number }).number

/** A client that goes to some node whenever its connection ends, with the id that it has kept, and all that it gets. */
export class RoamingClient {
  readonly instance: string | null
  readonly numbers: number[] = []
  readonly ids: string[] = []
  readonly readies: Ready[] = []
  readonly surprises: string[] = []
  readonly #urls: readonly string[]
  readonly #draw: Draw
  readonly #kept = new Map<string, string>()
  readonly #storage: IdStorage = { getItem: key => this.#kept.get(key), setItem: (key, value) => this.#kept.set(key, value) }
  #client: EventsClient | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #check: () => void = () => {}

  constructor ({ urls, instance, draw }: Options) {
    this.#urls = urls
    this.instance = instance
    this.#draw = draw
    this.#open()
  }

  #open (): void {
    const client = connect(`${this.#draw.pick(this.#urls)}/${this.instance ?? ''}`, {
      forceNew: true,
      transports: ['websocket'],
      reconnection: false,
      storage: this.#storage,
      storageKey: 'last',
      // Of what passes by itself it is told nothing.
      onError: error => { this.surprises.push(`${error.message} ${error.data?.code ?? ''}`) }
    })
    this.#client = client
    const { socket } = client
    socket.on('ws.ready', (ready: Ready) => {
      this.readies.push(ready)
      this.#check()
    })
    client.onAny(message => { this.#take(message) })
    socket.on('connect_error', () => { this.#leave(client) })
    socket.on('disconnect', () => { this.#leave(client) })
  }

  #take (message: Message): void {
    this.numbers.push(numberOf(message))
    this.ids.push(message.id)
    this.#check()
  }

  /** Not in the same turn: what it has handled is to be kept by then. */
  #leave (client: EventsClient): void {
    if (this.#client !== client) return
    this.#client = undefined
    client.close()
    if (!this.#isClosed) this.#timer = setTimeout(() => { this.#open() }, this.#draw.between(1, MAX_AWAY))
  }

  /** Leaves its node by itself, for another one perhaps. */
  move (): void {
    if (this.#client !== undefined) this.#leave(this.#client)
  }

  /** Breaks its connection, as a network does. */
  cut (): void {
    const engine = this.#client?.socket.io.engine as { transport?: { ws?: { terminate (): void } } } | undefined
    engine?.transport?.ws?.terminate()
  }

  /** Resolves as soon as a condition holds. */
  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }

  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#client?.close()
  }
}
