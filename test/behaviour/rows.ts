import { readTable } from '../helpers/outcome.js'

/** States of a client, in the order that it passes through them. */
export const states = ['connecting', 'authorizing', 'subscribing', 'recovering', 'live', 'muted'] as const
export type State = typeof states[number]

export const ways = ['websocket', 'polling', 'stream', 'page'] as const
export type Way = typeof ways[number]

/** One client of the table: its state, what happens to it, and how it came. */
export interface Row {
  readonly state: State
  readonly happening: string
  readonly way: Way
  /** What becomes of it, in a word of outcomes.ts. */
  readonly outcome: string
}

/**
 * What becomes of a client, as README.md promises it: a word of outcomes.ts for those that come by Socket.IO, over
 * either transport (`websocket / polling` where they differ), by an HTTP stream, and for a page of the past; `-` where
 * there is no such case. After `>` is what becomes of a stream that comes back: nothing keeps a stock EventSource away
 * but a refusal.
 *
 * connecting: the transport is open, and no namespace is asked for yet. authorizing: `verify` has not answered.
 * subscribing: the store has not said that nothing can be missed. recovering: the past is being read. live: it gets
 * what is emitted. muted: it was live, with `evolution: true`, and its instance is disabled.
 */
const TABLES: Readonly<Record<State, string>> = {
  connecting: `
what happens                       | socket                  | stream                    | page
events narrowed                    | narrowed                | -                         | -
disabled                           | INSTANCE_DISABLED       | -                         | -
removed                            | NOT_SET                 | -                         | -
removed, set again                 | in                      | -                         | -
key revoked                        | FORBIDDEN               | -                         | -
disconnected by instance           | in                      | -                         | -
disconnected by key                | in                      | -                         | -
idle                               | idle                    | -                         | -
connection lost                    | lost                    | -                         | -
leaves                             | left                    | -                         | -
server closing                     | closing                 | -                         | -
connections full                   | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED
connectionsPerAddress full         | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED
connectionsPerInstance full        | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED
connections full (page)            | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED
connectionsPerAddress full (page)  | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED
connectionsPerInstance full (page) | LIMIT_REACHED again     | LIMIT_REACHED              | LIMIT_REACHED`,
  authorizing: `
what happens                       | socket                  | stream                    | page
events narrowed                    | narrowed                | narrowed                  | whole
disabled                           | INSTANCE_DISABLED       | INSTANCE_DISABLED         | INSTANCE_DISABLED
removed                            | NOT_SET                 | NOT_SET                   | NOT_SET
removed, set again                 | NOT_SET                 | NOT_SET                   | NOT_SET
removed by another node            | NOT_SET                 | NOT_SET                   | NOT_SET
key revoked                        | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
disconnected by instance           | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
disconnected by key                | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
verify never answers               | VERIFY_FAILED again     | VERIFY_FAILED             | VERIFY_FAILED
idle                               | idle                    | -                         | -
asks again                         | replaced                | -                         | -
asks in another spelling           | ALREADY_JOINED          | -                         | -
connection lost                    | lost                    | lost                      | lost
leaves                             | left                    | left                      | left
server closing                     | closing                 | CLOSED                    | CLOSED`,
  subscribing: `
what happens                       | socket                  | stream                    | page
events narrowed                    | narrowed                | narrowed                  | whole
disabled                           | INSTANCE_DISABLED       | INSTANCE_DISABLED         | INSTANCE_DISABLED
removed                            | NOT_SET                 | NOT_SET                   | NOT_SET
removed, set again                 | NOT_SET                 | NOT_SET                   | NOT_SET
removed by another node            | NOT_SET                 | NOT_SET                   | NOT_SET
key revoked                        | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
disconnected by instance           | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
disconnected by key                | FORBIDDEN               | FORBIDDEN                 | FORBIDDEN
store never ready                  | STORE_UNAVAILABLE again | STORE_UNAVAILABLE         | STORE_UNAVAILABLE
connection lost                    | lost                    | lost                      | lost
leaves                             | left                    | left                      | left
server closing                     | closing                 | CLOSED                    | CLOSED`,
  recovering: `
what happens                       | socket                  | stream                    | page
events narrowed                    | narrowed                | narrowed                  | whole
disabled                           | disabled                | disabled > INSTANCE_DISABLED| INSTANCE_DISABLED
removed                            | removed                 | removed > NOT_SET         | NOT_SET
removed, set again                 | removed                 | removed > in              | NOT_SET
removed by another node            | removed                 | removed > NOT_SET         | NOT_SET
key revoked                        | revoked                 | revoked > FORBIDDEN       | FORBIDDEN
disconnected by instance           | kicked                  | kicked > in               | FORBIDDEN
disconnected by key                | kicked                  | kicked > in               | FORBIDDEN
too many messages                  | flood                   | -                         | -
reads nothing                      | lost / -                | stalled                   | -
connection lost                    | lost                    | lost                      | lost
leaves                             | left                    | left                      | left
server closing                     | closing                 | closing                   | whole`,
  live: `
what happens                       | socket                  | stream                    | page
events narrowed                    | narrowed                | narrowed                  | -
disabled                           | disabled                | disabled > INSTANCE_DISABLED| -
removed                            | removed                 | removed > NOT_SET         | -
removed, set again                 | removed                 | removed > next            | -
removed by another node            | removed                 | removed > NOT_SET         | -
key revoked                        | revoked                 | revoked > FORBIDDEN       | -
disconnected by instance           | kicked                  | kicked > in               | -
disconnected by key                | kicked                  | kicked > in               | -
asks in another spelling           | ALREADY_JOINED          | -                         | -
too many messages                  | flood                   | -                         | -
slow                               | slow                    | slow                      | -
reads nothing                      | lost                    | stalled                   | -
stays quiet                        | in                      | in                        | -
connection lost                    | lost                    | lost                      | -
leaves                             | left                    | left                      | -
server closing                     | closing                 | closing                   | -`,
  muted: `
what happens                       | socket                  | stream                    | page
enabled again                      | in                      | in                        | -
disabled                           | muted                   | muted                     | -
removed                            | removed                 | removed > NOT_SET         | -
removed, set again                 | removed                 | removed > next            | -
key revoked                        | revoked                 | revoked > FORBIDDEN       | -
disconnected by instance           | kicked                  | kicked > muted            | -
disconnected by key                | kicked                  | kicked > muted            | -
too many messages                  | flood                   | -                         | -
connection lost                    | lost                    | lost                      | -
leaves                             | left                    | left                      | -
server closing                     | closing                 | closing                   | -`
}

/** Each client of the tables. */
export const rows: readonly Row[] = states.flatMap(state => readTable(TABLES[state]).rows.flatMap(cells => {
  const [happening = '', socket = '', stream = '', page = ''] = cells
  const [websocket = '', polling = websocket] = socket.split(' / ')
  const byWay: Readonly<Record<Way, string>> = { websocket, polling, stream, page }
  return ways.filter(way => byWay[way] !== '-').map((way): Row => ({ state, happening, way, outcome: byWay[way] }))
}))
