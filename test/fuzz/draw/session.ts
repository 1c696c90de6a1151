import fc from 'fast-check'
import type { LimitName } from '../../../lib/limits/limits.js'
import type { Part } from '../parts.js'
import { call, type Call } from './calls.js'
import { eventsAsk, type EventsAsk, monitorRequest } from './events.js'
import { garbage, handshake } from './handshake.js'
import { goodRequest, httpRequest, type HttpRequest, tellingRequest } from './http.js'
import { goal, type Goal } from './limits.js'
import { publishRequest } from './publish.js'
import { ask, type Ask, frame, type Frame, packet, post, type Post, upgrade, type Upgrade } from './sockets.js'

export type Transport = 'websocket' | 'polling'

/** What one attacker does, one after the other. */
export type Session =
  | { readonly kind: 'http', readonly inputs: readonly HttpRequest[] }
  | { readonly kind: 'events', readonly inputs: readonly EventsAsk[] }
  | { readonly kind: 'monitor', readonly inputs: readonly HttpRequest[] }
  | { readonly kind: 'publish', readonly inputs: readonly HttpRequest[] }
  | { readonly kind: 'handshake', readonly inputs: readonly HttpRequest[] }
  | { readonly kind: 'garbage', readonly inputs: ReadonlyArray<readonly Part[]> }
  | { readonly kind: 'frames', readonly joins: boolean, readonly inputs: readonly Frame[] }
  | { readonly kind: 'packets', readonly joins: boolean, readonly inputs: ReadonlyArray<readonly Part[]> }
  | { readonly kind: 'bodies', readonly joins: boolean, readonly inputs: readonly Post[] }
  | { readonly kind: 'upgrades', readonly joins: boolean, readonly inputs: readonly Upgrade[] }
  | { readonly kind: 'clients', readonly transport: Transport, readonly inputs: readonly Ask[] }
  | { readonly kind: 'limits', readonly inputs: readonly Goal[] }
  | { readonly kind: 'calls', readonly inputs: readonly Call[] }
export type Kind = Session['kind']
export const KINDS: readonly Kind[] = ['http', 'events', 'monitor', 'publish', 'handshake', 'garbage', 'frames', 'packets', 'bodies', 'upgrades', 'clients', 'calls', 'limits']

const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> => fc.array(arbitrary, { minLength: 1, maxLength, size: 'max' })

/**
 * What attackers do whose keys have this marker.
 *
 * @param limits that the server has, to be reached
 */
export const session = (marker: string, limits: readonly LimitName[]): fc.Arbitrary<Session> => {
  const joins = fc.boolean()
  return fc.oneof(
    { weight: 6, arbitrary: some(fc.oneof({ weight: 12, arbitrary: httpRequest(marker) }, { weight: 1, arbitrary: goodRequest(marker) }, { weight: 1, arbitrary: tellingRequest(marker) }), 24).map((inputs): Session => ({ kind: 'http', inputs })) },
    { weight: 6, arbitrary: some(eventsAsk(marker), 12).map((inputs): Session => ({ kind: 'events', inputs })) },
    { weight: 2, arbitrary: some(monitorRequest(marker), 16).map((inputs): Session => ({ kind: 'monitor', inputs })) },
    { weight: 4, arbitrary: some(publishRequest(marker), 16).map((inputs): Session => ({ kind: 'publish', inputs })) },
    { weight: 4, arbitrary: some(handshake(marker), 16).map((inputs): Session => ({ kind: 'handshake', inputs })) },
    { weight: 2, arbitrary: some(garbage, 8).map((inputs): Session => ({ kind: 'garbage', inputs })) },
    { weight: 5, arbitrary: fc.tuple(joins, some(frame(marker), 16)).map(([joins, inputs]): Session => ({ kind: 'frames', joins, inputs })) },
    { weight: 5, arbitrary: fc.tuple(joins, some(packet(marker), 24)).map(([joins, inputs]): Session => ({ kind: 'packets', joins, inputs })) },
    { weight: 3, arbitrary: fc.tuple(joins, some(post(marker), 8)).map(([joins, inputs]): Session => ({ kind: 'bodies', joins, inputs })) },
    { weight: 2, arbitrary: fc.tuple(joins, some(upgrade(marker), 6)).map(([joins, inputs]): Session => ({ kind: 'upgrades', joins, inputs })) },
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom<Transport>('websocket', 'websocket', 'polling'), some(ask(marker), 5)).map(([transport, inputs]): Session => ({ kind: 'clients', transport, inputs })) },
    { weight: 4, arbitrary: some(call(marker), 40).map((inputs): Session => ({ kind: 'calls', inputs })) },
    ...(limits.length === 0 ? [] : [{ weight: 18, arbitrary: some(goal(limits), 3).map((inputs): Session => ({ kind: 'limits', inputs })) }])
  )
}

/** How many inputs are in it: a request, a frame, a packet, a body, a way to upgrade, a call each; of a client its asking and what it sends. */
export function sizeOf (session: Session): number {
  if (session.kind === 'clients') return session.inputs.reduce((sum, { sends }) => sum + 1 + sends.length, 0)
  return session.kind === 'events' ? session.inputs.reduce((sum, { requests }) => sum + requests.length, 0) : session.inputs.length
}
