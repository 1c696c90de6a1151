import type { LogListener } from '../../log/event-log.js'
import { RecentEvents } from '../../log/recent.js'

/** The stored events of one instance, or of the root, and the stream's listeners. */
export class MemoryStream extends RecentEvents {
  /** Replaced at each change, so that a listener added during a publication does not get that event. */
  listeners: readonly LogListener[] = []
  /** Until when the stream stores events although it has no listeners, in ms since 1970. */
  keptUntil = 0

  isKept (now: number): boolean {
    return this.listeners.length > 0 || now < this.keptUntil
  }
}
