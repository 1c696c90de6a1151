import type { Socket } from 'socket.io'
import type { EventLog } from '../../log/event-log.js'
import type { StockResumeOption } from '../../types.js'
import { lastEventIdOf } from '../handshake.js'
import { makePid } from '../pid.js'
import type { Telemetry } from '../telemetry.js'
import { carriesPid, givePid } from './engine.js'
import type { SocketSession } from './session.js'

/** The version of Engine.IO's protocol whose clients can use a pid. */
const PROTOCOL = 4

interface Parts {
  readonly log: EventLog
  /** The clients that resume by a pid. */
  readonly clients: StockResumeOption
  readonly telemetry: Pick<Telemetry, 'stockResumeOff'>
}

/**
 * Lets stock clients resume. Socket.IO's own client keeps the `pid` of its CONNECT packet and the last argument of an
 * event, if that is a text, and sends both as `{ pid, offset }` at a reconnect. Here the offset is a message id, so it
 * works like a `lastEventId`. But the client needs the answer in the CONNECT packet, before it is connected.
 */
export class StockResume {
  readonly #parts: Parts
  /** Whether this version of Socket.IO sends a pid; `undefined` before the first client. */
  #isPossible: boolean | undefined

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** Whether a client resumes by a pid. A client that gives `auth.lastEventId` does not. */
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
   * Decides whether history reaches back to a client's last event, before the client is admitted. If it does, the
   * CONNECT packet has the pid that the client sent; otherwise it has a new one.
   *
   * @param session that has a lease of its stream
   * @throws STORE_UNAVAILABLE; if the session has closed meanwhile, the error for that reason
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

/** Whether a client is a web page. Browsers send the page's origin, or its relation to the server's site. */
function isBrowsers ({ handshake: { headers } }: Socket): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
}
