import type { LogListener } from '../../log/event-log.js'
import { RecentEvents } from '../../log/recent.js'

/** What is remembered of one instance, or of the root, and who is told of more. */
export class MemoryStream extends RecentEvents {
  /** Made anew at each change, so that who comes while an event is told is not told of it. */
  listeners: readonly LogListener[] = []
  /** When it need not be remembered any more, in ms since 1970, if nobody watches. */
  keptUntil = 0

  isKept (now: number): boolean {
    return this.listeners.length > 0 || now < this.keptUntil
  }
}
