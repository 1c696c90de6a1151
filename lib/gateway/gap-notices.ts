import type { Channel } from './channel.js'
import type { Notices } from './notices.js'
import type { LiveSession } from './session.js'

/** Clients that are notified in one tick of the event loop. */
const CLIENTS_A_TICK = 500

/** Sessions of a channel that are to be notified of a gap. */
interface Round {
  readonly head: string
  readonly sessions: readonly LiveSession[]
  /** How many were notified. */
  done: number
}

/**
 * Notifies live sessions of a gap in their stream. There may be thousands, so it takes some ticks of the event loop;
 * until it is over nothing newer may be written to the channel.
 */
export class GapNotices {
  readonly #notices: Notices
  // Map(channel -> its round)
  readonly #rounds = new Map<Channel, Round>()
  // Channels of which a client is being notified at this moment
  readonly #busy = new Set<Channel>()

  constructor (notices: Notices) {
    this.#notices = notices
  }

  /** Notifies all sessions that keep ids, the first of them at once. */
  begin (channel: Channel, head: string): void {
    this.#rounds.set(channel, { head, sessions: [...channel.resuming()], done: 0 })
    this.#continue(channel)
  }

  /** Whether a session is still to be notified. */
  isUnderWay (channel: Channel): boolean {
    return this.#rounds.has(channel)
  }

  /**
   * Notifies the rest at once, because the channel is to be written to.
   *
   * @returns `false` when that cannot be, because a listener of the application asks for it in the middle of a notice
   */
  finish (channel: Channel): boolean {
    if (this.#busy.has(channel)) return false
    this.#notifySome(channel, Infinity)
    return true
  }

  #continue (channel: Channel): void {
    this.#notifySome(channel, CLIENTS_A_TICK)
    if (this.#rounds.has(channel)) setImmediate(() => { this.#continue(channel) })
  }

  #notifySome (channel: Channel, count: number): void {
    const round = this.#rounds.get(channel)
    if (round === undefined) return
    const { sessions, head, done } = round
    round.done += Math.min(count, sessions.length - done)
    this.#busy.add(channel)
    for (const session of sessions.slice(done, round.done)) {
      // It may have left since.
      if (channel.has(session)) this.#notify(session, head)
    }
    this.#busy.delete(channel)
    if (round.done === sessions.length) this.#rounds.delete(channel)
  }

  /** Only the CONNECT packet tells a stock client of a gap, so its connection is ended and it reconnects. */
  #notify (session: LiveSession, head: string): void {
    if (session.byPid) session.close('historyLost')
    else this.#notices.ready(session, false, head)
  }
}
