import type { Instances } from '../instances/instances.js'
import type { EventLog } from '../log/event-log.js'
import type { Delivery } from './delivery.js'
import type { HistoryCache, HistoryPage } from './history.js'
import type { Notices } from './notices.js'
import type { LiveSession } from './session.js'
import type { Subscription } from './subscriptions.js'

/** Maximum queued bytes of a client when the next page is written to it. */
const MAX_QUEUED = 64 * 1024
/** Minimum number of pages that are written in one tick of the event loop, for all clients together. */
const MIN_PAGES_A_TICK = 2
const MAX_PAGES_A_TICK = 64
/** Target for the duration of a tick with pages, in ms. */
const LONG_TICK = 6

interface Parts {
  readonly log: EventLog
  readonly history: HistoryCache
  readonly delivery: Delivery
  readonly notices: Notices
  readonly instances: Instances
  /** Bytes that may be queued for one client; 0 is no limit. */
  readonly queuedBytes: number
}

/** A recovering session, with its lease of the subscription. */
interface Recovering { readonly session: LiveSession, readonly subscription: Subscription }

/** Replays missed history to sessions, as fast as each client reads, and then makes them live. */
export class Recovery {
  replayed = 0
  readonly #parts: Parts
  readonly #room: number
  #waiting: Array<() => void> = []
  #pagesATick = MIN_PAGES_A_TICK
  #tickBegan = 0
  /** Number of sessions that are being replayed to. */
  #replays = 0

  constructor (parts: Parts) {
    this.#parts = parts
    this.#room = parts.queuedBytes === 0 ? MAX_QUEUED : Math.min(MAX_QUEUED, parts.queuedBytes / 2)
  }

  /** Makes a session live: at once, or after a replay. */
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

  /** Makes a session live without a replay, and sends it its position. */
  #joinFresh (recovering: Recovering, recovered: null | false): void {
    const { log, notices } = this.#parts
    const { session } = recovering
    // Read the position first. Events that are queued in the channel are before it; events that a listener of the
    // application emits from now on are after it.
    const lastEventId = log.head(session.instance)
    this.#join(recovering)
    notices.ready(session, recovered, lastEventId)
  }

  /** Replays history. If the store fails, the connection is ended, so that the client tries again. */
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
    // Await only a promise: events published during an await would have to be read as well.
    const page = first instanceof Promise ? await first : first
    if (!isRecovering(session)) return
    // If there was a gap during the read, this page is not followed by the events that are published next.
    if (page === 'gap' || gaps !== subscription.gaps) {
      // The CONNECT packet has promised a replay. After a reconnect, the next CONNECT packet reports the gap.
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
        // Check right before the write: another session of the same connection may be recovering too.
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
      // The events delivered so far have no gap. After the reconnect, `ws.ready` reports the gap.
      session.close('historyLost')
    } finally {
      if (--this.#replays === 0) history.forgetSoon()
    }
  }

  /** Waits until the client's queue has room for a page. Resolves to `false` if the session closes meanwhile. */
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
    // The filter dropped all events of the page, so send the client its new position.
    if (delivered === 0) this.#parts.notices.position(session, page.last)
  }

  /**
   * Makes a session live if it has received every published event. This must happen in the same tick as the read.
   * Otherwise more events would be published before the next read, and in a busy stream recovery would never end.
   */
  #joinIfComplete (recovering: Recovering, { isEmpty, last }: HistoryPage): boolean {
    const { session, subscription: { newest } } = recovering
    // Until the first event is published to this subscription, only the log knows whether there are more events.
    const isAll = newest === undefined ? isEmpty : newest <= last
    if (!isAll || (!isEmpty && this.#isFull(session)) || !isRecovering(session)) return false
    this.#join(recovering)
    return true
  }

  #isFull ({ connection }: LiveSession): boolean {
    return connection.transportBytes > this.#room
  }

  /** Waits for a tick of the event loop that may write another page. */
  async #tick (): Promise<void> {
    await new Promise<void>(resolve => {
      if (this.#waiting.push(resolve) > 1) return
      this.#tickBegan = performance.now()
      setImmediate(() => { this.#endTick() })
    })
  }

  /** Starts as many pages as fit into a short tick, and the others in the next one. */
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

/** False if the session was closed meanwhile, for whatever reason. */
const isRecovering = ({ state }: LiveSession): boolean => state === 'recovering'
