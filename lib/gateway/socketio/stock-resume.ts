import type { Socket } from 'socket.io'
import type { EventLog } from '../../log/event-log.js'
import type { StockResumeOption } from '../../types.js'
import { lastEventIdOf } from '../handshake.js'
import { makePid } from '../pid.js'
import type { Telemetry } from '../telemetry.js'
import { carriesPid, givePid } from './engine.js'
import type { SocketSession } from './session.js'

/** The protocol of Engine.IO whose clients take a pid. */
const PROTOCOL = 4

interface Parts {
  readonly log: EventLog
  /** Which clients resume by a pid. */
  readonly clients: StockResumeOption
  readonly telemetry: Pick<Telemetry, 'stockResumeOff'>
}

/**
 * Lets stock clients resume as they are. Socket.IO's own client keeps the `pid` of its first packet and the last
 * argument of an event, if that is a text, and brings both as `{ pid, offset }` when it comes back. The offset is the
 * id of a message, so this is the same as a `lastEventId`; but the answer is in the first packet, before it is in.
 */
export class StockResume {
  readonly #parts: Parts
  /** `undefined` before the first client. */
  #isPossible: boolean | undefined

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Whether a client resumes by a pid. One that gives `auth.lastEventId` has a way of its own. */
  takes (socket: Socket): boolean {
    const { clients } = this.#parts
    if (clients === false || socket.conn.protocol !== PROTOCOL || lastEventIdOf(socket) !== undefined) return false
    if (clients === 'browsers' && !isBrowsers(socket)) return false
    this.#isPossible ??= this.#test(socket)
    return this.#isPossible
  }

  #test (socket: Socket): boolean {
    const isPossible = carriesPid(socket)
    if (!isPossible) this.#parts.telemetry.stockResumeOff()
    return isPossible
  }

  /**
   * Decides whether history reaches back to a client's last event, before the client is admitted. If it does, the first
   * packet has the pid that the client sent; else a new pid.
   *
   * @param session that holds a lease of its stream
   * @throws STORE_UNAVAILABLE; the error for its reason when it has closed meanwhile
   */
  async prepare (session: SocketSession): Promise<void> {
    const { log } = this.#parts
    const { instance, socket, replayAfter: after } = session
    if (typeof after === 'string' && after !== '') {
      const found = log.read(instance, after, 1)
      if ((found instanceof Promise ? await session.during(found) : found) !== 'gap') {
        givePid(socket, String(socket.handshake.auth.pid))
        return
      }
      session.replayAfter = null
    }
    givePid(socket, makePid(instance, log.head(instance)))
  }
}

/** By what browsers say of their own accord: the origin of the page, or where it stands to the server. */
function isBrowsers ({ handshake: { headers } }: Socket): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
}
