import type { Message, Position, Ready, Refusal } from 'fastify-ws-events'
import type { ClientSetup, SoakClient } from './client.js'
import { between, FILTERS, keyOf, oneIn, pick, type Profile } from './plan.js'
import { RawSocket } from './raw-socket.js'
import { Reader } from './reader.js'

/** For how long a client is away, in ms: mostly short, and always less than retention. */
const away = (): number => oneIn(10) ? between(3000, 15_000) : between(10, 3000)
/** For how long one does not read: mostly for too short a time to be ended. */
const asleep = (): number => oneIn(3) ? between(15_000, 30_000) : between(1000, 8000)
/** Until one tries again that was sent away, or whose instance is not there. */
const later = (): number => between(500, 2000)

/** A client that speaks the protocol by hand, and resumes as the contract says. */
export class RawSoakClient implements SoakClient {
  readonly profile: Profile
  readonly reader: Reader
  readonly #setup: ClientSetup
  #socket: RawSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #isIn = false
  #isAway = false
  #isAsleep = false
  #isSettled = false

  constructor (setup: ClientSetup) {
    const { profile } = setup
    this.#setup = setup
    this.profile = profile
    this.reader = new Reader(text => { this.#surprise(text) })
  }

  get isIn (): boolean {
    return this.#isIn && !this.#isAsleep && !this.reader.isChanging
  }

  #surprise (text: string): void {
    this.#setup.surprise(`a client of ${this.profile.instance ?? 'the root'}: ${text}`)
  }

  begin (): void {
    const { reader, profile: { instance, isPassing } } = this
    this.#isAway = false
    if (isPassing) reader.startAnew()
    // What was asked for before counts from the start.
    reader.asked()
    const namespace = instance === null ? '' : `/${instance},`
    this.#socket = new RawSocket({ port: this.#setup.port, namespace, auth: { apikey: keyOf(instance), events: reader.kinds, lastEventId: reader.lastEventId } }, {
      joined: () => {
        this.#isIn = true
        this.#setup.happened('came')
      },
      refused: answer => { this.#refused(JSON.parse(answer) as { data?: Refusal }) },
      sentAway: () => { this.#sentAway() },
      event: (name, content) => { this.#hear(name, content) },
      acknowledged: answer => { this.#acknowledged(answer) },
      closed: () => { this.#closed() }
    })
  }

  #hear (name: string, content: unknown): void {
    const { reader } = this
    if (name === 'ws.ready') reader.ready(content as Ready)
    else if (name === 'ws.position') reader.position((content as Position).lastEventId)
    else reader.take(content as Message)
  }

  #acknowledged (answer: unknown): void {
    if (!Array.isArray(answer)) this.#surprise(`a filter was refused: ${JSON.stringify(answer)}`)
    this.reader.asked()
    this.#setup.happened('filters')
  }

  #refused ({ data }: { data?: Refusal }): void {
    if (this.profile.isPassing && data?.code === 'FST_ERR_WS_EVENTS_NOT_SET') this.#setup.happened('refused')
    else this.#surprise(`it was refused: ${JSON.stringify(data)}`)
    this.#goFor(later())
  }

  #sentAway (): void {
    if (this.profile.isPassing) this.#setup.happened('removed')
    else this.#surprise('it was sent away')
    this.#goFor(later())
  }

  #closed (): void {
    this.#isIn = false
    this.#isAsleep = false
    this.#setup.happened('ended')
    this.#comeBack(away())
  }

  #comeBack (ms: number): void {
    clearTimeout(this.#timer)
    this.#isAway = true
    this.#timer = setTimeout(() => { this.begin() }, this.#isSettled ? Math.min(ms, 1000) : ms)
  }

  #goFor (ms: number, how: 'reset' | 'close' = 'close'): void {
    this.#isIn = false
    this.#socket?.[how]()
    this.#comeBack(ms)
  }

  act (): void {
    if (!this.isIn) return
    switch (pick(['cut', 'cut', 'left', 'filter', 'pause'] as const)) {
      case 'cut': this.#goFor(away(), 'reset'); this.#setup.happened('cut'); break
      case 'left': this.#goFor(away()); this.#setup.happened('left'); break
      case 'filter': this.#changeFilter(); break
      case 'pause': this.#sleep(); break
    }
  }

  #changeFilter (): void {
    this.reader.ask(pick(FILTERS))
    this.#socket?.emit('subscribe', { events: this.reader.kinds })
  }

  #sleep (): void {
    this.#setup.happened('paused')
    this.#isAsleep = true
    this.#socket?.pause()
    this.#timer = setTimeout(() => { this.#awake() }, asleep())
  }

  #awake (): void {
    clearTimeout(this.#timer)
    this.#isAsleep = false
    this.#socket?.resume()
  }

  settle (): void {
    this.#isSettled = true
    if (this.#isAsleep) this.#awake()
    else if (this.#isAway) this.#comeBack(between(0, 1000))
  }

  leave (): void {
    clearTimeout(this.#timer)
    this.#socket?.reset()
  }
}
