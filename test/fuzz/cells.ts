import type { ReasonName } from '../../lib/gateway/reasons.js'
import type { SessionState } from '../../lib/gateway/session.js'
import type { LimitName } from '../../lib/limits/limits.js'

/** How somebody comes; `call` is the application itself. */
export const WAYS = ['websocket', 'polling', 'stream', 'page', 'route', 'monitor', 'call'] as const
export type Way = typeof WAYS[number]

/** In which state its session is; `none`: it has none, or none that is open. */
export type State = Exclude<SessionState, 'closed'> | 'none'
export const STATES: readonly State[] = ['none', 'connecting', 'authorizing', 'subscribing', 'recovering', 'live', 'muted']

/** A cell: a way in, what has happened, and the state of the session in which it has. */
export const cellOf = (way: Way, what: LimitName | ReasonName, state: State): string => `${way} ${what} ${state}`

interface Row {
  /** Where it can happen. */
  readonly cells: ReadonlyArray<readonly [ways: readonly Way[], states: readonly State[]]>
  /** Why it happens nowhere else. */
  readonly elsewhere: string
}

const SOCKETS = ['websocket', 'polling'] as const
const HTTP = ['stream', 'page'] as const
const SESSIONS = [...SOCKETS, ...HTTP] as const
const OPEN = ['recovering', 'live', 'muted'] as const

/** Every limit, with the cells in which it can be reached. Each of them must be hit. */
export const LIMIT_CELLS: Readonly<Record<LimitName, Row>> = {
  connections: {
    cells: [[SESSIONS, ['connecting']]],
    elsewhere: 'a session takes its place before its key is checked; routes and the monitor have no session'
  },
  connectionsPerAddress: {
    cells: [[SESSIONS, ['connecting']]],
    elsewhere: 'as connections'
  },
  connectionsPerInstance: {
    cells: [[SESSIONS, ['authorizing']]],
    elsewhere: 'it is decided when the key is accepted, between authorizing and subscribing'
  },
  refusalsPerMinute: {
    cells: [[[...SOCKETS, 'route', 'monitor'], ['none']], [HTTP, ['connecting']]],
    elsewhere: 'it is the first that is checked'
  },
  namespacesPerConnection: {
    cells: [[SOCKETS, ['connecting', 'none']]],
    elsewhere: 'a response carries one session; who is refused too often (none) has no session any more'
  },
  idleMs: {
    cells: [[SOCKETS, ['none']]],
    elsewhere: 'it is about connections without a session'
  },
  queuedBytes: {
    cells: [[SOCKETS, OPEN], [['polling'], ['none']], [['stream'], ['recovering', 'live']]],
    elsewhere: 'a muted stream is written nothing; pages are made one at a time and count under queuedBytesTotal alone; refusals are too few to fill the buffers of the kernel behind a WebSocket'
  },
  queuedBytesMax: {
    cells: [[SOCKETS, OPEN], [['stream'], ['recovering', 'live']]],
    elsewhere: 'refusals are small; else as queuedBytes'
  },
  queuedBytesTotal: {
    cells: [[SOCKETS, OPEN], [['polling'], ['none']], [['stream'], ['recovering', 'live']], [['page'], ['recovering']]],
    elsewhere: 'nothing waits for a page before it is read; else as queuedBytes'
  },
  messageBytes: {
    cells: [[['call'], ['none']]],
    elsewhere: 'only the application emits'
  },
  instances: {
    cells: [[SESSIONS, ['authorizing']], [['route', 'call'], ['none']]],
    elsewhere: 'a name counts when a key for it is accepted; the monitor only reads'
  },
  inboundBytes: {
    cells: [[SOCKETS, ['none', ...OPEN]]],
    elsewhere: 'only sockets send messages; a session on its way in does not count for its connection yet'
  },
  inboundPerSecond: {
    cells: [[SOCKETS, ['none', ...OPEN]]],
    elsewhere: 'as inboundBytes; none: it asks to be let in too often'
  },
  publishPerSecond: {
    cells: [[['route'], ['none']]],
    elsewhere: 'nothing else publishes over HTTP'
  },
  pendingEvents: {
    cells: [],
    elsewhere: 'only while the store is away, which no client brings about: test/limits/traffic.test.ts'
  },
  pendingBytes: {
    cells: [],
    elsewhere: 'as pendingEvents'
  }
}

/** The cells that must be hit. */
export function requiredCells (): string[] {
  return Object.entries(LIMIT_CELLS).flatMap(([what, { cells }]) =>
    cells.flatMap(([ways, states]) => ways.flatMap(way => states.map(state => cellOf(way, what as LimitName, state)))))
}
