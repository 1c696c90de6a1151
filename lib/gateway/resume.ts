import type { FastifyBaseLogger } from 'fastify'
import type { EventLog } from '../log/event-log.js'
import type { Instances } from '../instances.js'
import type { Mode, Position, Ready, Stats } from '../types.js'
import type { Delivery } from './delivery.js'
import type { Page, Past } from './past.js'
import type { Subscriber } from './subscriber.js'
import type { Writer } from './writer.js'

/** Bytes that may wait for a client when a page is added. */
const ROOM = 64 * 1024
/** Pages that are written in one turn of the event loop, whoever they are for. */
const MIN_PAGES_A_TURN = 2
const MAX_PAGES_A_TURN = 64
/** A turn with pages in it should not take longer, in ms. */
const LONG_TURN = 6

interface Parts {
  readonly log: EventLog
  readonly past: Past
  readonly mode: Mode
  readonly instances: Instances
  readonly delivery: Delivery
  readonly writer: Writer
  /** Bytes that may wait for one client; 0 is no limit. */
  readonly queuedBytes: number
  readonly logger: FastifyBaseLogger
}

/** Brings clients the past that they missed, each at the pace that it reads, and then lets them join what is live. */
export class Resumption {
  readonly #resumed = { recovered: 0, gap: 0, fresh: 0 }
  #replayed = 0
  readonly #parts: Parts
  readonly #room: number
  #waiting: Array<() => void> = []
  #pagesATurn = MIN_PAGES_A_TURN
  #turnBegan = 0
  /** Clients that are being brought the past. */
  #replays = 0

  constructor (parts: Parts) {
    this.#parts = parts
    this.#room = parts.queuedBytes === 0 ? ROOM : Math.min(ROOM, parts.queuedBytes / 2)
  }

  get counters (): Pick<Stats['delivery'], 'resumed' | 'replayed'> {
    return { resumed: { ...this.#resumed }, replayed: this.#replayed }
  }

  /** Lets a client in that has been admitted: at once, or after what it missed. */
  enter (subscriber: Subscriber): void {
    const { delivery, writer } = this.#parts
    const ready = delivery.await(subscriber)
    writer.checkAnswers(subscriber.link)
    // Without waiting where there is nothing to wait for: the application may emit in this very turn.
    if (ready === undefined) this.#enter(subscriber)
    else void this.#whileAwaited(subscriber, ready.then(() => { if (delivery.isAwaited(subscriber)) this.#enter(subscriber) }))
  }

  #enter (subscriber: Subscriber): void {
    const after = subscriber.handshake.lastEventId
    if (after === undefined) this.#parts.delivery.join(subscriber)
    else if (after === '') this.#joinNow(subscriber, null)
    else void this.#whileAwaited(subscriber, this.#resume(subscriber, after))
  }

  /** A store that fails ends the connection, so that the client tries once more; unless it is gone anyway. */
  async #whileAwaited (subscriber: Subscriber, bringing: Promise<void>): Promise<void> {
    try {
      await bringing
    } catch (err) {
      const { delivery, writer, logger } = this.#parts
      if (!delivery.isAwaited(subscriber)) return
      logger.error({ err, instance: subscriber.instance, address: subscriber.link.address }, 'the past could not be read: the connection is ended, and its client will come back')
      writer.end(subscriber.link)
    }
  }

  /** From now on, and told where that is. */
  #joinNow (subscriber: Subscriber, recovered: null | false): void {
    const { delivery, log } = this.#parts
    this.#resumed[recovered === null ? 'fresh' : 'gap']++
    // What waits in the channel is not for it, and not newer. What a listener of the host's emits meanwhile is both.
    const lastEventId = log.head(subscriber.instance)
    delivery.join(subscriber)
    this.#sendReady(subscriber, recovered, lastEventId)
  }

  /** For one that is there already: it may have missed something, and goes on after `head`. */
  tellGap (subscriber: Subscriber, head: string): void {
    this.#resumed.gap++
    this.#sendReady(subscriber, false, head)
  }

  #sendReady (subscriber: Subscriber, recovered: boolean | null, lastEventId: string): void {
    const { mode, instances } = this.#parts
    const { instance } = subscriber
    const enabled = instance === null || instances.standing(instance) !== 'instance-disabled'
    const ready: Ready = { instance, mode, enabled, recovered, lastEventId }
    this.#tell(subscriber, () => { subscriber.tell('ws.ready', ready) })
  }

  /** Tells a client up to where it has everything that is meant for it. */
  tellPosition (subscriber: Subscriber, lastEventId: string): void {
    const position: Position = { lastEventId }
    this.#tell(subscriber, () => { subscriber.tell('ws.position', position) })
  }

  /** A listener of the host's may hear of it, and throw. */
  #tell ({ instance, link }: Subscriber, tell: () => void): void {
    try {
      tell()
    } catch (err) {
      this.#parts.logger.error({ err, instance, address: link.address }, 'a listener of the application has failed')
    }
  }

  async #resume (subscriber: Subscriber, after: string): Promise<void> {
    const { past, delivery } = this.#parts
    const gaps = delivery.gapsOf(subscriber.instance)
    const first = past.read(subscriber.instance, after)
    // As above: what comes in between would have to be read again.
    const page = first instanceof Promise ? await first : first
    if (!delivery.isAwaited(subscriber)) return
    // What was read before a gap does not lead to what is told after it.
    if (page === 'gap' || gaps !== delivery.gapsOf(subscriber.instance)) {
      this.#joinNow(subscriber, false)
      return
    }
    this.#resumed.recovered++
    this.#sendReady(subscriber, true, after)
    await this.#replay(subscriber, after, page)
  }

  async #replay (subscriber: Subscriber, from: string, first: Page): Promise<void> {
    const { past, delivery } = this.#parts
    const gaps = delivery.gapsOf(subscriber.instance)
    const isWhole = () => gaps === delivery.gapsOf(subscriber.instance)
    this.#replays++
    try {
      let after = from
      let page: Page | 'gap' = first
      while (page !== 'gap') {
        // Looked at right before it is written to: another of its namespaces may be brought something too.
        while (this.#isFull(subscriber)) {
          await subscriber.link.drained()
          if (!this.#isThere(subscriber)) return
        }
        if (!isWhole()) break
        this.#bring(subscriber, page, after)
        after = page.last
        if (this.#joins(subscriber, page)) return
        await this.#turn()
        if (!this.#isThere(subscriber)) return
        const next: Page | 'gap' | Promise<Page | 'gap'> = past.next(subscriber.instance, after)
        page = next instanceof Promise ? await next : next
        if (!this.#isThere(subscriber)) return
      }
      this.#lostInTheMiddle(subscriber)
    } finally {
      if (--this.#replays === 0) past.forgetSoon()
    }
  }

  #bring (subscriber: Subscriber, page: Page, after: string): void {
    if (page.isEmpty) return
    const brought = this.#parts.delivery.bring(subscriber, page.eventsAfter(after))
    this.#replayed += brought
    // What its filter held back is behind it too.
    if (brought === 0) this.tellPosition(subscriber, page.last)
  }

  /**
   * Lets a client join that has everything that was told. At once, or more would have come when it is asked for again:
   * where many come back to a busy stream, that would go on for ever.
   */
  #joins (subscriber: Subscriber, { isEmpty, last }: Page): boolean {
    const { delivery } = this.#parts
    const newest = delivery.newest(subscriber.instance)
    // Before anything is told to this channel, only the log knows whether there is more.
    const isAll = newest === undefined ? isEmpty : newest <= last
    if (!isAll || (!isEmpty && this.#isFull(subscriber))) return false
    delivery.join(subscriber)
    return true
  }

  #isFull ({ link }: Subscriber): boolean {
    return link.queuedBytes > this.#room
  }

  #isThere (subscriber: Subscriber): boolean {
    return this.#parts.delivery.isAwaited(subscriber) && !subscriber.link.ended
  }

  /** Waits for a place in a turn of the event loop. */
  async #turn (): Promise<void> {
    await new Promise<void>(resolve => {
      if (this.#waiting.push(resolve) > 1) return
      this.#turnBegan = performance.now()
      setImmediate(() => { this.#endTurn() })
    })
  }

  /** As many pages go into a turn as leave it short, for all the others. */
  #endTurn (): void {
    const now = performance.now()
    const took = now - this.#turnBegan
    if (took > LONG_TURN) this.#pagesATurn = Math.max(MIN_PAGES_A_TURN, this.#pagesATurn >> 1)
    else if (took < LONG_TURN / 2) this.#pagesATurn = Math.min(MAX_PAGES_A_TURN, this.#pagesATurn << 1)
    this.#turnBegan = now
    const next = this.#waiting.splice(0, this.#pagesATurn)
    if (this.#waiting.length > 0) setImmediate(() => { this.#endTurn() })
    for (const resolve of next) resolve()
  }

  /** What it has had is whole, and so is what it will have when it comes back: it is told of the gap then. */
  #lostInTheMiddle ({ link, instance }: Subscriber): void {
    this.#parts.logger.info({ instance, address: link.address }, 'the past was dropped while it was brought to a client: its connection is ended, and it will come back')
    this.#parts.writer.end(link)
  }
}
