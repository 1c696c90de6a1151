import type { Test } from 'tap'
import { connectionsOf } from '../../../lib/gateway/socketio/engine.js'
import { eventually } from '../../helpers/latch.js'
import { withoutIds } from './conversation.js'
import { Http, openSession, type Response, sessionQuery } from './polling.js'
import type { Spoken } from './servers.js'

/** What was answered, as a line. */
export const answerLine = ({ status, body }: Response): string => `${status} ${withoutIds(body)}`

/** What became of a request as a line, also when the server broke it off. */
export async function outcomeLine (sent: Promise<Response>): Promise<string> {
  return await sent.then(answerLine, (error: NodeJS.ErrnoException) => error.code ?? error.message)
}

/** What headers say, but for those by which HTTP servers differ. */
export function headersOf (headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { date, connection, 'keep-alive': _, 'sec-websocket-accept': __, ...rest } = headers
  return rest
}

/** Does the same with each server: each must answer as expected, which the reference does too. */
export async function sameFromAll (t: Test, servers: readonly Spoken[], talk: (server: Spoken) => Promise<unknown>, expected: unknown): Promise<void> {
  const told = await Promise.all(servers.map(async server => [await talk(server), await server.reasons()] as const))
  for (const [at, [said, reasons]] of told.entries()) {
    t.strictSame(said, expected, servers[at]?.name ?? '')
    t.strictSame(reasons, told[0]?.[1], `${servers[at]?.name}: why connections were closed`)
  }
}

/** Resolves when a poll waits at a server. */
export async function pollWaits ({ io }: Spoken): Promise<void> {
  await eventually(() => connectionsOf(io).some(({ transport }) => transport.name === 'polling' && transport.writable))
}

/** A session that is polled by hand. */
export class Session {
  readonly http: Http
  readonly sid: string
  readonly query: string

  private constructor (http: Http, sid: string) {
    this.http = http
    this.sid = sid
    this.query = sessionQuery(sid)
  }

  static async open (port: number): Promise<Session> {
    const http = new Http(port)
    return new Session(http, await openSession(http))
  }

  /** Opens one that is in a namespace, given as packets write it: `/acme,`. */
  static async join (port: number, namespace: string): Promise<Session> {
    const session = await Session.open(port)
    await session.post(`40${namespace}`)
    await session.poll()
    return session
  }

  async poll (): Promise<string> {
    return await outcomeLine(this.http.get(this.query))
  }

  async post (body: string, headers: Record<string, string> = {}): Promise<string> {
    return await outcomeLine(this.http.post(this.query, body, headers))
  }

  /** Ends the session, if it has not ended. */
  async leave (): Promise<void> {
    await this.post('1')
    this.http.close()
  }
}
