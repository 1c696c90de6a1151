import type { Instances } from '../instances/instances.js'
import type { EventLog } from '../log/event-log.js'
import type { Delivery } from './delivery.js'
import type { HistoryCache, HistoryPage } from './history.js'
import type { Notices } from './notices.js'
import type { LiveSession } from './session.js'
import type { Subscription } from './subscriptions.js'

/** Bytes that may wait for a client when a page is added. */
const ROOM = 64 * 1024
/** Pages that are written in one tick of the event loop, for all clients together. */
const MIN_PAGES_A_TICK = 2
const MAX_PAGES_A_TICK = 64
/** A tick with pages in it should not take longer, in ms. */
const LONG_TICK = 6

interface Parts {
  readonly log: EventLog
  readonly history: HistoryCache
  readonly delivery: Delivery
  readonly notices: Notices
  readonly instances: Instances
  /** Bytes that may wait for one client; 0 is no limit. */
  readonly queuedBytes: number
}

/** A session that recovers, with its lease. */
interface Recovering { readonly session: LiveSession, readonly subscription: Subscription }

/** Replays to sessions the history that they missed, at the pace that each client reads, and then makes them live. */
export class Recovery {
  replayed = 0
  readonly #parts: Parts
  readonly #room: number
  #waiting: Array<() => void> = []
  #pagesATick = MIN_PAGES_A_TICK
  #tickBegan = 0
  /** Sessions that history is replayed to. */
  #replays = 0

  constructor (parts: Parts) {
    this.#parts = parts
    this.#room = parts.queuedBytes === 0 ? ROOM : Math.min(ROOM, parts.queuedBytes / 2)
  }

  /** Makes a session live: at once, or after what it missed. */
  start (session: LiveSession, subscription: Subscription): void {
    const { replayAfter: after } = session
    session.open('recovering')
    if (after === undefined) this.#join({ session, subscription })
    else if (after === '' || after === null) this.#joinFresh({ session, subscription }, after === '' ? null : false)
    else void this.#recover({ session, subscription }, after)
  }

  #join ({ session }: Recovering): void {
    const { delivery, instances } = this.#parts
    delivery.join(session)
    const isMuted = session.instance !== null && instances.status(session.instance) === 'instance-disabled'
    session.open(isMuted ? 'muted' : 'live')
  }

  /** From now on, and told its offset. */
  #joinFresh (recovering: Recovering, recovered: null | false): void {
    const { log, notices } = this.#parts
    const { session } = recovering
    // First: what waits in the channel is not for it, and what a listener of the application emits meanwhile is.
    const lastEventId = log.head(session.instance)
    this.#join(recovering)
    notices.ready(session, recovered, lastEventId)
  }

  /** A store that fails ends the connection, so that the client tries once more. */
  async #recover (recovering: Recovering, after: string): Promise<void> {
    try {
      await this.#resume(recovering, after)
    } catch (err) {
      recovering.session.close('historyUnreadable', { err })
    }
  }

  async #resume (recovering: Recovering, after: string): Promise<void> {
    const { session, subscription } = recovering
    const { gaps } = subscription
    const first = this.#parts.history.read(session.instance, after)
    // Without waiting where there is nothing to wait for: what comes in between would have to be read again.
    const page = first instanceof Promise ? await first : first
    if (!isRecovering(session)) return
    // What was read before a gap does not lead to what is published after it.
    if (page === 'gap' || gaps !== subscription.gaps) {
      // Its CONNECT packet promised a replay: its connection is ended, and the next CONNECT packet reports the gap.
      if (session.byPid) session.close('historyLost')
      else this.#joinFresh(recovering, false)
      return
    }
    this.#parts.notices.ready(session, true, after)
    await this.#replay(recovering, after, page)
  }

  async #replay (recovering: Recovering, from: string, first: HistoryPage): Promise<void> {
    const { history } = this.#parts
    const { session, subscription } = recovering
    const { gaps } = subscription
    this.#replays++
    try {
      let after = from
      let page: HistoryPage | 'gap' = first
      while (page !== 'gap') {
        // Right before it is written to: another session of its connection may recover too.
        if (!await this.#hasRoom(session)) return
        if (gaps !== subscription.gaps) break
        this.#deliver(session, page, after)
        after = page.last
        if (this.#joinIfComplete(recovering, page)) return
        await this.#tick()
        if (!isRecovering(session)) return
        const next: HistoryPage | 'gap' | Promise<HistoryPage | 'gap'> = history.next(session.instance, after)
        page = next instanceof Promise ? await next : next
        if (!isRecovering(session)) return
      }
      // Everything delivered so far has no hole. The client gets the gap as `ws.ready` when it reconnects.
      session.close('historyLost')
    } finally {
      if (--this.#replays === 0) history.forgetSoon()
    }
  }

  /** Waits until a page may be added to what waits for a client. `false`: the session has closed meanwhile. */
  async #hasRoom (session: LiveSession): Promise<boolean> {
    while (this.#isFull(session)) {
      await session.connection.drained()
      if (!isRecovering(session)) return false
    }
    return isRecovering(session)
  }

  #deliver (session: LiveSession, page: HistoryPage, after: string): void {
    if (page.isEmpty) return
    const delivered = this.#parts.delivery.deliverTo(session, page.eventsAfter(after))
    this.replayed += delivered
    // What its filter held back is behind it too.
    if (delivered === 0) this.#parts.notices.position(session, page.last)
  }

  /**
   * Makes a session live that has everything that was published. At once, or more would have been published by the next
   * read: where many come back to a busy stream, that would go on for ever.
   */
  #joinIfComplete (recovering: Recovering, { isEmpty, last }: HistoryPage): boolean {
    const { session, subscription: { newest } } = recovering
    // Before anything is published to this subscription, only the log knows whether there is more.
    const isAll = newest === undefined ? isEmpty : newest <= last
    if (!isAll || (!isEmpty && this.#isFull(session)) || !isRecovering(session)) return false
    this.#join(recovering)
    return true
  }

  #isFull ({ connection }: LiveSession): boolean {
    return connection.transportBytes > this.#room
  }

  /** Waits for a place in a tick of the event loop. */
  async #tick (): Promise<void> {
    await new Promise<void>(resolve => {
      if (this.#waiting.push(resolve) > 1) return
      this.#tickBegan = performance.now()
      setImmediate(() => { this.#endTick() })
    })
  }

  /** As many pages go into a tick as leave it short, for all others. */
  #endTick (): void {
    const now = performance.now()
    const took = now - this.#tickBegan
    if (took > LONG_TICK) this.#pagesATick = Math.max(MIN_PAGES_A_TICK, this.#pagesATick >> 1)
    else if (took < LONG_TICK / 2) this.#pagesATick = Math.min(MAX_PAGES_A_TICK, this.#pagesATick << 1)
    this.#tickBegan = now
    const next = this.#waiting.splice(0, this.#pagesATick)
    if (this.#waiting.length > 0) setImmediate(() => { this.#endTick() })
    for (const resolve of next) resolve()
  }
}

/** Nothing of the client's own connection, nor of its instance, has ended it meanwhile. */
const isRecovering = ({ state }: LiveSession): boolean => state === 'recovering'
