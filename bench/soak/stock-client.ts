import type { Message, Position, Ready, Refusal } from 'fastify-ws-events'
import { io, type Socket } from 'socket.io-client'
import type { ClientSetup, SoakClient } from './client.js'
import { between, FILTERS, keyOf, pick, type Profile } from './plan.js'
import { Reader } from './reader.js'

/** A client of socket.io-client that resumes as the contract says, and comes back by itself. */
export class StockSoakClient implements SoakClient {
  readonly profile: Profile
  readonly reader: Reader
  readonly #setup: ClientSetup
  readonly #socket: Socket
  #timer: NodeJS.Timeout | undefined
  #isExpected = false

  constructor (setup: ClientSetup) {
    const { profile, port } = setup
    const { instance, way } = profile
    this.#setup = setup
    this.profile = profile
    this.reader = new Reader(text => { this.#surprise(text) })
    this.#socket = io(`http://127.0.0.1:${port}/${instance ?? ''}`, {
      forceNew: true,
      autoConnect: false,
      transports: [way],
      reconnectionDelay: 100,
      reconnectionDelayMax: 3000,
      auth: give => { give(this.#auth()) }
    })
    this.#listen()
  }

  #auth (): object {
    const { reader, profile: { instance, isPassing } } = this
    if (isPassing) reader.startAnew()
    // What came while its connection was being closed has not been handled, and will come again.
    this.#socket.receiveBuffer = []
    reader.asked()
    return { apikey: keyOf(instance), events: reader.kinds, lastEventId: reader.lastEventId }
  }

  get isIn (): boolean {
    return this.#socket.connected && !this.reader.isChanging
  }

  #surprise (text: string): void {
    this.#setup.surprise(`a stock client of ${this.profile.instance ?? 'the root'} by ${this.profile.way}: ${text}`)
  }

  #listen (): void {
    const { reader } = this
    const socket = this.#socket
    socket.on('connect', () => {
      this.#isExpected = false
      this.#setup.happened('came')
    })
    socket.on('ws.ready', (ready: Ready) => { reader.ready(ready) })
    socket.on('ws.position', ({ lastEventId }: Position) => { reader.position(lastEventId) })
    socket.onAny((name: string, message: Message) => { if (!name.startsWith('ws.')) reader.take(message) })
    socket.on('disconnect', reason => { this.#left(reason) })
    socket.on('connect_error', (error: Error & { data?: Refusal }) => { if (error.data !== undefined) this.#refused(error.data) })
  }

  #left (reason: string): void {
    if (reason === 'io server disconnect') {
      if (this.profile.isPassing) this.#setup.happened('removed')
      else this.#surprise('it was sent away')
      this.#comeBack(between(500, 2000))
    } else if (!this.#isExpected) {
      this.#setup.happened('ended')
    }
  }

  #refused (refusal: Refusal): void {
    if (this.profile.isPassing && refusal.code === 'FST_ERR_WS_EVENTS_NOT_SET') this.#setup.happened('refused')
    else this.#surprise(`it was refused: ${JSON.stringify(refusal)}`)
    this.#comeBack(between(500, 2000))
  }

  #comeBack (ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.#socket.connect() }, ms)
  }

  begin (): void {
    this.#socket.connect()
  }

  act (): void {
    if (!this.isIn) return
    switch (pick(['cut', 'left', 'filter'] as const)) {
      case 'cut': this.#cut(); break
      case 'left': this.#leaveForAWhile(); break
      case 'filter': this.#changeFilter(); break
    }
  }

  #cut (): void {
    this.#isExpected = true
    this.#setup.happened('cut')
    this.#socket.io.engine.close()
  }

  #leaveForAWhile (): void {
    this.#isExpected = true
    this.#setup.happened('left')
    this.#socket.disconnect()
    this.#comeBack(between(10, 5000))
  }

  #changeFilter (): void {
    const { reader } = this
    const kinds = pick(FILTERS)
    reader.ask(kinds)
    this.#socket.emit('subscribe', { events: kinds }, (answer: unknown) => {
      if (reader.kinds !== kinds) return
      if (!Array.isArray(answer)) this.#surprise(`a filter was refused: ${JSON.stringify(answer)}`)
      reader.asked()
      this.#setup.happened('filters')
    })
  }

  settle (): void {
    if (!this.#socket.active) this.#comeBack(between(0, 1000))
  }

  leave (): void {
    clearTimeout(this.#timer)
    this.#isExpected = true
    this.#socket.disconnect()
  }
}
