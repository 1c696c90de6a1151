import { connect, type EventsClient, type IdStorage } from '../../../lib/client/index.js'
import { io, type Socket } from 'socket.io-client'
import { idOfPid } from '../../../lib/gateway/pid.js'
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

/** What the clients of either kind are to the test. */
export interface Roamer {
  readonly instance: string | null
  readonly numbers: number[]
  readonly ids: string[]
  readonly readies: Array<Pick<Ready, 'recovered' | 'lastEventId'>>
  readonly surprises: string[]
  /** How many events came once more that it had received when its connection broke. */
  readonly repeated: number
  move (): void
  cut (): void
  until (holds: () => boolean): Promise<void>
  close (): void
}

/** A client that goes to some node whenever its connection ends, with the id that it has kept, and all that it gets. */
export class RoamingClient implements Roamer {
  readonly instance: string | null
  readonly numbers: number[] = []
  readonly ids: string[] = []
  readonly readies: Ready[] = []
  readonly surprises: string[] = []
  readonly repeated = 0
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

/** The parts of a stock client by which a load balancer in front of the nodes is played. */
interface Steered { uri: string, engine?: { transport?: { ws?: { terminate (): void } } } }

/** A stock client that keeps nothing and only compares ids, as behind a load balancer that gives it any node. */
export class RoamingStockClient implements Roamer {
  readonly instance: string | null
  readonly numbers: number[] = []
  readonly ids: string[] = []
  readonly readies: Array<Pick<Ready, 'recovered' | 'lastEventId'>> = []
  readonly surprises: string[] = []
  repeated = 0
  readonly #socket: Socket
  readonly #held = new Set<string>()
  #isIn = false
  #check: () => void = () => {}

  constructor ({ urls, instance, draw }: Options) {
    this.instance = instance
    const socket = io(`${draw.pick(urls)}/${instance ?? ''}`, { forceNew: true, transports: ['websocket'], reconnectionDelay: 1, reconnectionDelayMax: MAX_AWAY })
    this.#socket = socket
    socket.io.on('reconnect_attempt', () => { this.#steered.uri = draw.pick(urls) })
    socket.on('connect', () => { this.#enter() })
    socket.on('disconnect', reason => {
      this.#isIn = false
      if (reason === 'io server disconnect') this.surprises.push(reason)
    })
    socket.on('connect_error', (error: Error & { data?: unknown }) => {
      if (error.data !== undefined) this.surprises.push(error.message)
    })
    socket.onAny((event: string, message: Message) => { if (!event.startsWith('ws.')) this.#take(message) })
  }

  get #steered (): Steered {
    return this.#socket.io as unknown as Steered
  }

  #enter (): void {
    this.#isIn = true
    const { _pid: pid } = this.#socket as unknown as { _pid?: string }
    this.readies.push({ recovered: this.#socket.recovered, lastEventId: idOfPid(pid, this.instance) ?? '' })
    this.#check()
  }

  #take (message: Message): void {
    const { id } = message
    if (!this.#isIn) this.#held.add(id)
    if (id <= (this.ids.at(-1) ?? '') && this.#held.has(id)) {
      this.repeated++
      return
    }
    this.numbers.push(numberOf(message))
    this.ids.push(id)
    this.#check()
  }

  move (): void {
    this.#socket.io.engine.close()
  }

  cut (): void {
    this.#steered.engine?.transport?.ws?.terminate()
  }

  async until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#check = () => { if (holds()) resolve() }
      this.#check()
    })
  }

  close (): void {
    this.#socket.disconnect()
  }
}
