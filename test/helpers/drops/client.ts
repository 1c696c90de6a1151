import { Agent, type ClientRequestArgs } from 'node:http'
import { connect, type Socket as NetSocket } from 'node:net'
import { type ManagerOptions, io, type Socket } from 'socket.io-client'
import type { Message, Position, Ready } from '../../../lib/index.js'
import { type Cut, CUTS, type Numbered, type Profile, type Way } from './plan.js'
import type { Received } from './verdict.js'

const TRANSPORTS: ReadonlyArray<readonly string[]> = [['websocket'], ['polling'], ['websocket'], ['polling', 'websocket']]

interface Options {
  readonly url: string
  readonly index: number
  readonly profile: Profile
  readonly way: Way
  readonly cuts: number
  /** Has the server end the connection of this Engine.IO id. */
  readonly endByServer: (id: string) => void
  /** Told when it may have come to a rest: see {@link DroppingClient.isIn} and {@link DroppingClient.isDone}. */
  readonly changed: () => void
}

const between = (least: number, most: number): number => least + Math.random() * (most - least)
const oneIn = (count: number): boolean => Math.random() < 1 / count

const isUpgrading = (engine: object): boolean => (engine as { upgrading?: boolean }).upgrading === true

/** The TCP sockets of one client, so that they can be reset. */
class Sockets extends Agent {
  readonly #open = new Set<NetSocket>()

  override createConnection (options: ClientRequestArgs): NetSocket {
    const socket = connect({ host: options.host ?? '', port: Number(options.port) })
    this.#open.add(socket)
    socket.once('close', () => { this.#open.delete(socket) })
    return socket
  }

  /** @returns whether there was any */
  reset (): boolean {
    for (const socket of this.#open) socket.resetAndDestroy()
    return this.#open.size > 0
  }
}

/** A stock client that keeps ids, or keeps none and only compares them, whose connection is cut again and again. */
export class DroppingClient implements Received {
  readonly profile: Profile
  readonly numbers: number[] = []
  readonly gapsAt: number[] = []
  readonly surprises: string[] = []
  /** Numbers that it was handed before it was told that it is in: they had come when its connection broke. */
  readonly held = new Set<number>()
  /** How many of these came once more. */
  repeated = 0
  cuts = 0
  readonly #options: Options
  readonly #sockets = new Sockets()
  readonly #socket: Socket
  #lastEventId = ''
  #isIn = false
  #wasIn = false
  #isCut = false
  #timer: NodeJS.Timeout | undefined

  constructor (options: Options) {
    const { url, index, profile } = options
    this.#options = options
    this.profile = profile
    this.#socket = io(`${url}/${profile.instance ?? ''}`, {
      forceNew: true,
      transports: TRANSPORTS[index % TRANSPORTS.length] as string[],
      // Its type is that of browsers.
      agent: this.#sockets as unknown as NonNullable<ManagerOptions['agent']>,
      reconnectionDelay: 20,
      reconnectionDelayMax: 5000,
      auth: options.way === 'stock' ? this.#request : give => { give(this.#auth()) }
    })
    this.#listen()
  }

  #auth (): object {
    // What came while its connection was being closed has not been handled, and will come again.
    this.#socket.receiveBuffer = []
    return { ...this.#request, ...(this.#options.way === 'ids' && { lastEventId: this.#lastEventId }) }
  }

  get #request (): object {
    const { apikey, events, instances } = this.profile
    return { apikey, ...(events && { events }), ...(instances && { instances }) }
  }

  #listen (): void {
    const socket = this.#socket
    if (this.#options.way === 'ids') {
      socket.on('ws.ready', ({ recovered, lastEventId }: Ready) => {
        this.#lastEventId = lastEventId
        this.#enter(recovered === true)
      })
      socket.on('ws.position', ({ lastEventId }: Position) => { this.#lastEventId = lastEventId })
    } else {
      socket.on('connect', () => { this.#enter(socket.recovered) })
    }
    socket.onAny((event: string, message: Message) => {
      if (!event.startsWith('ws.')) this.#take(message)
    })
    socket.on('connect_error', (error: Error & { data?: unknown }) => {
      // The others are connections that were cut before they were open.
      if (error.data !== undefined) this.surprises.push(`refused: ${error.message}`)
    })
    socket.io.on('open', () => { this.#plan() })
    socket.io.on('close', () => { this.#onClose() })
  }

  #take ({ id, data }: Message): void {
    const { number } = data as Numbered
    const isNew = this.#options.way !== 'stock' || id > this.#lastEventId
    if (this.#options.way === 'stock' && !this.#isIn) this.held.add(number)
    if (isNew) this.#lastEventId = id
    // Another one that came before is told by its number.
    if (isNew || !this.held.has(number)) this.numbers.push(number)
    else this.repeated++
    this.#options.changed()
  }

  #enter (recovered: boolean): void {
    if (this.#wasIn && !recovered) this.gapsAt.push(this.numbers.length)
    this.#isIn = true
    this.#wasIn = true
    this.#options.changed()
    // Before it has handled anything of what it missed, be that on its way or here already.
    if (oneIn(8) && this.#isToBeCut) this.#cut('closed')
  }

  #onClose (): void {
    clearTimeout(this.#timer)
    this.#isIn = false
    this.cuts++
    if (!this.#isCut) this.surprises.push('a connection was cut before its clients are cut')
    // Before Socket.IO asks for it. Sometimes much is missed.
    this.#socket.io.reconnectionDelay(oneIn(10) ? between(300, 1000) : between(1, 60))
  }

  /** From now on it is cut. */
  begin (): void {
    this.#isCut = true
    this.#plan()
  }

  get #isToBeCut (): boolean {
    return this.#isCut && this.cuts < this.#options.cuts
  }

  /** Often while it is being checked, or is brought what it missed. */
  #plan (): void {
    clearTimeout(this.#timer)
    if (!this.#isToBeCut) return
    const life = oneIn(3) ? between(0, 60) : between(60, 600)
    this.#timer = setTimeout(() => {
      this.#cut(CUTS[Math.floor(Math.random() * CUTS.length)] as Cut)
      this.#plan()
    }, life)
  }

  #cut (cut: Cut): void {
    const { engine } = this.#socket.io
    if (engine.readyState !== 'open') return
    // The stock client hangs until a ping is missed if it is closed while a dead WebSocket should take over from polling.
    if ((cut === 'reset' || isUpgrading(engine)) && this.#sockets.reset()) return
    if (cut === 'ended' && engine.id !== undefined) this.#options.endByServer(engine.id)
    else engine.close()
  }

  /** Whether it is in, and knows where it stands. */
  get isIn (): boolean {
    return this.#isIn
  }

  /** Whether it was cut as often as it should be, and is back. */
  get isDone (): boolean {
    return this.#isIn && this.cuts >= this.#options.cuts
  }
}
