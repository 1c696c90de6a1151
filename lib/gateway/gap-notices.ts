import type { Channel } from './channel.js'
import type { Notices } from './notices.js'
import type { LiveSession } from './session.js'

/** Number of clients that are notified in one tick of the event loop. */
const CLIENTS_A_TICK = 500

/** The sessions of a channel that must be notified of a gap. */
interface PendingNotices {
  readonly head: string
  readonly sessions: readonly LiveSession[]
  /** Number of sessions that were notified. */
  done: number
}

/**
 * Notifies live sessions of a gap in their stream. There may be thousands, so it takes several ticks of the event loop.
 * Until all are notified, newer events must not be written to the channel.
 */
export class GapNotices {
  readonly #notices: Notices
  // Map(channel -> its sessions to notify)
  readonly #pending = new Map<Channel, PendingNotices>()
  // Channels whose sessions are being notified in the current call
  readonly #busy = new Set<Channel>()

  constructor (notices: Notices) {
    this.#notices = notices
  }

  /** Starts to notify all sessions that resume by id, the first of them at once. */
  begin (channel: Channel, head: string): void {
    this.#pending.set(channel, { head, sessions: [...channel.resuming()], done: 0 })
    this.#continue(channel)
  }

  /** Whether a session has not been notified yet. */
  isUnderWay (channel: Channel): boolean {
    return this.#pending.has(channel)
  }

  /**
   * Notifies the remaining sessions at once, because the channel must be written to.
   *
   * @returns `false` if a listener of the application caused this call during a notice, so that it cannot finish now
   */
  finish (channel: Channel): boolean {
    if (this.#busy.has(channel)) return false
    this.#notifySome(channel, Infinity)
    return true
  }

  #continue (channel: Channel): void {
    this.#notifySome(channel, CLIENTS_A_TICK)
    if (this.#pending.has(channel)) setImmediate(() => { this.#continue(channel) })
  }

  #notifySome (channel: Channel, count: number): void {
    const round = this.#pending.get(channel)
    if (round === undefined) return
    const { sessions, head, done } = round
    round.done += Math.min(count, sessions.length - done)
    this.#busy.add(channel)
    for (const session of sessions.slice(done, round.done)) {
      // The session may have closed meanwhile.
      if (channel.has(session)) this.#notify(session, head)
    }
    this.#busy.delete(channel)
    if (round.done === sessions.length) this.#pending.delete(channel)
  }

  /** A stock client learns of a gap only from its CONNECT packet, so its connection is ended and it reconnects. */
  #notify (session: LiveSession, head: string): void {
    if (session.byPid) session.close('historyLost')
    else this.#notices.ready(session, false, head)
  }
}
